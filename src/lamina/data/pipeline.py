"""Pipelines: transforms in order, set up one after the other, run forwards and backwards."""

from collections.abc import Iterable, Iterator
from typing import Any, Self, overload

from lamina.data.transform import Transform, mk_transform
from lamina.foundation.collections import L
from lamina.foundation.errors import SkipItem
from lamina.foundation.functional import noop
from lamina.foundation.signatures import strict
from lamina.tensor.types import TensorBase
from lamina.viz.titles import show_title

__all__ = ["Pipeline"]


@strict
class Pipeline:
    """Transforms that run one after another, sorted by their `order`.

    Args:
        funcs: transforms, transform classes or functions; one, several, or another pipeline.
        split_idx: the split that values come from unless a call says otherwise.

    Example:
        >>> pipe = Pipeline([str.strip, Transform(int, dec=str)])
        >>> pipe(" 42 ")
        42
        >>> pipe.decode(42)
        '42'

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Pipelines".
    """

    def __init__(self, funcs: Any = None, split_idx: int | None = None) -> None:
        self.split_idx = split_idx
        self._fs = _sorted(mk_transform(f) for f in _listed(funcs))

    @property
    def fs(self) -> L[Transform]:
        """The transforms in the order in which they run."""
        return L(self._fs)

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Run a value through all transforms.

        Args:
            x: the value.
            split_idx: the split that it comes from; None takes the pipeline's own.
        """
        if split_idx is None:
            split_idx = self.split_idx
        step = None
        try:
            for step in self._fs:
                x = step(x, split_idx)
        except Exception as error:
            self._explain(error, step)
            raise
        return x

    def decode(self, x: Any, full: bool = True, split_idx: int | None = None) -> Any:  # noqa: FBT001 - short by custom
        """Run a value backwards.

        Args:
            x: the value.
            full: whether to go on to the beginning; False stops at the first value that knows
                how to show itself.
            split_idx: the split that it comes from; None takes the pipeline's own.
        """
        if split_idx is None:
            split_idx = self.split_idx
        step = None
        try:
            for step in reversed(self._fs):
                if not full and _is_showable(x):
                    break
                x = step.decode(x, split_idx)
        except Exception as error:
            self._explain(error, step)
            raise
        return x

    def decode_until_showable(self, x: Any) -> Any:
        """Run a value backwards until it knows how to show itself."""
        return self.decode(x, full=False)

    def show(self, x: Any, ax: Any = None, **options: Any) -> Any:
        """Decode a value as far as needed, draw it and return the axes.

        Args:
            x: the value; of a tuple each element is drawn on the same axes.
            ax: where to draw; None opens a new figure.
            options: passed to the `show` of the value, which refuses unknown names.
        """
        shown = self.decode_until_showable(x)
        for part in shown if isinstance(shown, tuple) else (shown,):
            if hasattr(part, "show"):
                ax = part.show(ax=ax, **options)
            elif isinstance(part, str | int | float):
                ax = show_title(str(part), ax=ax, **options)
        return ax

    def setup(self, items: Any = None, train_setup: bool | None = None) -> None:  # noqa: FBT001 - short by custom
        """Set up the transforms one at a time, each with what those before it make of the items.

        A plain list is run through the transforms before; other items, such as a `TfmdLists` with
        this pipeline or a loader, do that themselves, since only the transforms that are
        set up take part until all are.

        Args:
            items: a collection or a loader.
            train_setup: see `Transform.setup`.
        """
        steps, self._fs, whole = self._fs, [], repr(self)
        try:
            for step in steps:
                step.setup(self._seen_by(step, items), train_setup)
                self._fs.append(step)
        except Exception as error:
            error.add_note(f"while setting up {whole}")
            raise
        finally:
            self._fs = steps

    def add(self, *funcs: Any) -> Self:
        """Add transforms at the places that their `order` says, and return the pipeline."""
        new = [mk_transform(f) for fs in funcs for f in _listed(fs)]
        self._fs = _sorted([*self._fs, *new])
        return self

    def to(self, device: Any) -> Self:
        """Move the state of all transforms to a device."""
        for step in self._fs:
            step.to(device)
        return self

    def gather(self, name: str, default: Any = None) -> Any:
        """Look an attribute up in the transforms, such as the `vocab` of a `Categorize`.

        Args:
            name: the attribute.
            default: returned if no transform has it, or all have None.

        Returns:
            The value; an `L` of the values if several transforms have one.

        Example:
            >>> Pipeline([Transform(int, split_idx=1)]).gather("split_idx")
            1
        """
        found = [getattr(step, name) for step in self._fs if _has(step, name)]
        values = [value for value in found if value is not None]
        return default if not values else values[0] if len(values) == 1 else L(values)

    def __len__(self) -> int:
        return len(self._fs)

    def __iter__(self) -> Iterator[Transform]:
        return iter(self._fs)

    @overload
    def __getitem__(self, i: int) -> Transform: ...

    @overload
    def __getitem__(self, i: slice) -> "Pipeline": ...

    def __getitem__(self, i: int | slice) -> "Transform | Pipeline":
        return Pipeline(self._fs[i], self.split_idx) if isinstance(i, slice) else self._fs[i]

    def __repr__(self) -> str:
        return f"Pipeline: {' -> '.join(step.name for step in self._fs) or '(empty)'}"

    def _explain(self, error: Exception, failed: Transform | None) -> None:
        if isinstance(error, SkipItem):
            return
        place = next((i for i, step in enumerate(self._fs, 1) if step is failed), 0)
        error.add_note(f"at step {place} of {len(self._fs)} of {self!r}")

    def _seen_by(self, step: Transform, items: Any) -> Any:
        """Return what a transform is set up with."""
        if self._fs and step.has_setups() and isinstance(items, list | L):
            return L(self(item) for item in items)
        return items


def _listed(funcs: Any) -> list[Any]:
    """List what a pipeline was given."""
    if funcs is None:
        return []
    is_many = isinstance(funcs, Pipeline) or (isinstance(funcs, Iterable) and not callable(funcs))
    return [f for f in (funcs if is_many else [funcs]) if f is not noop and f is not None]


def _sorted(tfms: Iterable[Transform]) -> list[Transform]:
    return sorted(tfms, key=lambda tfm: tfm.order)


def _has(tfm: Transform, name: str) -> bool:
    """Tell whether there is such an attribute, without running a property."""
    return name in vars(tfm) or hasattr(type(tfm), name)


def _is_showable(x: Any) -> bool:
    """Tell whether a value draws itself better than by writing out its numbers."""
    if isinstance(x, tuple):
        return bool(x) and all(map(_is_showable, x))
    show = getattr(type(x), "show", None)
    return show is not None and show is not TensorBase.show
