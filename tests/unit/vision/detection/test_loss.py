"""The detector's loss: who answers for what, what is learnt, and how answers are read."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from lamina.foundation.errors import ContractError
from lamina.vision.detection.assign import assign
from lamina.vision.detection.loss import DetectionLoss
from lamina.vision.detection.model import create_detection_model


def output_of(cells, boxes=None, n_out=3):
    cells = torch.tensor(cells)
    halves = cells[:, 2:] / 2
    own = torch.cat([cells[:, :2] - halves, cells[:, :2] + halves], 1)
    boxes = own if boxes is None else torch.tensor(boxes)
    return torch.cat([boxes, cells, torch.zeros(len(cells), n_out)], 1)[None]


def tiny(n_in, n_out):
    convs = [nn.Conv2d(c, 32, 3, stride=2, padding=1) for c in (n_in, 32, 32, 32)]
    body = [nn.Sequential(conv, nn.ReLU()) for conv in convs]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, n_out))


@pytest.fixture
def batch():
    boxes = torch.tensor([[[-0.8, -0.8, 0.2, 0.2], [0.1, 0.1, 0.6, 0.5]], [[0.0] * 4] * 2])
    return torch.rand(2, 3, 64, 64), boxes, torch.tensor([[1, 2], [0, 0]])


def test_a_cell_goes_to_the_object_that_its_box_overlaps_most():
    pred = output_of([[-0.5, 0.0, 1.0, 1.0], [0.5, 0.0, 1.0, 1.0]])
    boxes = torch.tensor([[[0.1, -0.5, 1.0, 0.5], [-1.0, -0.5, 0.0, 0.5]]])
    aims = assign(pred, boxes, torch.tensor([[1, 2]]), torch.tensor([[True, True]]))

    assert aims.scores[0].argmax(-1).tolist() == [2, 1]
    assert torch.equal(aims.boxes[0], boxes[0].flip(0))


def test_an_object_smaller_than_all_cells_has_one():
    pred = output_of([[-0.5, 0.0, 1.0, 1.0], [0.5, 0.0, 1.0, 1.0]])
    aims = assign(
        pred, torch.tensor([[[0.6, 0.2, 0.62, 0.22]]]), torch.tensor([[1]]), torch.tensor([[True]])
    )

    assert (aims.scores[0, :, 1] > 0).tolist() == [False, True]


def test_filling_and_pictures_without_objects_ask_for_nothing(batch):
    _, boxes, labels = batch
    pred = output_of([[-0.5, 0.0, 1.0, 1.0], [0.5, 0.0, 1.0, 1.0]]).expand(2, -1, -1)
    more = torch.nn.functional.pad(boxes, (0, 0, 0, 3)), torch.nn.functional.pad(labels, (0, 3))

    assert torch.equal(DetectionLoss()(pred, boxes, labels), DetectionLoss()(pred, *more))
    assert DetectionLoss()(pred[1:], boxes[1:, :0], labels[1:, :0]) > 0


def test_the_mean_is_that_of_the_pictures(batch):
    x, boxes, labels = batch
    pred = create_detection_model(tiny, 3, cut=4)(x)
    each = DetectionLoss(reduction="none")(pred, boxes, labels)

    assert each.shape == (2,)
    assert DetectionLoss()(pred, boxes, labels).item() == pytest.approx(each.mean().item())


@pytest.mark.parametrize("score", [0.02, 0.2])
def test_a_wrong_label_is_unlearnt_by_as_much_as_it_is_wrong(score):
    pred = output_of([[0.0, 0.0, 1.0, 1.0]])
    pred[..., 8:] = torch.tensor(score).logit()
    boxes = torch.tensor([[[-0.5, -0.5, 0.5, 0.5]]])
    DetectionLoss()(pred.requires_grad_(), boxes, torch.tensor([[1]])).backward()

    assert pred.grad[0, 0, 8:].tolist() == pytest.approx([score, score - 1, score])


def test_nothing_is_read_back_from_the_device(batch):
    _, boxes, labels = batch
    pred = torch.zeros(2, 20, 11)
    with FakeTensorMode() as mode:  # has no values that could be read
        pred, boxes, labels = map(mode.from_tensor, (pred, boxes, labels))
        assert DetectionLoss()(pred, boxes, labels).shape == ()


def test_a_network_learns_a_picture_by_heart_and_reads_it(batch):
    torch.manual_seed(0)
    x, boxes, labels = batch
    model, loss = create_detection_model(tiny, 3, cut=4), DetectionLoss()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for step in range(100):
        optimizer.param_groups[0]["lr"] = 2e-3 * (1 - step / 100)
        optimizer.zero_grad()
        loss(model(x), boxes, labels).backward()
        optimizer.step()
    found, kinds, scores = loss.decodes(loss.activation(model(x).detach()))

    order = kinds[0, :2].argsort()
    assert kinds[0, :2][order].tolist() == [1, 2]
    assert (found[0, :2][order] - boxes[0]).abs().max() < 0.1
    assert scores[0, 2:].max() == scores[1].max() == 0


def test_how_answers_are_read_can_be_changed():
    pred = output_of([[0.0, 0.0, 1.0, 1.0], [0.1, 0.0, 1.0, 1.0], [0.9, 0.9, 0.2, 0.2]])
    pred[0, :, 9] = torch.tensor([2.0, 1.0, -0.5])
    loss = DetectionLoss(max_boxes=3)

    assert loss.activation(pred)[0, :, 4].tolist() != [1, 1, 1]
    loss.max_overlap = 0.9
    assert (loss.activation(pred)[0, :, 4:] == 0).sum() == 0
    loss.min_score = 0.5
    assert (loss.decodes(loss.activation(pred))[2] > 0).sum() >= 2


def test_boxes_without_labels_are_refused():
    with pytest.raises(ContractError, match="BBoxLblBlock"):
        DetectionLoss()(torch.zeros(1, 2, 10), torch.zeros(1, 1, 4))
