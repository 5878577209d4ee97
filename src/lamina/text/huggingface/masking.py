# ruff: noqa: D102 - the events are documented in lamina.train.events
"""What a language model is asked: which tokens were hidden, or which one comes next."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import base_seed, derive
from lamina.text.huggingface.tokenizer import PretrainedTokenizer
from lamina.train.callback import Callback

__all__ = ["MaskTokens", "ShiftLabels", "mask_tokens"]

_HIDDEN, _OTHER = 0.8, 0.9  # up to here the mask stands, up to there another token
_IGNORED = -100


class MaskTokens(Callback):
    """Hide tokens of every batch, and make them its target.

    Which ones follows from the seed, the epoch and the batch; in validation they are the same in
    every epoch, so that its losses can be compared.

    Args:
        mask_idx: The number of the mask.
        n_tokens: How many tokens there are.
        special: The numbers of tokens that are never hidden, such as the padding.
        p: The share of tokens to ask for. Of these 80 % are hidden, 10 % become another token,
            and 10 % stay.

    Example:
        >>> MaskTokens(mask_idx=4, n_tokens=30_000, special=[0, 2, 3]).p
        0.15

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2019.
    """

    def __init__(
        self, mask_idx: int, n_tokens: int, special: Iterable[int] = (), p: float = 0.15
    ) -> None:
        super().__init__()
        if not 0 < p < 1:
            raise ContractError(f"MaskTokens: p={p!r} must be between 0 and 1.")
        self.mask_idx, self.n_tokens, self.p = mask_idx, n_tokens, p
        self.special = tuple(special)

    @classmethod
    def of(cls, tokenizer: PretrainedTokenizer, p: float = 0.15) -> "MaskTokens":
        """Make one for the texts of a tokenizer.

        Args:
            tokenizer: The tokenizer.
            p: The share of tokens to ask for.

        Raises:
            ContractError: It has no mask.
        """
        mask_idx = tokenizer.index("mask")
        if mask_idx is None:
            raise ContractError(
                "MaskTokens: the tokenizer has no token for what is masked, as those of causal "
                "models. Use objective='causal'."
            )
        kept = {i for kind in tokenizer.special if (i := tokenizer.index(kind)) is not None}
        return cls(mask_idx, len(tokenizer.vocab), kept, p)

    def before_batch(self, learn: Any) -> None:
        seed = base_seed() if learn.seed is None else learn.seed
        when = ("train", learn.epochs_done) if learn.training else ("valid", learn.ds_idx)
        generator = torch.Generator().manual_seed(derive(seed, "mask", *when, learn.iter) >> 1)
        x = learn.x["input_ids"] if isinstance(learn.x, Mapping) else learn.x
        hidden, asked = mask_tokens(
            x, self.mask_idx, self.n_tokens, special=self.special, p=self.p, generator=generator
        )
        learn.x = {**learn.x, "input_ids": hidden} if isinstance(learn.x, Mapping) else hidden
        learn.y = asked


class ShiftLabels(Callback):
    """Make the token that follows the target, for dicts whose labels are their own tokens.

    Example:
        >>> from types import SimpleNamespace
        >>> labels = torch.tensor([[5, 6, 7]])
        >>> learn = SimpleNamespace(x={"input_ids": labels}, y=labels, yb=(labels,))
        >>> ShiftLabels().before_batch(learn)
        >>> learn.y
        tensor([[   6,    7, -100]])
    """

    def before_batch(self, learn: Any) -> None:
        if learn.yb and isinstance(learn.x, Mapping):
            learn.y = nn.functional.pad(learn.y[:, 1:], (0, 1), value=_IGNORED)


def mask_tokens(
    x: Tensor,
    mask_idx: int,
    n_tokens: int,
    *,
    special: Iterable[int] = (),
    p: float = 0.15,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Hide tokens of a batch; see `MaskTokens`.

    Args:
        x: Token numbers, `(batch, length)`.
        mask_idx: The number of the mask.
        n_tokens: How many tokens there are.
        special: The numbers of tokens that are never hidden.
        p: The share of tokens to ask for; at least one is.
        generator: Where chance comes from, on the CPU.

    Returns:
        What the model sees, and what it is asked for: -100 where nothing.

    Example:
        >>> x = torch.arange(10, 18)[None]
        >>> hidden, asked = mask_tokens(x, 1, 99, generator=torch.Generator().manual_seed(0))
        >>> bool(((asked == x) | (asked == -100)).all())
        True
    """
    draws = torch.rand((2, *x.shape), generator=generator).to(x.device)
    others = torch.randint(n_tokens, x.shape, generator=generator).to(x.device)
    kept = torch.tensor([*special], dtype=x.dtype, device=x.device)
    chance = draws[0].masked_fill(torch.isin(x, kept), 2.0)
    asked = ((chance < p) | (chance == chance.min())) & (chance < 2)
    changed = torch.where(draws[1] < _HIDDEN, torch.full_like(x, mask_idx), others)
    hidden = torch.where(asked & (draws[1] < _OTHER), changed, x)
    return hidden, x.masked_fill(~asked, _IGNORED)
