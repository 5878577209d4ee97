import pytest
import torch
from torch import nn
from torch.utils.data import IterableDataset

from lamina.data.category import Categorize
from lamina.data.datasets import Datasets
from lamina.data.loader import DataLoader
from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import ContractError
from lamina.metrics.classify import accuracy
from lamina.metrics.regress import mae
from lamina.train.callback import Callback
from lamina.train.learner import Learner

LABELS = ["low", "high"]


def to_features(number: int) -> torch.Tensor:
    return torch.tensor([number / 10 - 1, 1.0])


def to_label(number: int) -> str:
    return LABELS[number >= 10]


@pytest.fixture
def classifier():
    """A classifier of numbers below and from 10 on, with weights that are right."""
    items = list(range(20))
    splits = [items[::2], items[1::2]]
    data = Datasets(items, [[to_features], [to_label, Categorize()]], splits=splits)
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[9.0, -1.0], [-9.0, 0.0]]))  # vocab: high, low
        model.bias.zero_()
    return Learner(data.dataloaders(bs=4, device="cpu"), model, metrics=accuracy)


def test_the_loss_follows_from_the_data(classifier):
    assert type(classifier.loss_func).__name__ == "CrossEntropyLossFlat"


def test_predict_gives_the_label_its_index_and_probabilities(classifier):
    label, index, probs = classifier.predict(17)
    assert (label, index.item()) == ("high", 0)
    assert probs.sum() == pytest.approx(1)
    assert probs.argmax() == index


def test_predict_can_return_the_input(classifier):
    shown, label, *_ = classifier.predict(3, with_input=True)
    assert label == "low"
    assert torch.equal(shown, to_features(3))


def test_predictions_are_in_the_order_of_the_set(classifier):
    preds, targs = classifier.get_preds(ds_idx=0)
    expected = torch.stack([to_features(i) for i in range(0, 20, 2)])
    torch.testing.assert_close(preds, classifier.model(expected).softmax(1).detach())
    assert targs.tolist() == [1] * 5 + [0] * 5


def test_inputs_answers_and_losses_can_be_returned(classifier):
    inputs, preds, targs, answers, losses = classifier.get_preds(
        with_input=True, with_decoded=True, with_loss=True
    )
    assert inputs[0].shape == (10, 2)
    assert answers.tolist() == targs.tolist() == preds.argmax(1).tolist()
    expected = -preds[torch.arange(10), targs].log()
    torch.testing.assert_close(losses, expected)
    assert classifier.loss_func.reduction == "mean"


def test_a_test_set_has_no_targets(classifier):
    preds, targs = classifier.get_preds(dl=classifier.dls.test_dl([1, 19]))
    assert preds.argmax(1).tolist() == [1, 0]
    assert targs is None


def test_the_activation_can_be_replaced(classifier):
    raw, _ = classifier.get_preds(act=lambda x: x)
    probs, _ = classifier.get_preds()
    torch.testing.assert_close(raw.softmax(1), probs)


def test_losses_that_are_functions_can_be_per_item(make_learner):
    learn = make_learner(loss_func=nn.functional.mse_loss)
    *_, losses = learn.get_preds(with_loss=True)
    assert losses.shape == (16,)
    assert losses.mean().item() == pytest.approx(learn.validate()[0], rel=1e-5)


def test_validate_measures_any_set(make_learner):
    learn = make_learner(metrics=mae)
    assert learn.validate() == learn.validate(ds_idx=1) == learn.validate(dl=learn.dls[1])
    assert learn.validate(ds_idx=0) != learn.validate()


def test_validate_measures_all_validation_sets(make_learner):
    learn = make_learner(metrics=mae)
    learn.dls = DataLoaders(learn.dls[0], learn.dls[1], learn.dls[0])
    assert learn.validate() == learn.validate(1) + learn.validate(2)


def test_validate_without_a_set_is_explained(make_learner):
    learn = make_learner()
    learn.dls = DataLoaders(learn.dls[0])
    with pytest.raises(ContractError, match=r"no validation set\. Pass dl="):
        learn.validate()


def test_prediction_leaves_the_mode_of_the_model(make_learner):
    learn = make_learner()
    learn.model.train()
    learn.get_preds()
    assert learn.model.training


def test_callbacks_can_take_part_in_prediction(make_learner):
    def double(learn):
        learn.pred = learn.pred * 2

    learn = make_learner()
    plain, _ = learn.get_preds()
    doubled, _ = learn.get_preds(cbs=Callback(after_pred=double))
    assert torch.equal(doubled, plain * 2)


def test_results_are_shown(classifier):
    assert classifier.show_results(max_n=3) is not None


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.ones(2), torch.tensor(0))] * 3)


@pytest.mark.parametrize("loader", [DataLoader(Stream(), 2), [(torch.ones(3, 2), torch.ones(3))]])
def test_results_of_streams_and_plain_batches_are_listed(loader):
    learn = Learner(DataLoaders(loader, loader, device="cpu"), nn.Identity(), nn.CrossEntropyLoss())
    assert learn.show_results(max_n=2).header == ["part 0", "part 1", "predicted"]


def test_items_of_a_loader_without_pipelines_are_predicted():
    loader = DataLoader([(torch.tensor([2.0, 1.0]), 0)] * 4, 2)
    learn = Learner(DataLoaders(loader, device="cpu"), nn.Identity(), nn.CrossEntropyLoss())
    assert learn.predict(torch.tensor([0.0, 9.0]))[1] == 1


@pytest.mark.parametrize("verb", ["get_preds", "show_results", "validate"])
def test_a_loader_that_is_not_there_is_explained(make_learner, verb):
    with pytest.raises(ContractError, match=r"no loader 5: there are 2, of which .* another"):
        getattr(make_learner(), verb)(ds_idx=5)


def test_the_loss_is_left_out_of_predictions_unless_someone_listens(make_learner):
    calls = []

    def loss(pred, targ):
        calls.append(len(targ))
        return (pred - targ).square().mean()

    learn = make_learner(loss_func=loss)
    learn.get_preds()
    assert calls == []
    learn.get_preds(cbs=Callback(after_loss=lambda learn: learn.loss.mean()))
    assert calls == [8, 8]
    assert learn.loss_func is loss
