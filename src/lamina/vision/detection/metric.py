"""Mean average precision, as COCO measures detectors."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.foundation.errors import ContractError
from lamina.metrics.base import Metric, exact, state_of
from lamina.vision.detection.assign import is_object
from lamina.vision.detection.overlap import box_area, box_iou
from lamina.viz.tables import Table

__all__ = ["MeanAveragePrecision"]

_OVERLAPS = torch.from_numpy(np.linspace(0.5, 0.95, 10))
_RECALLS = torch.from_numpy(np.linspace(0, 1, 101))
_AREAS = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
_HIT, _MISS, _IGNORED = 1, 0, -1
_LEAST_DIFFERENCE = 1e-10


class MeanAveragePrecision(Metric):
    """How good found boxes are: COCO's mean over labels of the area under precision by recall.

    Args:
        at: The overlap from which a box counts as found, such as 0.5; None takes the mean over 0.5,
            0.55 and so on to 0.95.
        max_boxes: How many boxes of each label in a picture count, the best ones.

    Example:
        >>> metric = MeanAveragePrecision(at=0.5)
        >>> found = torch.tensor([[[0.0, 0.0, 4.0, 4.0, 1.0, 0.9], [5.0, 5.0, 6.0, 6.0, 1.0, 0.8]]])
        >>> boxes, labels = torch.tensor([[[0.0, 0.0, 4.0, 5.0]]]), torch.tensor([[1]])
        >>> metric.reset()
        >>> metric.update(found, boxes, labels)
        >>> metric.name, metric.value
        ('mAP@50', 1.0)

    Source: Lin et al. 2014, "Microsoft COCO", and its evaluation, without regions of crowds.
    """

    _parts: ClassVar = ("scores", "kinds", "hits", "targets", "counted")

    def __init__(self, at: float | None = None, max_boxes: int = 100) -> None:
        self.at, self.max_boxes = at, max_boxes
        self.overlaps = _OVERLAPS if at is None else torch.tensor([at]).double()
        self.gathered: dict[str, list[Tensor]] = {}
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.gathered = {part: [] for part in self._parts}

    def accumulate(self, learn: Any) -> None:
        """Take in the batch that a detector's learner has just done; areas are those it sees."""
        height, width = learn.xb[0].shape[-2:]
        size = torch.tensor([width, height] * 2, device=learn.pred.device) / 2
        found = learn.loss_func.activation(learn.pred.detach())
        boxes, labels = learn.yb
        found = torch.cat([(found[..., :4] + 1) * size, found[..., 4:]], -1)
        is_real = is_object(boxes, labels, getattr(learn.loss_func, "pad_idx", None))
        self.update(found, (boxes + 1) * size * is_real[..., None], labels)

    def update(self, pred: Any, *targs: Any) -> None:
        """Take in what was found in a batch of pictures, and what is there.

        Args:
            pred: `(b, k, 6)`: left, top, right, bottom in pixels, label and score of each box. A
                score of 0 fills up.
            targs: Boxes `(b, n, 4)` in pixels, those without area fill up, and labels `(b, n)`.

        Raises:
            ContractError: There are no boxes and labels.
        """
        if len(targs) != 2:
            raise ContractError(
                f"MeanAveragePrecision: {len(targs)} targets. Expected boxes and their labels, as "
                "blocks=(ImageBlock, BBoxBlock, BBoxLblBlock) with n_inp=1 give them."
            )
        boxes, labels = exact(targs[0]), targs[1]
        order = pred[..., 5].argsort(dim=-1, descending=True, stable=True)
        found = exact(pred.detach()).take_along_dim(order[..., None], 1)
        kinds = _limited(found[..., 4].long(), found[..., 5], self.max_boxes)
        is_real = is_object(boxes, labels, None)
        inside = _in_areas(box_area(boxes)) & is_real[..., None]
        same = (kinds[..., None] == labels[:, None]) & is_real[:, None]
        overlap = box_iou(found[..., :4], boxes).masked_fill(~same, -1)
        hits = _match(overlap, inside, self.overlaps.to(overlap))
        outside = ~_in_areas(box_area(found[..., :4]))[:, :, None]
        hits = hits.masked_fill((hits == _MISS) & outside, _IGNORED)
        targets = labels.masked_fill(~is_real, -1)
        new = (found[..., 5], kinds, hits, targets, inside)
        for part, value in zip(self._parts, new, strict=True):
            self.gathered[part].append(value.flatten(0, 1))

    def state(self) -> dict[str, Tensor]:
        """Return what was gathered, one row for each box."""
        return {part: torch.cat(rows) for part, rows in self.gathered.items() if rows}

    def merge(self, other: Metric | Mapping[str, Tensor]) -> None:
        """Take in the boxes of another metric of this kind, or of its `state()`."""
        for part, rows in state_of(other).items():
            self.gathered[part].append(rows)

    @property
    def name(self) -> str:
        """`mAP`, with the overlap if there is one."""
        return "mAP" if self.at is None else f"mAP@{self.at * 100:g}"

    @property
    def value(self) -> float | None:
        """The mean over labels and overlaps; None if there is no object at all."""
        return _mean(self._measured().precision[:, :, 0])

    def table(self, vocab: Sequence[Any] | None = None) -> Table:
        """Return average precision and recall of all labels together and of each one.

        Precision is the mean over overlaps, at 50 % and 75 % of overlap if they are among them, and
        for objects that are small (under 32 x 32 pixels), medium or large (96 x 96 and over).

        Args:
            vocab: The names of the labels.
        """
        at = {f"@{t * 100:g}": i for i, t in enumerate(self.overlaps.tolist()) if t in (0.5, 0.75)}
        found = self._measured()
        n = found.n_objects
        labels = [i for i in range(len(n)) if n[i]]
        rows = [("all", labels), *((vocab[i] if vocab else i, [i]) for i in labels)]
        header = ["label", "mAP", *at, *list(_AREAS)[1:], "recall", "objects"]
        return Table(
            header, [[name, *found.row(i, at.values()), int(n[i].sum())] for name, i in rows]
        )

    def _measured(self) -> "_Measured":
        """Read everything, and put together what precision and recall there is of every label."""
        rows = {part: value.cpu() for part, value in self.state().items()}
        if not rows:
            nothing = torch.full((1, 1, len(_AREAS)), torch.nan)
            return _Measured(nothing, nothing, torch.zeros(1))
        order = rows["scores"].argsort(descending=True, stable=True)
        kinds, hits = rows["kinds"][order], rows["hits"][order]
        n_kinds = max(1, *(int(rows[part].max()) + 1 for part in ("kinds", "targets")))
        n_each = torch.stack([rows["counted"][rows["targets"] == k].sum(0) for k in range(n_kinds)])
        each = [_average(hits[kinds == k], n) for k, n in enumerate(n_each.double())]
        precision, recall = (torch.stack(values) for values in zip(*each, strict=True))
        return _Measured(precision, recall, n_each[:, 0])


