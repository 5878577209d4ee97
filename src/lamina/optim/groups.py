"""Parameter groups: their hyper-parameters, what is frozen, and marks on single parameters."""

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any

from torch import Tensor

from lamina.foundation.errors import ContractError, UnknownNameError, refuse_unknown
from lamina.foundation.sequences import even_mults

__all__ = ["GroupView", "ParamGroups", "Params", "split_groups"]

Params = Iterable[Tensor] | Iterable[Iterable[Tensor]]
_MARKS = ("do_wd", "force_train")


class ParamGroups:
    """Groups of parameters with hyper-parameters, which can be frozen from the front.

    The common part of `Optimizer` and `OptimWrapper`.

    Args:
        groups: the parameters, from the first layers to the last.
        hypers: one mapping of hyper-parameters per group.

    Attributes:
        groups: the parameters of each group.
        hypers: the hyper-parameters of each group; writing to them takes effect at the next step.
        frozen_idx: the groups before this one are frozen.
    """

    def __init__(
        self, groups: list[list[Tensor]], hypers: Sequence[MutableMapping[str, Any]]
    ) -> None:
        self.groups = groups
        self.hypers = list(hypers)
        self.frozen_idx = 0
        self._marks: dict[Tensor, dict[str, Any]] = {}

    @property
    def needs_closure(self) -> bool:
        """Whether `step` has to be given a closure that computes the loss anew."""
        return False

    def train(self) -> None:
        """Put the weights to train in place: call it before training. Most have only one set."""

    def eval(self) -> None:
        """Put the weights to use in place: call it before validating, predicting and saving."""

    @property
    def n_groups(self) -> int:
        """The number of groups."""
        return len(self.groups)

    @property
    def param_groups(self) -> list["GroupView"]:
        """The groups as PyTorch shows them: `group["params"]`, `group["lr"]`, ..., writable."""
        return [GroupView(g, h) for g, h in zip(self.groups, self.hypers, strict=True)]

    def all_params(self, *, with_grad: bool = False) -> list[Tensor]:
        """Return the parameters of all groups, in order.

        Args:
            with_grad: leave out those that have no gradient now.
        """
        return [p for g in self.groups for p in g if not with_grad or p.grad is not None]

    def set_hyper(self, name: str, value: Any) -> None:
        """Set a hyper-parameter in every group.

        Args:
            name: the hyper-parameter.
            value: a number for all groups; one value per group; `slice(a, b)` for values that
                grow by equal factors from the first group to the last; `slice(b)` for `b` in the
                last group and `b / 10` in the others.

        Raises:
            UnknownNameError: the optimizer has no such hyper-parameter.
            ContractError: the number of values is not the number of groups.

        Example:
            >>> import torch
            >>> from lamina.optim.recipes import SGD
            >>> opt = SGD([[torch.zeros(1)] for _ in range(3)], lr=0.1)
            >>> opt.set_hyper("lr", slice(0.01, 1.0))
            >>> [round(h["lr"], 4) for h in opt.hypers]
            [0.01, 0.1, 1.0]
        """
        for hyper in self.hypers:
            if name not in hyper:
                where = f"{type(self).__name__}.set_hyper"
                raise UnknownNameError("hyper-parameter", name, sorted(hyper), where=where)
        for hyper, each in zip(self.hypers, self._per_group(name, value), strict=True):
            hyper[name] = each

    def set_hypers(self, **values: Any) -> None:
        """Set several hyper-parameters; see `set_hyper`."""
        if self.hypers:
            refuse_unknown(f"{type(self).__name__}.set_hypers", values, sorted(self.hypers[0]))
        for name, value in values.items():
            self.set_hyper(name, value)

    def mark(self, params: Iterable[Tensor], **marks: Any) -> None:
        """Mark single parameters; those that the optimizer does not hold are passed over.

        Args:
            params: the parameters.
            marks: `force_train=True` keeps a parameter training in a frozen group, `do_wd=False`
                keeps weight decay from it; any other name that a stepper reads.

        Raises:
            UnknownArgumentError: a mark that nothing reads.
        """
        refuse_unknown(f"{type(self).__name__}.mark", marks, self._known_marks())
        held = set(self.all_params())
        for p in params:
            if p in held:
                self._marks.setdefault(p, {}).update(marks)
        if "force_train" in marks and self.frozen_idx:
            self.freeze_to(self.frozen_idx)

    def freeze_to(self, n: int) -> None:
        """Freeze the groups before group `n`, except parameters marked `force_train`.

        Args:
            n: a group index, which may count from the end; `n_groups` freezes all.

        Raises:
            ContractError: there is no such group.
        """
        if not -self.n_groups <= n <= self.n_groups:
            raise ContractError(f"freeze_to({n}): there are {self.n_groups} parameter groups.")
        self.frozen_idx = n if n >= 0 else self.n_groups + n
        for i, group in enumerate(self.groups):
            for p in group:
                p.requires_grad_(i >= self.frozen_idx or self._is_forced(p))
                if not p.requires_grad:
                    p.grad = None  # a left-over gradient would move the parameter once more

    def freeze(self) -> None:
        """Freeze all groups but the last."""
        self.freeze_to(-1)

    def unfreeze(self) -> None:
        """Let all groups train."""
        self.freeze_to(0)

    def zero_grad(self, *, set_to_none: bool = True) -> None:
        """Drop the gradients, or fill them with zeros.

        Args:
            set_to_none: drop them; a parameter without gradient is left out of the next step.
        """
        for group in self.groups:
            for p in group:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad.detach_().zero_()

    def _known_marks(self) -> tuple[str, ...]:
        return _MARKS

    def _is_forced(self, p: Tensor) -> bool:
        return self._marks.get(p, {}).get("force_train", False)

    def _per_group(self, name: str, value: Any) -> list[Any]:
        """Spread a hyper-parameter over the groups."""
        n = self.n_groups
        value = value.tolist() if hasattr(value, "tolist") else value  # arrays and tensors
        if isinstance(value, slice):
            if value.start is None:
                return [value.stop / 10] * (n - 1) + [value.stop]
            return [value.stop] if n == 1 else list(even_mults(value.start, value.stop, n))
        if isinstance(value, str) or not isinstance(value, Iterable):
            return [value] * n
        values = list(value)
        if len(values) != n:
            raise ContractError(
                f"{type(self).__name__}.set_hyper: {name!r} got {len(values)} values for {n} "
                "parameter groups. Give one number, slice(first, last), or one value per group."
            )
        return values


