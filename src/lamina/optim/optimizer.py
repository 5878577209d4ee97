"""The optimizer: stats and steppers, run in order over groups of parameters."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.optim.fused import fuse, is_fusable
from lamina.optim.groups import ParamGroups, Params, split_groups
from lamina.optim.wiring import Part, read_part, wire

__all__ = ["Optimizer"]

State = dict[str, Any]
_CHUNK = 1 << 17  # elements per list on the CPU, so that one chunk stays in its cache


@dataclass(slots=True)
class _Chunk:
    """Parameters that go through the parts together: one group, device, dtype and set of marks."""

    group: int
    params: list[Tensor]
    states: list[State]
    marks: State
    parts: tuple[Part, ...]

    def grads(self) -> list[Tensor] | None:
        """Return the gradients, or None if one is missing."""
        grads = [grad for p in self.params if (grad := p.grad) is not None]
        return grads if len(grads) == len(self.params) else None


class Optimizer(ParamGroups):
    """An optimizer made of stats and steppers.

    Each is a function that says by its keyword names what it reads: hyper-parameters, state, or
    marks of the parameter. See `lamina.optim.wiring` for the two forms that it may have.

    Args:
        params: tensors, or groups of tensors.
        cbs: the stats and steppers, in the order in which they run.
        fused: use PyTorch's fused kernels where they compute the same.
        hypers: values of hyper-parameters, as for `set_hyper`; they override the defaults in the
            functions' signatures.

    Attributes:
        cbs: the stats and steppers.
        state: what the stats remember, per parameter.

    Raises:
        ContractError: a part reads what nobody makes, or `params` is not usable.
        UnknownArgumentError: a hyper-parameter that no part reads.

    Example:
        >>> def sign_step(p, *, lr):
        ...     p.sub_(p.grad.sign(), alpha=lr)
        >>> weights = torch.ones(2, requires_grad=True)
        >>> opt = Optimizer([weights], [sign_step], lr=0.25)
        >>> (weights * torch.tensor([3.0, -3.0])).sum().backward()
        >>> opt.step()
        >>> weights
        tensor([0.7500, 1.2500], requires_grad=True)

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, generic optimizer.
    """

    def __init__(
        self,
        params: Params,
        cbs: Sequence[Callable[..., Any]],
        *,
        fused: bool = True,
        **hypers: Any,
    ) -> None:
        groups = split_groups(params)
        self.cbs = list(cbs)
        self._parts = tuple(read_part(cb) for cb in self.cbs)
        defaults = wire(self._parts, hypers)
        super().__init__(groups, [dict(defaults) for _ in groups])
        self.set_hypers(**hypers)
        self.fused = fused
        self.state: dict[Tensor, State] = {}
        self._chunks: list[_Chunk] | None = None
        self._idle: list[Tensor] = []

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.

        Args:
            closure: if given, called first, to compute the loss and the gradients.

        Returns:
            What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for chunk, grads in self._work():
            hypers = self.hypers[chunk.group]
            for part in chunk.parts:
                if part.on_lists:
                    _run_on_lists(part, chunk, grads, hypers)
                else:
                    _run_per_param(part, chunk, hypers)
        return loss

    def mark(self, params: Iterable[Tensor], **marks: Any) -> None:
        """Mark single parameters; see `ParamGroups.mark`."""
        super().mark(params, **marks)
        self._chunks = None

    def clear_state(self) -> None:
        """Forget what the stats remember; hyper-parameters, marks and freezing stay."""
        self.state.clear()
        self._chunks = None

    def state_dict(self) -> dict[str, Any]:
        """Return hyper-parameters and state as plain data, the tensors not copied.

        State is listed in the order of the parameters, with their shapes to check it by.
        """
        params = self.all_params()
        return {
            "hypers": [dict(h) for h in self.hypers],
            "groups": [len(g) for g in self.groups],
            "shapes": [list(p.shape) for p in params],
            "state": [dict(self.state.get(p, {})) for p in params],
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over hyper-parameters and state; tensors are copied to the parameters' devices.

        Raises:
            ContractError: it was saved by an optimizer with other parameters, in another order,
                or of another kind.
        """
        params = self.all_params()
        self._check_saved(saved, params)
        for hyper, values in zip(self.hypers, saved["hypers"], strict=True):
            hyper.update(values)
        self.state = {
            p: {name: _restored(value, p) for name, value in state.items()}
            for p, state in zip(params, saved["state"], strict=True)
            if state
        }
        self._chunks = None

    def __repr__(self) -> str:
        parts = ", ".join(part.name for part in self._parts)
        return f"Optimizer([{parts}], groups={[len(g) for g in self.groups]}, {self.hypers})"

    def _known_marks(self) -> tuple[str, ...]:
        return (*super()._known_marks(), *(name for part in self._parts for name in part.reads))

    def _work(self) -> list[tuple[_Chunk, list[Tensor]]]:
        """Return the chunks with their gradients; plan anew when other parameters have some."""
        if self._chunks is not None and all(p.grad is None for p in self._idle):
            work = _with_grads(self._chunks)
            if len(work) == len(self._chunks):
                return work
        self._chunks = self._plan()
        return _with_grads(self._chunks)

    def _plan(self) -> list[_Chunk]:
        """Put the parameters that have gradients into chunks."""
        alike: dict[tuple[Any, ...], list[Tensor]] = {}
        for i, group in enumerate(self.groups):
            for p in group:
                if p.grad is not None:
                    marks = tuple(sorted(self._marks.get(p, {}).items()))
                    fused = self.fused and is_fusable(p)
                    alike.setdefault((i, p.device, p.dtype, marks, fused), []).append(p)
        self._idle = [p for p in self.all_params() if p.grad is None]
        fused_parts = fuse(self._parts)
        return [
            chunk
            for (i, _, _, marks, fused), ps in alike.items()
            for chunk in self._chunk(i, ps, dict(marks), fused_parts if fused else self._parts)
        ]

    def _chunk(
        self, group: int, params: list[Tensor], marks: State, parts: tuple[Part, ...]
    ) -> Iterator[_Chunk]:
        """Make chunks of parameters that are alike."""
        split = len(parts) > 1 and params[0].device.type == "cpu"
        for some in _by_size(params) if split else [params]:
            states = [self.state.setdefault(p, {}) for p in some]
            self._init_state(some, states)
            yield _Chunk(group, some, states, marks, parts)

    def _init_state(self, params: list[Tensor], states: list[State]) -> None:
        """Give list-wise state its first value."""
        inits = {n: f for part in self._parts if part.on_lists for n, f in part.makes.items()}
        for p, state in zip(params, states, strict=True):
            for name, init in inits.items():
                if name not in state:
                    state[name] = init(p)

    def _check_saved(self, saved: dict[str, Any], params: list[Tensor]) -> None:
        """Compare what was saved with this optimizer."""
        here = [len(g) for g in self.groups]
        if saved["groups"] != here:
            raise ContractError(
                f"Optimizer.load_state_dict: saved with groups of {saved['groups']} parameters; "
                f"this optimizer has {here}. Split the model in the same way."
            )
        for i, (p, shape) in enumerate(zip(params, saved["shapes"], strict=True)):
            if list(p.shape) != list(shape):
                raise ContractError(
                    f"Optimizer.load_state_dict: parameter {i} is {tuple(p.shape)} here and "
                    f"{tuple(shape)} in what was saved. Give the parameters in the same order."
                )
        made = {name for part in self._parts if part.on_lists for name in part.makes}
        missing = {n for state in saved["state"] if state for n in made - state.keys()}
        missing |= {n for values in saved["hypers"] for n in self.hypers[0].keys() ^ values.keys()}
        if missing:
            raise ContractError(
                f"Optimizer.load_state_dict: {sorted(missing)} differ between what was saved and "
                "this optimizer. Make it with the same stats and steppers."
            )


