"""Any optimizer of PyTorch, with the groups, freezing and hyper-parameter names of Lamina."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.optim.groups import ParamGroups, Params, split_groups

__all__ = ["OptimWrapper"]

_Place = tuple[str, int | None]  # PyTorch's name, and the index in it when it holds a tuple
_HP_MAP = {
    "momentum": "mom",
    "weight_decay": "wd",
    "betas__0": "mom",
    "betas__1": "sqr_mom",
    "alpha": "sqr_mom",
}


class OptimWrapper(ParamGroups):
    """An optimizer of PyTorch, used like Lamina's own.

    Args:
        params: tensors, or groups of tensors; not with a ready optimizer.
        opt: a class of `torch.optim` (or one like them), or a ready optimizer.
        hp_map: PyTorch's names to the names used here; `betas__0` is the first of `betas`.
        hypers: arguments for the class, under either name. Those that Lamina sets can be anything
            that `set_hyper` takes.

    Attributes:
        opt: the optimizer of PyTorch.

    Raises:
        ContractError: a ready optimizer is given with parameters or arguments, or neither is.
        UnknownArgumentError: the optimizer has no such argument.

    Example:
        >>> weights = torch.zeros(2, requires_grad=True)
        >>> opt = OptimWrapper([weights], torch.optim.AdamW, lr=0.1, mom=0.8)
        >>> opt.opt.param_groups[0]["betas"]
        (0.8, 0.999)
    """

    def __init__(
        self,
        params: Params | None = None,
        opt: Callable[..., torch.optim.Optimizer] | torch.optim.Optimizer | None = None,
        hp_map: Mapping[str, str] | None = None,
        **hypers: Any,
    ) -> None:
        if isinstance(opt, torch.optim.Optimizer):
            if params is not None or hypers:
                raise ContractError(
                    f"OptimWrapper: a ready {type(opt).__name__} brings its own parameters and "
                    "hyper-parameters. Pass its class to give others."
                )
            self.opt = opt
        elif opt is None or params is None:
            raise ContractError("OptimWrapper: give parameters and an optimizer class.")
        else:
            direct = {k: v for k, v in hypers.items() if _is_direct(opt, k, v)}
            hypers = {k: v for k, v in hypers.items() if k not in direct}
            self.opt = opt([{"params": group} for group in split_groups(params)], **direct)
        closure = inspect.signature(self.opt.step).parameters.get("closure")
        self._needs_closure = closure is not None and closure.default is closure.empty
        groups = self.opt.param_groups
        names = _names(groups[0], _HP_MAP if hp_map is None else hp_map)
        views = [_Hypers(self.opt, [i], names) for i in range(len(groups))]
        super().__init__([list(group["params"]) for group in groups], views)
        self._views = views
        self.set_hypers(**hypers)

    @property
    def state(self) -> Mapping[Tensor, Any]:
        """What the optimizer remembers, per parameter."""
        return self.opt.state

    @property
    def needs_closure(self) -> bool:
        """Whether `step` has to be given a closure, as by L-BFGS."""
        return self._needs_closure

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.

        Args:
            closure: computes the loss and the gradients anew; some optimizers call it repeatedly.

        Returns:
            What the closure returned first, or None.

        Raises:
            ContractError: this optimizer needs a closure.
        """
        if closure is not None:
            return self.opt.step(closure)
        if self.needs_closure:
            raise ContractError(
                f"{type(self.opt).__name__} computes the loss repeatedly in one step. Call "
                "step(closure) with a function that clears the gradients, computes the loss, "
                "calls backward() and returns the loss."
            )
        self.opt.step()
        return None

    def train(self) -> None:
        """Let an optimizer that has two sets of weights put those to train in place."""
        getattr(self.opt, "train", super().train)()

    def eval(self) -> None:
        """Let an optimizer that has two sets of weights put those to use in place."""
        getattr(self.opt, "eval", super().eval)()

    def mark(self, params: Iterable[Tensor], **marks: Any) -> None:
        """Mark single parameters; see `ParamGroups.mark`. `do_wd=False` is for good."""
        params = list(params)
        super().mark(params, **marks)
        if marks.get("do_wd") is False:
            self._exempt(set(params))

    def clear_state(self) -> None:
        """Forget the optimizer's state; hyper-parameters and freezing stay."""
        self.opt.state.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return PyTorch's own state dict."""
        return self.opt.state_dict()

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.opt.load_state_dict(saved)

    def __repr__(self) -> str:
        return f"OptimWrapper({self.opt!r})"

    def _exempt(self, params: set[Tensor]) -> None:
        """Move parameters into PyTorch groups without weight decay."""
        for view in self._views:
            group = self.opt.param_groups[view.places[0]]
            out = [p for p in group["params"] if p in params]
            if out and "weight_decay" in group:
                group["params"] = [p for p in group["params"] if p not in params]
                self.opt.param_groups.append({**group, "params": out, "weight_decay": 0.0})
                view.places.append(len(self.opt.param_groups) - 1)


class _Hypers(MutableMapping[str, Any]):
    """The hyper-parameters of one group, kept in PyTorch's groups under PyTorch's names.

    Args:
        opt: the optimizer of PyTorch.
        places: its groups that make up this one; only the first has weight decay.
        names: the names used here, with where PyTorch keeps the value.
    """

    def __init__(
        self, opt: torch.optim.Optimizer, places: list[int], names: dict[str, _Place]
    ) -> None:
        self.opt = opt
        self.places = places
        self.names = names

    def __getitem__(self, key: str) -> Any:
        name, index = self.names[key]
        value = self.opt.param_groups[self.places[0]][name]
        return value if index is None else value[index]

    def __setitem__(self, key: str, value: Any) -> None:
        name, index = self.names[key]
        for place in self.places[:1] if name == "weight_decay" else self.places:
            group = self.opt.param_groups[place]
            if index is None:
                group[name] = value
            else:
                group[name] = (*group[name][:index], value, *group[name][index + 1 :])

    def __delitem__(self, key: str) -> None:
        raise ContractError(f"{key!r} cannot be taken out of an optimizer's hyper-parameters.")

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return repr(dict(self))


def _names(group: Mapping[str, Any], hp_map: Mapping[str, str]) -> dict[str, _Place]:
    """Say where each hyper-parameter is kept in a group of PyTorch."""
    found: dict[str, _Place] = {}
    for name, value in group.items():
        if isinstance(value, tuple):
            for i in range(len(value)):
                full = f"{name}__{i}"
                found[hp_map.get(full, full)] = (name, i)
        elif name != "params":
            found[hp_map.get(name, name)] = (name, None)
    return found


def _is_direct(opt: Callable[..., Any], name: str, value: Any) -> bool:
    """Tell whether the class takes an argument as it is, so that it needs no spreading."""
    param = inspect.signature(opt).parameters.get(name)
    if param is None or isinstance(value, slice):
        return False
    return not isinstance(value, list | tuple) or isinstance(param.default, tuple)
