import pytest
import torch
import torch.nn.functional as F

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.nn.losses import (
    BCELossFlat,
    BCEWithLogitsLossFlat,
    CombinedLoss,
    CrossEntropyLossFlat,
    DiceLoss,
    FocalLoss,
    FocalLossFlat,
    L1LossFlat,
    LabelSmoothingCrossEntropy,
    LabelSmoothingCrossEntropyFlat,
    MSELossFlat,
    NoneReduce,
    class_weights,
)
from lamina.tensor.codec import decode, encode


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


@pytest.mark.parametrize("loss", [MSELossFlat(), L1LossFlat(), BCEWithLogitsLossFlat()])
@pytest.mark.parametrize("shapes", [((3, 2), (4,)), ((3, 2), (2, 3)), ((4, 1), (4, 4))])
def test_shapes_that_differ_are_explained(loss, shapes):
    pred, targ = map(torch.zeros, shapes)
    with pytest.raises(ContractError, match=r"in the same order; check the model's number of out"):
        loss(pred, targ)


@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 4), (7,)])
def test_labels_of_another_shape_are_explained(shape):
    with pytest.raises(ContractError, match=r"the target should be \(2, 3\); it is .* Check axis="):
        CrossEntropyLossFlat()(torch.zeros(2, 3, 4), torch.zeros(shape, dtype=torch.long))


def test_labels_that_are_no_whole_numbers_are_explained(logits, labels):
    with pytest.raises(ContractError, match=r"expected whole numbers\. Use targ\.long\(\)"):
        CrossEntropyLossFlat()(logits, labels.double())


def test_points_may_come_flat_from_the_model():
    assert MSELossFlat()(torch.ones(5, 4), torch.zeros(5, 2, 2)).item() == 1


def test_probabilities_are_targets_too(logits):
    soft = logits.flip(0).softmax(1)
    for axis, shape in ((-1, (2, 3, 4)), (1, (6, 4))):
        got = CrossEntropyLossFlat(axis)(logits.view(shape), soft.view(shape))
        torch.testing.assert_close(got, F.cross_entropy(logits, soft))


@pytest.mark.parametrize("kind", [CrossEntropyLossFlat, FocalLossFlat])
def test_without_reduction_there_is_a_value_for_each_position(kind):
    logits, labels = torch.randn(2, 5, 3, 3), torch.randint(5, (2, 3, 3))
    each, loss = kind(axis=1, reduction="none"), kind(axis=1)
    assert each(logits, labels).shape == (2, 3, 3)
    torch.testing.assert_close(each(logits, labels).mean(), loss(logits, labels))


def test_smoothed_cross_entropy_is_pytorchs():
    logits, labels, weight = torch.randn(2, 5, 3), torch.randint(5, (2, 3)), torch.rand(5)
    got = LabelSmoothingCrossEntropy(0.2, weight)(logits, labels)
    expected = F.cross_entropy(logits, labels, weight, label_smoothing=0.2)
    torch.testing.assert_close(got, expected)


def test_focal_loss_is_its_formula():
    logits, labels, weight = torch.randn(2, 5, 3), torch.randint(5, (2, 3)), torch.rand(5)
    p = logits.softmax(1).gather(1, labels[:, None])[:, 0]
    expected = (-weight[labels] * (1 - p) ** 3 * p.log()).sum()
    torch.testing.assert_close(FocalLoss(3, weight, reduction="sum")(logits, labels), expected)


def test_focal_loss_leaves_ignored_labels_out(logits, labels):
    ignored = torch.where(labels == 3, -100, labels)
    got = FocalLossFlat()(logits, ignored)
    torch.testing.assert_close(got, FocalLossFlat()(logits[labels != 3], labels[labels != 3]))


def test_binary_weights_are_for_the_answers_along_an_axis():
    logits, targ, weight = torch.randn(2, 3, 4, 4), torch.ones(2, 3, 4, 4), torch.rand(3)
    got = BCEWithLogitsLossFlat(pos_weight=weight, axis=1)(logits, targ)
    wide = weight[:, None, None]
    torch.testing.assert_close(
        got, F.binary_cross_entropy_with_logits(logits, targ, pos_weight=wide)
    )