def _with_grads(chunks: list[_Chunk]) -> list[tuple[_Chunk, list[Tensor]]]:
    """Return the chunks whose parameters all have gradients, with these."""
    return [(chunk, grads) for chunk in chunks if (grads := chunk.grads()) is not None]


def _run_on_lists(part: Part, chunk: _Chunk, grads: list[Tensor], hypers: Any) -> None:
    """Call a list-wise part once for the chunk."""
    named = {}
    first = chunk.states[0]
    for name in {**first, **chunk.marks, **hypers} if part.takes_all else part.reads:
        if name in first:
            named[name] = [state[name] for state in chunk.states]
        elif name in chunk.marks:
            named[name] = chunk.marks[name]
        elif name in hypers:
            named[name] = hypers[name]
    made = part.fn(chunk.params, grads, **named)
    for name, values in (made or {}).items():
        for state, value in zip(chunk.states, values, strict=True):
            state[name] = value


def _run_per_param(part: Part, chunk: _Chunk, hypers: Any) -> None:
    """Call a per-parameter part for every parameter of the chunk."""
    shared = {**hypers, **chunk.marks}
    for p, state in zip(chunk.params, chunk.states, strict=True):
        named = shared | state
        if not part.takes_all:
            named = {name: named[name] for name in part.reads if name in named}
        made = part.fn(p, p.grad, **named) if part.takes_grad else part.fn(p, **named)
        if made:
            state.update(made)


def _by_size(params: list[Tensor]) -> Iterator[list[Tensor]]:
    """Cut a list of parameters where the elements add up to a chunk's size."""
    some: list[Tensor] = []
    size = 0
    for p in params:
        if some and size + p.numel() > _CHUNK:
            yield some
            some, size = [], 0
        some.append(p)
        size += p.numel()
    yield some


def _restored(value: Any, p: Tensor) -> Any:
    """Copy saved state to the parameter's device, in its memory layout when it has its shape."""
    if not isinstance(value, Tensor):
        return value
    if value.shape != p.shape:
        return value.detach().clone().to(p.device)
    return torch.empty_like(p, dtype=value.dtype, requires_grad=False).copy_(value.detach())
