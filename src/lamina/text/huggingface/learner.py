"""Learners around models of `transformers`: what the learners of texts make of a name or folder."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from torch import nn

from lamina.data.task import MultiLabel, Regression, SingleLabel
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.nn.init import first_weights
from lamina.nn.losses.labels import CrossEntropyLossFlat
from lamina.text.huggingface.groups import groups_by_depth
from lamina.text.huggingface.lora import adapt, lora_settings, merged
from lamina.text.huggingface.masking import MaskTokens, ShiftLabels
from lamina.text.huggingface.model import (
    Layout,
    PretrainedModel,
    build_pretrained,
    config_data,
    load_pretrained_model,
)
from lamina.text.huggingface.tokenizer import PretrainedTokenizer, positions
from lamina.text.huggingface.words import fill_masks, go_on
from lamina.text.learner import LMLearner, TextLearner, TextLearnerArgs
from lamina.text.tokenize import Tokenizer
from lamina.text.vocab import text_vocab
from lamina.train.infer import infer
from lamina.train.persistence import ModelSpec

__all__ = [
    "Objective",
    "PretrainedLMLearner",
    "PretrainedLearner",
    "Start",
    "add_lora",
    "find_tokenizer",
    "merge_lora",
    "pretrained_classifier_learner",
    "pretrained_language_model_learner",
]

Objective = Literal["causal", "masked"]

_PROBLEMS = {
    SingleLabel: "single_label_classification",
    MultiLabel: "multi_label_classification",
    Regression: "regression",
}


class Start(TypedDict, total=False):
    """What a model of `transformers` begins with.

    Attributes:
        config: What differs from its configuration.
        pretrained: Whether to take its weights; True unless given.
        lora: Settings of adapters; see `add_lora`.
    """

    config: Mapping[str, Any] | None
    pretrained: bool
    lora: Any


class PretrainedLearner(TextLearner):
    """A learner around a model of `transformers`."""

    @property
    def tokenizer(self) -> PretrainedTokenizer:
        """The tokenizer of the texts.

        Raises:
            ContractError: The loaders give dicts that something else has tokenized.
        """
        found = find_tokenizer(self.dls)
        if found is None:
            raise ContractError(
                "This needs the tokenizer of the texts, which the loaders do not have. Make them "
                "with TextBlock.from_pretrained."
            )
        return found

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write model and tokenizer as `transformers` reads them with `from_pretrained`.

        What adapters have learnt is put into the weights.

        Args:
            folder: The folder, which is made where needed.
        """
        merged(self.model).save_pretrained(str(folder))
        if (tokenizer := find_tokenizer(self.dls)) is not None:
            tokenizer.to_transformers().save_pretrained(str(folder))
        return Path(folder)

    def save_adapter(self, folder: str | Path) -> Path:
        """Write adapters and head alone, as `peft.PeftModel.from_pretrained` reads them.

        Args:
            folder: The folder, which is made where needed.

        Raises:
            ContractError: The model has no adapters.
        """
        _adapted(self, "save_adapter").model.save_pretrained(str(folder))
        return Path(folder)

    def load_encoder(self, file: str | Path) -> "PretrainedLearner":
        """Load the reader of another learner of the same model, which `save_encoder` wrote.

        Args:
            file: A name in the learner's model folder, or a path.

        Raises:
            BundleError: There is no such file, or it is not one of a reader.
            ContractError: It is the reader of another model or vocabulary.
        """
        state = self._read_encoder(file)
        reader: Any = self.model.encoder
        same = state["vocab"] == text_vocab(self.dls)
        wanted, found = reader.state_dict(), state["weights"]
        lacking = {k for k, v in wanted.items() if getattr(found.get(k), "shape", None) != v.shape}
        if not same or any("pooler" not in name for name in lacking):
            raise ContractError(
                f"load_encoder: {file} is the reader of another model or vocabulary. Make both "
                "learners from the same model, and without adapters."
            )
        reader.load_state_dict({k: v for k, v in found.items() if k in wanted}, strict=False)
        return self

    @staticmethod
    @savable("lamina.text:pretrained_learner")
    def rebuild(  # pyright: ignore[reportIncompatibleVariableOverride] - None becomes a function
        dls: Any, model: nn.Module, loss_func: Callable[..., Any]
    ) -> "PretrainedLearner":
        """Make the learner that `load_learner` returns."""
        return PretrainedLearner(dls, model, loss_func=loss_func)


