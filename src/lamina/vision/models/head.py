"""The head of a network: from features to outputs."""

from typing import Any, TypedDict, Unpack

from torch import nn

from lamina.foundation.errors import refuse_unknown
from lamina.nn.linear import LinBnDrop, SigmoidRange
from lamina.nn.pool import AdaptiveConcatPool2d

__all__ = ["HeadArgs", "create_head"]


class HeadArgs(TypedDict, total=False):
    """Options of `create_head`, explained there."""

    lin_ftrs: list[int] | None
    ps: float | list[float]
    pool: bool
    concat_pool: bool
    first_bn: bool
    bn_final: bool
    lin_first: bool
    y_range: tuple[float, float] | None


_DEFAULTS: dict[str, Any] = {
    "lin_ftrs": None,
    "ps": 0.5,
    "pool": True,
    "concat_pool": True,
    "first_bn": True,
    "bn_final": False,
    "lin_first": False,
    "y_range": None,
}


def create_head(nf: int, n_out: int, **options: Unpack[HeadArgs]) -> nn.Sequential:
    """Pool, flatten, and linear layers with norm and dropout: `(b, nf, h, w)` to `(b, n_out)`.

    Args:
        nf: Channels of the features.
        n_out: Outputs.
        options: `lin_ftrs` ([512]): sizes of the hidden layers; `ps` (0.5): dropout before the
            last layer, half of it before the others, or a list; `pool` (True): pool and flatten
            first; `concat_pool` (True): average and maximum; `first_bn` (True): norm before the
            first layer; `bn_final` (False): norm at the end; `lin_first` (False): order inside the
            blocks; `y_range` (None): bounds of the outputs.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.

    Example:
        >>> import torch
        >>> create_head(8, 3).eval()(torch.zeros(2, 8, 4, 4)).shape
        torch.Size([2, 3])
    """
    refuse_unknown("create_head", options, _DEFAULTS)
    o = {**_DEFAULTS, **options}
    concat = o["pool"] and o["concat_pool"]
    sizes = [nf * 2 if concat else nf, *([512] if o["lin_ftrs"] is None else o["lin_ftrs"]), n_out]
    n = len(sizes) - 1
    ps = o["ps"] if isinstance(o["ps"], list) else [o["ps"] / 2] * (n - 1) + [o["ps"]]
    layers: list[nn.Module] = []
    if o["pool"]:
        layers = [AdaptiveConcatPool2d() if concat else nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    for i in range(n):
        act = nn.ReLU(inplace=True) if i < n - 1 else None
        norm = i > 0 or o["first_bn"]
        layers.append(
            LinBnDrop(sizes[i], sizes[i + 1], bn=norm, p=ps[i], act=act, lin_first=o["lin_first"])
        )
    if o["bn_final"]:
        layers.append(nn.BatchNorm1d(n_out, momentum=0.01))
    if o["y_range"] is not None:
        layers.append(SigmoidRange(*o["y_range"]))
    return nn.Sequential(*layers)
