"""The model compiled by PyTorch."""

import warnings
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, Unpack

import torch

from lamina.foundation.errors import refuse_unknown
from lamina.train.callback import Callback

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["Compile", "CompileOptions"]


class CompileOptions(TypedDict, total=False):
    """What `torch.compile` takes beside the model."""

    fullgraph: bool
    dynamic: bool | None
    backend: str | Callable[..., Any]
    mode: str | None
    options: dict[str, Any] | None


class Compile(Callback):
    """Run the model through `torch.compile` in fits; names, weights and files stay as they are.

    Args:
        fallback: Whether to go on without compiling, with a warning, where that fails.
        options: Those of `torch.compile`: `backend`, `mode`, `dynamic`, `fullgraph`, `options`.

    Attributes:
        graphs: How many graphs were compiled in the last run.
        breaks: Why graphs ended early, with how often; empty if each is the whole model.
        seconds: The time of the first call, in which most is compiled.
        error: Why compiling failed, or None.
    """

    order: ClassVar[int] = -20  # inside of autocast, outside of what changes the modules

    only_fit: ClassVar[bool] = True

    def __init__(self, *, fallback: bool = True, **options: Unpack[CompileOptions]) -> None:
        super().__init__()
        refuse_unknown("Compile", options, CompileOptions.__annotations__)
        self.fallback, self.options = fallback, options
        self.graphs, self.breaks, self.seconds = 0, dict[str, int](), 0.0
        self.error: Exception | None = None
        self._before: tuple[int, dict[str, int]] = (0, {})

    @property
    def report(self) -> str:
        """What became of the model in the last run, in a line."""
        if self.error is not None:
            return f"not compiled: {type(self.error).__name__}"
        why = "".join(f"; {n}x {reason}" for reason, n in self.breaks.items())
        return (
            f"{self.graphs} graphs, {sum(self.breaks.values())} graph breaks, first call "
            f"{self.seconds:.1f} s{why}"
        )

    def before_fit(self, learn: "Learner") -> None:
        self._before, self.error, self.seconds = _counts(), None, 0.0
        learn.wrap_forward(self._compiled)

    def after_fit(self, learn: "Learner") -> None:
        graphs, breaks = _counts()
        self.graphs = graphs - self._before[0]
        new = {reason: n - self._before[1].get(reason, 0) for reason, n in breaks.items()}
        self.breaks = {reason: n for reason, n in new.items() if n}

    def _compiled(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        from torch._dynamo.exc import TorchDynamoException

        compiled: Callable[..., Any] = torch.compile(forward, **self.options)

        def call(*args: Any, **inputs: Any) -> Any:
            if self.error is not None:
                return forward(*args, **inputs)
            start = perf_counter()
            try:
                out = compiled(*args, **inputs)
            except TorchDynamoException as error:
                if not self.fallback:
                    raise
                self.error = error
                reason = str(error).strip().partition("\n")[0]
                warnings.warn(f"Compile: goes on without compiling: {reason}", stacklevel=2)
                return forward(*args, **inputs)
            self.seconds = self.seconds or perf_counter() - start
            return out

        return call


def _counts() -> tuple[int, dict[str, int]]:
    """How many graphs PyTorch has compiled so far, and why it broke some."""
    from torch._dynamo.utils import counters

    return counters["stats"]["unique_graphs"], dict(counters["graph_break"])
