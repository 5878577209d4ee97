import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from torch import nn

from lamina.data.category import Categorize, MultiCategorize, OneHotEncode
from lamina.data.datasets import Datasets
from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import ContractError, SkipItem
from lamina.tensor.types import TensorImage
from lamina.train.interpretation import ClassificationInterpretation, Interpretation
from lamina.train.learner import Learner
from lamina.viz.tables import Table

LABELS = ["ant", "bee", "cat"]


class BrightnessModel(nn.Module):
    """Answers with the label that the brightness of a picture is nearest to."""

    def forward(self, x):
        brightness = x.flatten(1).mean(1, keepdim=True)
        return -10 * (brightness - torch.arange(3.0)).abs()


def picture(item):
    brightness = item.split()[0]
    if brightness == "none":
        raise SkipItem("no brightness")
    return TensorImage(torch.full((1, 4, 4), float(brightness)))


def make_learner(items, bs=2):
    """Items are brightness and label; all are validated."""
    tfms = [[picture], [lambda item: item.split()[1], Categorize(vocab=LABELS)]]
    data = Datasets(items, tfms, splits=[[0], list(range(len(items)))])
    return Learner(data.dataloaders(bs=bs, shuffle=False), BrightnessModel())


ITEMS = ["0.0 ant", "1.0 bee", "1.9 ant", "1.2 cat", "2.0 cat", "0.9 cat"]


@pytest.fixture
def interp():
    return ClassificationInterpretation.from_learner(make_learner(ITEMS))


def test_the_highest_losses_with_their_items(interp):
    losses, idxs, items = interp.top_losses(2, items=True)
    assert idxs == [2, 5]
    assert items == [ITEMS[2], ITEMS[5]]
    assert losses[0] > losses[1]
    assert interp.top_losses(1, largest=False)[0].item() == interp.losses.min()
    assert len(interp.top_losses()[1]) == len(interp) == 6


def test_losses_are_those_of_the_items(interp):
    x = torch.stack([picture(item) for item in ITEMS])
    targ = torch.tensor([LABELS.index(item.split()[1]) for item in ITEMS])
    expected = nn.functional.cross_entropy(BrightnessModel()(x), targ, reduction="none")
    torch.testing.assert_close(interp.losses, expected)


def test_items_are_read_again_by_their_index(interp):
    axes = interp.show_results([5, 0])
    drawn = [ax.images[0].get_array().mean() for ax in axes]
    assert drawn == pytest.approx([0.9, 0.0])
    assert [ax.get_title() for ax in axes] == ["cat\nbee", "ant\nant"]


def test_the_worst_items_are_shown_with_loss_and_probability(interp):
    (ax,) = interp.plot_top_losses(1)
    p, loss = interp.preds[2, 2], interp.losses[2]
    assert ax.get_title() == f"ant\ncat\nloss {loss:.2f} (p {p:.2f})"
    assert ax.title.get_color() == "red"
    assert len(interp.plot_top_losses([0, 1, 4])) == 3


def test_skipped_items_do_not_shift_the_others():
    learn = make_learner(["0.0 ant", "none bee", "1.9 ant"])
    interp = Interpretation.from_learner(learn)
    assert interp.positions == [0, 2]
    assert interp.top_losses(1, items=True)[2] == ["1.9 ant"]
    assert interp.show_results([1])[0].images[0].get_array().mean() == pytest.approx(1.9)


def test_a_shuffled_loader_is_read_in_order():
    learn = make_learner(ITEMS * 3)
    train = learn.dls[1].new(shuffle=True, drop_last=True, bs=4)
    interp = Interpretation.from_learner(learn, dl=train)
    assert [LABELS[t] for t in interp.targs] == [item.split()[1] for item in ITEMS * 3]


def test_the_confusion_matrix_is_scikit_learns(interp):
    expected = confusion_matrix(interp.targs, interp.decoded, labels=range(3))
    assert np.array_equal(interp.confusion_matrix(), expected)


def test_what_is_confused_most(interp):
    assert interp.most_confused() == [("cat", "bee", 2), ("ant", "cat", 1)]
    assert interp.most_confused(min_val=2) == [("cat", "bee", 2)]


def test_the_plot_of_the_confusion_matrix(interp):
    ax = interp.plot_confusion_matrix(normalize=True)
    assert [t.get_text() for t in ax.get_yticklabels()] == LABELS
    assert [t.get_text() for t in ax.texts] == ["0.50", "0.50", "1.00", "0.67", "0.33"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "actual")


def test_the_report_is_scikit_learns(interp, capsys):
    rows = {row[0]: row[1:] for row in interp.classification_report().rows}
    args = (interp.targs.numpy(), interp.decoded.numpy())
    each = precision_recall_fscore_support(*args)
    assert np.allclose(np.array(each).T, [rows[label] for label in LABELS])
    for name, average in {"mean of labels": "macro", "mean of items": "weighted"}.items():
        expected = precision_recall_fscore_support(*args, average=average)[:3]
        assert rows[name][:3] == pytest.approx(expected)
    assert rows["accuracy"][2:] == [0.5, 6]
    interp.print_classification_report()
    assert "mean of labels" in capsys.readouterr().out


def test_labels_per_pixel_are_confused_too_but_void_is_not():
    pred = torch.eye(2)[torch.tensor([[[0, 1], [1, 1]]])].movedim(-1, 1)
    batches = [(pred, torch.tensor([[[0, 1], [0, 255]]]))]
    loss = nn.CrossEntropyLoss(ignore_index=255)
    learn = Learner(DataLoaders(batches, batches), nn.Identity(), loss)
    interp = ClassificationInterpretation.from_learner(learn)
    interp.vocab = ["background", "cat"]
    assert interp.confusion_matrix().tolist() == [[1, 1], [0, 1]]
    assert len(interp) == 1


def test_items_that_cannot_be_drawn_are_listed():
    data = Datasets([1.0, 2.0, 4.0], [[float], [lambda x: x * 3]], splits=[[0], [1, 2]])
    learn = Learner(data.dataloaders(bs=2, shuffle=False), nn.Identity(), nn.MSELoss())
    table = Interpretation.from_learner(learn).plot_top_losses(2)
    assert isinstance(table, Table)
    assert table.header[-1] == "loss"
    assert [row[-1] for row in table.rows] == ["loss 64.00", "loss 16.00"]


def test_several_labels_per_item_are_refused():
    tfms = [[float], [lambda x: ["a"], MultiCategorize(vocab=["a", "b"]), OneHotEncode()]]
    data = Datasets([1.0, 2.0], tfms, splits=[[0], [1]])
    learn = Learner(
        data.dataloaders(bs=1, shuffle=False),
        nn.Sequential(nn.Unflatten(0, (-1, 1)), nn.Linear(1, 2)),
    )
    interp = ClassificationInterpretation.from_learner(learn)
    with pytest.raises(ContractError, match=r"not one label per item .*\. Use Interpretation"):
        interp.confusion_matrix()


def test_a_loader_without_targets_is_refused():
    learn = make_learner(ITEMS)
    with pytest.raises(ContractError, match=r"no targets to compare with\. Give one that has"):
        Interpretation.from_learner(learn, dl=learn.dls.test_dl(ITEMS))


def test_batches_without_a_data_set_cannot_be_shown():
    batches = [(torch.ones(2, 1), torch.zeros(2, 1))]
    learn = Learner(DataLoaders(batches, batches), nn.Identity(), nn.MSELoss())
    with pytest.raises(ContractError, match=r"gives batches only, .* Make the loaders from"):
        Interpretation.from_learner(learn).show_results([0])
