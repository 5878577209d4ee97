"""How weights start: one function for a layer, one walk for a model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from torch import Tensor, nn

from lamina.nn.params import NORM_TYPES
from lamina.tensor.random import no_random

__all__ = ["apply_init", "first_weights", "init_default", "init_linear"]

InitFunc = Callable[[Tensor], Tensor]

_RELU_FAMILY = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.Mish, nn.GELU)


def init_default(module: nn.Module, func: InitFunc | None = nn.init.kaiming_normal_) -> nn.Module:
    """Initialise the weight of `module` with `func` and its bias with zeros; return the module.

    Weights of fewer than two dimensions (norm layers) are left as they are.

    Example:
        >>> init_default(nn.Linear(2, 3)).bias.tolist()
        [0.0, 0.0, 0.0]

    Source: He et al. 2015, "Delving deep into rectifiers" (the default `func`).
    """
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if func is not None and isinstance(weight, Tensor) and weight.dim() > 1:
        func(weight)
    if isinstance(bias, Tensor):
        nn.init.zeros_(bias)
    return module


def apply_init(model: nn.Module, func: InitFunc | None = nn.init.kaiming_normal_) -> nn.Module:
    """Call `init_default` on every layer of `model` except norm layers; return the model."""
    for module in model.modules():
        if not isinstance(module, NORM_TYPES) and not list(module.children()):
            init_default(module, func)
    return model


@contextmanager
def first_weights(seed: int | None) -> Iterator[None]:
    """Let a seed decide the weights of what is made in a `with` block.

    What is drawn afterwards is what would have been drawn without the block.

    Args:
        seed: The seed; None leaves all to the generators as they are.

    Example:
        >>> from torch import equal
        >>> made = []
        >>> for _ in range(2):
        ...     with first_weights(3):
        ...         made.append(nn.Linear(2, 2).weight)
        >>> equal(*made)
        True
    """
    with nullcontext() if seed is None else no_random(seed, reproducible=False):
        yield


def init_linear(layer: nn.Module, act: nn.Module | None, *, bias_std: float = 0.01) -> None:
    """Initialise a linear or convolution layer for the activation that follows it.

    Args:
        layer: The layer; its weight and, when it has one, its bias are set in place.
        act: The activation after it: ReLU-like takes Kaiming, sigmoid and tanh take Xavier,
            anything else keeps PyTorch's own start.
        bias_std: Standard deviation of the bias; 0 gives zeros.

    Source: He et al. 2015 (Kaiming), Glorot & Bengio 2010 (Xavier).
    """
    bias, weight = getattr(layer, "bias", None), getattr(layer, "weight", None)
    if isinstance(bias, Tensor):
        nn.init.normal_(bias, 0, bias_std) if bias_std else nn.init.zeros_(bias)
    if not isinstance(weight, Tensor):
        return
    if isinstance(act, _RELU_FAMILY):
        nn.init.kaiming_uniform_(weight)
    elif isinstance(act, nn.Sigmoid | nn.Tanh):
        nn.init.xavier_uniform_(weight)
