"""`tabular_learner`: a network for the rows of a table, and a learner that predicts rows fast."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from lamina.data.task import MultiLabel, SingleLabel, Task
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.foundation.registry import Registry, name_of, savable
from lamina.foundation.signatures import signature_names
from lamina.nn.activations import ACTIVATIONS
from lamina.nn.init import first_weights
from lamina.tabular.answers.prediction import embeddings, predict_rows
from lamina.tabular.core import Tabular
from lamina.tabular.models.embedding_mlp import TabularModel, get_emb_sz
from lamina.tabular.models.ft_transformer import FTTransformer
from lamina.tabular.models.numeric import NumberEncoding, number_encoding
from lamina.tabular.models.several import SeveralTargets
from lamina.tabular.models.tabm import EachMember, TabM
from lamina.tabular.remember import remember_columns
from lamina.train.infer import n_outputs
from lamina.train.learner import Learner, LearnerArgs
from lamina.train.persistence import ModelSpec

__all__ = ["MODELS", "TabularLearner", "create_tabular_model", "tabular_learner"]

MODELS: Registry[Callable[..., nn.Module]] = Registry("tabular model")
"""Networks by name, called as `(emb_szs, n_cont, out_sz, **config)`."""

for _name, _model in (("mlp", TabularModel), ("ft_transformer", FTTransformer), ("tabm", TabM)):
    MODELS.register(_name)(_model)

EmbSzs = Sequence[tuple[int, int]] | Mapping[str, int]


class TabularLearner(Learner):
    """A learner of rows: `predict` takes a row, several or a frame; see `tabular_learner`."""

    predict = predict_rows
    embeddings = embeddings

    @staticmethod
    @savable("lamina.tabular:learner")
    def rebuild(  # pyright: ignore[reportIncompatibleVariableOverride] - None becomes a function
        dls: Any, model: nn.Module, loss_func: Callable[..., Any]
    ) -> "TabularLearner":
        """Make the learner that `load_learner` returns."""
        remember_columns(model, dls)
        return TabularLearner(dls, model, loss_func)


def tabular_learner(
    dls: Any,
    layers: Sequence[int] | None = None,
    emb_szs: EmbSzs | None = None,
    config: Mapping[str, Any] | None = None,
    n_out: int | None = None,
    y_range: tuple[float, float] | None = None,
    *,
    model: str | nn.Module | Callable[..., nn.Module] = "mlp",
    numbers: str | NumberEncoding | None = None,
    **options: Unpack[LearnerArgs],
) -> TabularLearner:
    """A learner with a network for the rows of `dls`.

    Args:
        dls: The loaders; a batch is `(cats, conts, y)`.
        layers: Sizes of the hidden layers of "mlp" ([200, 100]) or "tabm" ([512, 512, 512]).
        emb_szs: Embedding sizes by column, or a pair (values, size) for every column; `get_emb_sz`
            chooses the rest.
        config: Further options of the network, such as `tabular_config(ps=0.1)`.
        n_out: Outputs; what the data's task needs when not given.
        y_range: Bounds of the outputs of a regression.
        model: "mlp" (the paper's, `TabularModel`), "ft_transformer", "tabm", a module, or what
            makes one from `(emb_szs, n_cont, out_sz, **config)`.
        numbers: How numbers become vectors: "periodic", "piecewise" (with bins from the training
            rows), or an encoding such as `Periodic(sigma=0.02)`; None is the network's own way.
        options: Of `Learner`: `metrics`, `lr`, `cbs`, `opt_func`, `loss_func`, `wd`... A `seed`
            decides the first weights, too, unless a module is given.

    Raises:
        UnknownArgumentError: A name in `options` or `config` is unknown.
        UnknownNameError: There is no network of that name.
        ContractError: The data do not say how many outputs there are, or say other than `n_out`.

    Example:
        >>> from lamina.tabular.loaders import TabularDataLoaders
        >>> df = {"job": ["cook", "poet"] * 8, "age": [*range(16)], "rich": ["no", "yes"] * 8}
        >>> dls = TabularDataLoaders.from_df(
        ...     df, cat_names=["job"], cont_names=["age"], y_names="rich", bs=4, seed=42
        ... )
        >>> learn = tabular_learner(dls, layers=[20, 10])
        >>> label, index, probabilities = learn.predict({"job": "poet", "age": 30})
        >>> label in ("no", "yes"), probabilities.shape
        (True, torch.Size([2]))

    Source: Howard & Gugger 2020, "fastai: a layered API for deep learning", "Tabular".
    """
    refuse_unknown("tabular_learner", options, [*_OWN, *LearnerArgs.__annotations__])
    own_loss = options.get("loss_func")
    if own_loss is None and _is_several(dls.task):
        options["loss_func"] = SeveralTargets.of_tasks(list(dls.task))
    if isinstance(model, nn.Module):
        remember_columns(model, dls)
        return TabularLearner(dls, model, **options)
    settings = _settings(dls, model, config, layers=layers, y_range=y_range, numbers=numbers)
    n_out = n_outputs("tabular_learner", dls.task, n_out, own_loss)
    spec = _spec(model, _sizes(dls, emb_szs), len(dls.cont_names), n_out, settings)
    with first_weights(options.get("seed")):
        network = spec.build()
    learn = TabularLearner(dls, network, **options)
    remember_columns(learn.model, dls)
    if name_of(spec.builder) is not None:
        learn.model_spec = spec
    if isinstance(learn.model, TabM):
        learn.add_cb(EachMember)
    return learn


_OWN = ("layers", "emb_szs", "config", "n_out", "y_range", "model", "numbers")


@savable("lamina.tabular:model")
def create_tabular_model(
    model: str,
    emb_szs: Sequence[tuple[int, int]],
    n_cont: int,
    out_sz: int,
    config: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Make a network by name.

    Args:
        model: A name in `MODELS`.
        emb_szs: Number of values and embedding size per categorical column.
        n_cont: Columns of numbers.
        out_sz: Outputs.
        config: Options of the network.

    Example:
        >>> type(create_tabular_model("mlp", [(3, 2)], 4, 2, {"layers": [10]})).__name__
        'TabularModel'
    """
    return MODELS[model](emb_szs, n_cont, out_sz, **(config or {}))


def _settings(
    dls: Any, model: Any, config: Mapping[str, Any] | None, **given: Any
) -> dict[str, Any]:
    """Return the options of the network: those of `config`, those given by name, and defaults."""
    settings = {**(config or {}), **{k: v for k, v in given.items() if v is not None}}
    if settings.get("numbers") is not None:
        settings["numbers"] = number_encoding(settings["numbers"], _training_numbers(dls))
    act = settings.get("act_cls")
    if (name := getattr(act, "__name__", "")) in ACTIVATIONS and ACTIVATIONS[name] is act:
        settings["act_cls"] = name  # a file holds no classes of PyTorch
    if not isinstance(model, str):
        return settings
    known = set(signature_names(MODELS[model])) - {"emb_szs", "n_cont", "out_sz"}
    refuse_unknown(f"tabular_learner(model={model!r})", settings, known)
    if model == "mlp":
        settings.setdefault("layers", [200, 100])
    if model == "tabm":
        settings.setdefault("combine", _combine(dls.task))
    return settings


def _spec(
    model: str | Callable[..., nn.Module],
    emb_szs: Sequence[tuple[int, int]],
    n_cont: int,
    out_sz: int,
    settings: dict[str, Any],
) -> ModelSpec:
    sizes = {"emb_szs": list(emb_szs), "n_cont": n_cont, "out_sz": out_sz}
    if isinstance(model, str):
        return ModelSpec(create_tabular_model, {"model": model, **sizes, "config": settings})
    return ModelSpec(model, {**sizes, **settings})


def _sizes(dls: Any, emb_szs: EmbSzs | None) -> Sequence[tuple[int, int]]:
    if emb_szs is None or isinstance(emb_szs, Mapping):
        return get_emb_sz(dls, emb_szs)
    if len(emb_szs) != len(dls.cat_names):
        raise ContractError(
            f"tabular_learner: {len(emb_szs)} pairs in emb_szs for {len(dls.cat_names)} columns of "
            f"categories {list(dls.cat_names)}. Give one for each, or a dict with some by name."
        )
    return emb_szs


def _combine(task: Task | Iterable[Task] | None) -> str:
    kinds = {SingleLabel: "softmax", MultiLabel: "sigmoid"}
    return next((how for kind, how in kinds.items() if isinstance(task, kind)), "mean")


def _is_several(task: Any) -> bool:
    return isinstance(task, L | list | tuple)


def _training_numbers(dls: Any) -> Tensor:
    dataset = getattr(dls.train, "dataset", None)
    if isinstance(dataset, Tabular):
        return dataset.tensors[1]
    return torch.cat([batch[1] for batch in dls.train])
