"""How stats and steppers say what they read and make, and the check that the pieces fit.

A part of an optimizer is a function. Its keyword names are its contract: a name with no default
has to be a hyper-parameter or state that a part before it makes; a number as default makes the
name a hyper-parameter with that value. There are two forms:

- per parameter: `f(p, *, lr, grad_avg)`; reads `p.grad`, changes `p` in place, may return a dict
  of new state. `f(p, g, *, lr)` gets the gradient as `g`.
- list-wise: `@listwise` on `f(ps, gs, *, lr, grad_avg)`; parameters, gradients and state come as
  lists, hyper-parameters and marks as single values.
"""

import inspect
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError, refuse_unknown

__all__ = ["Declared", "Part", "alike", "listwise", "makes", "read_part", "wire"]

P = ParamSpec("P")
R = TypeVar("R")
K = TypeVar("K", bound=Hashable)
Init = Callable[[Tensor], Any]
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Declared(Generic[P, R]):
    """A stat or stepper with its declaration; made by `listwise` and `makes`.

    Args:
        fn: the function itself.
        makes: the state that it makes, with what gives a parameter its first value.
        on_lists: whether it works on lists of tensors.
    """

    __name__: str

    def __init__(self, fn: Callable[P, R], makes: Mapping[str, Init], *, on_lists: bool) -> None:
        update_wrapper(self, fn)
        self.fn = fn
        self.makes = dict(makes)
        self.on_lists = on_lists

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself."""
        return self.fn(*args, **kwargs)

    def __repr__(self) -> str:
        return f"{self.__name__}(makes {', '.join(self.makes) or 'nothing'})"


def listwise(
    makes: Iterable[str] | Mapping[str, Init] = (),
) -> Callable[[Callable[P, R]], Declared[P, R]]:
    """Declare that a stat or stepper works on lists: `f(ps, gs, *, <names>)`.

    Such a function gets some of a group's parameters at a time, all of one dtype and device, and
    treats each tensor on its own. It may return a dict of new state (lists of the same length).

    Args:
        makes: the state that it makes, which starts as zeros; or a mapping from names to
            functions that give one parameter its first state.

    Example:
        >>> @listwise(makes={"age": lambda p: 0})
        ... def count(ps, gs, *, age):
        ...     return {"age": [n + 1 for n in age]}
        >>> count
        count(makes age)
    """
    inits = makes if isinstance(makes, Mapping) else dict.fromkeys(makes, torch.zeros_like)
    return lambda fn: Declared(fn, inits, on_lists=True)


def makes(*names: str) -> Callable[[Callable[P, R]], Declared[P, R]]:
    """Declare the state that a per-parameter stat returns, so that the wiring can be checked.

    Without it, the names whose default is None count as what the function makes.

    Args:
        names: the keys of the dict that the function returns.

    Example:
        >>> @makes("norm")
        ... def grad_norm(p, g):
        ...     return {"norm": g.norm()}
        >>> grad_norm
        grad_norm(makes norm)
    """
    return lambda fn: Declared(fn, dict.fromkeys(names, torch.zeros_like), on_lists=False)


def alike(keys: Sequence[K], *lists: list[Tensor]) -> Iterator[tuple[K, tuple[list[Tensor], ...]]]:
    """Cut lists where the keys differ, such as the step counts of parameters frozen for a while.

    Args:
        keys: one per parameter.
        lists: what a list-wise function got, each as long as `keys`.

    Returns:
        Each key with the parts of the lists that have it. There is mostly one.

    Example:
        >>> a, b, c = torch.zeros(3).unbind()
        >>> [(n, len(ps)) for n, (ps,) in alike([2, 1, 2], [a, b, c])]
        [(2, 2), (1, 1)]
    """
    different = dict.fromkeys(keys)
    if len(different) == 1:
        yield keys[0], lists
        return
    for key in different:
        yield key, tuple([x for k, x in zip(keys, xs, strict=True) if k == key] for xs in lists)


@dataclass(frozen=True)
class Part:
    """One stat or stepper, read: what it needs and makes.

    Attributes:
        key: the function without what `partial` bound, and the bound arguments.
        reads: the names that it takes by keyword.
        required: those of them without a default.
        defaults: hyper-parameters with the value that the function gives them.
        makes: the state that it makes, with the first value of list-wise state.
        takes_all: it has a `**` parameter and gets every name there is.
        takes_grad: it wants the gradient as `g`.
    """

    fn: Callable[..., Any]
    name: str
    key: tuple[Any, ...]
    on_lists: bool
    reads: tuple[str, ...]
    required: tuple[str, ...]
    defaults: dict[str, float]
    makes: dict[str, Init]
    takes_all: bool
    takes_grad: bool


def read_part(cb: Callable[..., Any]) -> Part:
    """Read the contract of a stat or stepper from its signature.

    Arguments bound with `functools.partial` are settled: they are neither hyper-parameters nor
    state. A `defaults` attribute (a dict) on the function is read as well.

    Raises:
        ContractError: `cb` is no function.

    Example:
        >>> part = read_part(lambda p, lr, wd=0.1: None)
        >>> part.required, part.defaults
        (('lr',), {'wd': 0.1})
    """
    func, bound = _unbind(cb)
    fn = func.fn if isinstance(func, Declared) else func
    on_lists = isinstance(func, Declared) and func.on_lists
    params = list(inspect.signature(fn).parameters.values())[2 if on_lists else 1 :]
    named = {p.name: p.default for p in params if p.kind in _NAMED and p.name not in bound}
    takes_grad = not on_lists and named.pop("g", None) is not None
    extra = {k: v for k, v in getattr(fn, "defaults", {}).items() if k not in bound}
    made = func.makes if isinstance(func, Declared) else _implied(named)
    return Part(
        fn=partial(fn, **bound) if bound else fn,
        name=getattr(fn, "__name__", type(fn).__name__),
        key=(func, tuple(sorted(bound.items()))),
        on_lists=on_lists,
        reads=tuple(named),
        required=tuple(n for n, d in named.items() if d is inspect.Parameter.empty),
        defaults={n: d for n, d in {**named, **extra}.items() if n not in made and _is_number(d)},
        makes=made,
        takes_all=any(p.kind is inspect.Parameter.VAR_KEYWORD for p in params),
        takes_grad=takes_grad,
    )


def wire(parts: Iterable[Part], given: Iterable[str]) -> dict[str, float | None]:
    """Check that every part finds what it reads, and return the hyper-parameters.

    Args:
        parts: the stats and steppers in the order in which they run.
        given: the names of the hyper-parameters that the caller gives.

    Returns:
        The names of all hyper-parameters with their defaults; None where one must be given.

    Raises:
        ContractError: a part reads what nobody gives or makes, or two defaults disagree.
        UnknownArgumentError: a hyper-parameter is given that no part reads.

    Example:
        >>> from lamina.optim.steppers import sgd_step, weight_decay
        >>> wire([read_part(weight_decay), read_part(sgd_step)], ["lr", "wd"])
        {'lr': None, 'wd': None}
    """
    parts, given = list(parts), tuple(given)
    hypers = _defaults(parts, given)
    made: set[str] = set()
    for part in parts:
        made |= part.makes.keys()
        for name in part.required:
            if name in made:
                continue
            if name not in hypers and name not in given:
                raise ContractError(_unmet(part, name, parts))
            hypers.setdefault(name, None)
    made_later = {name for part in parts for name in part.makes}
    readable = {n for part in parts for n in part.reads} - made_later
    refuse_unknown("Optimizer", given, sorted(readable | hypers.keys()))
    return dict.fromkeys(given) | hypers


def _defaults(parts: list[Part], given: tuple[str, ...]) -> dict[str, float | None]:
    """Collect the hyper-parameters that have a default; a value from the caller settles all."""
    found: dict[str, tuple[float, str]] = {}
    for part in parts:
        for name, value in part.defaults.items():
            first, owner = found.setdefault(name, (value, part.name))
            if first != value and name not in given:
                raise ContractError(
                    f"{owner} and {part.name} have different defaults for {name!r}: {first} and "
                    f"{value}. Pass {name}=... to the optimizer."
                )
    return {name: value for name, (value, _) in found.items()}


def _unmet(part: Part, name: str, parts: list[Part]) -> str:
    """Word the error for a name that nobody provides."""
    return (
        f"{part.name} reads {name!r}, which is neither a hyper-parameter nor made by a stat before "
        f"it. Pass {name}=... or put a stat that makes it earlier in {[p.name for p in parts]}."
    )


def _unbind(cb: Any) -> tuple[Any, dict[str, Any]]:
    """Take a callable out of its `partial`s, with the keywords that they bind."""
    bound: dict[str, Any] = {}
    while isinstance(cb, partial):
        if cb.args:
            raise ContractError(f"{cb!r} binds positional arguments. Bind by keyword only.")
        bound = {**cb.keywords, **bound}
        cb = cb.func
    if not callable(cb):
        raise ContractError(f"A stat or stepper has to be a function; got {cb!r}.")
    return cb, bound


def _implied(named: dict[str, Any]) -> dict[str, Init]:
    """Say what an undeclared function makes: the names that start as None."""
    return dict.fromkeys((n for n, default in named.items() if default is None), torch.zeros_like)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