class GroupView(MutableMapping[str, Any]):
    """One parameter group in PyTorch's form; reads and writes go to the optimizer.

    Args:
        params: the group's parameters.
        hypers: the group's hyper-parameters.

    Example:
        >>> hypers = {"lr": 0.1}
        >>> GroupView([], hypers)["lr"] = 0.2
        >>> hypers
        {'lr': 0.2}
    """

    def __init__(self, params: list[Tensor], hypers: MutableMapping[str, Any]) -> None:
        self._params = params
        self._hypers = hypers

    def __getitem__(self, key: str) -> Any:
        return self._params if key == "params" else self._hypers[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._hypers:
            raise UnknownNameError("hyper-parameter", key, sorted(self._hypers), where="GroupView")
        self._hypers[key] = value

    def __delitem__(self, key: str) -> None:
        raise ContractError(f"GroupView: {key!r} cannot be taken out of a parameter group.")

    def __iter__(self) -> Iterator[str]:
        yield "params"
        yield from self._hypers

    def __len__(self) -> int:
        return 1 + len(self._hypers)

    def __repr__(self) -> str:
        return f"GroupView({len(self._params)} parameters, {dict(self._hypers)})"


def split_groups(params: Params) -> list[list[Tensor]]:
    """Bring parameters into groups: tensors are one group, collections are a group each.

    Raises:
        ContractError: nothing is given, something is no parameter, or one is given twice.

    Example:
        >>> import torch
        >>> a, b = torch.zeros(1), torch.zeros(2)
        >>> [len(g) for g in split_groups([a, b])], [len(g) for g in split_groups([[a], [b]])]
        ([2], [1, 1])
    """
    items: list[Any] = list(params)
    one_group = bool(items) and isinstance(items[0], Tensor)
    groups = [items] if one_group else [list(group) for group in items]
    if not any(groups):
        raise ContractError("An optimizer needs parameters; got none. Was a generator used up?")
    owner: dict[Tensor, int] = {}
    for i, group in enumerate(groups):
        for p in group:
            _check_param(p, i, owner)
            owner[p] = i
    return groups


def _check_param(p: Any, group: int, owner: dict[Tensor, int]) -> None:
    """Refuse what cannot be optimized."""
    if not isinstance(p, Tensor):
        raise ContractError(f"Group {group} holds a {type(p).__name__}; expected tensors.")
    shape = tuple(p.shape)
    if p in owner:
        raise ContractError(
            f"A parameter of shape {shape} is in group {owner[p]} and again in group {group}. "
            "Give a shared parameter once."
        )
    if not p.is_leaf:
        raise ContractError(f"A tensor of shape {shape} is the result of operations, not a leaf.")
