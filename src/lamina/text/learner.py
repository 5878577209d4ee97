"""`language_model_learner`, `text_classifier_learner`, and passing the reader on between them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Unpack

import torch
from torch import nn

from lamina.foundation.errors import ContractError, UnknownNameError, refuse_unknown
from lamina.foundation.registry import Registry, savable
from lamina.tensor.bundle import read_bundle, write_bundle
from lamina.text.callbacks import ModelResetter, RNNRegularizer
from lamina.text.generation import generate
from lamina.text.models.awd_lstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_lm_config
from lamina.text.models.heads import (
    LanguageModel,
    LinearDecoder,
    PoolingLinearClassifier,
    SentenceEncoder,
    TextClassifier,
)
from lamina.text.padding import PAD_IDX
from lamina.text.vocab import text_vocab
from lamina.train.infer import infer
from lamina.train.learner import Learner, LearnerArgs
from lamina.train.persistence import ModelSpec

__all__ = [
    "READERS",
    "LMLearner",
    "TextLearner",
    "classifier_groups",
    "get_language_model",
    "get_text_classifier",
    "language_model_groups",
    "language_model_learner",
    "match_embeds",
    "text_classifier_learner",
]

READERS: Registry[Callable[..., nn.Module]] = Registry("reader of texts")
"""Readers by name, called as `(vocab_sz, **config)`."""

READERS.register("AWD_LSTM")(AWD_LSTM)

_AnyLearner = TypeVar("_AnyLearner", bound="TextLearner")
_DROPOUTS = ("output_p", "hidden_p", "input_p", "embed_p", "weight_p")


class TextLearner(Learner):
    """A learner whose reader can be passed on to another one; see `language_model_learner`."""

    def save_encoder(self, file: str | Path) -> Path:
        """Save the reader and its words.

        Args:
            file: A name in the learner's model folder.

        Returns:
            The path of the file.
        """
        path = self._encoder_path(file)
        weights = {k: v.detach().cpu() for k, v in _reader(self.model).state_dict().items()}
        write_bundle(path, {"weights": weights, "vocab": text_vocab(self.dls)}, kind="encoder")
        return path

    def load_encoder(self, file: str | Path) -> "TextLearner":
        """Load a reader that `save_encoder` wrote; vectors go by word, new words get the mean.

        Args:
            file: A name in the learner's model folder.

        Raises:
            BundleError: There is no such file, or it is not one of a reader.
            ContractError: The reader has other sizes.
        """
        state = read_bundle(self._encoder_path(file), kind="encoder").object
        _load_reader(_reader(self.model), state["weights"], state["vocab"], text_vocab(self.dls))
        return self

    def _encoder_path(self, file: str | Path) -> Path:
        path = Path(self.path) / self.model_dir / file
        path = path.with_suffix(".safetensors")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class LMLearner(TextLearner):
    """A learner of a language model: `predict(text, n_words)` goes on with a text."""

    predict = generate

    @staticmethod
    @savable("lamina.text:lm_learner")
    def rebuild(  # pyright: ignore[reportIncompatibleVariableOverride] - None becomes a function
        dls: Any, model: nn.Module, loss_func: Callable[..., Any]
    ) -> "LMLearner":
        """Make the learner that `load_learner` returns."""
        return LMLearner(dls, model, loss_func)


def match_embeds(
    weight: torch.Tensor, old_vocab: Sequence[str], new_vocab: Sequence[str]
) -> torch.Tensor:
    """Return the vectors of the words of another vocabulary.

    Args:
        weight: One row per word of `old_vocab`.
        old_vocab: The words that have vectors (or offsets).
        new_vocab: The words to find; an unknown one gets the mean of all rows.

    Example:
        >>> match_embeds(torch.tensor([[1.0], [3.0]]), ["a", "b"], ["b", "new"])
        tensor([[3.],
                [2.]])
    """
    place = {word: i for i, word in enumerate(old_vocab)}
    rows = torch.tensor([place.get(word, -1) for word in new_vocab])
    matched = weight[rows.clamp(min=0)]
    matched[rows < 0] = weight.mean(0)
    return matched


@savable("lamina.text:language_model")
def get_language_model(
    arch: str,
    vocab_sz: int,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
) -> LanguageModel:
    """Make a language model.

    Args:
        arch: The name of a reader.
        vocab_sz: Words in the vocabulary.
        config: What differs from `awd_lstm_lm_config`.
        drop_mult: What all dropouts are multiplied by.

    Example:
        >>> model = get_language_model("AWD_LSTM", 30, {"emb_sz": 8, "n_hid": 12, "n_layers": 2})
        >>> model(torch.zeros(2, 5, dtype=torch.long)).shape
        torch.Size([2, 5, 30])
    """
    settings = _settings("get_language_model", awd_lstm_lm_config, config, drop_mult)
    decoder_p, tied = settings.pop("output_p"), settings.pop("tie_weights")
    bias = settings.pop("out_bias")
    reader: Any = READERS[arch](vocab_sz, **settings)
    tie = reader.encoder if tied else None
    decoder = LinearDecoder(vocab_sz, settings["emb_sz"], decoder_p, tie, bias=bias)
    return LanguageModel(reader, decoder)


@savable("lamina.text:classifier")
def get_text_classifier(  # noqa: PLR0913 - the parts of ULMFiT's classifier
    arch: str,
    vocab_sz: int,
    n_class: int,
    seq_len: int = 72,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
    *,
    lin_ftrs: Sequence[int] = (50,),
    ps: Sequence[float] | None = None,
    pad_idx: int = PAD_IDX,
    max_len: int | None = 72 * 20,
    y_range: tuple[float, float] | None = None,
) -> TextClassifier:
    """Make a classifier of texts.

    Args:
        arch: The name of a reader.
        vocab_sz: Words in the vocabulary.
        n_class: Outputs.
        seq_len: Words that are read at a time.
        config: What differs from `awd_lstm_clas_config`.
        drop_mult: What all dropouts of the reader, and the first of the head, are multiplied by.
        lin_ftrs: Sizes of the head's hidden layers.
        ps: Dropouts of the head's hidden layers; 0.1 each when not given.
        pad_idx: The number of the padding.
        max_len: Words at the end of a text that count.
        y_range: Bounds of the outputs of a regression.

    Example:
        >>> config = {"emb_sz": 8, "n_hid": 12, "n_layers": 2}
        >>> model = get_text_classifier("AWD_LSTM", 30, 2, config=config).eval()
        >>> model(torch.full((3, 5), 7)).shape
        torch.Size([3, 2])
    """
    settings = _settings("get_text_classifier", awd_lstm_clas_config, config, drop_mult)
    first_p = settings.pop("output_p")
    ps = [0.1] * len(lin_ftrs) if ps is None else ps
    if len(ps) != len(lin_ftrs):
        raise ContractError(
            f"get_text_classifier: {len(ps)} dropouts in ps for {len(lin_ftrs)} layers in "
            "lin_ftrs. Give one for each."
        )
    reader = READERS[arch](vocab_sz, **settings)
    dims = [3 * settings["emb_sz"], *lin_ftrs, n_class]
    head = PoolingLinearClassifier(dims, [first_p, *ps], y_range)
    return TextClassifier(SentenceEncoder(seq_len, reader, pad_idx, max_len), head)


def language_model_groups(model: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a language model in groups: each layer, then words and decoder."""
    reader: Any = _reader(model)
    decoder: Any = model.decoder
    groups = [list(rnn.parameters()) for rnn in reader.rnns]
    return [*groups, list(nn.ModuleList([reader.encoder, decoder]).parameters())]


