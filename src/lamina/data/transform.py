"""Transforms: functions on data that know their types, their inverse and their state."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self, TypeAlias, cast

from lamina.data.kernels import (
    KINDS,
    Entry,
    Kernels,
    Kind,
    decodes,
    encodes,
    entries_of,
    explain,
    is_kernel_method,
    kind_of,
    refuse_misspelt,
    setups,
)
from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.foundation.seeding import current
from lamina.foundation.signatures import allowed_keywords

__all__ = [
    "InplaceTransform",
    "ItemTransform",
    "RandTransform",
    "Transform",
    "decodes",
    "encodes",
    "mk_transform",
    "setups",
]

Functions: TypeAlias = Callable[..., Any] | Iterable[Callable[..., Any]] | None


class Transform:
    """A function on data, chosen by the data's type, with an inverse and a state if it has them.

    Subclass it and write `encodes`, `decodes` and `setups`, or several methods of each kind marked
    `@encodes`, `@decodes`, `@setups`; or make one from functions, also as a decorator. The
    annotation of the argument says which values a kernel takes; a value that none takes comes
    back unchanged. On a tuple each element is transformed by itself, and the tuple keeps its class.

    A result keeps the semantic type of what was given, if its own type is a base of that; a
    return annotation casts, and `-> None` leaves the result as it is. Subclasses may be
    dataclasses and need not call `super().__init__`.

    Args:
        enc: a function, or several for different types.
        dec: the inverse.
        split_idx: the only split to work on (0 train, 1 valid); None is all.
        order: the place in a pipeline.
        setup: called with the training items by `setup`.

    Attributes:
        order: pipelines sort their transforms by it.
        split_idx: see above.
        train_setup: whether `setup` sees the training split only.
        sees_tuples: whether a tuple is given to the kernels as a whole.

    Example:
        >>> class Scale(Transform):
        ...     def encodes(self, x: float):
        ...         return x * 10
        ...     def decodes(self, x: float):
        ...         return x / 10
        >>> scale = Scale()
        >>> scale((1.5, "label"))
        (15.0, 'label')
        >>> scale.decode((15.0, "label"))
        (1.5, 'label')

        A kernel for another type, added from outside:

        >>> @Scale
        ... def encodes(self, x: int):
        ...     return x * 100
        >>> scale((1.5, 1))
        (15.0, 100)

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Transforms".
    """

    order: ClassVar[int] = 0
    split_idx: int | None = None
    train_setup: bool = True
    sees_tuples: ClassVar[bool] = False
    is_inplace: ClassVar[bool] = False
    _kernels: Kernels
    _functions: tuple[Entry, ...] = ()

    def __init_subclass__(cls, *, overrides_verbs: bool = False) -> None:
        """Collect the kernels of a subclass and refuse misspelt ones.

        Args:
            overrides_verbs: whether the class may replace `__call__`, `decode` and `setup`, which
                is for bases that change what these mean.

        Raises:
            UnknownNameError: a method looks like a kernel and is none.
        """
        super().__init_subclass__()
        bases = [
            base.__dict__["_kernels"] for base in cls.__mro__[:0:-1] if "_kernels" in vars(base)
        ]
        cls._kernels = Kernels(cls, bases)
        for name, value in tuple(vars(cls).items()):
            entries = tuple(entries_of(name, value))
            if not entries:
                refuse_misspelt(cls, name, value, overrides_verbs=overrides_verbs)
            cls._kernels.add(*entries)

    def __new__(cls, /, *args: object, **kwargs: object) -> Self:
        """Make an instance, or extend the class when it decorates a kernel.

        The arguments are those of the subclass's own `__init__`.

        Raises:
            UnknownArgumentError: it does not take one of the keywords.
        """
        known = allowed_keywords(cls.__init__) if kwargs else None
        if known is not None:
            refuse_unknown(cls.__name__, kwargs, known - {"self"})
        if len(args) == 1 and not kwargs and is_kernel_method(args[0]):
            return cast("Self", cls.extend(cast("Callable[..., Any]", args[0])))
        return super().__new__(cls)

    def __init__(
        self,
        enc: Functions = None,
        dec: Functions = None,
        split_idx: int | None = None,
        order: int | None = None,
        *,
        setup: Functions = None,
    ) -> None:
        own = {"split_idx": split_idx, "order": order}
        vars(self).update({key: value for key, value in own.items() if value is not None})
        given = zip(KINDS, (enc, dec, setup), strict=True)
        entries = [Entry(fn, kind, None, False) for kind, fns in given for fn in _listed(fns)]
        if entries:
            self._functions = tuple(entries)
            self._collect()

    @classmethod
    def extend(cls, fn: Callable[..., Any], kind: Kind | None = None) -> Callable[..., Any]:
        """Add a kernel `fn(self, x: T)` to this class and its subclasses, from outside.

        Args:
            fn: the function; the annotation of its second parameter is the type that it takes.
            kind: what it is for; None takes its name or mark, else "encodes".

        Returns:
            The function, so that this works as a decorator.

        Raises:
            ContractError: the class is `Transform` itself, which all transforms share.
        """
        if cls is Transform:
            raise ContractError(
                f"Transform.extend: {fn.__name__} would become part of every transform. "
                "Add it to one class, or make a subclass."
            )
        cls._kernels.add(Entry(fn, kind or kind_of(fn) or "encodes", None))
        return fn

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        """Transform a value, or each element of a tuple.

        Args:
            x: the value.
            split_idx: the split that it comes from; a transform for another split does nothing.
        """
        own = self.split_idx
        if own is not None and own != split_idx:
            return x
        try:
            return self._kernels.encode[x.__class__](self, x)
        except Exception as error:
            explain(error, self, "encodes", x)
            raise

    def decode(self, x: Any, split_idx: int | None = None) -> Any:
        """Undo the transform; without a matching `decodes` kernel the value is unchanged.

        Args:
            x: the value, or a tuple of them.
            split_idx: the split that it comes from.
        """
        own = self.split_idx
        if own is not None and own != split_idx:
            return x
        try:
            return self._kernels.decode[x.__class__](self, x)
        except Exception as error:
            explain(error, self, "decodes", x)
            raise

    def setup(self, items: Any = None, train_setup: bool | None = None) -> None:  # noqa: FBT001 - short by custom
        """Learn the state from items, by the `setups` kernel for their type.

        Args:
            items: a collection or a loader.
            train_setup: whether to use `items.train`, if there is one; None takes the
                transform's own setting.
        """
        try:
            if self.train_setup if train_setup is None else train_setup:
                items = _train_part(items)
            if (kernel := self._kernels.find("setups", type(items))) is not None:
                kernel(self, items)
        except Exception as error:
            explain(error, self, "setups", items)
            raise

    def has_setups(self) -> bool:
        """Tell whether `setup` can do anything."""
        return self._kernels.has("setups")

    def accepts(self, cls: type) -> bool:
        """Tell whether a kernel of `__call__` asks for values of a class by name.

        Args:
            cls: the class; `object` asks for a kernel that takes anything.
        """
        return self._kernels.names("encodes", cls)

    def to(self, device: Any) -> Self:
        """Move the tensors of the state to a device; nothing to do unless a subclass has some."""
        return self

    @property
    def name(self) -> str:
        """The class's name; for a transform made from functions, the first function's."""
        return _function_name(self._functions[0].fn) if self._functions else type(self).__name__

    def __repr__(self) -> str:
        args = [_function_name(entry.fn) for entry in self._functions]
        args += [f"{k}={v!r}" for k, v in vars(self).items() if not k.startswith("_")]
        return f"{type(self).__name__}({', '.join(args)})"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_kernels"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._functions:
            self._collect()

    def _collect(self) -> None:
        """Give this instance kernels of its own, from the functions that it was made of."""
        self._kernels = Kernels(type(self), type(self)._kernels.lineage)
        self._kernels.add(*self._functions)


Transform._kernels = Kernels(Transform)


class ItemTransform(Transform):
    """A transform whose kernels see a tuple as a whole instead of its elements.

    Example:
        >>> class Swap(ItemTransform):
        ...     def encodes(self, xy):
        ...         return xy[1], xy[0]
        >>> Swap()((1, 2))
        (2, 1)
    """

    sees_tuples: ClassVar[bool] = True


class InplaceTransform(Transform):
    """A transform that changes what it is given and returns that same object.

    Example:
        >>> class Append(InplaceTransform):
        ...     def encodes(self, x: list):
        ...         x.append(0)
        >>> Append()([1])
        [1, 0]
    """

    is_inplace: ClassVar[bool] = True


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


def mk_transform(f: Any) -> Transform:
    """Make a transform of what a pipeline may be given.

    Args:
        f: a transform (returned as it is), a transform class (called), or any function; the
            function's attribute `order`, if it has one, becomes the transform's.

    Raises:
        ContractError: it is not callable.

    Example:
        >>> mk_transform(str.upper)("a")
        'A'
    """
    if isinstance(f, Transform):
        return f
    if isinstance(f, type) and issubclass(f, Transform):
        try:
            return f()
        except TypeError as error:
            error.add_note(f"{f.__name__} was given as a class; give an instance with arguments")
            raise
    if not callable(f):
        raise ContractError(f"Pipeline: {f!r} is neither a transform nor a function.")
    return Transform(f, order=getattr(f, "order", None))


def _listed(functions: Functions) -> tuple[Callable[..., Any], ...]:
    """Return one function or several as a tuple."""
    if functions is None:
        return ()
    return (functions,) if callable(functions) else tuple(functions)


def _function_name(fn: object) -> str:
    return getattr(fn, "__name__", None) or type(fn).__name__


def _train_part(items: Any) -> Any:
    """Return the training split of items that have splits, else the items."""
    # Looked up by hand, so that an AttributeError inside a property is not taken for absence.
    if isinstance(getattr(type(items), "train", None), property):
        return items.train
    part = getattr(items, "__dict__", {}).get("train")
    return items if part is None or callable(part) else part