class PretrainedLMLearner(PretrainedLearner, LMLearner):
    """A learner around a language model of `transformers`."""

    def predict(self, text: str, n_words: int = 1, **options: Any) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - as LMLearner
        """Go on with a text, or fill its masks, whichever the model has learnt.

        Args:
            text: The text.
            n_words: How many tokens to add; a masked model fills all gaps at once.
            options: Those of `lamina.text.huggingface.words.go_on`, which refuses unknown ones.
        """
        if self.model.kind == "masked":
            return fill_masks(self, text)
        return go_on(self, text, n_words, **options)

    @staticmethod
    @savable("lamina.text:pretrained_lm_learner")
    def rebuild(dls: Any, model: nn.Module, loss_func: Callable[..., Any]) -> "PretrainedLMLearner":
        """Make the learner that `load_learner` returns."""
        return PretrainedLMLearner(dls, model, loss_func=loss_func)


def pretrained_classifier_learner(
    dls: Any,
    name: str | Path,
    start: Start,
    n_out: int | None = None,
    **options: Unpack[TextLearnerArgs],
) -> PretrainedLearner:
    """Make what `text_classifier_learner` returns for the name of a model.

    Args:
        dls: Loaders of texts, or of dicts with the inputs of the model.
        name: A folder, or a name on the hub.
        start: What the model begins with.
        n_out: Outputs; what the data's task needs when not given.
        options: Those of `Learner`; a `seed` decides the weights that are new, too.

    Raises:
        ContractError: The model can't be had, or the texts are not cut as it expects.
    """
    task = getattr(dls, "task", None)
    labels = _labels(task, n_out or infer(task).n_out)
    if task is None:
        options.setdefault("loss_func", CrossEntropyLossFlat())
    with first_weights(options.get("seed")):
        model = _model(dls, name, "classifier", start, labels)
    learn = _learner(PretrainedLearner, dls, model, start, options)
    if start.get("pretrained", True) and not start.get("lora"):
        learn.freeze()
    return learn


def pretrained_language_model_learner(
    dls: Any,
    name: str | Path,
    start: Start,
    objective: Objective = "causal",
    **options: Unpack[TextLearnerArgs],
) -> PretrainedLMLearner:
    """Make what `language_model_learner` returns for the name of a model.

    Args:
        dls: Loaders of streams, or for a masked model of texts; or of dicts as the collators of
            `transformers` make them, which mask already, and whose labels are not shifted yet.
        name: A folder, or a name on the hub.
        start: What the model begins with.
        objective: What is asked for: the next token, or those that were masked.
        options: Those of `Learner`; a `seed` decides the weights that are new, too.

    Raises:
        ContractError: The model can't be had, or the texts are not cut as it expects.
    """
    if objective not in ("causal", "masked"):
        raise ContractError(f"objective={objective!r}: expected 'causal' or 'masked'.")
    with first_weights(options.get("seed")):
        model = _model(dls, name, objective, start, {})
    options.setdefault("loss_func", CrossEntropyLossFlat())
    learn = _learner(PretrainedLMLearner, dls, model, start, options)
    tokenizer = find_tokenizer(dls)
    if objective == "masked" and tokenizer is not None:
        learn.add_cb(MaskTokens.of(tokenizer))
    elif tokenizer is None and objective == "causal":
        learn.add_cb(ShiftLabels())
    return learn


