"""Changes of light and colour, all of them in one pass over a batch.

A pixel `x` in (0, 1) is moved by `sigmoid(change(logit(x)))`, so that none can leave the range from
0 to 1: brightness adds, contrast multiplies, saturation mixes the channels. Hue turns the colours.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from lamina.data.transform import ItemTransform
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.tensor.random import bernoulli
from lamina.tensor.types import TensorImage
from lamina.vision.augmentation.draws import Draw, drawn
from lamina.vision.augmentation.spatial import float_batch
from lamina.vision.parts import each_part, parts_of

__all__ = ["Brightness", "Contrast", "Hue", "Lighting", "Saturation", "relight", "turn_hue"]

_COLOURS = 3
_AMOUNTS = ("brightness", "contrast", "saturation", "hue")


def relight(
    x: Tensor,
    brightness: Tensor | None = None,
    contrast: Tensor | None = None,
    saturation: Tensor | None = None,
    hue: Tensor | None = None,
    *,
    in_place: bool = False,
) -> Tensor:
    """Change the light of a batch of images, each by its own amount.

    Args:
        x: `(b, c, h, w)`, float in [0, 1].
        brightness: `(b,)` in (0, 1); 0.5 changes nothing, 0.7 makes mid-grey 0.7.
        contrast: `(b,)`, positive; 1 changes nothing.
        saturation: `(b,)`; 1 changes nothing, 0 gives grey.
        hue: `(b,)`, fractions of the colour circle; 0 changes nothing. See `turn_hue`.
        in_place: Whether `x` may be overwritten.

    Example:
        >>> grey = torch.full((1, 3, 2, 2), 0.5)
        >>> round(relight(grey, brightness=torch.tensor([0.7])).mean().item(), 3)
        0.7
    """
    if hue is not None:
        x, in_place = turn_hue(x, hue), in_place or x.shape[1] == _COLOURS
    if brightness is None and contrast is None and saturation is None:
        return x
    edge = torch.finfo(x.dtype).eps  # what keeps the logits of 0 and 1 finite
    light = x.logit_(edge) if in_place else x.logit(edge)
    if contrast is not None:
        light.mul_(_per_item(contrast, x))
    if brightness is not None:
        light.add_(torch.logit(_per_item(brightness, x), eps=edge))
    if saturation is not None and x.shape[1] > 1:
        light = torch.lerp(light.mean(1, keepdim=True), light, _per_item(saturation, x))
    return light.sigmoid_()


def turn_hue(x: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of images and keep their value and saturation in the sense of HSV.

    Args:
        x: `(b, c, h, w)`, float in [0, 1]; what has no three channels has no hue and is returned.
        turn: `(b,)`, fractions of the colour circle.

    Example:
        >>> red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
        >>> turn_hue(red, torch.tensor([1 / 3])).flatten().round().tolist()
        [0.0, 1.0, 0.0]
    """
    if x.shape[1] != _COLOURS:
        return x
    red, green, blue = x.unbind(1)
    value, low = x.amax(1), x.amin(1)
    chroma = value - low
    safe = chroma.clamp_min(torch.finfo(x.dtype).tiny)
    from_red, from_green = (green - blue) / safe, (blue - red) / safe + 2
    from_blue = (red - green) / safe + 4
    sixths = torch.where(value == red, from_red, torch.where(value == green, from_green, from_blue))
    sixths += _per_item(turn, x)[:, 0] * 6
    channels = []
    for start in (5, 3, 1):
        k = (sixths + start).remainder_(6)
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1))
    return torch.stack(channels, 1)


def _per_item(amount: Tensor, x: Tensor) -> Tensor:
    return amount.to(x.device, x.dtype).view(-1, 1, 1, 1)