def test_binary_cross_entropy_of_probabilities(logits):
    p, targ = logits.sigmoid(), (logits > 0.5).long()
    loss = BCELossFlat(thresh=0.7)
    torch.testing.assert_close(loss(p, targ), F.binary_cross_entropy(p, targ.float()))
    assert torch.equal(loss.decodes(loss.activation(p)), p > 0.7)


def test_weights_count_all_classes_the_same():
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 255])
    got = class_weights([labels, labels], 3, ignore_index=255)
    assert got.tolist() == [0.5, 1.0, 1.0]


def test_automatic_weights_follow_the_data(logits, labels):
    loss = CrossEntropyLossFlat(weight="auto")
    with pytest.raises(ContractError, match=r"not known yet\. Give the loss to a Learner"):
        loss(logits, labels)
    loss.set_weights([labels], 4)
    expected = F.cross_entropy(logits, labels, class_weights([labels], 4))
    torch.testing.assert_close(loss(logits, labels), expected)


def test_automatic_weights_of_binary_answers():
    loss = BCEWithLogitsLossFlat(pos_weight="auto")
    loss.set_weights([torch.tensor([1, 0]), torch.tensor([0, 0]), torch.tensor([0, 1])], 2)
    assert loss.pos_weight.tolist() == [2, 2]


def test_weights_are_numbers_or_auto():
    with pytest.raises(ContractError, match="expected 'auto'"):
        CrossEntropyLossFlat(weight="balanced")
    with pytest.raises(ContractError, match=r"weight='auto'\. Use pos_weight='auto'"):
        BCEWithLogitsLossFlat(weight="auto")
    assert CrossEntropyLossFlat(weight=[1, 2]).weight.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("square", [False, True])
def test_dice_is_its_formula(square):
    pred, targ = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    p, q = pred.softmax(1), F.one_hot(targ, 3).permute(0, 3, 1, 2).float()
    total = (p**2 + q**2 if square else p + q).sum((2, 3))
    expected = 1 - 2 * (p * q).sum((2, 3)) / total
    for reduction, value in {
        "sum": expected.sum(),
        "mean": expected.mean(),
        "none": expected,
    }.items():
        loss = DiceLoss(reduction=reduction, square_in_union=square)
        torch.testing.assert_close(loss(pred, targ), value)


def test_dice_wants_class_numbers():
    with pytest.raises(ContractError, match=r"expected class numbers of shape \(2, 4, 4\)"):
        DiceLoss()(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))


@pytest.fixture
def combined():
    losses = {"ce": CrossEntropyLossFlat(axis=1, weight="auto"), "dice": DiceLoss()}
    return CombinedLoss(losses, {"dice": 0.5})


def test_a_sum_of_losses(combined):
    pred, targ = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    combined.set_weights([targ], 3)
    value = combined(pred, targ)
    torch.testing.assert_close(value, combined.parts["ce"] + 0.5 * combined.parts["dice"])
    assert combined.decodes(combined.activation(pred)).shape == targ.shape


def test_a_sum_of_losses_per_item(combined):
    pred, targ = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    combined.set_weights([targ], 3)
    with NoneReduce(combined) as loss:
        assert loss(pred, targ).shape == (2,)
    assert [loss.reduction for loss in combined.losses.values()] == ["mean", "sum"]


def test_a_weight_for_no_loss_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'dice'"):
        CombinedLoss({"dice": DiceLoss()}, {"dise": 1})


def test_reduction_comes_back_after_an_error():
    loss = MSELossFlat()
    with pytest.raises(RuntimeError), NoneReduce(loss):
        raise RuntimeError
    assert loss.reduction == "mean"


LOSSES = [
    FocalLoss(1.5, [1.0, 2.0]),
    LabelSmoothingCrossEntropy(0.2),
    BCEWithLogitsLossFlat(pos_weight="auto"),
    DiceLoss(smooth=1.0),
    CombinedLoss({"a": MSELossFlat(), "b": L1LossFlat()}, {"b": 2.0}),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_losses_are_saved_with_their_arguments(loss):
    tensors: dict = {}
    again = decode(encode(loss, tensors), tensors)
    assert str(again.to_state()) == str(loss.to_state())


def test_every_answer_may_have_its_own_threshold():
    loss = BCEWithLogitsLossFlat(thresh=torch.tensor([0.2, 0.6]))
    tensors = {}
    again = decode(encode(loss, tensors), tensors)
    assert again.decodes(torch.tensor([[0.5, 0.5]])).tolist() == [[True, False]]
