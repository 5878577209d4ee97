import pytest
import torch
import torch.nn.functional as F

from lamina.foundation.errors import ContractError
from lamina.nn.losses import (
    BCEWithLogitsLossFlat,
    CrossEntropyLossFlat,
    FocalLossFlat,
    L1LossFlat,
    LabelSmoothingCrossEntropyFlat,
    MSELossFlat,
)


@pytest.fixture
def logits():
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels():
    return torch.tensor([0, 1, 2, 3, 0, 1])


def test_cross_entropy_is_pytorchs(logits, labels):
    torch.testing.assert_close(
        CrossEntropyLossFlat()(logits, labels), F.cross_entropy(logits, labels)
    )


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_labels_of_any_whole_type_and_shape_are_taken(logits, labels, dtype):
    got = CrossEntropyLossFlat()(logits.view(2, 3, 4), labels.view(2, 3, 1).to(dtype))
    torch.testing.assert_close(got, F.cross_entropy(logits, labels))


def test_the_class_axis_can_be_anywhere():
    logits, labels = torch.randn(2, 5, 3, 3), torch.randint(5, (2, 3, 3))
    loss = CrossEntropyLossFlat(axis=1)
    torch.testing.assert_close(loss(logits, labels), F.cross_entropy(logits, labels))
    assert loss.activation(logits).sum(1).allclose(torch.ones(2, 3, 3))
    assert loss.decodes(logits).shape == (2, 3, 3)


def test_class_weights_move_with_the_loss(logits, labels):
    loss = CrossEntropyLossFlat(weight=torch.tensor([1.0, 2.0, 3.0, 4.0])).to(torch.float64)
    assert loss.weight.dtype == torch.float64
    assert loss(logits.double(), labels).isfinite()


def test_label_smoothing_is_a_mixture_with_the_mean_over_classes(logits, labels):
    log_p = logits.log_softmax(1)
    right = -log_p.gather(1, labels[:, None]).mean()
    expected = 0.9 * right - 0.1 * log_p.mean()
    torch.testing.assert_close(LabelSmoothingCrossEntropyFlat(eps=0.1)(logits, labels), expected)


def test_focal_loss_without_gamma_is_cross_entropy(logits, labels):
    got = FocalLossFlat(gamma=0.0)(logits, labels)
    torch.testing.assert_close(got, F.cross_entropy(logits, labels))


def test_binary_cross_entropy_takes_integer_targets_and_weights(logits):
    targ, weight = (logits > 0).long(), torch.tensor([1.0, 2.0, 3.0, 4.0])
    got = BCEWithLogitsLossFlat(pos_weight=weight)(logits, targ)
    expected = F.binary_cross_entropy_with_logits(logits, targ.float(), pos_weight=weight)
    torch.testing.assert_close(got, expected)


def test_binary_answers_are_above_the_threshold():
    loss = BCEWithLogitsLossFlat(thresh=0.8)
    assert loss.decodes(loss.activation(torch.tensor([1.0, 2.0]))).tolist() == [False, True]


@pytest.mark.parametrize("loss", [MSELossFlat(), L1LossFlat()])
def test_a_column_and_a_vector_are_compared_without_broadcasting(loss):
    pred, targ = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1, 2, 3])
    assert loss(pred, targ).item() == 0
    assert torch.equal(loss.activation(pred), loss.decodes(pred))


@pytest.mark.parametrize("loss", [MSELossFlat(), BCEWithLogitsLossFlat(), CrossEntropyLossFlat()])
def test_sizes_that_differ_are_explained(loss):
    with pytest.raises(
        ContractError, match="as many elements; check the model's number of outputs"
    ):
        loss(torch.zeros(3, 2), torch.zeros(4))
