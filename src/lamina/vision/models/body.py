"""The body of a network: cut before its head, fitted to other channels, filled with weights."""

import re
from collections import OrderedDict
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lamina.foundation.errors import BundleError, ContractError
from lamina.vision.models.architectures import Architecture

__all__ = ["adapt_first_layer", "create_body", "has_pool", "load_weights", "make_network"]

_OLD_NAME = re.compile(r"(denselayer\d+\.(norm|conv))\.(?=[12]\.)")  # in files of DenseNets


def has_pool(model: nn.Module) -> bool:
    """Whether `model` is, or contains, a pooling layer.

    Example:
        >>> has_pool(nn.Sequential(nn.AdaptiveAvgPool2d(1))), has_pool(nn.Linear(2, 2))
        (True, False)
    """
    return any("Pool" in type(m).__name__ for m in model.modules())


def cut_model(model: nn.Module, cut: int | None = None) -> nn.Sequential:
    """The first children of `model`, up to `cut`; by default up to the last one that pools.

    Raises:
        ContractError: No cut was given and nothing pools.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        >>> len(cut_model(model))
        1
    """
    children = list(model.named_children())
    if cut is None:
        pools = [i for i, (_, child) in enumerate(children) if has_pool(child)]
        if not pools:
            raise ContractError(
                f"{type(model).__name__} has no pooling layer to cut before. Pass cut=, the number "
                "of children that are the body."
            )
        cut = pools[-1]
    return nn.Sequential(OrderedDict(children[:cut]))


def adapt_first_layer(model: nn.Module, n_in: int) -> None:
    """Make the first convolution take `n_in` channels, keeping what its weights know.

    One channel gets the sum over the colours; two get the first two colours times 1.5; further
    channels start at zero.

    Raises:
        ContractError: There is no 2-d convolution.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3))
        >>> adapt_first_layer(model, 1)
        >>> model(torch.zeros(1, 1, 5, 5)).shape
        torch.Size([1, 8, 3, 3])
    """
    for path, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d):
            if layer.in_channels != n_in:
                parent, _, name = path.rpartition(".")
                setattr(model.get_submodule(parent), name, _refitted(layer, n_in))
            return
    raise ContractError(f"{type(model).__name__} has no 2-d convolution to give {n_in} channels.")


def _refitted(conv: nn.Conv2d, n_in: int) -> nn.Conv2d:
    new = nn.Conv2d(
        n_in,
        conv.out_channels,
        conv.kernel_size,  # pyright: ignore[reportArgumentType]  # two ints in a Conv2d
        stride=conv.stride,  # pyright: ignore[reportArgumentType]  # as above
        padding=conv.padding,  # pyright: ignore[reportArgumentType]  # as above
        dilation=conv.dilation,  # pyright: ignore[reportArgumentType]  # as above
        bias=conv.bias is not None,
        padding_mode=conv.padding_mode,
    )
    with torch.no_grad():
        new.weight.copy_(_spread(conv.weight, n_in))
        if conv.bias is not None and new.bias is not None:
            new.bias.copy_(conv.bias)
    return new


def _spread(weight: Tensor, n_in: int) -> Tensor:
    if n_in == 1:
        return weight.sum(1, keepdim=True)
    if n_in == 2:
        return weight[:, :2] * 1.5
    extra = weight.new_zeros(weight.shape[0], n_in - weight.shape[1], *weight.shape[2:])
    return torch.cat([weight, extra], dim=1)


def load_weights(model: nn.Module, file: str | Path) -> None:
    """Fill `model` from a safetensors file, or from a `.pth` file of plain tensors.

    Raises:
        ContractError: Names or shapes differ; the message lists some.
        BundleError: A `.pth` file holds anything but tensors by their names.
    """
    path = Path(file)
    state = load_file(path) if path.suffix == ".safetensors" else _tensors_of(path)
    own = model.state_dict()
    wrong = sorted(
        [f"{k} is missing" for k in own if k not in state and not k.endswith("num_batches_tracked")]
        + [f"{k} is unknown" for k in state if k not in own]
        + [
            f"{k} is {tuple(v.shape)}, not {tuple(own[k].shape)}"
            for k, v in state.items()
            if k in own and v.shape != own[k].shape
        ]
    )
    if wrong:
        raise ContractError(
            f"{path.name} does not fit {type(model).__name__}: {'; '.join(wrong[:4])} "
            f"({len(wrong)} differences). Use the weights of the same architecture."
        )
    model.load_state_dict(state, strict=False)


def _tensors_of(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as e:
        raise _no_weights(path) from e
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise _no_weights(path)
    return {_OLD_NAME.sub(r"\1", name): value for name, value in state.items()}


def _no_weights(path: Path) -> BundleError:
    return BundleError(
        f"load_weights: {path.name} holds more than tensors by their names. Expected what "
        "torch.save(model.state_dict(), file) writes; make such a file from it."
    )


def make_network(
    arch: Architecture, *, n_in: int = 3, weights: str | Path | None = None
) -> nn.Module:
    """The whole network of `arch`, from the weights in a file if one is given."""
    model = arch.make(n_in=n_in if weights is None else 3)
    if weights is not None:
        load_weights(model, weights)
        adapt_first_layer(model, n_in)
    return model


def create_body(
    arch: Architecture, *, n_in: int = 3, weights: str | Path | None = None, cut: int | None = None
) -> nn.Sequential:
    """The body of `arch`: an image `(b, n_in, h, w)` to features `(b, c, h', w')`.

    Args:
        arch: An entry of the table of architectures.
        n_in: Channels of the image.
        weights: A file to fill the network from; None leaves it freshly initialised.
        cut: Number of children to keep; the table's when not given.
    """
    return cut_model(
        make_network(arch, n_in=n_in, weights=weights), arch.cut if cut is None else cut
    )