@dataclass(frozen=True)
class _Measured:
    """`(labels, overlaps, areas)` each, not a number where there is no object; and how many."""

    precision: Tensor
    recall: Tensor
    n_objects: Tensor

    def row(self, labels: list[int], at: Iterable[int]) -> Iterator[float | str]:
        """What stands in a table for some labels."""
        precision = self.precision[labels]
        areas = [precision[:, :, i] for i in range(len(_AREAS))]
        by_overlap = [precision[:, i, 0] for i in at]
        for part in (areas[0], *by_overlap, *areas[1:], self.recall[labels, :, 0]):
            value = _mean(part)
            yield "" if value is None else value


def _mean(values: Tensor) -> float | None:
    mean = values.nanmean().item()
    return None if isnan(mean) else mean


def _limited(kinds: Tensor, scores: Tensor, most: int) -> Tensor:
    """The labels `(b, k)` of boxes sorted by score; -1 for those beyond the best `most`."""
    n_before = (kinds[..., None] == kinds[:, None]).tril(-1).sum(-1)
    return kinds.masked_fill((scores <= 0) | (n_before >= most), -1)


def _in_areas(areas: Tensor) -> Tensor:
    """Which of `_AREAS` each area is in, `(..., 4)`."""
    low, high = torch.tensor(list(_AREAS.values()), device=areas.device, dtype=areas.dtype).T
    return (areas[..., None] >= low) & (areas[..., None] <= high)


def _match(overlap: Tensor, inside: Tensor, overlaps: Tensor) -> Tensor:
    """Give each box, from the best on, the free object that it overlaps most.

    Objects outside of an area are taken only where no other is left; they do not count, nor does
    who takes them.

    Shapes: `(b, k, n)` and `(b, n, areas)` to hits of `(b, k, overlaps, areas)`.
    """
    overlap = F.pad(overlap, (0, 1), value=-1)[:, :, None, None]
    counts = F.pad(inside, (0, 0, 0, 1)).transpose(1, 2)[:, None]
    least = overlaps.clamp(max=1 - _LEAST_DIFFERENCE)[:, None, None]
    free = torch.ones_like(counts).expand(-1, len(overlaps), -1, -1)
    places = torch.arange(overlap.shape[-1], device=overlap.device)
    hits = []
    for shared in overlap.unbind(1):
        wanted = free & (shared >= least)
        counted = wanted & counts
        is_hit = counted.any(-1, keepdim=True)
        wanted = torch.where(is_hit, counted, wanted)
        most = torch.where(wanted, shared, -1.0).amax(-1, keepdim=True)
        last = torch.where(wanted & (shared == most), places, -1).amax(-1, keepdim=True)
        free = free & (places != last)
        hits.append(torch.where(is_hit, _HIT, torch.where(last >= 0, _IGNORED, _MISS))[..., 0])
    return torch.stack(hits, 1).to(torch.int8)


def _average(hits: Tensor, n_objects: Tensor) -> tuple[Tensor, Tensor]:
    """Average precision and last recall of one label, from its boxes sorted by score.

    Shapes: `(n, overlaps, areas)` and `(areas,)` to two of `(overlaps, areas)`.
    """
    right, wrong = ((hits == kind).double().cumsum(0) for kind in (_HIT, _MISS))
    recall = F.pad(right / n_objects, (0, 0, 0, 0, 1, 0)).movedim(0, -1).contiguous()
    precision = right / (right + wrong).clamp(min=1)
    best = precision.flip(0).cummax(0).values.flip(0).movedim(0, -1)
    recalls = _RECALLS.expand(*recall.shape[:-1], -1).contiguous()
    at = torch.searchsorted(recall[..., 1:].contiguous(), recalls)
    average = F.pad(best, (0, 1)).gather(-1, at).mean(-1)
    return average.where(n_objects > 0, torch.nan), recall[..., -1]
