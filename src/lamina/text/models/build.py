"""Whole models of texts: the readers there are, what is built on them, and the groups."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from lamina.data.external.urls import Source, URLs
from lamina.foundation.errors import ContractError, UnknownNameError, refuse_unknown
from lamina.foundation.registry import Registry, savable
from lamina.foundation.signatures import strict
from lamina.text.models.awd_lstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_lm_config
from lamina.text.models.heads import (
    LanguageModel,
    LinearDecoder,
    PoolingLinearClassifier,
    SentenceEncoder,
    SequentialRNN,
    TextClassifier,
)
from lamina.text.models.qrnn import AWD_QRNN, awd_qrnn_clas_config, awd_qrnn_lm_config
from lamina.text.padding import PAD_IDX

__all__ = [
    "READERS",
    "Reader",
    "classifier_groups",
    "find_reader",
    "get_language_model",
    "get_text_classifier",
    "language_model_groups",
    "reader_of",
]

_DROPOUTS = ("output_p", "hidden_p", "input_p", "embed_p", "weight_p")


@dataclass(frozen=True)
class Reader:
    """A kind of network that reads texts word by word.

    Args:
        make: Called as `(vocab_sz, **config)`; see `AWD_LSTM` for what the module must have.
        lm_config: Settings in a language model, those of the decoder included.
        clas_config: Settings in a classifier, with the first dropout of the head.
        weights: Where published weights are, of the reader forwards and backwards.
    """

    make: Callable[..., nn.Module]
    lm_config: Mapping[str, Any]
    clas_config: Mapping[str, Any]
    weights: tuple[Source, Source] | None = None


READERS: Registry[Reader] = Registry("reader of texts")
"""Readers by name."""

READERS.register("AWD_LSTM")(
    Reader(AWD_LSTM, awd_lstm_lm_config, awd_lstm_clas_config, (URLs.WT103_FWD, URLs.WT103_BWD))
)
READERS.register("AWD_QRNN")(Reader(AWD_QRNN, awd_qrnn_lm_config, awd_qrnn_clas_config))


def find_reader(arch: object) -> str:
    """Return the name of a reader.

    Args:
        arch: The name, or the class.

    Raises:
        UnknownNameError: It is not in `READERS`.

    Example:
        >>> find_reader(AWD_LSTM)
        'AWD_LSTM'
    """
    found = arch if isinstance(arch, str) else getattr(arch, "__name__", repr(arch))
    if found not in READERS:
        raise UnknownNameError("reader of texts", found, READERS.names(), where="arch")
    return found


@savable("lamina.text:language_model")
@strict
def get_language_model(
    arch: str | Callable[..., nn.Module],
    vocab_sz: int,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
) -> LanguageModel:
    """Make a language model.

    Args:
        arch: A reader, or its name.
        vocab_sz: Words in the vocabulary.
        config: What differs from the reader's settings, such as `awd_lstm_lm_config`.
        drop_mult: What all dropouts are multiplied by.

    Example:
        >>> model = get_language_model(AWD_LSTM, 30, {"emb_sz": 8, "n_hid": 12, "n_layers": 2})
        >>> import torch
        >>> model(torch.zeros(2, 5, dtype=torch.long)).shape
        torch.Size([2, 5, 30])
    """
    kind = READERS[find_reader(arch)]
    settings = _settings("get_language_model", kind.lm_config, config, drop_mult)
    decoder_p, tied = settings.pop("output_p"), settings.pop("tie_weights")
    bias = settings.pop("out_bias")
    reader: Any = kind.make(vocab_sz, **settings)
    tie = reader.encoder if tied else None
    decoder = LinearDecoder(vocab_sz, settings["emb_sz"], decoder_p, tie, bias=bias)
    return LanguageModel(reader, decoder)


@savable("lamina.text:classifier")
@strict
def get_text_classifier(  # noqa: PLR0913 - the parts of ULMFiT's classifier
    arch: str | Callable[..., nn.Module],
    vocab_sz: int,
    n_class: int,
    seq_len: int = 72,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
    *,
    lin_ftrs: Sequence[int] | None = None,
    ps: Sequence[float] | None = None,
    pad_idx: int = PAD_IDX,
    max_len: int | None = 72 * 20,
    y_range: tuple[float, float] | None = None,
) -> TextClassifier:
    """Make a classifier of texts.

    Args:
        arch: A reader, or its name.
        vocab_sz: Words in the vocabulary.
        n_class: Outputs.
        seq_len: Most words that are read at a time.
        config: What differs from the reader's settings, such as `awd_lstm_clas_config`.
        drop_mult: What all dropouts of the reader, and the first of the head, are multiplied by.
        lin_ftrs: Sizes of the head's hidden layers; one of 50 when not given.
        ps: Dropouts of the head's hidden layers; 0.1 each when not given.
        pad_idx: The number of the padding.
        max_len: Words at the end of a text that count; None takes all.
        y_range: Bounds of the outputs of a regression.

    Example:
        >>> config = {"emb_sz": 8, "n_hid": 12, "n_layers": 2}
        >>> model = get_text_classifier(AWD_LSTM, 30, 2, config=config).eval()
        >>> import torch
        >>> model(torch.full((3, 5), 7)).shape
        torch.Size([3, 2])
    """
    kind = READERS[find_reader(arch)]
    settings = _settings("get_text_classifier", kind.clas_config, config, drop_mult)
    first_p = settings.pop("output_p")
    lin_ftrs = [50] if lin_ftrs is None else lin_ftrs
    ps = [0.1] * len(lin_ftrs) if ps is None else ps
    if len(ps) != len(lin_ftrs):
        raise ContractError(
            f"get_text_classifier: {len(ps)} dropouts in ps for {len(lin_ftrs)} layers in "
            "lin_ftrs. Give one for each."
        )
    reader = kind.make(vocab_sz, **settings)
    dims = [3 * settings["emb_sz"], *lin_ftrs, n_class]
    head = PoolingLinearClassifier(dims, [first_p, *ps], y_range)
    return TextClassifier(SentenceEncoder(seq_len, reader, pad_idx, max_len), head)


def reader_of(model: Any) -> Any:
    """Return the reader in a language model or a classifier; in a chain, the first module."""
    encoder = model[0] if isinstance(model, SequentialRNN) else model.encoder
    return encoder.module if isinstance(encoder, SentenceEncoder) else encoder


def language_model_groups(model: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a language model in groups: each layer, then words and decoder.

    Example:
        >>> len(language_model_groups(get_language_model("AWD_LSTM", 30)))
        4
    """
    reader, decoder = reader_of(model), model.decoder
    groups = [list(rnn.parameters()) for rnn in reader.rnns]
    return [*groups, list(nn.ModuleList([reader.encoder, decoder]).parameters())]  # pyright: ignore[reportArgumentType] - a LanguageModel's


def classifier_groups(model: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a classifier in groups: words, each layer, head.

    Example:
        >>> len(classifier_groups(get_text_classifier("AWD_LSTM", 30, 2)))
        5
    """
    reader = reader_of(model)
    groups = [list(rnn.parameters()) for rnn in reader.rnns]
    head: Any = model.head
    return [list(reader.encoder.parameters()), *groups, list(head.parameters())]


def _settings(
    where: str, defaults: Mapping[str, Any], config: Mapping[str, Any] | None, drop_mult: float
) -> dict[str, Any]:
    refuse_unknown(f"{where}(config=...)", config or {}, defaults)
    settings = {**defaults, **(config or {})}
    if settings.get("bidir"):  # a language model would see what it says, a classifier the padding
        advice = "Train one learner with backwards=True, one without; ensemble_preds joins them."
        raise ContractError(f"{where}: a reader goes one way, without bidir=True. {advice}")
    return {k: v * drop_mult if k in _DROPOUTS else v for k, v in settings.items()}