@savable
@dataclass(repr=False)
class Lighting(ItemTransform, overrides_verbs=True):
    """Change the light and colour of images in one pass, each item by its own draw.

    Args:
        brightness: Mid-grey becomes 0.5 plus or minus up to half of this; 0 is off.
        contrast: Contrast is multiplied by `1 - contrast` to its inverse; 0 is off.
        saturation: The same for saturation; 0 is off.
        p: Probability of each of them.
        hue: Hue turns by up to this fraction of the colour circle either way; 0 is off. Images
            without three channels have none.
        batch: Whether all items of a batch get the same draw.
        draw: Decides the brightness (0.5 is none), factor or turn of the only one that is on; see
            `drawn`. Each item still has it with probability `p`.

    Raises:
        ContractError: An amount is not below 1, or `draw` is for several.

    Example:
        >>> x = TensorImage(torch.rand(2, 3, 8, 8))
        >>> Lighting(0.2, 0.2)(x, split_idx=1) is x
        True
    """

    order: ClassVar[int] = 40

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    p: float = 0.75
    hue: float = 0.0
    batch: bool = False
    draw: Draw = None

    def __post_init__(self) -> None:
        for name in _AMOUNTS:
            if not 0 <= (amount := getattr(self, name)) < 1:
                raise ContractError(f"Lighting: {name}={amount}. Expected 0 (off) to below 1.")
        on = [name for name in _AMOUNTS if getattr(self, name)]
        if self.draw is not None and len(on) != 1:
            raise ContractError(f"Lighting: draw= for {on}. Expected exactly one that is not 0.")

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Relight the images of the batch `x`, in training."""
        return self.relit(x) if split_idx == 0 else x

    def relit(self, x: Any, *, in_place: bool = False) -> Any:
        """Draw, and relight the images of the batch `x`; `in_place` lets them be overwritten."""
        image = next((p for p in parts_of(x) if isinstance(p, TensorImage)), None)
        if image is None:
            return x
        n = 1 if self.batch else len(image)
        amounts = (
            self._levels(n),
            self._factors(n, self.contrast),
            self._factors(n, self.saturation),
            self._turns(n),
        )

        def one(part: Any) -> Any:
            if not isinstance(part, TensorImage):
                return part
            return type(part).wrap(
                relight(float_batch(part), *amounts, in_place=in_place), like=part
            )

        return each_part(one, x)

    def _levels(self, n: int) -> Tensor | None:
        if not self.brightness:
            return None
        half = self.brightness / 2
        return torch.where(bernoulli(n, self.p), drawn(n, 0.5 - half, 0.5 + half, self.draw), 0.5)

    def _factors(self, n: int, most: float) -> Tensor | None:
        if not most:
            return None
        low, is_on = math.log1p(-most), bernoulli(n, self.p)
        free = self.draw is None
        return torch.where(
            is_on, drawn(n, low, -low).exp() if free else drawn(n, 0, 0, self.draw), 1.0
        )

    def _turns(self, n: int) -> Tensor | None:
        if not self.hue:
            return None
        return torch.where(bernoulli(n, self.p), drawn(n, -self.hue, self.hue, self.draw), 0.0)


@strict
def Brightness(  # noqa: N802  # a constructor
    max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, *, batch: bool = False
) -> Lighting:
    """`Lighting` that only changes the brightness.

    Example:
        >>> Brightness(0.3).brightness
        0.3
    """
    return Lighting(brightness=max_lighting, p=p, draw=draw, batch=batch)


@strict
def Contrast(  # noqa: N802  # as Brightness
    max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, *, batch: bool = False
) -> Lighting:
    """`Lighting` that only changes the contrast.

    Example:
        >>> Contrast(0.3, p=1.0).contrast
        0.3
    """
    return Lighting(contrast=max_lighting, p=p, draw=draw, batch=batch)


@strict
def Saturation(  # noqa: N802  # as Brightness
    max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, *, batch: bool = False
) -> Lighting:
    """`Lighting` that only changes the saturation.

    Example:
        >>> Saturation(0.3).saturation
        0.3
    """
    return Lighting(saturation=max_lighting, p=p, draw=draw, batch=batch)


@strict
def Hue(  # noqa: N802  # as Brightness
    max_hue: float = 0.1, p: float = 0.75, draw: Draw = None, *, batch: bool = False
) -> Lighting:
    """`Lighting` that only turns the hue, by up to `max_hue` of the colour circle.

    Example:
        >>> Hue().hue
        0.1
    """
    return Lighting(hue=max_hue, p=p, draw=draw, batch=batch)
