"""Masks whose values are checked against the names of their classes when they are opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, ClassVar

from lamina.data.kernels import describe
from lamina.data.task import DenseLabels
from lamina.data.transform import Transform
from lamina.foundation.errors import ContractError, ItemError
from lamina.foundation.registry import savable
from lamina.tensor.types import MaskMeta, TensorMask, plain
from lamina.vision.images import PILMask

__all__ = ["AddMaskCodes", "AdoptDivision", "OpenMask"]


@savable
@dataclass(repr=False)
class OpenMask(Transform):
    """Open a path, bytes or an array as a mask, and check its values against the codes.

    Args:
        codes: The name of each class; without them nothing is checked.
        values: The value in the files for each code; None for 0, 1, 2 and so on.
        div: What a later step divides the values by; see `AdoptDivision`.

    Raises:
        ContractError: There are not as many values as codes.

    Example:
        >>> import numpy as np
        >>> mask = OpenMask(["road", "sky"], values=[0, 255])(np.array([[0, 255]], dtype=np.uint8))
        >>> np.asarray(mask).tolist()
        [[0, 1]]
    """

    codes: Any = None
    values: Any = None
    div: int = 1

    def __post_init__(self) -> None:
        self.codes = as_codes(self.codes)
        if self.values is None:
            return
        self.values = tuple(int(v) for v in self.values)
        if self.codes is None or len(self.values) != len(self.codes):
            n = 0 if self.codes is None else len(self.codes)
            raise ContractError(
                f"MaskBlock: {len(self.values)} values for {n} codes. Give the value that each "
                "code has in the files, in the order of the codes."
            )

    @property
    def vocab(self) -> tuple[str, ...] | None:
        """The codes."""
        return self.codes

    @property
    def task(self) -> DenseLabels | None:
        """The task, if there are codes."""
        return None if self.codes is None else DenseLabels(self.codes)

    def encodes(self, x: Any) -> Any:
        """Open a mask."""
        mask = PILMask.create(x)
        if self.codes is None:
            return mask
        found = [value for value, n in enumerate(mask.histogram()) if n]
        known = range(len(self.codes)) if self.values is None else self.values
        wrong = [v for v in found if v // self.div not in known]
        if wrong:
            raise ItemError(self._unknown(x, found, wrong), stage="encodes")
        if self.values is None:
            return mask
        code_of = [0] * 256
        for code, value in enumerate(self.values):
            code_of[value] = code
        return PILMask.wrap(mask.point(code_of))

    def _unknown(self, x: Any, found: list[int], wrong: list[int]) -> str:
        n, top = len(self.codes), max(found)
        example = found if len(found) == n else ["..."]
        listed = f"values=[{', '.join(map(str, example))}]"
        divide = f" or IntToFloatTensor(div_mask={top}) in batch_tfms" if found == [0, top] else ""
        names = ", ".join(self.codes[:6]) + (", ..." if n > 6 else "")
        expected = f"0 to {n - 1}" if self.values is None else _listed(self.values)
        name = x if isinstance(x, str | PurePath) else describe(x)
        return (
            f"MaskBlock: the mask {name} has the values {_listed(found)}, of which "
            f"{_listed(wrong)} stand for no code; with the {n} codes ({names}) expected {expected}."
            f" Say which value stands for which code, such as MaskBlock(codes, {listed})"
            f"{divide}; or give a code for every value."
        )


@savable
@dataclass(repr=False)
class AddMaskCodes(Transform):
    """Let masks know the names of their classes, for showing.

    Args:
        codes: The name of each class.

    Example:
        >>> AddMaskCodes(["road", "sky"])(TensorMask([[0, 1]])).meta
        MaskMeta(codes=('road', 'sky'))
    """

    codes: Any
    order: ClassVar[int] = 6

    def __post_init__(self) -> None:
        self.codes = as_codes(self.codes)

    def encodes(self, x: TensorMask) -> TensorMask:
        """Name the classes of `x`."""
        return TensorMask(plain(x), meta=MaskMeta(self.codes))

    def decodes(self, x: TensorMask) -> TensorMask:
        """Name the classes of a predicted mask."""
        return self.encodes(x)


@savable
@dataclass(repr=False)
class AdoptDivision(Transform):
    """Tell the masks' check what `IntToFloatTensor(div_mask=...)` will divide their values by."""

    order: ClassVar[int] = 11  # after IntToFloatTensor

    def setups(self, dl: Any) -> None:
        """Look for the division in the loader, and for the checks in its data set."""
        pipelines = getattr(dl, "pipelines", {})
        div = pipelines["after_batch"].gather("div_mask") if pipelines else None
        for tl in getattr(getattr(dl, "dataset", None), "tls", ()):
            for tfm in tl.tfms:
                if isinstance(tfm, OpenMask) and div is not None:
                    tfm.div = div


def as_codes(codes: Sequence[Any] | None) -> tuple[str, ...] | None:
    """Read codes, which may come as an array."""
    return None if codes is None else tuple(map(str, codes))


def _listed(values: Sequence[int]) -> str:
    shown = ", ".join(map(str, values[:8]))
    return f"{shown}, ... ({len(values)})" if len(values) > 8 else shown
