"""`vision_learner` and `unet_learner`: a pretrained body, a new head, a learner around them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, Unpack

from torch import nn

from lamina.data.normalize import Normalize
from lamina.data.task import DenseNumbers
from lamina.foundation.errors import refuse_unknown
from lamina.nn.activations import ACTIVATIONS
from lamina.nn.init import InitFunc, first_weights
from lamina.train.infer import n_outputs
from lamina.train.learner import Learner, LearnerArgs
from lamina.train.persistence import ModelSpec
from lamina.vision.models.architectures import Architecture, find_architecture
from lamina.vision.models.head import HeadArgs
from lamina.vision.models.model import create_vision_model, split_groups
from lamina.vision.models.unet import UnetArgs, create_unet_model
from lamina.vision.models.weights import weights_file

__all__ = [
    "Start",
    "UnetLearnerArgs",
    "VisionLearnerArgs",
    "check_names",
    "chosen",
    "cnn_learner",
    "on_body",
    "unet_learner",
    "vision_learner",
]

LearnerT = TypeVar("LearnerT", bound=Learner)


class VisionLearnerArgs(LearnerArgs, HeadArgs, total=False):
    """Keyword arguments of `vision_learner` that go on to the `Learner` and to the head."""

    cut: int | None
    custom_head: nn.Module | None
    init: InitFunc | None
    n_in: int | None


class UnetLearnerArgs(LearnerArgs, UnetArgs, total=False):
    """Keyword arguments of `unet_learner` that go on to the `Learner` and to the decoder."""

    cut: int | None
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
        arch: A name or function of the table of architectures (`resnet34`, `"mobilenet_v2"`), a
            name of timm's (`"convnext_tiny"`), or any callable that takes `n_in` and `n_out`.
        pretrained: Whether to start from the published weights.
        weights: A file to start from instead.
        normalize: Whether to add the normalisation, unless the loaders have one.
        n_out: Outputs; what the data's task needs when not given.
        options: Of `Learner` (`metrics`, `lr`, `cbs`, `opt_func`...), of `create_head` (`ps`,
            `lin_ftrs`, `y_range`...), and `cut`, `custom_head`, `init` of the head, `n_in`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
        ContractError: The data do not say how many outputs there are, or no weights are known.

    Source: the fastai paper, "Vision"; discriminative rates: Howard & Ruder 2018.
    """
    check_names("vision_learner", options, VisionLearnerArgs)
    built = chosen(options, ("cut", "custom_head", "init", *HeadArgs.__annotations__))
    built["n_out"] = n_outputs("vision_learner", dls.task, n_out, options.get("loss_func"))
    start = Start(find_architecture(arch), pretrained, weights, normalize)
    return on_body(dls, start, create_vision_model, built, options)


cnn_learner = vision_learner
"""The name of `vision_learner` in the paper."""


def unet_learner(
    dls: Any,
    arch: str | Callable[..., nn.Module] | Architecture,
    *,
    pretrained: bool = True,
    weights: str | Path | None = None,
    normalize: bool = True,
    n_out: int | None = None,
    **options: Unpack[UnetLearnerArgs],
) -> Learner:
    """A learner whose model is a U-Net on the body of `arch`: it answers for every pixel.

    The body is frozen and normalised, and the parameters are grouped, as by `vision_learner`.

    Args:
        dls: The loaders; the first part of a batch is the picture.
        arch: A name or function of the table of architectures (`resnet34`, `"mobilenet_v2"`), a
            name of timm's (`"convnext_tiny"`), or any callable that takes `n_in` and `n_out`; see
            `create_unet_model`.
        pretrained: Whether to start from the published weights.
        weights: A file to start from instead.
        normalize: Whether to add the normalisation, unless the loaders have one or the targets are
            pictures of other channels.
        n_out: Channels of the result; what the data's task needs when not given.
        options: Of `Learner` (`metrics`, `lr`, `cbs`, `opt_func`...), of `UnetDecoder` (`blur`,
            `self_attention`, `y_range`, `last_cross`...), and `cut`, `n_in`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
        ContractError: The data do not say how many outputs there are, or no weights are known.

    Source: the fastai paper, "Vision".
    """
    check_names("unet_learner", options, UnetLearnerArgs)
    built = chosen(options, ("cut", *UnetArgs.__annotations__))
    built["n_out"] = n_outputs("unet_learner", dls.task, n_out, options.get("loss_func"))
    act = options.get("act_cls")
    if (name := getattr(act, "__name__", "")) in ACTIVATIONS and ACTIVATIONS[name] is act:
        built["act_cls"] = name  # a file holds no classes of PyTorch
    built["img_size"] = tuple(dls.train.one_batch()[0].shape[-2:])
    start = Start(find_architecture(arch).for_maps, pretrained, weights, normalize)
    return on_body(dls, start, create_unet_model, built, options)


