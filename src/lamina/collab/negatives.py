"""Learning from what was chosen: losses against items drawn at random, on the device."""

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.foundation.registry import savable
from lamina.foundation.seeding import base_seed, derive
from lamina.foundation.signatures import strict
from lamina.train.callback import Callback

__all__ = ["NegativeSampling", "RankingLoss"]

_TRIES = 3  # how often a seen item is drawn anew


@savable("lamina.collab:RankingLoss")
@strict
@dataclass
class RankingLoss:
    """How far the chosen item's score is above those of items drawn at random.

    Args:
        kind: "bpr" compares in pairs, "sampled_softmax" all at once.

    Attributes:
        negatives: the scores `(b, n)` of drawn items, which `NegativeSampling` puts here.

    Example:
        >>> loss = RankingLoss("bpr")
        >>> loss.negatives = torch.zeros(1, 1)
        >>> round(loss(torch.zeros(1)).item(), 4)
        0.6931

    Source: Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", 2009; Jean
        et al., "On Using Very Large Target Vocabulary", 2015.
    """

    kind: Literal["bpr", "sampled_softmax"] = "bpr"
    negatives: Tensor | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in ("bpr", "sampled_softmax"):
            known = ("bpr", "sampled_softmax")
            raise UnknownNameError("objective", self.kind, known, where="RankingLoss")

    def __call__(self, pred: Tensor, *targs: Any) -> Tensor:
        """Return the mean over the rows; targets are not looked at."""
        chosen = pred.reshape(-1, 1)
        others = torch.zeros_like(chosen) if self.negatives is None else self.negatives
        if self.kind == "bpr":
            return F.softplus(others - chosen).mean()
        return (torch.cat([chosen, others], 1).logsumexp(1) - chosen[:, 0]).mean()

    def to_state(self) -> dict[str, Any]:
        """Return what a saved file holds."""
        return {"kind": self.kind}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "RankingLoss":
        """Rebuild it from what a file holds."""
        return cls(state["kind"])


@strict
class NegativeSampling(Callback):
    """Draws items for each row and has the model score them; for models with a `catalogue`.

    What is drawn follows from the learner's seed, the epoch and the batch.

    Args:
        n: items per row.
        exclude_seen: whether items of the user's training rows are drawn anew; after three tries
            the last drawn stays.

    Raises:
        ContractError: `n` is below 1.
    """

    def __init__(self, n: int = 1, *, exclude_seen: bool = True) -> None:
        super().__init__()
        if n < 1:
            raise ContractError(f"NegativeSampling: n is {n}. Draw at least 1 item per row.")
        self.n, self.exclude_seen = n, exclude_seen
        self._keys: Tensor | None = None

    def before_fit(self, learn: Any) -> None:
        """Sort the pairs of the training rows."""
        if self.exclude_seen:
            cats = learn.dls.train.dataset.tensors[0]
            n_items = len(learn.model.catalogue.counts)
            self._keys = (cats[:, 0] * n_items + cats[:, 1]).unique()

    def after_pred(self, learn: Any) -> None:
        """Score the drawn items of this batch."""
        if not isinstance(learn.loss_func, RankingLoss) or not learn.yb:
            return
        cats, conts = (part.repeat_interleave(self.n, 0) for part in learn.xb)
        part = "train" if learn.training else "valid"
        epoch = learn.epochs_done if learn.training else 0
        seed = base_seed() if learn.seed is None else learn.seed
        own = torch.Generator(cats.device)
        own.manual_seed(derive(seed, "negatives", part, epoch, learn.iter) >> 1)
        items = self._draw(cats[:, 0], len(learn.model.catalogue.counts), own)
        rows = learn.model.catalogue.beside(cats, conts, items)
        learn.loss_func.negatives = learn.model(*rows).reshape(-1, self.n)

    def after_fit(self, learn: Any) -> None:
        """Forget the last scores."""
        if isinstance(learn.loss_func, RankingLoss):
            learn.loss_func.negatives = None

    def _draw(self, users: Tensor, n_items: int, own: torch.Generator) -> Tensor:
        def draw() -> Tensor:
            return torch.randint(1, n_items, users.shape, generator=own, device=users.device)

        items = draw()
        if self._keys is None:
            return items
        keys = self._keys = self._keys.to(users.device)
        for _ in range(_TRIES):
            wanted = users * n_items + items
            at = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
            items = torch.where(keys[at] == wanted, draw(), items)
        return items
