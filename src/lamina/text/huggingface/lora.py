"""Low-rank adapters: few new weights train, those of the model stay as they are."""

import copy
import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from torch import nn

from lamina.foundation.errors import ContractError, refuse_unknown
from lamina.text.huggingface.groups import head_names, layer_names
from lamina.text.tokenizers.library import library

__all__ = ["adapt", "lora_settings", "merged"]

_SETTINGS = (
    "bias", "exclude_modules", "fan_in_fan_out", "init_lora_weights", "lora_alpha", "lora_dropout",
    "modules_to_save", "r", "target_modules", "use_dora", "use_rslora",
)  # fmt: skip
_DEFAULTS: Mapping[str, Any] = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.05}


def lora_settings(lora: Any) -> dict[str, Any]:
    """Return the settings of adapters as data.

    Args:
        lora: True, settings of `peft.LoraConfig` by name, or one of these.

    Raises:
        UnknownArgumentError: A setting is unknown, or is none that a file may hold.
        ContractError: It is something else.

    Example:
        >>> lora_settings({"r": 4})
        {'r': 4, 'lora_alpha': 16, 'lora_dropout': 0.05}
    """
    if lora is True:
        return dict(_DEFAULTS)
    if isinstance(lora, Mapping):
        refuse_unknown("lora", lora, _SETTINGS)
        return {**_DEFAULTS, **lora}
    kind = library("peft").LoraConfig
    if not isinstance(lora, kind):
        raise ContractError(
            f"lora={lora!r}: expected True, a dict of settings such as {dict(_DEFAULTS)}, or a "
            "peft.LoraConfig."
        )
    plain = kind()
    given = {f.name: value for f in fields(lora) if (value := getattr(lora, f.name)) is not None}
    ignored = (
        "peft_type", "task_type", "base_model_name_or_path", "inference_mode", "peft_version",
    )  # fmt: skip
    odd = [k for k, v in given.items() if k not in _SETTINGS and v != getattr(plain, k, None)]
    refuse_unknown("lora", [name for name in odd if name not in ignored], _SETTINGS)
    return {k: _listed(v) for k, v in given.items() if k in _SETTINGS}


def adapt(model: Any, lora: Mapping[str, Any]) -> None:
    """Put adapters into a `PretrainedModel`; only they and the head train from now on.

    Args:
        model: The model.
        lora: The settings of `peft.LoraConfig`. Unless they say otherwise, every linear map in the
            layers gets an adapter, and the head of a classifier trains in full.

    Raises:
        ContractError: It has adapters.

    Example:
        >>> from lamina.text.huggingface.model import build_pretrained
        >>> model = build_pretrained("causal", {"model_type": "gpt2", "n_embd": 8, "n_head": 2})
        >>> adapt(model, {"r": 2})
        >>> any("lora_A" in name for name in model.adapted or ())
        True

    Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
    """
    if model.adapted is not None:
        raise ContractError(
            "add_lora: the model has adapters. Merge them first: merge_lora(learn)."
        )
    lib = library("peft")
    bare = model.bare
    found = _maps(bare)
    settings: dict[str, Any] = {
        "target_modules": sorted(found),
        "modules_to_save": head_names(bare) if model.kind == "classifier" else None,
        "fan_in_fan_out": any(found.values()),
        **lora,
    }
    with warnings.catch_warnings():  # peft asks transformers by a name that is on its way out
        warnings.simplefilter("ignore", FutureWarning)
        model.model = lib.get_peft_model(bare, lib.LoraConfig(**settings))
    named = model.model.named_parameters()
    model.adapted = frozenset(name for name, p in named if p.requires_grad)


def merged(model: Any) -> Any:
    """Return a copy of the model of `transformers`, with what its adapters have learnt in it.

    Args:
        model: A `PretrainedModel`.

    Example:
        >>> from lamina.text.huggingface.model import build_pretrained
        >>> config = {"model_type": "gpt2", "n_embd": 8, "n_head": 2, "n_layer": 1}
        >>> type(merged(build_pretrained("causal", config, lora={"r": 2}))).__name__
        'GPT2LMHeadModel'
    """
    if model.adapted is None:
        return model.bare
    return copy.deepcopy(model.model).merge_and_unload()


def _maps(model: Any) -> dict[str, bool]:
    """Return the names of the linear maps inside a layer, and whether each is kept transposed."""
    found: dict[str, bool] = {}
    kinds = (nn.Linear, library("transformers").pytorch_utils.Conv1D)
    for layer in layer_names(model):
        for name, part in model.get_submodule(layer).named_modules():
            if isinstance(part, kinds):
                found[name] = not isinstance(part, nn.Linear)
    return found


def _listed(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value