def add_lora(learn: Any, lora: Any = True) -> None:
    """Put low-rank adapters into a learner's model; only they and the head train from now on.

    What they start from follows from the learner's seed, if it has one.

    Args:
        learn: A learner around a model of `transformers`.
        lora: True, settings of `peft.LoraConfig` by name, or one of these.

    Raises:
        UnknownArgumentError: A setting is unknown.
        ContractError: The model has adapters.
        MissingExtraError: `peft` is not installed.

    Example:
        >>> from lamina.text.huggingface.model import build_pretrained
        >>> config = {"model_type": "gpt2", "n_embd": 8, "n_head": 2, "n_layer": 1}
        >>> model, loss = build_pretrained("causal", config), CrossEntropyLossFlat()
        >>> learn = PretrainedLMLearner(([], []), model, loss_func=loss)
        >>> add_lora(learn, {"r": 2})
        >>> merge_lora(learn)

    Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
    """
    settings = lora_settings(lora)
    with first_weights(learn.seed):
        adapt(learn.model, settings)
    learn.opt = None  # it holds the parameters that no longer train
    _describe(learn, settings)


def merge_lora(learn: Any) -> None:
    """Put what the adapters have learnt into the weights, all of which can train then.

    Args:
        learn: A learner whose model has adapters.

    Raises:
        ContractError: The model has none.

    Example:
        >>> from lamina.text.huggingface.model import build_pretrained
        >>> config = {"model_type": "gpt2", "n_embd": 8, "n_head": 2, "n_layer": 1}
        >>> model = build_pretrained("causal", config, lora={"r": 2})
        >>> learn = PretrainedLMLearner(([], []), model, loss_func=CrossEntropyLossFlat())
        >>> merge_lora(learn)
        >>> type(learn.model.model).__name__
        'GPT2LMHeadModel'
    """
    model = _adapted(learn, "merge_lora")
    model.model, model.adapted = model.model.merge_and_unload(), None
    for p in model.parameters():
        p.requires_grad_(True)
    learn.opt = None
    _describe(learn, None)


def find_tokenizer(dls: Any) -> PretrainedTokenizer | None:
    """Return the tokenizer of the texts of loaders if it is that of a model, else None.

    Args:
        dls: The loaders.

    Example:
        >>> from lamina.data.block import DataBlock
        >>> from lamina.text.blocks import TextBlock
        >>> from lamina.text.tokenizers.fast import HFTokenizer
        >>> trained = HFTokenizer.trained(["low lower"] * 9, "bpe", 300, special_toks=["[PAD]"])
        >>> tok = PretrainedTokenizer(trained.json, {"pad": "[PAD]"})
        >>> dls = DataBlock(TextBlock(tok)).dataloaders(["low", "lower"] * 9, bs=2)
        >>> find_tokenizer(dls) is tok
        True
    """
    lists = getattr(getattr(dls[min(1, len(dls) - 1)], "dataset", None), "tls", ())
    steps = (step for each in lists for step in each.tfms if isinstance(step, Tokenizer))
    return next((step.tok for step in steps if isinstance(step.tok, PretrainedTokenizer)), None)


def _labels(task: Any, n_out: int) -> dict[str, Any]:
    """Return how a model's configuration names its outputs."""
    vocab = [str(label) for label in getattr(task, "vocab", None) or ()]
    names = vocab if len(vocab) == n_out else [f"LABEL_{i}" for i in range(n_out)]
    return {
        "num_labels": n_out,
        "id2label": dict(enumerate(names)),
        "label2id": {label: i for i, label in enumerate(names)},
        "problem_type": _PROBLEMS.get(type(task)),
    }


