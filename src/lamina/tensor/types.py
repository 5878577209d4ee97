"""Semantic tensors: a tensor that says what it holds, so that a kernel can be chosen by its type.

A semantic type survives what keeps its meaning (arithmetic, indexing, views, stacking, moving) and
ends where the meaning does: comparisons, reductions and losses give plain tensors. A layer, a model
and a loss need no semantic types; `plain` takes them off.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from lamina.foundation.registry import savable
from lamina.tensor.build import tensor
from lamina.tensor.tree import map_tree
from lamina.viz.images import show_boxes, show_image, show_mask, show_points
from lamina.viz.titles import show_title

__all__ = [
    "MaskMeta",
    "Meta",
    "PointsMeta",
    "TensorBBox",
    "TensorBase",
    "TensorCategory",
    "TensorImage",
    "TensorMask",
    "TensorMultiCategory",
    "TensorPoint",
    "TitledTensorScalar",
    "in_pixels",
    "plain",
]

_is_compiling = torch.compiler.is_compiling
_no_subclass: Any = torch._C.DisableTorchFunctionSubclass  # type: ignore[attr-defined]  # not public

_ANSWERS = """
    __eq__ __ge__ __gt__ __le__ __lt__ __ne__ all amax amin aminmax any argmax argmin argsort
    bincount corrcoef count_nonzero cov cross_entropy dist eq ge gt histc isclose isin kthvalue le
    logsumexp lt max mean median min mode nanmean nanmedian nanquantile nansum ne nonzero norm prod
    quantile sort std std_mean sum topk unique unique_consecutive var var_mean
""".split()  # noqa: SIM905 - one word per line would be a page


def _plain_results() -> frozenset[Callable[..., Any]]:
    """List the functions whose results no longer mean what their inputs meant."""
    losses = [
        name for name in dir(functional) if name.endswith("_loss") and not name.startswith("_")
    ]
    found = [
        getattr(home, name)
        for home in (torch, Tensor, functional)
        for name in (*_ANSWERS, *losses)
        if hasattr(home, name)
    ]
    base: Any = Tensor._base  # the tensor behind a view keeps the type that it was made with
    grad: Any = Tensor.grad
    return frozenset([*found, base.__get__, grad.__get__])


_PLAIN = _plain_results()


@savable("lamina:PointsMeta")
@dataclass(frozen=True)
class PointsMeta:
    """That coordinates go from -1 to 1 across an image; those without it are pixels.

    Args:
        size: width and height of the image, in pixels.
    """

    size: tuple[int, int]


@savable("lamina:MaskMeta")
@dataclass(frozen=True)
class MaskMeta:
    """What the values of a mask mean.

    Args:
        codes: the name of each class, by its value.
    """

    codes: tuple[str, ...]


Meta: TypeAlias = PointsMeta | MaskMeta


class TensorBase(Tensor):
    """The root of the semantic types: a tensor that keeps its type, and `meta`, where they apply.

    Args:
        x: a tensor (its storage is shared) or anything that `tensor` accepts.
        meta: what the values refer to, such as `PointsMeta`; travels with the tensor.

    Example:
        >>> class TensorDepth(TensorBase):
        ...     '''Metres from the camera.'''
        >>> depth = TensorDepth([1.0, 2.0])
        >>> type(depth * 2).__name__, type(depth > 1).__name__, type(depth.mean()).__name__
        ('TensorDepth', 'Tensor', 'Tensor')
    """

    meta: Meta | None = None

    def __new__(cls, x: Any, *, meta: Meta | None = None) -> Self:
        """View `x` as this type."""
        out = tensor(x).as_subclass(cls)
        out.meta = meta
        return out

    def __init__(self, x: Any, *, meta: Meta | None = None) -> None:
        """Leave everything to `__new__`; written out for editors."""
        super().__init__()

    @classmethod
    def wrap(cls, x: Tensor, like: Tensor | None = None) -> Self:
        """Give a tensor this type, sharing its storage.

        Args:
            x: the tensor.
            like: a tensor whose `meta` the result takes; None takes that of `x`.

        Example:
            >>> a = TensorPoint([[1.0, 2.0]], meta=PointsMeta(size=(8, 8)))
            >>> TensorPoint.wrap(plain(a) + 1, like=a).meta
            PointsMeta(size=(8, 8))
        """
        out = x.as_subclass(cls)
        meta = getattr(x if like is None else like, "meta", None)
        if out.meta is not meta:
            out.meta = meta
        return out

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        # Everything below runs on plain tensors: nothing inside `func` pays for the subclass.
        with _no_subclass():
            out = func(*args, **kwargs) if kwargs else func(*args)
            if func in _PLAIN:
                return out
            first = args[0] if args else None
            like = first if type(first) is cls else _first_of(cls, args, kwargs)
            if type(out) is Tensor:
                return out if kwargs and out is kwargs.get("out") else _keep(cls, out, like, first)
            return _keep_each(cls, out, like, first) if isinstance(out, (tuple, list)) else out

    # PyTorch asks these of every tensor all the time: do not route them through the hook above.
    @property
    def shape(self) -> torch.Size:  # type: ignore[override]  # a property in PyTorch too
        """The size of every dimension."""
        with _no_subclass():
            return super().shape

    @property
    def ndim(self) -> int:  # type: ignore[override]  # a property in PyTorch too
        """The number of dimensions."""
        with _no_subclass():
            return super().ndim

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]  # a property in PyTorch too
        """The type of the elements."""
        with _no_subclass():
            return super().dtype

    @property
    def device(self) -> torch.device:  # type: ignore[override]  # a property in PyTorch too
        """The device that holds the elements."""
        with _no_subclass():
            return super().device

    def new_empty(self, *args: Any, **kwargs: Any) -> Self:
        """Make an uninitialised tensor of the same type; `deepcopy` relies on it."""
        return type(self).wrap(super().new_empty(*args, **kwargs), like=self)

    def __iter__(self) -> Iterator[Self]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))  # type: ignore[return-value]  # the hook keeps the type

    def show(self, ax: Any = None, **options: Any) -> Any:
        """Draw the tensor, or write its value as a title, and return the axes.

        Args:
            ax: where to draw; None opens a new figure.
            options: passed to the drawing function of `lamina.viz`, which refuses unknown names.
        """
        return show_title(_text(self), ax=ax, **options)


class TensorImage(TensorBase):
    """An image or a batch of images, channels first: `(..., channels, height, width)`."""

    def show(self, ax: Any = None, **options: Any) -> Any:
        """Draw the image; see `lamina.viz.images.show_image` for the options."""
        return show_image(self, ax=ax, **options)


class TensorMask(TensorBase):
    """The class of every pixel, as integers: `(..., height, width)`."""

    def show(self, ax: Any = None, **options: Any) -> Any:
        """Draw the mask half transparent; see `lamina.viz.images.show_mask` for the options."""
        if isinstance(self.meta, MaskMeta):
            options = {"codes": self.meta.codes, **options}
        return show_mask(self, ax=ax, **options)


class TensorPoint(TensorBase):
    """Points as `(..., n, 2)`: x from the left and y from the top."""

    def show(self, ax: Any = None, **options: Any) -> Any:
        """Draw the points; see `lamina.viz.images.show_points` for the options."""
        return show_points(in_pixels(self), ax=ax, **options)


class TensorBBox(TensorBase):
    """Boxes as `(..., n, 4)`: left, top, right, bottom."""

    def show(self, ax: Any = None, **options: Any) -> Any:
        """Draw the boxes; see `lamina.viz.images.show_boxes` for the options.

        Boxes that only fill up a batch, which have no area, are left out.
        """
        boxes = in_pixels(self).reshape(-1, 4)
        if self.meta is not None:
            boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)]
        return show_boxes(boxes, ax=ax, **options)


class TensorCategory(TensorBase):
    """The index of one label in a vocabulary."""


class TensorMultiCategory(TensorBase):
    """Several labels at once: their indices, or one 0 or 1 per label of the vocabulary."""


class TitledTensorScalar(TensorBase):
    """A single number, shown as a title."""


def in_pixels(x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Return points or boxes in pixels, as a plain tensor of the same shape.

    Args:
        x: coordinates, x and y by turns.
        size: width and height of the image that they go across from -1 to 1; None takes that of
            their `PointsMeta`, without which they are pixels already.

    Example:
        >>> in_pixels(TensorPoint([[0.0, 1.0]], meta=PointsMeta((8, 4))))
        tensor([[4., 4.]])
    """
    meta = getattr(x, "meta", None)
    size = meta.size if size is None and isinstance(meta, PointsMeta) else size
    coords: Tensor = plain(x)
    if size is None:
        return coords
    half = torch.tensor(size, dtype=coords.dtype, device=coords.device) / 2
    return ((coords.reshape(-1, 2) + 1) * half).reshape(coords.shape)


