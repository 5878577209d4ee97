"""A model of `transformers` that takes the batches of texts, or dicts, and gives scores."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lamina.foundation.errors import BundleError, ContractError, refuse_unknown
from lamina.foundation.registry import savable
from lamina.text.huggingface.lora import adapt, lora_settings
from lamina.text.huggingface.tokenizer import PretrainedTokenizer
from lamina.text.tokenizers.library import library

__all__ = [
    "KINDS",
    "Layout",
    "PretrainedModel",
    "build_pretrained",
    "config_data",
    "load_pretrained_model",
]

KINDS: Mapping[str, str] = {
    "classifier": "AutoModelForSequenceClassification",
    "causal": "AutoModelForCausalLM",
    "masked": "AutoModelForMaskedLM",
}
"""What a model is for, and the class of `transformers` that finds it."""

_NOT_DATA = ("attn_implementation", "auto_map", "experts_implementation", "quantization_config")
"""Entries of a configuration for which `transformers` would fetch or run something."""

_ALWAYS = ("id2label", "label2id", "problem_type", "pad_token_id", "decoder_start_token_id")


@savable("lamina.text:layout")
@dataclass(frozen=True)
class Layout:
    """How texts lie in a batch.

    Args:
        pad_idx: The number of the padding.
        pad_first: Whether it is at the front.
        sep_idx: The number of the token after a part of a text, if the model is told the parts.
        is_padded: Whether there is padding at all; streams have none.

    Example:
        >>> Layout(pad_idx=1, pad_first=True).mask(torch.tensor([[1, 1, 5, 6]]))
        tensor([[0, 0, 1, 1]])
    """

    pad_idx: int = 0
    pad_first: bool = False
    sep_idx: int | None = None
    is_padded: bool = True

    @classmethod
    def of(cls, tokenizer: PretrainedTokenizer, *, is_padded: bool = True) -> "Layout":
        """Return that of the batches of a tokenizer's texts.

        Args:
            tokenizer: The tokenizer.
            is_padded: Whether there is padding at all.
        """
        told = "token_type_ids" in tokenizer.inputs
        sep_idx = tokenizer.index("sep") if told else None
        return cls(tokenizer.pad_idx, tokenizer.pad_first, sep_idx, is_padded)

    def mask(self, x: Tensor) -> Tensor:
        """Return 1 where a text is and 0 where its row is only filled up.

        The padding is the run at one end: its token may also stand inside of a text.

        Args:
            x: Token numbers, `(batch, length)`.

        Example:
            >>> Layout(pad_idx=0).mask(torch.tensor([[5, 0, 6, 0, 0]]))
            tensor([[1, 1, 1, 0, 0]])
        """
        if not self.is_padded:
            return torch.ones_like(x)
        told = (x != self.pad_idx).long()
        mask = told.cumsum(1) if self.pad_first else told.flip(1).cumsum(1).flip(1)
        mask = (mask > 0).long()
        mask[:, -1 if self.pad_first else 0] = 1  # a row without a token cannot be read
        return mask


class PretrainedModel(nn.Module):
    """A model of `transformers` that returns plain scores.

    It is called with token numbers `(batch, length)`, from which it makes attention mask, positions
    and types as far as the model takes them; or with the entries of a dict batch (`input_ids=...`,
    `attention_mask=...`), which go on as they are.

    Args:
        model: The model.
        layout: How texts lie in a batch.
        kind: What it is for, one of `KINDS`.

    Attributes:
        adapted: With adapters the names of all weights that train, without None.

    Example:
        >>> from transformers import BertConfig, BertForSequenceClassification
        >>> config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
        >>> model = PretrainedModel(BertForSequenceClassification(config))
        >>> model(torch.tensor([[5, 6, 7], [5, 0, 0]])).shape
        torch.Size([2, 2])
    """

    adapted: frozenset[str] | None = None

    def __init__(self, model: Any, layout: Layout | None = None, kind: str = "classifier") -> None:
        super().__init__()
        self.model, self.kind = model, kind
        self.layout = Layout() if layout is None else layout
        self._takes = frozenset(inspect.signature(model.forward).parameters)

    def forward(self, x: Tensor | None = None, **batch: Any) -> Tensor:
        """Return the scores: `(batch, outputs)`, or `(batch, length, tokens)`."""
        if x is not None:
            if not x.shape[1]:  # there must be something to read
                x = nn.functional.pad(x, (0, 1), value=self.layout.pad_idx)
            batch = self.inputs(x)
        if "use_cache" in self._takes:
            batch["use_cache"] = False
        return self.model(**batch, return_dict=True).logits

    def inputs(self, x: Tensor) -> dict[str, Tensor]:
        """Return what the model takes for a batch of token numbers."""
        mask = self.layout.mask(x)
        made = {"input_ids": x, "attention_mask": mask}
        if self.layout.pad_first and "position_ids" in self._takes:
            made["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        two_parts = getattr(self.bare.config, "type_vocab_size", 0) == 2
        if two_parts and self.layout.sep_idx is not None and "token_type_ids" in self._takes:
            ends = (x == self.layout.sep_idx).long()
            made["token_type_ids"] = (ends.cumsum(1) - ends).clamp(max=1) * mask
        return made

    @property
    def bare(self) -> Any:
        """The model of `transformers`, without adapters around it."""
        return self.model.get_base_model() if hasattr(self.model, "peft_config") else self.model

    @property
    def encoder(self) -> Any:
        """The part that reads, without what answers."""
        return self.bare.base_model


@savable("lamina.text:pretrained")
def build_pretrained(
    kind: str,
    config: Mapping[str, Any],
    layout: Layout | None = None,
    lora: Mapping[str, Any] | None = None,
) -> PretrainedModel:
    """Make a model with fresh weights.

    Args:
        kind: What it is for, one of `KINDS`.
        config: Its configuration as data, with "model_type".
        layout: How texts lie in a batch.
        lora: The settings of low-rank adapters; see `add_lora`.

    Raises:
        BundleError: The configuration is none that `transformers` knows.
        UnknownArgumentError: A setting of the adapters is unknown.

    Example:
        >>> config = {"model_type": "gpt2", "n_embd": 8, "n_head": 2, "n_layer": 1}
        >>> build_pretrained("causal", config)(torch.tensor([[5, 6, 7]])).shape
        torch.Size([1, 3, 50257])
    """
    lib = library("transformers")
    try:
        made = _config(lib, config)
        model = getattr(lib, KINDS[kind]).from_config(made, trust_remote_code=False)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"build_pretrained: the configuration of a {kind} model of type "
            f"{config.get('model_type')!r} is not one that transformers {lib.__version__} can "
            f"build. ({error})"
        ) from error
    wrapped = PretrainedModel(model, layout, kind)
    if lora is not None:
        adapt(wrapped, lora_settings(lora))
    return wrapped


def load_pretrained_model(
    name: str | Path,
    kind: str,
    layout: Layout,
    config: Mapping[str, Any],
    *,
    pretrained: bool = True,
) -> PretrainedModel:
    """Load a model from a folder or the hub; no code that comes with it is run.

    Args:
        name: The folder or name.
        kind: What it is for, one of `KINDS`.
        layout: How texts lie in a batch.
        config: What differs from its configuration.
        pretrained: Whether to take its weights, too.

    Raises:
        ContractError: It can't be had, or there is no model of the kind for it.
        UnknownArgumentError: A name in `config` is unknown.

    Example:
        >>> import tempfile
        >>> from transformers import GPT2Config
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     GPT2Config(n_embd=8, n_head=2, n_layer=1).save_pretrained(folder)
        ...     model = load_pretrained_model(folder, "causal", Layout(), {}, pretrained=False)
        >>> type(model.bare).__name__
        'GPT2LMHeadModel'
    """
    lib = library("transformers")
    try:
        made = lib.AutoConfig.from_pretrained(str(name), trust_remote_code=False)
        _change(made, config)
        if layout.is_padded:
            made.pad_token_id = layout.pad_idx
        _check_decoder(made, kind)
        cls = getattr(lib, KINDS[kind])
        if pretrained:
            model = cls.from_pretrained(
                str(name), config=made, trust_remote_code=False, ignore_mismatched_sizes=True
            )
        else:
            model = cls.from_config(made, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ContractError(
            f"{str(name)!r} is no reader of Lamina's, and no {kind} model of transformers could be "
            "made of it. Give a folder with config.json and model.safetensors, or a name on the "
            f"hub. ({error})"
        ) from error
    return PretrainedModel(model.float(), layout, kind)


def _check_decoder(config: Any, kind: str) -> None:
    """Refuse models of two parts of which the second does not know how to begin."""
    start = getattr(config, "decoder_start_token_id", None)
    if kind == "classifier" and getattr(config, "is_encoder_decoder", False) and start is None:
        raise ContractError(
            f"{type(config).__name__}: a model with encoder and decoder, whose configuration has "
            "no decoder_start_token_id. Pass it in config={...}, or take a family of encoders "
            "(BERT, RoBERTa, DeBERTa, ModernBERT...) or decoders (GPT-2, Llama, Qwen...)."
        )


def config_data(model: PretrainedModel) -> dict[str, Any]:
    """Return the configuration of a model as data.

    Args:
        model: The model.

    Example:
        >>> config = {"model_type": "gpt2", "n_embd": 8, "n_head": 2, "n_layer": 1}
        >>> config_data(build_pretrained("causal", config))["n_embd"]
        8
    """
    return _data_only(model.bare.config.to_dict())


def _change(config: Any, changes: Mapping[str, Any]) -> None:
    refuse_unknown("config", changes, ["num_labels", *_ALWAYS, *config.to_dict()])
    for key, value in changes.items():
        setattr(config, key, value)


def _config(lib: Any, data: Mapping[str, Any]) -> Any:
    """Make a configuration of what its class has settings for."""
    data = _data_only(data)
    kind = lib.CONFIG_MAPPING[data["model_type"]]
    known = {*kind().to_dict(), *_ALWAYS}
    if labels := data.pop("id2label", None):
        data["id2label"] = {int(i): label for i, label in labels.items()}
    return kind(**{key: value for key, value in data.items() if key in known})


def _data_only(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _data_only(value) if isinstance(value, Mapping) and key != "id2label" else value
        for key, value in config.items()
        if not (key.startswith("_") or key in _NOT_DATA)
    }
