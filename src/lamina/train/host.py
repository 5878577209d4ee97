"""Who listens to the loop: callbacks, their event tables, and parts that run between events.

Every part of the loop runs through `run_part`, which is the paper's figure: the `before_*` event,
the work, `after_cancel_*` when the part was cancelled, and `after_*` always.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from lamina.train.callback import Callback, Handler, event_table, ordered
from lamina.train.events import EVENTS, Cancel, Event, Part

__all__ = ["CallbackHost", "Purpose"]

Purpose = Literal["fit", "find", "validate"]
_Table = dict[str, tuple[tuple[Callback, Handler], ...]]
_NOBODY: _Table = dict.fromkeys(EVENTS, ())


class CallbackHost:
    """What callbacks are added to, and what calls them.

    Attributes:
        cbs: The callbacks, in the order in which they were added.
        running: Whether events are emitted at all.
        training: Whether callbacks hear the events as for training or as for validation.
        purpose: "fit", "find" (`lr_find`) or "validate".
        exc: The exception that is passing through, None if all is well.

    Example:
        >>> host = CallbackHost()
        >>> host.add_cb(Callback(after_fit=print))
        >>> host.ordered_cbs("after_fit")
        [Callback(after_fit)]
    """

    def __init__(self) -> None:
        self.cbs: list[Callback] = []
        self.running, self.training = False, False
        self.purpose: Purpose = "fit"
        self.exc: BaseException | None = None
        self._tables: dict[bool, _Table] = {}
        self._handlers = _NOBODY

    def add_cb(self, cb: Callback | type[Callback]) -> None:
        """Add a callback; a class is instantiated."""
        self.cbs.append(cb() if isinstance(cb, type) else cb)
        self._listen()

    def add_cbs(self, cbs: Iterable[Callback | type[Callback]]) -> None:
        """Add several callbacks."""
        for cb in cbs:
            self.add_cb(cb)

    def remove_cb(self, cb: Callback | type[Callback]) -> None:
        """Remove a callback, or all callbacks of a class."""
        gone = (
            (lambda one: isinstance(one, cb)) if isinstance(cb, type) else (lambda one: one is cb)
        )
        self.cbs = [one for one in self.cbs if not gone(one)]
        self._listen()

    def remove_cbs(self, cbs: Iterable[Callback | type[Callback]]) -> None:
        """Remove several callbacks."""
        for cb in cbs:
            self.remove_cb(cb)

    @contextmanager
    def added_cbs(
        self, cbs: Callback | type[Callback] | Iterable[Callback | type[Callback]] | None
    ) -> Generator[None]:
        """Add callbacks for the length of a `with` block."""
        given = [cbs] if isinstance(cbs, Callback | type) else list(cbs or ())
        fresh = [cb() if isinstance(cb, type) else cb for cb in given]
        self.add_cbs(fresh)
        try:
            yield
        finally:
            self.remove_cbs(fresh)

    @contextmanager
    def removed_cbs(self, cbs: Sequence[Callback | type[Callback]]) -> Generator[None]:
        """Take callbacks (or all of the classes given) away for the length of a `with` block."""
        before = self.cbs
        self.remove_cbs(cbs)
        gone = [cb for cb in before if not any(cb is one for one in self.cbs)]
        try:
            yield
        finally:
            self.add_cbs(gone)

    def ordered_cbs(self, event: Event) -> list[Callback]:
        """Return the callbacks that listen to an event, in the order in which they run."""
        return [cb for cb in ordered(self.cbs) if cb.handler(event) is not None]

    def _listen(self) -> None:
        """Bring the event tables up to date; callbacks may come and go while the loop runs."""
        if not self.running:
            self._tables, self._handlers = {}, _NOBODY
            return
        cbs = [cb for cb in self.cbs if self.purpose == "fit" or not cb.only_fit]
        self._tables = {kind: event_table(cbs, training=kind) for kind in (True, False)}
        self._handlers = self._tables[self.training]

    # ----- parts and events

    def emit(self, event: Event) -> None:
        """Call every callback that listens to an event."""
        for cb, handler in self._handlers[event]:
            if cb.run:
                try:
                    handler(self)
                except Exception as error:
                    _note(error, cb, event)
                    raise

    def run_part(self, part: Part, body: Callable[..., object], *args: Any) -> None:
        """Run `body(*args)` as a part of the loop, between its events."""
        try:
            self.emit(part.before)
            body(*args)
        except BaseException as error:
            left = self._interrupted(part, error)
            if left is error:
                raise
            if left is not None:
                raise left from error
        else:
            if self._handlers[part.after]:
                left = self._emit_to_all(part.after)
                if left is not None and not isinstance(left, part.cancel):
                    raise left

    def _interrupted(self, part: Part, error: BaseException) -> BaseException | None:
        """Close a part that did not end by itself; return what the outer part has to know."""
        self.exc = left = error
        if isinstance(error, part.cancel):
            left = self._emit_to_all(part.after_cancel)
        left = _graver(left, self._emit_to_all(part.after))
        if left is None or isinstance(left, part.cancel):
            self.exc = left = None
        return left

    def _emit_to_all(self, event: Event) -> BaseException | None:
        """Call every listener even if one fails; return the gravest exception."""
        left: BaseException | None = None
        for cb, handler in self._handlers[event]:
            if not cb.run:
                continue
            try:
                handler(self)
            except BaseException as error:
                _note(error, cb, event)
                left = _graver(left, error)
        return left


def _graver(first: BaseException | None, second: BaseException | None) -> BaseException | None:
    """Of two exceptions keep the one that reaches further: an error, else the outer part's."""
    if first is None or second is None:
        return first or second
    return second if _reach(second) > _reach(first) else first


def _reach(error: BaseException) -> int:
    return error.reach if isinstance(error, Cancel) else len(EVENTS)


def _note(error: BaseException, cb: Callback, event: str) -> None:
    if not isinstance(error, Cancel):
        error.add_note(f"In callback {cb.name}, event {event}.")