def classifier_groups(model: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a classifier in groups: words, each layer, head."""
    reader = _reader(model)
    groups = [list(rnn.parameters()) for rnn in reader.rnns]
    head: Any = model.head
    return [list(reader.encoder.parameters()), *groups, list(head.parameters())]


def language_model_learner(
    dls: Any,
    arch: str | Callable[..., nn.Module] = AWD_LSTM,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
    *,
    alpha: float = 2.0,
    beta: float = 1.0,
    **options: Unpack[LearnerArgs],
) -> LMLearner:
    """A learner of a language model: which word comes next.

    Args:
        dls: Loaders of streams, such as `TextDataLoaders.from_df(..., is_lm=True)`.
        arch: `AWD_LSTM`, or the name of a reader in `READERS`.
        config: What differs from `awd_lstm_lm_config`, such as `{"n_layers": 2}`.
        drop_mult: What all dropouts are multiplied by; smaller for more data.
        alpha: How small activations are kept (AR).
        beta: How slow they change (TAR).
        options: Of `Learner`: `metrics`, `lr`, `cbs`, `opt_func`...

    Raises:
        UnknownArgumentError: A name in `options` or `config` is unknown.
        UnknownNameError: There is no reader of that name.

    Source: Merity, Keskar & Socher 2017, "Regularizing and Optimizing LSTM Language Models".
    """
    own = ("arch", "config", "drop_mult", "alpha", "beta")
    refuse_unknown("language_model_learner", options, [*own, *LearnerArgs.__annotations__])
    spec = ModelSpec(
        get_language_model,
        {
            "arch": _name_of(arch),
            "vocab_sz": len(text_vocab(dls)),
            "config": dict(config or {}),
            "drop_mult": drop_mult,
        },
    )
    options.setdefault("splitter", language_model_groups)
    learn = _learner(LMLearner, dls, spec, options)
    learn.add_cb(RNNRegularizer(alpha, beta))
    return learn


def text_classifier_learner(
    dls: Any,
    arch: str | Callable[..., nn.Module] = AWD_LSTM,
    seq_len: int = 72,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 0.5,
    *,
    n_out: int | None = None,
    head: Mapping[str, Any] | None = None,
    max_len: int | None = 72 * 20,
    y_range: tuple[float, float] | None = None,
    **options: Unpack[LearnerArgs],
) -> TextLearner:
    """A learner of labels, or numbers, of texts.

    Args:
        dls: Loaders of texts, such as `TextDataLoaders.from_df(...)`.
        arch: `AWD_LSTM`, or the name of a reader in `READERS`.
        seq_len: Words that are read at a time.
        config: What differs from `awd_lstm_clas_config`.
        drop_mult: What all dropouts of the reader are multiplied by.
        n_out: Outputs; what the data's task needs when not given.
        head: Of the head: `lin_ftrs` and `ps`.
        max_len: Words at the end of a text that count; None takes all.
        y_range: Bounds of the outputs of a regression.
        options: Of `Learner`: `metrics`, `lr`, `cbs`, `opt_func`...

    Raises:
        UnknownArgumentError: A name in `options`, `config` or `head` is unknown.
        UnknownNameError: There is no reader of that name.

    Source: Howard & Ruder, "Universal Language Model Fine-tuning for Text Classification", 2018.
    """
    own = ("arch", "seq_len", "config", "drop_mult", "n_out", "head", "max_len", "y_range")
    refuse_unknown("text_classifier_learner", options, [*own, *LearnerArgs.__annotations__])
    refuse_unknown("text_classifier_learner(head=...)", head or {}, ["lin_ftrs", "ps"])
    spec = ModelSpec(
        get_text_classifier,
        {
            "arch": _name_of(arch),
            "vocab_sz": len(text_vocab(dls)),
            "n_class": n_out or infer(dls.task).n_out,
            "seq_len": seq_len,
            "config": dict(config or {}),
            "drop_mult": drop_mult,
            "max_len": max_len,
            "y_range": y_range,
            **(head or {}),
        },
    )
    options.setdefault("splitter", classifier_groups)
    return _learner(TextLearner, dls, spec, options)


def _learner(
    kind: type[_AnyLearner], dls: Any, spec: ModelSpec, options: LearnerArgs
) -> _AnyLearner:
    options.setdefault("moms", (0.8, 0.7, 0.8))
    learn = kind(dls, spec.build(), **options)
    learn.model_spec = spec
    learn.add_cb(ModelResetter())
    return learn


def _settings(
    where: str, defaults: Mapping[str, Any], config: Mapping[str, Any] | None, drop_mult: float
) -> dict[str, Any]:
    refuse_unknown(f"{where}(config=...)", config or {}, defaults)
    settings = {**defaults, **(config or {})}
    return {k: v * drop_mult if k in _DROPOUTS else v for k, v in settings.items()}


def _name_of(arch: str | Callable[..., nn.Module]) -> str:
    names = READERS.names()
    found = arch if isinstance(arch, str) else getattr(arch, "__name__", repr(arch))
    if found not in names:
        raise UnknownNameError("reader of texts", found, names, where="arch")
    return found


def _reader(model: Any) -> Any:
    encoder = model.encoder
    return encoder.module if isinstance(encoder, SentenceEncoder) else encoder


def _load_reader(
    reader: nn.Module, weights: Mapping[str, torch.Tensor], old: Sequence[str], new: Sequence[str]
) -> None:
    weights = dict(weights)
    name = "encoder_dp.emb.weight"
    weights[name] = match_embeds(weights[name], old, new)
    wrong = [
        k for k, v in reader.state_dict().items() if getattr(weights.get(k), "shape", 0) != v.shape
    ]
    if wrong:
        raise ContractError(
            f"load_encoder: the saved reader has no {wrong[0]!r} of the size that this one needs. "
            "Give both learners the same emb_sz, n_hid and n_layers in config."
        )
    reader.load_state_dict(weights)
