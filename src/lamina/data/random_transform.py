"""Random transforms: one draw per call, shared by all parts of a tuple."""

from typing import Any

from lamina.data.kernels import explain
from lamina.data.transform import Functions, Transform
from lamina.foundation.seeding import current

__all__ = ["RandTransform"]


class RandTransform(Transform, overrides_verbs=True):
    """A transform that is applied with a probability, and draws once for a whole tuple.

    A subclass that needs more than a yes or no draws it in `before_call`, from
    `lamina.foundation.seeding.current` or `lamina.tensor.random`, and keeps it on itself for the
    kernels: an image and its mask then get the same. The draw of an item depends on the seed, the
    epoch and the item alone.

    Args:
        p: the probability; a subclass that is a dataclass may have it as a field.
        enc: a function, or several for different types.
        dec: the inverse.
        split_idx: the only split to work on; the training split unless said otherwise.
        order: the place in a pipeline.

    Attributes:
        do: whether the current call is carried out; set by `before_call`.

    Example:
        >>> class Negate(RandTransform):
        ...     def encodes(self, x: int):
        ...         return -x
        >>> Negate(p=1.0)((1, 2), split_idx=0), Negate()((1, 2), split_idx=1)
        ((-1, -2), (1, 2))
    """

    split_idx: int | None = 0
    p: float = 1.0
    do: bool = True

    def __init__(
        self,
        p: float = 1.0,
        *,
        enc: Functions = None,
        dec: Functions = None,
        split_idx: int | None = None,
        order: int | None = None,
    ) -> None:
        super().__init__(enc, dec, split_idx, order)
        self.p = p

    def before_call(self, x: Any, split_idx: int | None) -> None:
        """Draw what one call needs; the default decides whether it is carried out.

        Args:
            x: the value, or the whole tuple.
            split_idx: the split that it comes from.
        """
        self.do = self.p >= 1 or current().python.random() < self.p

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Draw, then transform a value or each element of a tuple."""
        own = self.split_idx
        if own is not None and own != split_idx:
            return x
        try:
            self.before_call(x, split_idx)
        except Exception as error:
            explain(error, self, "before_call", x)
            raise
        return super().__call__(x, split_idx) if self.do else x
