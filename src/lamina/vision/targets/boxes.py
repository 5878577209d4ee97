"""Boxes of a batch and their labels: clipped to the picture, and as many for every item.

Boxes that fill up a batch are all zero and have the label `pad_idx`, which is `"#na#"` by default.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.data.category import MultiCategorize
from lamina.data.task import Boxes
from lamina.data.transform import ItemTransform
from lamina.foundation.errors import ItemError
from lamina.foundation.registry import savable
from lamina.tensor.types import TensorBBox, TensorMultiCategory, plain

__all__ = [
    "BBoxLabeler",
    "BoxLabels",
    "ClipBoxes",
    "PadBoxes",
    "bb_pad",
    "box_places",
    "clip_remove_empty",
]


@savable
@dataclass
class BoxLabels(MultiCategorize):
    """The labels of an item's boxes to their indices; see `MultiCategorize`.

    Example:
        >>> BoxLabels(["cat", "dog"], add_na=True).task
        Boxes(vocab=['#na#', 'cat', 'dog'])
    """

    @property
    def task(self) -> Boxes | None:  # pyright: ignore[reportIncompatibleMethodOverride,reportIncompatibleVariableOverride]  # another task is the point
        """The task, once the vocabulary is known."""
        return None if self.vocab is None else Boxes(self.vocab)


@savable
@dataclass(repr=False)
class BBoxLabeler(ItemTransform):
    """Check that every box of an item has a label.

    Raises:
        ItemError: There are more boxes than labels, or more labels than boxes.

    Example:
        >>> item = TensorBBox([[0.0, 0.0, 1.0, 1.0]]), TensorMultiCategory([3])
        >>> BBoxLabeler()(item)[1]
        TensorMultiCategory([3])
    """

    def encodes(self, x: tuple) -> Any:
        """Compare the numbers, and change nothing."""
        i, j = box_places(x)
        if i is not None and j is not None and len(x[i]) != len(x[j]):
            raise ItemError(
                f"BBoxLblBlock: an item with {len(x[i])} boxes and {len(x[j])} labels. The getter "
                "of the labels must return one label for each box, in the same order.",
                stage="encodes",
            )
        return x


@savable
@dataclass(repr=False)
class PadBoxes(ItemTransform):
    """Clip the boxes of a batch's items and fill up, and drop what fills up when decoding.

    Args:
        pad_idx: The label of what fills up.

    Example:
        >>> one, none = TensorBBox([[0.0, 0.0, 1.0, 2.0]]), TensorBBox(torch.zeros(0, 4))
        >>> PadBoxes()([(one,), (none,)])
        [(TensorBBox([[0., 0., 1., 1.]]),), (TensorBBox([[0., 0., 0., 0.]]),)]
    """

    pad_idx: int = 0

    @property
    def task(self) -> Boxes:
        """Boxes; their labels, if they have any, say more."""
        return Boxes()

    def encodes(self, samples: list) -> Any:
        """Give all samples as many boxes."""
        return bb_pad(samples, self.pad_idx)

    def decodes(self, sample: tuple) -> Any:
        """Return the sample with its real boxes only."""
        i, j = box_places(sample)
        if i is None:
            return sample
        boxes = sample[i].reshape(-1, 4)
        return _replaced(sample, i, j, *_kept(boxes, _at(sample, j), _has_area(plain(boxes))))


@savable
@dataclass(repr=False)
class ClipBoxes(ItemTransform):
    """Clip the boxes of a batch after it was augmented; what left the picture counts as filling.

    Args:
        pad_idx: The label of boxes that left the picture.

    Example:
        >>> boxes = TensorBBox([[[0.5, 0.0, 1.5, 1.0], [1.2, 0.0, 1.5, 1.0]]])
        >>> ClipBoxes()((boxes, TensorMultiCategory([[1, 2]])))[1]
        TensorMultiCategory([[1, 0]])
    """

    pad_idx: int = 0
    order: ClassVar[int] = 35

    def encodes(self, batch: tuple) -> Any:
        """Clip the boxes, and blank those with nothing left."""
        i, j = box_places(batch)
        if i is None:
            return batch
        boxes = plain(batch[i]).clamp(-1, 1)
        is_seen = _has_area(boxes)
        boxes = TensorBBox.wrap(boxes * is_seen[..., None], like=batch[i])
        if (labels := _at(batch, j)) is not None:
            seen_labels = torch.where(is_seen, plain(labels), self.pad_idx)
            labels = TensorMultiCategory.wrap(seen_labels, like=labels)
        return _replaced(batch, i, j, boxes, labels)


def clip_remove_empty(
    boxes: TensorBBox, labels: TensorMultiCategory | None = None
) -> tuple[TensorBBox, TensorMultiCategory | None]:
    """Clip boxes to the picture and drop those with nothing left, with their labels.

    Args:
        boxes: `(n, 4)`, coordinates from -1 to 1.
        labels: `(n,)`.

    Example:
        >>> boxes = TensorBBox([[-2.0, 0.0, 0.0, 1.0], [1.5, 0.0, 2.0, 1.0]])
        >>> clip_remove_empty(boxes, TensorMultiCategory([3, 4]))
        (TensorBBox([[-1.,  0.,  0.,  1.]]), TensorMultiCategory([3]))
    """
    clipped = plain(boxes).clamp(-1, 1)
    return _kept(TensorBBox.wrap(clipped, like=boxes), labels, _has_area(clipped))


def bb_pad(samples: Sequence[tuple[Any, ...]], pad_idx: int = 0) -> list[tuple[Any, ...]]:
    """Give all samples as many boxes (at least one), after clipping them to their pictures.

    Args:
        samples: Tuples with boxes, and their labels or not.
        pad_idx: The label of the boxes that are added, which are all zero.

    Example:
        >>> one, none = TensorBBox([[0.0, 0.0, 1.0, 1.0]]), TensorBBox(torch.zeros(0, 4))
        >>> [len(boxes) for (boxes,) in bb_pad([(one,), (none,)])]
        [1, 1]
    """
    i, j = box_places(samples[0]) if samples else (None, None)
    if i is None:
        return list(samples)
    kept = [clip_remove_empty(sample[i], _at(sample, j)) for sample in samples]
    n = max(1, *(len(boxes) for boxes, _ in kept))
    return [
        _replaced(
            sample,
            i,
            j,
            TensorBBox.wrap(F.pad(plain(boxes), (0, 0, 0, n - len(boxes))), like=boxes),
            None
            if labels is None
            else TensorMultiCategory.wrap(F.pad(plain(labels), (0, n - len(boxes)), value=pad_idx)),
        )
        for sample, (boxes, labels) in zip(samples, kept, strict=True)
    ]


def box_places(parts: tuple[Any, ...]) -> tuple[int | None, int | None]:
    """Return where the boxes are in a tuple, and where the labels after them."""
    i = next((i for i, part in enumerate(parts) if isinstance(part, TensorBBox)), None)
    after = range(len(parts) if i is None else i + 1, len(parts))
    return i, next((j for j in after if isinstance(parts[j], TensorMultiCategory)), None)


def _at(parts: tuple[Any, ...], j: int | None) -> Any:
    return None if j is None else parts[j]


def _has_area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] > boxes[..., :2]).all(-1)


def _kept(boxes: Any, labels: Any, mask: Tensor) -> tuple[Any, Any]:
    return boxes[mask], None if labels is None else labels[mask]


def _replaced(parts: tuple[Any, ...], i: int, j: int | None, boxes: Any, labels: Any) -> Any:
    """Return the tuple with other boxes and labels."""
    new = list(parts)
    new[i] = boxes
    if j is not None:
        new[j] = labels
    return type(parts)(*new) if hasattr(parts, "_fields") else type(parts)(new)
