"""Changes of light in logit space, where no pixel can leave the range from 0 to 1.

A pixel `x` in (0, 1) is moved by `sigmoid(change(logit(x)))`; brightness adds, contrast multiplies,
saturation mixes the channels. Any number of changes costs one such pass.
"""

import torch
from torch import Tensor

__all__ = ["relight"]


def relight(
    x: Tensor,
    brightness: Tensor | None = None,
    contrast: Tensor | None = None,
    saturation: Tensor | None = None,
    *,
    in_place: bool = False,
) -> Tensor:
    """Change the light of a batch of images, each by its own amount.

    Args:
        x: `(b, c, h, w)`, float in [0, 1].
        brightness: `(b,)` in (0, 1); 0.5 changes nothing, 0.7 makes mid-grey 0.7.
        contrast: `(b,)`, positive; 1 changes nothing.
        saturation: `(b,)`; 1 changes nothing, 0 gives grey.
        in_place: Whether `x` may be overwritten.

    Example:
        >>> grey = torch.full((1, 3, 2, 2), 0.5)
        >>> round(relight(grey, brightness=torch.tensor([0.7])).mean().item(), 3)
        0.7
    """
    edge = torch.finfo(x.dtype).eps  # what keeps the logits of 0 and 1 finite
    light = x.logit_(edge) if in_place else x.logit(edge)
    if contrast is not None:
        light.mul_(_per_item(contrast, x))
    if brightness is not None:
        light.add_(torch.logit(_per_item(brightness, x), eps=edge))
    if saturation is not None and x.shape[1] > 1:
        light = torch.lerp(light.mean(1, keepdim=True), light, _per_item(saturation, x))
    return light.sigmoid_()


def _per_item(amount: Tensor, x: Tensor) -> Tensor:
    return amount.to(x.device, x.dtype).view(-1, 1, 1, 1)
