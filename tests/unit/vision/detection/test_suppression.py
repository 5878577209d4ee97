"""Overlap and suppression of boxes against plain loops in double precision."""

import pytest
import torch

from lamina.vision.detection.overlap import box_iou, paired_iou
from lamina.vision.detection.suppression import is_kept, nms, soft_nms


def random_boxes(n, seed):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(n, 2, generator=generator, dtype=torch.double) * 2
    size = torch.rand(n, 2, generator=generator, dtype=torch.double)
    scores = torch.rand(n, generator=generator, dtype=torch.double)
    labels = torch.randint(3, (n,), generator=generator)
    return torch.cat([corner, corner + size], 1), scores, labels


def iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return width * height / (sum(areas) - width * height)


def one_by_one(boxes, scores, labels, most):
    boxes, labels = boxes.tolist(), labels.tolist()
    kept = []
    for i in scores.argsort(descending=True).tolist():
        rivals = (j for j in kept if labels[j] == labels[i])
        if all(iou(boxes[i], boxes[j]) <= most for j in rivals):
            kept.append(i)
    return kept


def test_overlap_is_that_of_the_formula():
    boxes, _, _ = random_boxes(12, 0)
    expected = [[iou(a, b) for b in boxes.tolist()] for a in boxes.tolist()]

    assert torch.allclose(box_iou(boxes, boxes), torch.tensor(expected, dtype=torch.double))


def test_generalised_overlap_is_never_above_and_has_a_slope_between_boxes_apart():
    boxes, _, _ = random_boxes(40, 1)
    a, b = boxes[:20], boxes[20:].clone().requires_grad_()
    paired_iou(a, b, generalised=True).sum().backward()

    assert (paired_iou(a, b, generalised=True) <= paired_iou(a, b) + 1e-9).all()
    assert b.grad.abs().sum(1).min() > 0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("most", [0.1, 0.5])
def test_suppression_is_that_of_one_box_after_the_other(seed, most):
    boxes, scores, labels = random_boxes(60, seed)

    assert nms(boxes, scores, most, labels=labels).tolist() == one_by_one(
        boxes, scores, labels, most
    )


def test_batches_are_suppressed_picture_by_picture():
    pictures = [random_boxes(30, seed) for seed in range(4)]
    boxes = torch.stack([b[s.argsort(descending=True)] for b, s, _ in pictures])

    assert torch.equal(is_kept(boxes), torch.stack([is_kept(b) for b in boxes]))


def test_soft_suppression_lowers_no_best_score_and_no_box_apart():
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1], [5, 5, 6, 6]])
    scores = torch.tensor([0.9, 0.8, 0.3])
    found = soft_nms(boxes, scores)

    assert found[0] == scores[0]
    assert found[2] == scores[2]
    assert found[1].item() == pytest.approx(0.8 * torch.tensor(-(0.5**2) / 0.5).exp().item())


def test_no_boxes_are_fine():
    assert nms(torch.zeros(0, 4), torch.zeros(0)).tolist() == []
