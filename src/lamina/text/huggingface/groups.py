"""The parts of a model of `transformers` by their depth."""

from typing import Any

from torch import nn

__all__ = ["groups_by_depth", "head_names", "layer_names"]


def groups_by_depth(model: Any, layer_groups: int | None = None) -> list[list[nn.Parameter]]:
    """Return the parameters in groups: embeddings, each layer, head.

    What follows the layers (a last norm, a pooler) belongs to the head, and so do embeddings that
    answer, too. Of a model with adapters only what trains with them is there.

    Args:
        model: A `PretrainedModel`, or one of `transformers`.
        layer_groups: In how many groups the layers go; None makes one of each.

    Example:
        >>> from lamina.text.huggingface.model import build_pretrained
        >>> small = {"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2}
        >>> model = build_pretrained("classifier", {"model_type": "bert", **small})
        >>> len(groups_by_depth(model)), len(groups_by_depth(model, layer_groups=1))
        (5, 3)
    """
    bare = getattr(model, "bare", model)
    layers = layer_names(bare)
    n = len(layers) if layer_groups is None else min(layer_groups, len(layers))
    place = {name: 1 + i * n // len(layers) for i, name in enumerate(layers)}
    groups: list[list[nn.Parameter]] = [[] for _ in range(n + 2)]
    taken: set[nn.Parameter] = set()
    names = getattr(model, "adapted", None)
    kept = {p for name, p in model.model.named_parameters() if name in names} if names else None
    prefixes = tuple(f"{name}." for name in head_names(bare))
    named = list(bare.named_parameters(remove_duplicate=False))
    named.sort(key=lambda pair: not pair[0].startswith(prefixes))  # the head comes first
    seen_layer = False
    for name, parameter in named:
        layer = next((layer for layer in layers if name.startswith(f"{layer}.")), None)
        is_last = name.startswith(prefixes) or (layer is None and seen_layer)
        seen_layer = seen_layer or layer is not None
        group = -1 if is_last else 0 if layer is None else place[layer]
        if parameter not in taken and (kept is None or parameter in kept):
            groups[group].append(parameter)
        taken.add(parameter)
    return [group for group in groups if group]


def layer_names(model: Any) -> list[str]:
    """Return the names of the layers of a model of `transformers`, from the first to the last.

    Args:
        model: The model; its layers are what its outermost lists of modules hold.

    Example:
        >>> from transformers import BertConfig, BertModel
        >>> small = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
        >>> layer_names(BertModel(BertConfig(**small)))
        ['encoder.layer.0', 'encoder.layer.1']
    """
    lists = [name for name, part in model.named_modules() if isinstance(part, nn.ModuleList)]
    outermost = [a for a in lists if not any(a.startswith(f"{b}.") for b in lists)]
    reader = model.base_model_prefix
    return [
        f"{name}.{i}"
        for name in outermost
        if name.startswith(f"{reader}.") or model.base_model is model
        for i in range(len(model.get_submodule(name)))
    ]


def head_names(model: Any) -> list[str]:
    """Return the names of the parts of a model of `transformers` that answer.

    Args:
        model: The model.

    Example:
        >>> from transformers import DistilBertConfig, DistilBertForSequenceClassification
        >>> config = DistilBertConfig(dim=8, n_layers=1, n_heads=2, hidden_dim=8)
        >>> head_names(DistilBertForSequenceClassification(config))
        ['pre_classifier', 'classifier']
    """
    base = model.base_model
    parts = ((name, part) for name, part in model.named_children() if part is not base)
    return [name for name, part in parts if any(True for _ in part.parameters())]
