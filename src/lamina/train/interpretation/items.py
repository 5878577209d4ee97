"""Predictions of a set with their losses: which items are the hardest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError
from lamina.foundation.signatures import strict
from lamina.tensor.tree import map_tree, nested_reorder
from lamina.train.infer import reading_of
from lamina.viz.tables import Table
from lamina.viz.titles import show_title

if TYPE_CHECKING:
    from lamina.train.learner import Learner
    from lamina.train.prediction import Activation

__all__ = ["Interpretation"]


@strict
class Interpretation:
    """The predictions of a learner for a set, with their losses; see `from_learner`.

    Args:
        dl: The loader of the set, in order.
        preds: The (activated) predictions.
        targs: The targets.
        losses: One loss per item.
        decoded: The answers.
        vocab: The labels, if the targets are labels.

    Example:
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [5.0]]))]
        >>> learn = Learner((batches, batches), torch.nn.Identity(), torch.nn.MSELoss())
        >>> with learn.no_bar():
        ...     interp = Interpretation.from_learner(learn)
        >>> interp.top_losses(1)
        (tensor([9.]), [1])
    """

    def __init__(
        self,
        dl: Any,
        preds: Any,
        targs: Any,
        losses: Tensor,
        *,
        decoded: Any,
        vocab: Sequence[Any] | None = None,
    ) -> None:
        self.dl, self.preds, self.targs, self.losses = dl, preds, targs, losses
        self.decoded, self.vocab = decoded, vocab
        dropped = {skipped.index for skipped in getattr(dl, "skipped", ())}
        n_all = len(losses) + len(dropped)
        self.positions = [i for i in range(n_all) if i not in dropped]

    @classmethod
    @strict
    def from_learner(
        cls, learn: "Learner", ds_idx: int = 1, dl: Any = None, *, act: "Activation | None" = None
    ) -> Self:
        """Predict a set, and keep what came out.

        Args:
            learn: The learner.
            ds_idx: Which of its loaders to predict.
            dl: A loader with targets to predict in place of them.
            act: Turns outputs into predictions; None takes the activation of the loss.

        Raises:
            ContractError: The loader has no targets.
        """
        dl = learn.dls[ds_idx] if dl is None else dl
        if hasattr(dl, "new"):
            dl = dl.new(shuffle=False, drop_last=False, get_idxs=None)
        preds, targs, losses = learn.get_preds(dl=dl, with_loss=True, act=act)
        if targs is None:
            raise ContractError(
                f"{cls.__name__}: the loader has no targets to compare with. Give one that has, "
                "such as dls.test_dl(items, with_labels=True)."
            )
        decoded = map_tree(reading_of(learn.loss_func).decode, preds)
        vocab = getattr(learn.dls, "vocab", None)
        vocab = vocab[-1] if isinstance(vocab, L) else vocab
        return cls(dl, preds, targs, losses, decoded=decoded, vocab=vocab)

    def top_losses(
        self, k: int | None = None, *, largest: bool = True, items: bool = False
    ) -> tuple[Any, ...]:
        """Return the `k` highest losses and the numbers of their items.

        Args:
            k: How many; None sorts all.
            largest: Whether to look for high losses, else for low ones.
            items: Whether to return the items too, as the data set got them.
        """
        k = len(self.losses) if k is None else min(k, len(self.losses))
        values, where = self.losses.topk(k, largest=largest)
        idxs = where.tolist()
        if not items:
            return values, idxs
        source = getattr(self.dl.dataset, "items", self.dl.dataset)
        return values, idxs, L([source[self.positions[i]] for i in idxs])

    def show_results(self, idxs: Sequence[int], **options: Any) -> Any:
        """Show items with target and answer.

        Args:
            idxs: Their numbers, as `top_losses` gives them.
            options: As for `learn.show_results`.
        """
        batch = self._read(idxs)
        answers = nested_reorder(self.decoded, torch.tensor(idxs))
        return self.dl.show_results(batch, answers, max_n=len(idxs), **options)

    def plot_top_losses(
        self, k: int | Sequence[int] = 9, *, largest: bool = True, **options: Any
    ) -> Any:
        """Show the items with the highest losses: target, answer, loss, probability of the answer.

        Args:
            k: How many, or the numbers of the items to show.
            largest: Whether to look for high losses, else for low ones.
            options: As for `learn.show_results`.
        """
        idxs = self.top_losses(k, largest=largest)[1] if isinstance(k, int) else list(k)
        shown = self.show_results(idxs, **options)
        notes = [self._note(i) for i in idxs]
        if isinstance(shown, Table):
            rows = [[*row, note] for row, note in zip(shown.rows, notes, strict=True)]
            return Table([*shown.header, "loss"], rows, shown.title)
        each = max(1, len(shown) // len(idxs))  # input and answer may have axes of their own
        for ax, note in zip(shown[each - 1 :: each], notes, strict=True):
            show_title(note, ax=ax, color=ax.title.get_color())
        return shown

    def _note(self, i: int) -> str:
        """The loss of an item and, if it has one label, the probability of the answer."""
        loss = f"loss {self.losses[i]:.2f}"
        if not isinstance(self.decoded, Tensor) or not isinstance(self.preds, Tensor):
            return loss
        answer, pred = self.decoded[i], self.preds[i]
        is_label = answer.ndim == 0 and pred.ndim == 1 and answer.dtype == torch.long
        return f"{loss} (p {pred[answer]:.2f})" if is_label else loss

    def _read(self, idxs: Sequence[int]) -> Any:
        """Make a batch of some items, anew from the data set."""
        if not hasattr(self.dl, "show_results"):
            raise ContractError(
                f"{type(self).__name__}: {self.dl!r} gives batches only, so items cannot be read "
                "again and shown. Make the loaders from a data set with Lamina's transforms."
            )
        wanted = [self.positions[i] for i in idxs]
        loader = self.dl.new(bs=len(wanted), num_workers=0, n=None, get_idxs=lambda: wanted)
        return loader.one_batch()

    def __len__(self) -> int:
        return len(self.losses)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} items, mean loss {self.losses.mean():.4f})"
