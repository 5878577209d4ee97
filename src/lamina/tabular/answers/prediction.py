"""Rows to answers without loaders and callbacks, and what a network learnt about categories."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.tabular.recipe import encode_rows
from lamina.train.infer import reading_of

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["embeddings", "outputs", "predict_rows", "run_model"]

_CHUNK = 8192  # rows that a network sees at once


@torch.no_grad()
def run_model(
    model: nn.Module, cats: Tensor, conts: Tensor, act: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Return what a model, in evaluation mode, says about encoded rows: `(n, n_out)` on the CPU.

    Args:
        model: The model; its mode is as before, afterwards.
        cats: Codes, `(n, n_cat)`.
        conts: Numbers, `(n, n_cont)`.
        act: Applied to the outputs.
    """
    device = next((p.device for p in model.parameters()), cats.device)
    training = model.training
    if training:
        model.eval()
    try:
        said = [
            model(a.to(device), b.to(device))
            for a, b in zip(cats.split(_CHUNK), conts.split(_CHUNK), strict=True)
        ]
    finally:
        if training:
            model.train()
    out = said[0] if len(said) == 1 else torch.cat(said)
    return (act(out) if act else out).cpu()


def outputs(learn: "Learner", cats: Tensor, conts: Tensor) -> Tensor:
    """Return what the model of a learner says about encoded rows, activated; see `run_model`."""
    return run_model(learn.model, cats, conts, reading_of(learn.loss_func).activation)


@strict
def predict_rows(learn: "Learner", item: Any, *, with_input: bool = False) -> tuple[Any, ...]:
    """Predict one row, several, or a whole frame.

    Args:
        learn: A learner of tabular loaders.
        item: A dict or a row of a frame, a list of these, or a frame.
        with_input: Whether to return the decoded rows, too, as a frame, before the rest.

    Returns:
        `(answer, encoded answer, probabilities)`, or predicted numbers in place of probabilities.
        For one row they are a label (or number), its tensor, and `(n_out,)`; for several a list of
        labels, `(n,)`, and `(n, n_out)`. Of several targets the answers are tuples.

    Raises:
        DataError: A column is missing, or holds something else than in training.
    """
    cats, conts = encode_rows(learn.dls, item)
    probs = outputs(learn, cats, conts)
    encoded = reading_of(learn.loss_func).decode(probs)
    is_one = (isinstance(item, Mapping) and len(cats) == 1) or _is_series(item)
    if is_one:
        probs, encoded = probs[0], _first(encoded)
    result = (_decoded(learn.dls.recipe.targets, encoded, is_one=is_one), encoded, probs)
    return (_rows(learn, cats, conts), *result) if with_input else result


def embeddings(learn: "Learner") -> dict[Any, Any]:
    """Return the embedding of every category that the network learnt, as frames.

    Args:
        learn: A learner of a network of `lamina.tabular`.

    Returns:
        For each categorical column a pandas frame with a row per level, `#na#` first, and a column
        `<name>_0`, `<name>_1`... per dimension. Columns that are one-hot are left out.

    Raises:
        ContractError: The network has no embeddings that it could give.
    """
    import pandas as pd

    if not hasattr(learn.model, "tables"):
        raise ContractError(
            f"embeddings: {type(learn.model).__name__} has no method `tables` that gives one "
            "tensor per categorical column. Use a network of lamina.tabular, or add it."
        )
    frames: dict[Any, Any] = {}
    tables: list[Tensor | None] = learn.model.tables()  # pyright: ignore[reportCallIssue,reportAssignmentType] - a network of ours
    for name, table in zip(learn.dls.cat_names, tables, strict=True):
        if table is not None:
            columns = [f"{name}_{i}" for i in range(table.shape[1])]
            levels = list(learn.dls.classes[name])
            frames[name] = pd.DataFrame(table.detach().cpu().numpy(), levels, columns)
    return frames


def _decoded(targets: list[Any], encoded: Any, *, is_one: bool) -> Any:
    if isinstance(encoded, tuple):
        pairs = zip(targets, encoded, strict=True)
        return tuple(_decoded([target], part, is_one=is_one) for target, part in pairs)
    decode = targets[0].decode if targets else Tensor.tolist
    if is_one:
        return _alone(decode(encoded))
    vocab = targets[0].vocab if targets else None
    if encoded.ndim == 1 and vocab is not None:
        labels = list(vocab)
        return [labels[i] for i in encoded.tolist()]
    return [_alone(decode(value)) for value in encoded] if vocab is not None else _numbers(encoded)


def _numbers(encoded: Tensor) -> list[Any]:
    return (encoded[:, 0] if encoded.shape[1:] == (1,) else encoded).tolist()


def _alone(value: Any) -> Any:
    return value[0] if type(value) is list and len(value) == 1 else value


def _first(encoded: Any) -> Any:
    return tuple(part[0] for part in encoded) if isinstance(encoded, tuple) else encoded[0]


def _rows(learn: "Learner", cats: Tensor, conts: Tensor) -> Any:
    to = learn.dls.recipe.decode(cats, conts)
    return to.table([*to.cat_names, *to.cont_names])


def _is_series(item: Any) -> bool:
    return hasattr(item, "to_dict") and not hasattr(item, "columns")
