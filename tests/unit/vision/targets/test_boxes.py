from collections import namedtuple

import pytest
import torch

from lamina.data.task import Boxes
from lamina.foundation.errors import ItemError
from lamina.tensor.types import PointsMeta, TensorBBox, TensorImage, TensorMultiCategory
from lamina.vision.targets.boxes import (
    BBoxLabeler,
    BoxLabels,
    ClipBoxes,
    PadBoxes,
    bb_pad,
    clip_remove_empty,
)

META = PointsMeta((8, 8))
INSIDE, HALF, OUTSIDE = [-0.5, -0.5, 0.5, 0.5], [0.5, 0.0, 1.5, 1.0], [1.2, 0.0, 1.5, 1.0]


def boxes(*rows: list[float]) -> TensorBBox:
    return TensorBBox(torch.tensor(rows).reshape(-1, 4), meta=META)


def sample(rows: list[list[float]], labels: list[int]):
    return TensorImage(torch.zeros(3, 8, 8)), boxes(*rows), TensorMultiCategory(labels)


def test_boxes_are_clipped_and_those_outside_dropped_with_their_labels():
    kept, labels = clip_remove_empty(boxes(INSIDE, OUTSIDE, HALF), TensorMultiCategory([1, 2, 3]))
    assert kept.tolist() == [INSIDE, [0.5, 0, 1, 1]]
    assert labels.tolist() == [1, 3]
    assert kept.meta == META


def test_every_sample_gets_as_many_boxes():
    one, two = bb_pad([sample([INSIDE], [1]), sample([INSIDE, OUTSIDE, HALF], [1, 2, 3])])
    assert one[1].tolist() == [INSIDE, [0, 0, 0, 0]]
    assert one[2].tolist() == [1, 0]
    assert two[2].tolist() == [1, 3]
    assert (type(one[1]), type(one[2]), one[1].meta) == (TensorBBox, TensorMultiCategory, META)


def test_samples_without_boxes_or_labels_are_padded_too():
    (only,) = bb_pad([(boxes(),)])
    assert only[0].tolist() == [[0, 0, 0, 0]]
    assert bb_pad([("text", 1)]) == [("text", 1)]
    assert bb_pad([]) == []


def test_the_padding_has_its_label():
    _, none = bb_pad([sample([INSIDE], [1]), sample([], [])], pad_idx=7)
    assert none[2].tolist() == [7]


def test_a_named_tuple_stays_one():
    Scene = namedtuple("Scene", "image boxes labels")  # noqa: PYI024
    (padded,) = bb_pad([Scene(*sample([OUTSIDE], [2]))])
    assert type(padded) is Scene


def test_decoding_drops_the_padding():
    tfm = PadBoxes()
    given = sample([INSIDE], [1])
    one, _ = tfm([given, sample([INSIDE, HALF], [1, 2])])
    _, kept, labels = tfm.decode(one)
    assert (kept.tolist(), labels.tolist()) == ([INSIDE], [1])


def test_what_leaves_the_picture_in_a_batch_counts_as_padding():
    batch = (TensorImage(torch.zeros(2, 3, 8, 8)),)
    batch += boxes(INSIDE, OUTSIDE)[:, None], TensorMultiCategory([[1], [2]])
    _, clipped, labels = ClipBoxes()(batch)
    assert clipped.tolist() == [[INSIDE], [[0, 0, 0, 0]]]
    assert labels.tolist() == [[1], [0]]
    assert clipped.meta == META


def test_every_box_needs_a_label():
    with pytest.raises(ItemError, match="1 boxes and 2 labels"):
        BBoxLabeler()(sample([INSIDE], [1, 2]))


def test_the_task_is_boxes_of_the_vocabulary():
    labels = BoxLabels(add_na=True)
    assert labels.task is None
    labels.setup([["cell"], ["plate", "cell"]])
    assert labels.task == Boxes(["#na#", "cell", "plate"])
    assert PadBoxes().task == Boxes()
