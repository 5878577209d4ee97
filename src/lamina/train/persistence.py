"""Keeping a learner: checkpoints for training on, and exported files for prediction.

Neither kind of file can run code when it is loaded. An exported file holds what prediction needs:
how the model is built, its weights, the transforms of the inputs and those that decode answers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lamina.data.datasets import Datasets
from lamina.data.items import TfmdLists
from lamina.data.loaders import DataLoaders
from lamina.data.pipeline import Pipeline
from lamina.data.tfmd_loader import PIPELINES, TfmdDL
from lamina.data.transform import ItemTransform, Transform
from lamina.foundation.errors import BundleError, ContractError
from lamina.foundation.paths import atomic_write
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.tensor import types
from lamina.tensor.bundle import encode, read_bundle, write_bundle
from lamina.train.infer import infer

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["ModelSpec", "export", "load", "load_learner", "save"]


@savable("ModelSpec")
@strict
@dataclass(frozen=True)
class ModelSpec:
    """How a model is built: a savable function and its keyword arguments.

    Args:
        builder: A function registered with `lamina.foundation.registry.savable`.
        kwargs: Its keyword arguments: plain data, or savable things.

    Example:
        >>> ModelSpec(nn.Linear, {"in_features": 2, "out_features": 1}).build()
        Linear(in_features=2, out_features=1, bias=True)
    """

    builder: Callable[..., nn.Module]
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """Build the model, with fresh weights."""
        return self.builder(**self.kwargs)


@strict
def save(learn: "Learner", file: str | Path, *, with_opt: bool = True) -> Path:
    """Save a checkpoint: weights, the state of callbacks, and the optimizer's if it has one.

    With the optimizer goes which parameter groups are frozen.

    Args:
        learn: The learner.
        file: A name, kept as `path/model_dir/name.pth`, or an absolute path.
        with_opt: Whether to save the optimizer, too.

    Returns:
        The path of the file. An older file of that name is replaced only when all is written.
    """
    state: dict[str, Any] = {"model": learn.model.state_dict(), "epochs_done": learn.epochs_done}
    if with_opt and learn.opt is not None:
        state["opt"] = learn.opt.state_dict()
        state["frozen"] = learn.opt.frozen_idx
    if states := {cb.name: kept for cb in learn.cbs if (kept := cb.state_dict())}:
        state["cbs"] = states
    path = _checkpoint_path(learn, file)
    with atomic_write(path) as temporary:
        torch.save(state, temporary)
    return path


@strict
def load(
    learn: "Learner",
    file: str | Path,
    device: torch.device | str | None = None,
    *,
    with_opt: bool | None = None,
    strict: bool = True,
) -> "Learner":
    """Load a checkpoint into the learner and return it.

    Args:
        learn: The learner.
        file: As for `save`.
        device: Where to load to; None takes the loaders' device.
        with_opt: Whether to load the optimizer; None does if the file has one.
        strict: Whether the names of the weights must match exactly.

    Raises:
        BundleError: The file is no checkpoint, or lacks the optimizer that was asked for.
    """
    path = _checkpoint_path(learn, file)
    state = _read_checkpoint(path, device or getattr(learn.dls, "device", None) or "cpu")
    if with_opt and "opt" not in state:
        raise BundleError(f"load: {path} was saved without the optimizer. Leave out with_opt=True.")
    learn.model.load_state_dict(state["model"], strict=strict)
    learn.epochs_done = state["epochs_done"]
    if with_opt is not False and "opt" in state:
        opt = learn.create_opt() if learn.opt is None else learn.opt
        if state.get("frozen", opt.frozen_idx) != opt.frozen_idx:
            opt.freeze_to(state["frozen"])
        opt.load_state_dict(state["opt"])
    for cb in learn.cbs:
        if cb.name in state.get("cbs", {}):
            cb.load_state_dict(state["cbs"][cb.name])
    return learn


@strict
def export(learn: "Learner", fname: str | Path = "export.lamina") -> Path:
    """Write everything that prediction needs to one file, and return its path.

    The learner is not touched, and an older file stays as it is if something cannot be saved. The
    file has no data, no optimizer and no callbacks. Transforms that only act in training are left
    out; so are plain functions at the front of a pipeline (getters, labellers), unless they are
    registered with `lamina.foundation.registry.savable`: predictions then start after them.

    Args:
        learn: The learner.
        fname: The file: a name alone is put under the learner's path, a path is taken as it is.

    Raises:
        ContractError: A transform cannot be saved; the message says which and what to do.
    """
    weights = {name: value.detach().cpu() for name, value in learn.model.state_dict().items()}
    state = {
        "model": learn.model_spec,
        "learner": learn.rebuild,
        "weights": weights,
        "loss": learn.loss_func if _is_savable(learn.loss_func) else None,
        "task": getattr(learn.dls, "task", None),
        "data": _data_state(learn.dls),
        "target_types": [kind.__name__ for kind in learn.target_types],
    }
    path = Path(fname)
    path = learn.path / path if path.parent == Path() else path
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_bundle(path, state, kind="learner")


@strict
def load_learner(
    fname: str | Path,
    *,
    model: nn.Module | None = None,
    loss_func: Callable[..., Any] | None = None,
    device: torch.device | str = "cpu",
    allow: Iterable[Callable[..., Any]] = (),
) -> "Learner":
    """Load an exported learner, ready to predict.

    Args:
        fname: The file that `export` wrote.
        model: The model to load the weights into, if the file does not say how to build it.
        loss_func: A loss in place of the saved one; its `activation` and `decodes` read the
            model's output.
        device: Where the model predicts.
        allow: Classes and functions of your own that the file may name.

    Raises:
        BundleError: The file is damaged, too new, or needs `model`.
        UntrustedError: The file names something that is neither Lamina's nor allowed.
    """
    from lamina.train.learner import Learner

    state = read_bundle(fname, kind="learner", allow=allow).object
    spec: ModelSpec | None = state["model"]
    if model is None:
        model = _build(spec, fname)
    model.load_state_dict(state["weights"])
    loss = loss_func or state["loss"] or infer(state["task"]).loss
    make: Callable[..., Learner] = state.get("learner") or Learner
    learn = make(_data_from(state["data"], device), model.eval().to(device), loss)
    learn.model_spec = spec
    learn.target_types = tuple(getattr(types, name, object) for name in state["target_types"])
    return learn


def _build(spec: ModelSpec | None, fname: str | Path) -> nn.Module:
    if spec is None:
        raise BundleError(
            f"load_learner: {fname} does not say how its model is built. Build it as before the "
            "export and pass it as model=..."
        )
    return spec.build()


def _data_state(dls: Any) -> Any:
    """Return the transforms that prediction needs; None for loaders without transforms.

    A data set of another kind has `export_state(bs)`, which returns a savable object whose
    `dataloaders(device)` makes loaders without items.
    """
    dl = dls[min(1, len(dls) - 1)]
    dataset = getattr(dl, "dataset", None)
    if dataset is not None and hasattr(dataset, "export_state"):
        return dataset.export_state(dl.bs)
    if not (isinstance(dl, TfmdDL) and isinstance(dataset, Datasets)):
        return None
    state: dict[str, Any] = {stage: _kept(getattr(dl, stage)) for stage in PIPELINES}
    state["items"] = [_without_getters(_kept(tl.tfms)) for tl in dataset.tls]
    return {**state, "n_inp": dataset.n_inp, "bs": dl.bs}


def _data_from(state: Any, device: torch.device | str) -> DataLoaders:
    if state is None:
        return DataLoaders([], [])
    if hasattr(state, "dataloaders"):
        return state.dataloaders(device)
    tls = [TfmdLists([], Pipeline(tfms), do_setup=False) for tfms in state["items"]]
    dataset = Datasets(lists=tls, n_inp=state["n_inp"])
    stages: Any = {stage: state[stage] for stage in PIPELINES}
    dl = TfmdDL(dataset, state["bs"], device=device, do_setup=False, **stages)
    return DataLoaders(dl, dl.new(), device=device)


def _kept(pipeline: Iterable[Transform]) -> list[Any]:
    """The transforms that act outside of training; those made of one function as that function."""
    return [_function_of(tfm) for tfm in pipeline if tfm.split_idx != 0]


def _function_of(tfm: Transform) -> Any:
    functions = tfm._functions
    return functions[0].fn if type(tfm) is Transform and len(functions) == 1 else tfm


def _without_getters(tfms: list[Any]) -> list[Any]:
    """Leave out functions at the front that cannot be saved, or pick from a tuple."""
    while tfms and (type(tfms[0]) is ItemTransform or _is_unsavable_function(tfms[0])):
        tfms = tfms[1:]
    return tfms


def _is_unsavable_function(tfm: Any) -> bool:
    return not isinstance(tfm, Transform) and not _is_savable(tfm)


def _is_savable(obj: Any) -> bool:
    try:
        encode(obj, {})
    except ContractError:
        return False
    return True


def _checkpoint_path(learn: "Learner", file: str | Path) -> Path:
    path = learn.path / learn.model_dir / file
    return path if path.suffix == ".pth" else path.with_name(f"{path.name}.pth")


def _read_checkpoint(path: Path, device: torch.device | str) -> dict[str, Any]:
    if not path.exists():
        raise FileNotFoundError(f"load: there is no checkpoint {path}.")
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise BundleError(
            f"load: {path} is damaged or no checkpoint of `Learner.save`: {error}"
        ) from error
    if not (isinstance(state, dict) and {"model", "epochs_done"} <= state.keys()):
        raise BundleError(
            f"load: {path} is not a checkpoint of `Learner.save`. To load bare weights use "
            "learn.model.load_state_dict(torch.load(path))."
        )
    return state
