"""Mean average precision against COCO's own evaluation, on boxes drawn by chance."""

import contextlib
import io

import pytest
import torch

from lamina.foundation.errors import ContractError
from lamina.vision.detection.metric import MeanAveragePrecision


def draw_boxes(n, generator):
    size = 2 ** (torch.rand(n, 2, generator=generator) * 5 + 2.5)
    corner = torch.rand(n, 2, generator=generator) * 200
    return torch.cat([corner, corner + size], 1).round()


def draw_picture(generator, n_labels, most):
    n, n_more = torch.randint(most + 1, (2,), generator=generator).tolist()
    boxes = draw_boxes(n, generator)
    labels = torch.randint(n_labels, (n,), generator=generator)
    moved = boxes + torch.randint(-2, 3, (n, 4), generator=generator)
    found = torch.cat([moved, moved[: n // 2] + 1, draw_boxes(n_more, generator)])
    more = torch.randint(n_labels, (len(found) - n,), generator=generator)
    scores = (torch.rand(len(found), generator=generator) * 10).ceil() / 10  # many are alike
    kinds = torch.cat([labels, more])
    return boxes, labels, torch.cat([found, kinds[:, None], scores[:, None]], 1)


def padded(rows):
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def measured(pictures, **options):
    metric = MeanAveragePrecision(**options)
    for some in (pictures[::2], pictures[1::2]):
        boxes, labels, found = map(padded, zip(*some, strict=True))
        metric.update(found, boxes, labels)
    return metric


def as_xywh(box):
    left, top, right, bottom = box
    return [left, top, right - left, bottom - top]


def by_coco(pictures, n_labels, max_boxes=100):
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    pictures = [*pictures[::2], *pictures[1::2]]
    notes, found = [], []
    for i, (boxes, labels, answers) in enumerate(pictures):
        for box, label in zip(boxes.tolist(), labels.tolist(), strict=True):
            place = as_xywh(box)
            note = {"id": len(notes) + 1, "image_id": i, "bbox": place, "iscrowd": 0}
            notes.append({**note, "category_id": label, "area": place[2] * place[3]})
        for *box, label, score in answers.tolist():
            note = {"image_id": i, "bbox": as_xywh(box), "score": score}
            found.append({**note, "category_id": int(label)})
    truth = coco.COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(len(pictures))],
        "annotations": notes,
        "categories": [{"id": i} for i in range(n_labels)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = evaluation.COCOeval(truth, truth.loadRes(found), "bbox")
        judge.params.maxDets = [1, 2, max_boxes]
        judge.evaluate()
        judge.accumulate()
    return judge.eval


def mean(values):
    known = values[values > -1]
    return known.mean() if known.size else ""


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("max_boxes", [3, 100])
def test_all_figures_are_those_of_coco(seed, max_boxes):
    generator = torch.Generator().manual_seed(seed)
    n_labels = 1 + seed % 4
    pictures = [draw_picture(generator, n_labels, most=2 + seed) for _ in range(12)]
    coco = by_coco(pictures, n_labels, max_boxes)
    precision, recall = coco["precision"][..., 2], coco["recall"][..., 2]
    rows = measured(pictures, max_boxes=max_boxes).table().rows

    assert rows[0][0] == "all"
    for name, *figures, _ in rows:
        kinds = slice(None) if name == "all" else [name]
        p = precision[:, :, kinds]
        expected = [p[..., 0], p[0, ..., 0], p[5, ..., 0], p[..., 1], p[..., 2], p[..., 3]]
        expected.append(recall[:, kinds, 0])
        assert figures == [pytest.approx(mean(x), abs=1e-6) for x in expected]


def test_one_overlap_is_that_of_the_column():
    generator = torch.Generator().manual_seed(5)
    pictures = [draw_picture(generator, 3, most=6) for _ in range(8)]
    all_of_them, one = measured(pictures), measured(pictures, at=0.5)

    assert (all_of_them.name, one.name) == ("mAP", "mAP@50")
    assert one.value == pytest.approx(all_of_them.table().rows[0][2])
    assert all_of_them.value == pytest.approx(all_of_them.table().rows[0][1])


def test_metrics_of_two_processes_add_up():
    generator = torch.Generator().manual_seed(6)
    pictures = [draw_picture(generator, 3, most=6) for _ in range(8)]
    here, there = measured(pictures[:4]), measured(pictures[4:])
    here.merge(there.state())

    assert here.value == pytest.approx(measured(pictures).value, abs=0.02)  # scores are alike


def test_nothing_there_and_nothing_found_have_no_value():
    metric = MeanAveragePrecision()
    assert metric.value is None
    metric.update(torch.zeros(2, 3, 6), torch.zeros(2, 1, 4), torch.zeros(2, 1))

    assert metric.value is None


def test_boxes_without_labels_are_refused():
    with pytest.raises(ContractError, match="Expected boxes and their labels"):
        MeanAveragePrecision().update(torch.zeros(2, 3, 6), torch.zeros(2, 1, 4))