def plain(x: Any) -> Any:
    """Take the semantic type off every tensor in nested tuples, lists and dicts.

    The storage is shared, and plain tensors and everything else are passed on as they are.

    Example:
        >>> [type(t).__name__ for t in plain((TensorImage([1]), TensorMask([0])))]
        ['Tensor', 'Tensor']
    """
    return map_tree(_strip, x, leaf=TensorBase)


def _strip(x: TensorBase) -> Tensor:
    """Return a plain tensor on the same storage."""
    return x.as_subclass(Tensor)


def _keep(cls: type[TensorBase], out: Tensor, like: TensorBase | None, first: Any) -> Tensor:
    """Give a result the type of its input, unless it only answers a question about it."""
    if out is first or (out.dtype is torch.bool and (like is None or like.dtype != torch.bool)):
        return out
    if _is_compiling():
        out = out.as_subclass(cls)
    else:
        # A fresh result: changing its class is faster than a view, and adds no node to autograd.
        out.__class__ = cls
    if like is not None and like.meta is not None:
        out.meta = like.meta  # type: ignore[attr-defined]  # it is a `cls` now
    return out


def _keep_each(cls: type[TensorBase], outs: Any, like: TensorBase | None, first: Any) -> Any:
    """Do the same for every tensor of a tuple or list of results."""
    if not any(type(out) is Tensor for out in outs):
        return outs
    return type(outs)(
        [_keep(cls, out, like, first) if type(out) is Tensor else out for out in outs]
    )


def _first_of(
    cls: type[TensorBase], args: tuple[Any, ...], kwargs: dict[str, Any] | None
) -> TensorBase | None:
    """Find the first argument of a type, looking into lists such as that of `torch.stack`."""
    for arg in (*args, *(kwargs or {}).values()):
        for item in arg if isinstance(arg, (list, tuple)) else (arg,):
            if type(item) is cls:
                return item
    return None


def _text(x: Tensor) -> str:
    """Write one number, or a list of them, for a title."""
    values = x.tolist()
    return f"{values:.4g}" if isinstance(values, float) else str(values)
