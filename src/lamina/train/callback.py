"""The contract of callbacks: objects whose methods receive the learner at the loop's events.

An event method may read and write everything on `learn` (`learn.xb`, `learn.pred`, `learn.loss`,
`learn.opt`...) and may raise one of the `Cancel*` exceptions of `lamina.train.events` to leave a
part of the loop.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict, Unpack

from lamina.foundation.errors import ContractError, UnknownNameError, refuse_unknown
from lamina.foundation.signatures import allowed_keywords
from lamina.train.events import EVENTS, OLD_EVENT_NAMES, Event

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["Callback", "EventFunctions", "Handler", "event_table", "ordered"]

Handler = Callable[[Any], object]
_KNOWN = (*EVENTS, *OLD_EVENT_NAMES)
_OLD_NAME_OF = {new: old for old, new in OLD_EVENT_NAMES.items()}
_INNER = frozenset(EVENTS[EVENTS.index("before_batch") : EVENTS.index("after_batch") + 1])


class EventFunctions(TypedDict, total=False):
    """The functions that `Callback(...)` takes, one per event; each receives the learner."""

    after_create: Handler
    before_fit: Handler
    before_epoch: Handler
    before_train: Handler
    before_batch: Handler
    after_pred: Handler
    after_loss: Handler
    before_backward: Handler
    after_cancel_backward: Handler
    after_backward: Handler
    before_step: Handler
    after_cancel_step: Handler
    after_step: Handler
    after_cancel_batch: Handler
    after_batch: Handler
    after_cancel_train: Handler
    after_train: Handler
    before_validate: Handler
    after_cancel_validate: Handler
    after_validate: Handler
    after_cancel_epoch: Handler
    after_epoch: Handler
    after_cancel_fit: Handler
    after_fit: Handler


class Callback:
    """Change training at any of its events: read, write or cancel anything on `learn`.

    A subclass overrides the events that it wants; a misspelt name is refused when the class is
    made. Without a subclass, functions can be given per event.

    Attributes:
        order: Callbacks run in ascending order; equal ones in the order they were added.
        run_after: Callback classes or names that must run before this one, whatever the order.
        run_before: Callback classes or names that must run after this one.
        run: Whether the callback is on; may be changed at any time.
        run_train: Whether it sees the events of training batches.
        run_valid: Whether it sees the events of validation batches.
        only_fit: Whether it is left out of `lr_find`, `validate` and `get_preds`.

    Example:
        >>> class Doubler(Callback):
        ...     def after_loss(self, learn):
        ...         learn.loss = learn.loss * 2
        >>> Doubler().name
        'doubler'
        >>> Callback(after_fit=lambda learn: None)
        Callback(after_fit)
    """

    order: ClassVar[int] = 0
    run_after: ClassVar[Sequence["type[Callback] | str"]] = ()
    run_before: ClassVar[Sequence["type[Callback] | str"]] = ()
    run: bool = True
    run_train: bool = True
    run_valid: bool = True
    only_fit: ClassVar[bool] = False

    def __new__(cls, *_args: object, **kwargs: object) -> Self:
        """Make an instance; the arguments are those of the subclass's own `__init__`.

        Raises:
            UnknownArgumentError: it does not take one of the keywords.
        """
        if kwargs and cls.__init__ is not Callback.__init__:  # which checks the names of events
            known = allowed_keywords(cls.__init__)
            refuse_unknown(cls.__name__, kwargs, kwargs if known is None else known - {"self"})
        return super().__new__(cls)

    def __init__(self, **events: Unpack[EventFunctions]) -> None:
        refuse_unknown(type(self).__name__, events, _KNOWN)
        self.__dict__.update(events)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in vars(cls):
            if name not in _KNOWN and _looks_like_event(name):
                raise UnknownNameError("event", name, _KNOWN, where=f"class {cls.__name__}")

    @property
    def name(self) -> str:
        """The class name in snake case, without the word "Callback"."""
        stem = type(self).__name__.removesuffix("Callback") or "Callback"
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", stem).lower()

    def handler(self, event: Event) -> Handler | None:
        """Return the bound method or function for an event, or None if this callback ignores it.

        Example:
            >>> Callback(after_fit=print).handler("after_fit") is print
            True
            >>> Callback().handler("after_fit") is None
            True
        """
        for name in (event, _OLD_NAME_OF.get(event)):
            if name is None:
                continue
            if (given := self.__dict__.get(name)) is not None:
                return given
            if getattr(type(self), name, None) is not getattr(Callback, name, None):
                return getattr(self, name)
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep so that the fit can go on; nothing by default."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""

    def __repr__(self) -> str:
        given = ", ".join(name for name in self.__dict__ if name in _KNOWN)
        return f"{type(self).__name__}({given})"

    def after_create(self, learn: "Learner") -> None: ...
    def before_fit(self, learn: "Learner") -> None: ...
    def before_epoch(self, learn: "Learner") -> None: ...
    def before_train(self, learn: "Learner") -> None: ...
    def before_batch(self, learn: "Learner") -> None: ...
    def after_pred(self, learn: "Learner") -> None: ...
    def after_loss(self, learn: "Learner") -> None: ...
    def before_backward(self, learn: "Learner") -> None: ...
    def after_cancel_backward(self, learn: "Learner") -> None: ...
    def after_backward(self, learn: "Learner") -> None: ...
    def before_step(self, learn: "Learner") -> None: ...
    def after_cancel_step(self, learn: "Learner") -> None: ...
    def after_step(self, learn: "Learner") -> None: ...
    def after_cancel_batch(self, learn: "Learner") -> None: ...
    def after_batch(self, learn: "Learner") -> None: ...
    def after_cancel_train(self, learn: "Learner") -> None: ...
    def after_train(self, learn: "Learner") -> None: ...
    def before_validate(self, learn: "Learner") -> None: ...
    def after_cancel_validate(self, learn: "Learner") -> None: ...
    def after_validate(self, learn: "Learner") -> None: ...
    def after_cancel_epoch(self, learn: "Learner") -> None: ...
    def after_epoch(self, learn: "Learner") -> None: ...
    def after_cancel_fit(self, learn: "Learner") -> None: ...
    def after_fit(self, learn: "Learner") -> None: ...


def ordered(cbs: Iterable[Callback]) -> list[Callback]:
    """Sort callbacks by `order`, then move them as `run_after` and `run_before` ask.

    Raises:
        ContractError: The constraints contradict one another.

    Example:
        >>> class First(Callback):
        ...     order = -1
        >>> class Second(Callback):
        ...     order = -2
        ...     run_after = (First,)
        >>> ordered([Second(), First()])
        [First(), Second()]
    """
    waiting = sorted(cbs, key=lambda cb: cb.order)
    done: list[Callback] = []
    while waiting:
        free = next((cb for cb in waiting if not _held_back(cb, waiting)), None)
        if free is None:
            names = ", ".join(cb.name for cb in waiting)
            raise ContractError(f"The run_after/run_before of these callbacks form a ring: {names}")
        # By identity: callbacks that are dataclasses compare by value.
        waiting = [cb for cb in waiting if cb is not free]
        done.append(free)
    return done


def event_table(
    cbs: Iterable[Callback], *, training: bool
) -> dict[str, tuple[tuple[Callback, Handler], ...]]:
    """Collect, per event, the callbacks that listen to it, in the order in which they run.

    Args:
        cbs: The callbacks, in any order.
        training: Whether the table is for the training or for the validation part; it decides
            which callbacks see the events of a batch.

    Example:
        >>> table = event_table([Callback(after_fit=print)], training=True)
        >>> [event for event in table if table[event]]
        ['after_fit']
    """
    in_order = ordered(cbs)

    def listeners(event: Event) -> tuple[tuple[Callback, Handler], ...]:
        gated = [cb for cb in in_order if event not in _INNER or _sees_batches(cb, training)]
        found = ((cb, cb.handler(event)) for cb in gated)
        return tuple((cb, handler) for cb, handler in found if handler is not None)

    return {event: listeners(event) for event in EVENTS}


def _sees_batches(cb: Callback, training: bool) -> bool:  # noqa: FBT001 - a plain switch
    return cb.run_train if training else cb.run_valid


def _held_back(cb: Callback, waiting: list[Callback]) -> bool:
    """Whether another waiting callback has to run before this one."""
    others = [other for other in waiting if other is not cb]
    return any(_matches(other, cb.run_after) or _matches(cb, other.run_before) for other in others)


def _matches(cb: Callback, wanted: Sequence[type[Callback] | str]) -> bool:
    return any(
        cb.name == one or type(cb).__name__ == one if isinstance(one, str) else isinstance(cb, one)
        for one in wanted
    )


def _looks_like_event(name: str) -> bool:
    if name.startswith("_"):
        return False
    if name.startswith(("before_", "after_", "begin_")):
        return True
    return bool(get_close_matches(name, EVENTS, n=1, cutoff=0.9))
