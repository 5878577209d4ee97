"""Which labels are taken for which."""

import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.train.interpretation.items import Interpretation
from lamina.viz.matrices import plot_matrix
from lamina.viz.tables import Table

__all__ = ["ClassificationInterpretation"]


class ClassificationInterpretation(Interpretation):
    """`Interpretation` of targets with one label per item, or per pixel.

    Example:
        >>> from lamina.nn.losses import CrossEntropyLossFlat
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.tensor([[2.0, 0], [0, 2], [0, 2]]), torch.tensor([0, 0, 1]))]
        >>> learn = Learner((batches, batches), torch.nn.Identity(), CrossEntropyLossFlat())
        >>> with learn.no_bar():
        ...     interp = ClassificationInterpretation.from_learner(learn)
        >>> interp.most_confused()
        [(0, 1, 1)]
    """

    @property
    def labels(self) -> list[Any]:
        """The labels: the vocabulary, or numbers."""
        if self.vocab is not None:
            return list(self.vocab)
        return list(range(int(max(self.decoded.max(), self.targs.max())) + 1))

    def confusion_matrix(self) -> np.ndarray:
        """Count how often each label (rows) was taken for each label (columns).

        Raises:
            ContractError: The targets are not one label per item.
        """
        answers, targs = self.decoded, self.targs
        whole = isinstance(answers, Tensor) and answers.dtype == torch.long
        if not whole or not isinstance(targs, Tensor) or answers.numel() != targs.numel():
            raise ContractError(
                "ClassificationInterpretation: the targets are not one label per item (or pixel). "
                "Use Interpretation, which shows the highest losses of any task."
            )
        n, targs, answers = len(self.labels), targs.flatten().long(), answers.flatten()
        known = (targs >= 0) & (targs < n)  # others, such as void pixels, do not count
        pairs = targs[known] * n + answers[known]
        return torch.bincount(pairs, minlength=n * n).reshape(n, n).numpy()

    def plot_confusion_matrix(
        self,
        *,
        normalize: bool = False,
        title: str = "Confusion matrix",
        cmap: str = "Blues",
        n_decimals: int = 2,
        with_values: bool = True,
        figsize: tuple[float, float] | None = None,
        ax: Any = None,
    ) -> Any:
        """Draw the confusion matrix; return the axes.

        Args:
            normalize: Whether to show parts of each row in place of counts.
            title: What stands above.
            cmap: The colours.
            n_decimals: Digits of normalised values.
            with_values: Whether to write the values into the squares.
            figsize: Width and height in inches.
            ax: Where to draw; None opens a new figure.
        """
        counts = self.confusion_matrix()
        values = counts / counts.sum(1, keepdims=True).clip(min=1) if normalize else counts
        ax = plot_matrix(
            values,
            self.labels,
            self.labels,
            title=title,
            cmap=cmap,
            n_decimals=n_decimals if normalize else None,
            with_values=with_values,
            figsize=figsize,
            ax=ax,
        )
        ax.set_xlabel("predicted")
        ax.set_ylabel("actual")
        return ax

    def most_confused(self, min_val: int = 1) -> list[tuple[Any, Any, int]]:
        """Return (actual, predicted, count) of wrong answers, the most frequent first.

        Args:
            min_val: The lowest count to report.
        """
        counts = self.confusion_matrix()
        np.fill_diagonal(counts, 0)
        pairs = [(int(counts[i, j]), i, j) for i, j in zip(*counts.nonzero(), strict=True)]
        pairs.sort(key=lambda pair: -pair[0])
        labels = self.labels
        return [(labels[i], labels[j], n) for n, i, j in pairs if n >= min_val]

    def classification_report(self) -> Table:
        """Return precision, recall, F1 and number of items of each label, and their means."""
        counts = self.confusion_matrix()
        right, support = counts.diagonal(), counts.sum(1)
        precision, recall = _ratio(right, counts.sum(0)), _ratio(right, support)
        scores = np.stack([precision, recall, _ratio(2 * right, counts.sum(0) + support)], axis=1)
        total = int(support.sum())
        rows: list[list[Any]] = [
            [label, *map(float, row), int(n)]
            for label, row, n in zip(self.labels, scores, support, strict=True)
        ]
        weighted = (scores * _ratio(support, np.array(total))[:, None]).sum(0)
        rows.append(["mean of labels", *map(float, scores.mean(0)), total])
        rows.append(["mean of items", *map(float, weighted), total])
        rows.append(["accuracy", "", "", float(_ratio(right.sum(), np.array(total))), total])
        return Table(["label", "precision", "recall", "f1", "items"], rows)

    def print_classification_report(self) -> None:
        """Write `classification_report` to the terminal."""
        sys.stdout.write(f"{self.classification_report()}\n")


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; 0 where there is nothing to divide by."""
    return np.where(whole > 0, part / whole.clip(min=1), 0.0)