@dataclass(frozen=True)
class Start:
    """What a model starts from.

    Args:
        arch: The architecture.
        pretrained: Whether to take the published weights.
        weights: A file to take in place of these.
        normalize: Whether the loaders get the normalisation that the architecture expects.
    """

    arch: Architecture
    pretrained: bool
    weights: str | Path | None
    normalize: bool

    @property
    def file(self) -> Path | None:
        """The file of weights, None to start afresh."""
        if self.weights is not None:
            return Path(self.weights)
        return weights_file(self.arch) if self.pretrained else None


def on_body(
    dls: Any,
    start: Start,
    build: Callable[..., nn.Module],
    built: dict[str, Any],
    options: Mapping[str, Any],
    kind: type[LearnerT] = Learner,
) -> LearnerT:
    """Build a model and put a learner around it, as all learners of vision are made.

    Args:
        dls: The loaders.
        start: What the model starts from.
        build: A savable function; the model is `build(arch, weights=file, **built)`.
        built: Its keyword arguments.
        options: Those of the learner, and others; a `seed` decides the first weights, too.
        kind: The class of the learner.
    """
    arch, file = start.arch, start.file
    n_in = built["n_in"] = options.get("n_in") or _channels(dls)
    with first_weights(options.get("seed")):
        model = build(arch, weights=file, **built)
    if start.normalize and _fit_the_stats(dls, n_in, len(arch.stats[0])):
        _normalise(dls, arch)
    learner_options = chosen(options, LearnerArgs.__annotations__)
    learn = kind(dls, model, **{"splitter": split_groups, **learner_options})
    built.pop("init", None)  # a file has the weights
    if built.pop("custom_head", None) is None:
        learn.model_spec = ModelSpec(build, {"arch": arch.name, **built})
    if file is not None:
        learn.freeze()
    return learn


def chosen(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the options of these names, as far as they are given.

    Example:
        >>> chosen({"lr": 0.1, "ps": 0.5}, ["lr", "cbs"])
        {'lr': 0.1}
    """
    return {name: options[name] for name in names if name in options}


def check_names(where: str, options: Iterable[str], known: type) -> None:
    """Refuse options of a learner of vision that are not keys of a `TypedDict`.

    Example:
        >>> check_names("vision_learner", {"cut": 3}, VisionLearnerArgs)
    """
    own = ("pretrained", "weights", "normalize", "n_out")
    refuse_unknown(where, options, [*own, *known.__annotations__])


def _channels(dls: Any) -> int:
    """The channels of the pictures in the loaders; colour where there is no picture to ask."""
    first = dls.train.one_batch()[0]
    return first.shape[1] if first.ndim == 4 else 3


def _fit_the_stats(dls: Any, n_in: int, n_stats: int) -> bool:
    """Whether all pictures have the channels of the statistics; targets are normalised, too."""
    task = getattr(dls, "task", None)
    n_targets = task.n_out if isinstance(task, DenseNumbers) else n_stats
    return n_in == n_targets == n_stats


def _normalise(dls: Any, arch: Architecture) -> None:
    pipeline = getattr(dls.train, "after_batch", None)
    if pipeline is None or any(isinstance(t, Normalize) for t in pipeline):
        return
    dls.add_tfms([Normalize.from_stats(*arch.stats)], "after_batch")
