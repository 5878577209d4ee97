"""A model's weights know the columns that they were trained on."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from torch import nn

from lamina.foundation.errors import BundleError

__all__ = ["remember_columns"]


def remember_columns(model: nn.Module, dls: Any) -> None:
    """Have the model's `state_dict` carry the columns of loaders, and `load_state_dict` compare.

    They are in the metadata of the dict, not among the weights, so that dicts without them load,
    too. Of each column of categories goes a fingerprint of its levels.

    Args:
        model: The model; if it has columns already, these take their place.
        dls: What has `cat_names`, `cont_names` and `classes`.

    Example:
        >>> from types import SimpleNamespace
        >>> classes = {"job": ["#na#", "cook", "poet"]}
        >>> model = nn.Linear(1, 1)
        >>> dls = SimpleNamespace(cat_names=["job"], cont_names=["age"], classes=classes)
        >>> remember_columns(model, dls)
        >>> model.state_dict()._metadata[""]["columns"]["cont_names"]
        ['age']
    """
    is_first = not hasattr(model, "remembered_columns")
    columns = {
        "cat_names": [str(name) for name in dls.cat_names],
        "cont_names": [str(name) for name in dls.cont_names],
        "levels": [_fingerprint(dls.classes.get(name, ())) for name in dls.cat_names],
    }
    model.remembered_columns = columns  # pyright: ignore[reportArgumentType] - plain data
    if is_first:
        model.register_state_dict_post_hook(_write)
        model.register_load_state_dict_pre_hook(_compare)


def _write(model: Any, _state: Any, _prefix: str, metadata: dict[str, Any]) -> None:
    metadata["columns"] = model.remembered_columns


def _compare(model: Any, _state: Any, _prefix: str, metadata: dict[str, Any], *_rest: Any) -> None:
    saved, own = metadata.get("columns"), model.remembered_columns
    if saved is None or saved == own:
        return
    for kind in ("cat_names", "cont_names"):
        if saved[kind] != own[kind]:
            raise BundleError(
                f"load: the weights were trained with {kind} {saved[kind]}, the learner has "
                f"{own[kind]}. Make the loaders with the same columns in the same order."
            )
    pairs = zip(own["cat_names"], saved["levels"], own["levels"], strict=True)
    other = [name for name, before, now in pairs if before != now]
    raise BundleError(
        f"load: the categories of {', '.join(map(repr, other))} are not those that the weights "
        "were trained with, so that codes mean something else. Make the loaders from the same "
        "training rows. To load all the same: learn.model.load_state_dict(dict(weights))."
    )


def _fingerprint(levels: Iterable[Any]) -> str:
    return sha256("\0".join(map(str, levels)).encode()).hexdigest()[:16]