def _model(
    dls: Any, name: str | Path, kind: str, start: Start, labels: Mapping[str, Any]
) -> PretrainedModel:
    tokenizer = find_tokenizer(dls)
    has_texts = hasattr(dls, "gather") and dls.gather("text_vocab") is not None
    if has_texts and tokenizer is None:
        raise ContractError(
            f"The texts were not cut by the tokenizer of {str(name)!r}, so their numbers stand for "
            f"other tokens there. Make the loaders with TextBlock.from_pretrained({str(name)!r}), "
            f"or with tok_tfm=PretrainedTokenizer.from_pretrained({str(name)!r})."
        )
    layout = Layout() if tokenizer is None else Layout.of(tokenizer, is_padded=kind != "causal")
    changes = {**labels, **(start.get("config") or {})}
    pretrained = start.get("pretrained", True)
    model = load_pretrained_model(name, kind, layout, changes, pretrained=pretrained)
    if tokenizer is not None:
        _check_tokens(name, tokenizer, model)
        _check_lengths(dls, tokenizer, model)
    return model


def _check_tokens(name: str | Path, tokenizer: PretrainedTokenizer, model: PretrainedModel) -> None:
    """Refuse numbers that stand for other tokens in the model, or for none."""
    most = model.bare.get_input_embeddings().num_embeddings
    if len(tokenizer.vocab) > most:
        raise ContractError(
            f"The texts have {len(tokenizer.vocab)} different tokens, and {str(name)!r} knows "
            f"{most}. Make the loaders with TextBlock.from_pretrained({str(name)!r})."
        )
    try:
        own = PretrainedTokenizer.from_pretrained(name).vocab
    except ContractError:  # a model without a tokenizer: there is nothing to compare
        return
    pairs = enumerate(zip(own, tokenizer.vocab, strict=False))
    if odd := next(((i, a, b) for i, (a, b) in pairs if a != b), None):
        raise ContractError(
            f"Token {odd[0]} is {odd[1]!r} in {str(name)!r}, and {odd[2]!r} in the loaders, which "
            f"have the tokenizer of another model. Make them with "
            f"TextBlock.from_pretrained({str(name)!r})."
        )


def _check_lengths(dls: Any, tokenizer: PretrainedTokenizer, model: PretrainedModel) -> None:
    """Refuse texts longer than the model reads, and say how many were cut."""
    most = positions(model.bare.config)
    length = getattr(dls[0], "seq_len", tokenizer.max_len)
    if most is not None and (length is None or length > most):
        raise ContractError(
            f"The model reads {most} tokens at a time, and the loaders give "
            f"{'whole texts' if length is None else length}. Pass max_len={most}, or for a "
            f"language model seq_len={most}, to TextBlock.from_pretrained."
        )
    sizes = getattr(dls[0], "res", ())
    if n_cut := sum(size >= tokenizer.max_len for size in sizes if tokenizer.max_len):
        told = (
            f"{n_cut} of {len(sizes)} texts reach {tokenizer.max_len} tokens, where they are cut."
        )
        warnings.warn(told, stacklevel=2)


def _learner(
    kind: Any, dls: Any, model: PretrainedModel, start: Start, options: TextLearnerArgs
) -> Any:
    lora = start.get("lora")
    settings = lora_settings(lora) if lora else None
    if settings is not None:
        with first_weights(options.get("seed")):
            adapt(model, settings)
    options.setdefault("splitter", groups_by_depth)
    options.setdefault("moms", (0.95, 0.85, 0.95))
    learn = kind(dls, model, **options)
    _describe(learn, settings)
    return learn


def _describe(learn: Any, lora: Mapping[str, Any] | None) -> None:
    """Write down how the model is built, for export."""
    model = learn.model
    built = {"kind": model.kind, "config": config_data(model), "layout": model.layout, "lora": lora}
    learn.model_spec = ModelSpec(build_pretrained, built)


def _adapted(learn: Any, where: str) -> Any:
    """Return the model, which must have adapters."""
    if getattr(learn.model, "adapted", None) is None:
        raise ContractError(f"{where}: the model has no adapters. Put some in: add_lora(learn).")
    return learn.model
