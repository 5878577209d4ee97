"""Looking at a model: its parameters, its norm layers, its number of features."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from lamina.foundation.errors import ContractError

__all__ = [
    "NORM_TYPES",
    "ParameterModule",
    "children_and_parameters",
    "evaluating",
    "flatten_model",
    "has_children",
    "has_params",
    "in_channels",
    "norm_bias_params",
    "num_features",
    "one_param",
    "params",
    "total_params",
    "trainable_params",
]

NORM_TYPES: tuple[type[nn.Module], ...] = (
    nn.modules.batchnorm._NormBase,  # every batch and instance norm
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


def params(model: nn.Module) -> list[nn.Parameter]:
    """All parameters of `model`, in the order of `model.parameters()`."""
    return list(model.parameters())


def trainable_params(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that require a gradient: the `Learner`'s default split into one group."""
    return [p for p in model.parameters() if p.requires_grad]


def one_param(model: nn.Module) -> Tensor:
    """Any one parameter, to read its device and dtype.

    Raises:
        ContractError: The model has no parameter.
    """
    first = next(model.parameters(), None)
    if first is None:
        raise ContractError(f"one_param: {type(model).__name__} has no parameters.")
    return first


def has_params(model: nn.Module) -> bool:
    """Whether `model` has at least one parameter."""
    return next(model.parameters(), None) is not None


def total_params(model: nn.Module) -> tuple[int, int]:
    """The number of parameters of `model`: all, and those that are trained.

    Example:
        >>> total_params(nn.Linear(3, 2))
        (8, 8)
    """
    counts = [(p.numel(), p.numel() if p.requires_grad else 0) for p in model.parameters()]
    return sum(n for n, _ in counts), sum(n for _, n in counts)


def norm_bias_params(model: nn.Module, *, with_bias: bool = True) -> list[nn.Parameter]:
    """The parameters of all norm layers and, with `with_bias`, the biases of all other layers.

    Example:
        >>> len(norm_bias_params(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))))
        3
    """
    found: list[nn.Parameter] = []
    for module in model.modules():
        own = dict(module.named_parameters(recurse=False))
        if isinstance(module, NORM_TYPES):
            found += own.values()
        elif with_bias and "bias" in own:
            found.append(own["bias"])
    return found


def in_channels(model: nn.Module) -> int:
    """The number of channels that the first layer with a weight of four dimensions takes.

    Raises:
        ContractError: There is no such layer.
    """
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.dim() == 4:
            groups = module.groups if isinstance(module, nn.Conv2d) else 1
            return weight.shape[1] * groups
    raise ContractError(f"in_channels: {type(model).__name__} has no 2-d convolution.")


@contextmanager
def evaluating(model: nn.Module) -> Generator[None]:
    """Put `model` into evaluation mode inside a `with` block, without gradients."""
    training = {m: m.training for m in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in training.items():
            module.training = mode


def num_features(body: nn.Module, n_in: int = 3, size_px: int = 64) -> int:
    """The number of channels that `body` gives for an image, found with one empty image.

    Args:
        body: Maps `(1, n_in, size_px, size_px)` to `(1, features, ...)`.
        n_in: Channels of the image.
        size_px: Height and width of the image; a body with a large stride may need more.
    """
    weight = one_param(body)
    image = torch.zeros(1, n_in, size_px, size_px, dtype=weight.dtype, device=weight.device)
    with evaluating(body):
        return body(image).shape[1]


class ParameterModule(nn.Module):
    """A parameter that stands alone in a model, as a module.

    Args:
        parameter: The parameter.
    """

    def __init__(self, parameter: nn.Parameter) -> None:
        super().__init__()
        self.val = parameter

    def forward(self, x: Tensor) -> Tensor:
        """Give `x` as it is."""
        return x


def has_children(model: nn.Module) -> bool:
    """Whether `model` consists of other modules; a layer with weight norm counts as one layer."""
    return next(model.children(), None) is not None and not is_parametrized(model)


def children_and_parameters(model: nn.Module) -> list[nn.Module]:
    """The children of `model`, and a `ParameterModule` for each parameter that none of them has."""
    children = list(model.children())
    theirs = {id(p) for child in children for p in child.parameters()}
    alone = [p for p in model.parameters() if id(p) not in theirs]
    return children + [ParameterModule(p) for p in alone]


def flatten_model(model: nn.Module) -> list[nn.Module]:
    """The layers of `model` that consist of no others, in order, with all of its parameters.

    Example:
        >>> flatten_model(nn.Sequential(nn.Sequential(nn.ReLU(), nn.Tanh()), nn.Linear(1, 1)))
        [ReLU(), Tanh(), Linear(in_features=1, out_features=1, bias=True)]
    """
    if not has_children(model):
        return [model]
    return [layer for child in children_and_parameters(model) for layer in flatten_model(child)]
