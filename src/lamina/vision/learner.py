"""`vision_learner`: a pretrained body, a new head, and the learner around them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Unpack

from torch import nn

from lamina.data.normalize import Normalize
from lamina.foundation.errors import refuse_unknown
from lamina.train.infer import infer
from lamina.train.learner import Learner, LearnerArgs
from lamina.train.persistence import ModelSpec
from lamina.vision.models.architectures import Architecture, find_architecture
from lamina.vision.models.head import HeadArgs
from lamina.vision.models.model import create_vision_model, split_groups
from lamina.vision.models.weights import weights_file

__all__ = ["VisionLearnerArgs", "cnn_learner", "vision_learner"]


class VisionLearnerArgs(LearnerArgs, HeadArgs, total=False):
    """Keyword arguments of `vision_learner` that go on to the `Learner` and to the head."""

    cut: int | None
    custom_head: nn.Module | None
    n_in: int | None


def vision_learner(
    dls: Any,
    arch: str | Callable[..., nn.Module] | Architecture,
    *,
    pretrained: bool = True,
    weights: str | Path | None = None,
    normalize: bool = True,
    n_out: int | None = None,
    **options: Unpack[VisionLearnerArgs],
) -> Learner:
    """A learner whose model is the body of `arch` under a new head for the data.

    A pretrained body is frozen (its norm layers go on training), the batch transforms get the
    normalisation that its weights expect, and the parameters are grouped for discriminative rates.

    Args:
        dls: The loaders; the first part of a batch is the picture.
        arch: A name or function of the table of architectures (`resnet34`, `"mobilenet_v2"`), or
            any callable that takes `n_in` and `n_out`.
        pretrained: Whether to start from the published weights.
        weights: A file to start from instead.
        normalize: Whether to add the normalisation, unless the loaders have one.
        n_out: Outputs; what the data's task needs when not given.
        options: Of `Learner` (`metrics`, `lr`, `cbs`, `opt_func`...), of `create_head` (`ps`,
            `lin_ftrs`, `y_range`...), and `cut`, `custom_head`, `n_in`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
        ContractError: The data do not say how many outputs there are, or no weights are known.

    Source: the fastai paper, "Vision"; discriminative rates: Howard & Ruder 2018.
    """
    _check_names(options)
    found = find_architecture(arch)
    file = _starting_weights(found, pretrained=pretrained, weights=weights)
    n_in = options.get("n_in") or _channels(dls)
    built: dict[str, Any] = {"n_in": n_in}
    built |= {key: options[key] for key in ("cut", *HeadArgs.__annotations__) if key in options}
    outputs = n_out or infer(dls.task).n_out
    head = options.get("custom_head")
    model = create_vision_model(found, outputs, weights=file, custom_head=head, **built)
    if normalize and n_in == len(found.stats[0]):
        _normalise(dls, found)
    learner_options = {k: v for k, v in options.items() if k in LearnerArgs.__annotations__}
    learn = Learner(dls, model, **{"splitter": split_groups, **learner_options})
    if head is None:
        learn.model_spec = ModelSpec(
            create_vision_model, {"arch": found.name, "n_out": outputs, **built}
        )
    if file is not None:
        learn.freeze()
    return learn


cnn_learner = vision_learner
"""The name of `vision_learner` in the paper."""


def _check_names(options: VisionLearnerArgs) -> None:
    own = ("pretrained", "weights", "normalize", "n_out")
    refuse_unknown("vision_learner", options, [*own, *VisionLearnerArgs.__annotations__])


def _starting_weights(
    arch: Architecture, *, pretrained: bool, weights: str | Path | None
) -> Path | None:
    if weights is not None:
        return Path(weights)
    return weights_file(arch) if pretrained else None


def _channels(dls: Any) -> int:
    """The channels of the pictures in the loaders; colour where there is no picture to ask."""
    first = dls.train.one_batch()[0]
    return first.shape[1] if first.ndim == 4 else 3


def _normalise(dls: Any, arch: Architecture) -> None:
    pipeline = getattr(dls.train, "after_batch", None)
    if pipeline is None or any(isinstance(t, Normalize) for t in pipeline):
        return
    dls.add_tfms([Normalize.from_stats(*arch.stats)], "after_batch")
