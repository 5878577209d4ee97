"""Look into a model while it runs: hooks that are always removed again, and sizes of layers."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Size, Tensor, nn

from lamina.nn.params import evaluating, has_children, in_channels, one_param
from lamina.tensor.tree import leaves, to_detach

__all__ = [
    "Hook",
    "HookFunc",
    "Hooks",
    "LayerInfo",
    "dummy_eval",
    "hook_output",
    "hook_outputs",
    "layer_info",
    "model_sizes",
]

HookFunc = Callable[[nn.Module, Any, Any], Any]
"""Called with a module, its input and its output (or, backward, the gradients of both)."""


class Hook:
    """A function that is called whenever a module has run, until the hook is removed.

    As a context manager it is removed at the end of the `with` block, whatever happens there.

    Args:
        module: Where to look.
        func: What to call.
        is_forward: After the forward pass; else in the backward pass, with gradients.
        detach: Hand `func` tensors without history.
        cpu: Hand it copies on the CPU; this waits for the device.

    Attributes:
        stored: What `func` returned last; None before.
        on: Whether the function is called; may be changed at any time.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> with Hook(layer, lambda module, inp, out: out.shape) as hook:
        ...     _ = layer(torch.zeros(5, 2))
        >>> hook.stored
        torch.Size([5, 3])
    """

    def __init__(
        self,
        module: nn.Module,
        func: HookFunc,
        *,
        is_forward: bool = True,
        detach: bool = True,
        cpu: bool = False,
    ) -> None:
        self.func, self.detach, self.cpu = func, detach, cpu
        self.stored: Any = None
        self.on = True
        add = module.register_forward_hook if is_forward else module.register_full_backward_hook
        self._handle = add(self._called)

    def _called(self, module: nn.Module, inp: Any, out: Any) -> None:
        if not self.on:
            return
        if self.detach:
            inp, out = to_detach(inp, cpu=self.cpu), to_detach(out, cpu=self.cpu)
        self.stored = self.func(module, inp, out)

    def remove(self) -> None:
        """Take the hook off; what is stored stays."""
        self._handle.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Hooks(Sequence[Hook]):
    """The same hook on several modules; see `Hook`.

    Args:
        modules: Where to look.
        func: What to call.
        is_forward: After the forward pass; else in the backward pass, with gradients.
        detach: Hand `func` tensors without history.
        cpu: Hand it copies on the CPU.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module],
        func: HookFunc,
        *,
        is_forward: bool = True,
        detach: bool = True,
        cpu: bool = False,
    ) -> None:
        chosen = list(modules)  # before the first hook is on: reading may fail
        self.hooks = [Hook(m, func, is_forward=is_forward, detach=detach, cpu=cpu) for m in chosen]

    @property
    def stored(self) -> list[Any]:
        """What each hook stores."""
        return [hook.stored for hook in self.hooks]

    def remove(self) -> None:
        """Take all hooks off."""
        for hook in self.hooks:
            hook.remove()

    def __getitem__(self, i: Any) -> Any:
        return self.hooks[i]

    def __len__(self) -> int:
        return len(self.hooks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def hook_output(
    module: nn.Module, *, detach: bool = True, cpu: bool = False, grad: bool = False
) -> Hook:
    """Keep the latest output of a module, or the gradients of it (a tuple).

    Args:
        module: The module.
        detach: Keep it without history.
        cpu: Keep a copy on the CPU.
        grad: Keep gradients in place of outputs.

    Example:
        >>> layer = nn.ReLU()
        >>> with hook_output(layer) as hook:
        ...     _ = layer(torch.tensor([-1.0, 1.0]))
        >>> hook.stored
        tensor([0., 1.])
    """
    return Hook(module, _output, is_forward=not grad, detach=detach, cpu=cpu)


def hook_outputs(
    modules: Iterable[nn.Module], *, detach: bool = True, cpu: bool = False, grad: bool = False
) -> Hooks:
    """Keep the latest output of each of several modules; see `hook_output`.

    Args:
        modules: The modules.
        detach: Keep it without history.
        cpu: Keep a copy on the CPU.
        grad: Keep gradients in place of outputs.
    """
    return Hooks(modules, _output, is_forward=not grad, detach=detach, cpu=cpu)


def _output(_module: nn.Module, _inp: Any, out: Any) -> Any:
    return out


def dummy_eval(model: nn.Module, size: tuple[int, int] = (64, 64)) -> Any:
    """What `model` makes of an empty image, in evaluation mode; its own mode is put back.

    Args:
        model: Its first convolution says how many channels it takes.
        size: Height and width of the image.

    Example:
        >>> dummy_eval(nn.Conv2d(3, 8, 3, stride=2), (9, 9)).shape
        torch.Size([1, 8, 4, 4])
    """
    weight = one_param(model)
    shape = (1, in_channels(model), *size)
    with evaluating(model):
        return model(torch.zeros(shape, dtype=weight.dtype, device=weight.device))


def model_sizes(model: nn.Module, size: tuple[int, int] = (64, 64)) -> list[Size]:
    """The shape that each child of `model` gives for one empty image.

    Args:
        model: A model whose children run one after another.
        size: Height and width of the image.

    Example:
        >>> model_sizes(nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2)), (8, 8))
        [torch.Size([1, 4, 8, 8]), torch.Size([1, 4, 4, 4])]
    """
    with Hooks(model.children(), _shape_of) as hooks:
        dummy_eval(model, size)
    return hooks.stored


@dataclass(frozen=True)
class LayerInfo:
    """What is known of a layer after a model has run.

    Args:
        name: Its place in the model.
        kind: The name of its class; "Parameter" for one that stands alone.
        shapes: Of the tensors that it gives; none if it did not run.
        n_params: How many numbers it holds.
        n_trained: How many of them are trained.
    """

    name: str
    kind: str
    shapes: tuple[Size, ...]
    n_params: int
    n_trained: int

    @property
    def shape(self) -> Size | None:
        """The shape of its first output; None if it did not run."""
        return next(iter(self.shapes), None)


def layer_info(model: nn.Module, *xb: Any) -> list[LayerInfo]:
    """The layers of `model` with their sizes, for one run on a batch in evaluation mode.

    Args:
        model: The model; its mode is put back.
        xb: The inputs of a batch; one mapping is given to the model as keyword arguments.

    Example:
        >>> for layer in layer_info(nn.Sequential(nn.Linear(4, 2), nn.ReLU()), torch.zeros(8, 4)):
        ...     print(layer.name, layer.kind, tuple(layer.shape), layer.n_params)
        0 Linear (8, 2) 10
        1 ReLU (8, 2) 0
    """
    layers = dict(_layers(model))
    modules = {name: part for name, part in layers.items() if isinstance(part, nn.Module)}
    with Hooks(modules.values(), _shapes_of) as hooks, evaluating(model):
        _ = model(**xb[0]) if len(xb) == 1 and isinstance(xb[0], Mapping) else model(*xb)
    shapes = dict(zip(modules, hooks.stored, strict=True))
    return [_info(name, part, shapes.get(name) or ()) for name, part in layers.items()]


def _layers(model: nn.Module, name: str = "") -> Generator[tuple[str, nn.Module | nn.Parameter]]:
    """The modules without children, and the parameters that composed modules hold themselves."""
    if not has_children(model):
        yield name, model
        return
    yield from ((_join(name, part), p) for part, p in model.named_parameters(recurse=False))
    for part, child in model.named_children():
        yield from _layers(child, _join(name, part))


def _join(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part


def _info(name: str, part: nn.Module | nn.Parameter, shapes: tuple[Size, ...]) -> LayerInfo:
    if isinstance(part, nn.Parameter):
        parameters, kind, shapes = [part], "Parameter", (part.shape,)
    else:
        parameters, kind = list(part.parameters()), _kind(part)
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    return LayerInfo(name, kind, shapes, sum(p.numel() for p in parameters), trained)


def _kind(module: nn.Module) -> str:
    return type(module).__name__.removeprefix("Parametrized")


def _shapes_of(_module: nn.Module, _inp: Any, out: Any) -> tuple[Size, ...]:
    return tuple(t.shape for t in leaves(out, leaf=Tensor))


def _shape_of(module: nn.Module, inp: Any, out: Any) -> Size | None:
    return next(iter(_shapes_of(module, inp, out)), None)
