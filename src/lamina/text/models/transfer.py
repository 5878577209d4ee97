"""Weights of one model for another: vectors go by word, and published files are read as data."""

import pickle
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from lamina.data.external import untar_data
from lamina.foundation.errors import BundleError, ContractError, UntrustedError
from lamina.foundation.signatures import strict
from lamina.text.models.build import READERS
from lamina.text.rules import SPECIAL_TOKENS

__all__ = [
    "clean_raw_keys",
    "load_ignore_keys",
    "load_words",
    "match_embeds",
    "published_files",
    "read_published",
    "read_words",
]

_EMBEDDING, _DECODER = "encoder_dp.emb.weight", "decoder.decoder."


@strict
def match_embeds(weight: Tensor, old_vocab: Sequence[str], new_vocab: Sequence[str]) -> Tensor:
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


def load_words(
    module: nn.Module, weights: Mapping[str, Tensor], old: Sequence[str], new: Sequence[str]
) -> None:
    """Load weights that were learnt with another vocabulary.

    Args:
        module: A reader, or a whole language model.
        weights: All its weights by name.
        old: The words of the weights.
        new: The words of the module.

    Raises:
        ContractError: The weights have other sizes, or know no word.
    """
    if not {*old} & {*new} - {*SPECIAL_TOKENS, "xxfake"}:
        advice = "Cut the texts with the tokenizer, and in the language, of the weights."
        raise ContractError(f"The weights know none of the {len(new)} words. {advice}")
    wanted = module.state_dict()
    by_word = [k for k in wanted if k.endswith(_EMBEDDING) or k.startswith(_DECODER)]
    fitting = dict(weights)
    for name in by_word:
        if name in weights:
            fitting[name] = match_embeds(weights[name], old, new)
    wrong = [k for k, v in wanted.items() if getattr(fitting.get(k), "shape", None) != v.shape]
    if wrong:
        found = getattr(fitting.get(wrong[0]), "shape", None)
        told = "none" if found is None else f"one of shape {tuple(found)}"
        raise ContractError(
            f"The model has {wrong[0]!r} of shape {tuple(wanted[wrong[0]].shape)}, and there is "
            f"{told} among the weights. Build it with the emb_sz, n_hid and n_layers of the "
            "weights, or pass pretrained=False to start afresh."
        )
    module.load_state_dict({k: fitting[k] for k in wanted})


def read_words(file: str | Path) -> list[str]:
    """Read a published vocabulary: a pickled list of words, from which nothing else is made.

    Args:
        file: The file.

    Raises:
        UntrustedError: The file would call or import something.
        BundleError: It is no list of words.
    """
    try:
        with Path(file).open("rb") as stream:
            words = _ListsOnly(stream).load()
    except UntrustedError:
        raise
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError) as error:
        raise BundleError(f"read_words: {file} is damaged: {error}") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BundleError(f"read_words: {file} holds something else than a list of words.")
    return words


class _ListsOnly(pickle.Unpickler):
    """Lists and strings need no names; whatever asks for one is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        named = f"{module}:{name}"
        raise UntrustedError(
            f"A vocabulary is a list of words, but this file names {named!r}, which could run "
            "code. It was not loaded.",
            named,
        )


def read_published(file: str | Path) -> dict[str, Tensor]:
    """Read a published language model, such as that of `URLs.WT103_FWD`, under our names.

    Args:
        file: A file of PyTorch weights; those of an AWD-LSTM in fastai's names.

    Returns:
        The weights of a `LanguageModel`.

    Raises:
        BundleError: It is no such file.
    """
    try:
        state: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise BundleError(f"read_published: {file} holds no weights: {error}") from error
    weights = clean_raw_keys(state.get("model", state)) if isinstance(state, Mapping) else {}
    if "0.encoder.weight" not in weights:
        raise BundleError(
            f"read_published: {file} holds no AWD-LSTM: there is no '0.encoder.weight' in it."
        )
    out = {f"encoder.{_EMBEDDING}": weights["0.encoder.weight"]}
    for name, value in weights.items():
        part, *rest = name.split(".")
        if part == "1":
            out[f"{_DECODER}{rest[-1]}"] = value
        elif rest[0] == "rnns":
            out[f"encoder.rnns.{rest[1]}.{rest[-1]}"] = value
    return out


@strict
def clean_raw_keys(wgts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of fastai with each dropped one under its own name, without its copy.

    A module inside fastai's `WeightDropout` has `weight_hh_l0_raw`, which is trained, and
    `module.weight_hh_l0`, the copy of which a part was dropped. Here, `WeightDropout` has only
    `module.weight_hh_l0`, which is trained.

    Args:
        wgts: The weights by name.

    Example:
        >>> clean_raw_keys({"0.weight_raw": torch.ones(1), "0.module.weight": torch.zeros(1)})
        {'0.module.weight': tensor([1.])}
    """
    out = dict(wgts)
    for name in [name for name in wgts if name.endswith("_raw")]:
        *place, short = name.removesuffix("_raw").split(".")
        out[".".join([*place, "module", short])] = out.pop(name)
    return out


@strict
def load_ignore_keys(model: nn.Module, wgts: Mapping[str, Tensor]) -> None:
    """Load weights by their order alone; names do not count.

    Args:
        model: The model.
        wgts: As many weights as it has, in its order and of its shapes.

    Raises:
        ContractError: There are more or fewer of them, or one has another shape.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> load_ignore_keys(model, {"a": torch.ones(1, 1), "b": torch.zeros(1)})
        >>> model.weight.item(), model.bias.item()
        (1.0, 0.0)
    """
    wanted = model.state_dict()
    none = ("nothing", torch.empty(0))
    for (own, old), (name, new) in zip_longest(wanted.items(), wgts.items(), fillvalue=none):
        if old.shape != new.shape:
            raise ContractError(
                f"load_ignore_keys: {name} of shape {tuple(new.shape)} stands where the model has "
                f"{own} of shape {tuple(old.shape)}. Give as many weights as it has, in its order."
            )
    model.load_state_dict(dict(zip(wanted, wgts.values(), strict=True)))


def published_files(arch: str, *, backwards: bool = False) -> tuple[Path, Path]:
    """Return the files of published weights and their words, downloaded where needed.

    Args:
        arch: The name of a reader.
        backwards: Whether the reader that reads from the end is wanted.

    Raises:
        ContractError: None are published for it.
        DownloadError: They can't be had.
    """
    sources = READERS[arch].weights
    if sources is None:
        raise ContractError(
            f"No weights are published for {arch}. Pass pretrained=False to start afresh, or "
            "pretrained_fnames=..., files of your own."
        )
    folder = untar_data(sources[backwards], c_key="model")
    files = [next(iter(sorted(folder.glob(f"*.{ending}"))), None) for ending in ("pth", "pkl")]
    if files[0] is None or files[1] is None:
        raise BundleError(
            f"published_files: {folder} must hold a .pth file of weights and a .pkl file of words. "
            "Remove the folder and call again."
        )
    return files[0], files[1]
