import inspect

import pytest
import torch
from torch import nn

from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import ContractError
from lamina.metrics.regress import mae
from lamina.train.callback import Callback
from lamina.train.callbacks.progress import ProgressCallback
from lamina.train.events import EVENTS
from lamina.train.learner import Learner, LearnerArgs
from lamina.train.recorder import Recorder


def test_learner_args_are_the_keywords_of_learner():
    names = list(inspect.signature(Learner).parameters)
    assert names == ["dls", "model", *LearnerArgs.__annotations__]


def test_after_create_comes_once_when_the_learner_is_made(make_learner):
    made = []
    learn = make_learner(cbs=Callback(after_create=made.append))
    learn.fit(1)
    assert made == [learn]


def test_default_callbacks_record_and_show_progress(make_learner):
    assert [type(cb) for cb in make_learner().cbs] == [Recorder, ProgressCallback]
    assert make_learner(default_cbs=False).cbs == []


def test_plain_loaders_can_be_given_as_a_pair():
    batches = [(torch.ones(4, 2), torch.ones(4, 1))]
    learn = Learner((batches, batches), nn.Linear(2, 1), nn.functional.mse_loss, metrics=[mae])
    learn.fit(1)
    assert len(learn.validate()) == 2


def test_a_loader_of_pytorch_can_be_used():
    data = torch.utils.data.TensorDataset(torch.randn(20, 2), torch.randn(20, 1))
    dls = DataLoaders(*(torch.utils.data.DataLoader(data, batch_size=8) for _ in range(2)))
    learn = Learner(dls, nn.Linear(2, 1), nn.functional.mse_loss)
    learn.fit(1)
    assert learn.get_preds()[0].shape == (20, 1)


def test_without_a_task_a_loss_is_asked_for():
    batches = [(torch.ones(4, 2), torch.ones(4, 1))]
    with pytest.raises(ContractError, match=r"no loss can be inferred\. Pass loss_func"):
        Learner((batches, batches), nn.Linear(2, 1))


def test_a_missing_callback_is_explained(make_learner):
    with pytest.raises(ContractError, match=r"no callback of class Recorder\. There are: none"):
        _ = make_learner(default_cbs=False).recorder


def test_the_seed_decides_shuffling(make_learner):
    def order(seed):
        dls = DataLoaders.from_dsets(list(range(10)), list(range(4)), bs=2, device="cpu")
        learn = make_learner(seed=seed)
        with_seed = Learner(dls, learn.model, learn.loss_func, seed=seed)
        dls.train.set_epoch(0)
        assert with_seed.seed == seed
        return [batch.tolist() for batch in dls.train]

    assert order(1) == order(1) != order(2)


def test_epochs_are_counted_over_the_learners_life(make_learner):
    class Counting(list):
        epochs: list[int] = []  # noqa: RUF012 - one per test

        def set_epoch(self, epoch):
            self.epochs.append(epoch)

    learn = make_learner()
    learn.dls.loaders[0] = Counting(learn.dls[0])
    learn.fit(2)
    learn.lr_find(show_plot=False, num_it=6)
    learn.fit(1)
    assert learn.dls[0].epochs == [0, 1, 2, 3, 2]
    assert learn.epochs_done == 3


def test_the_training_loop_can_be_shown(make_learner):
    lines = make_learner().show_training_loop().splitlines()
    assert [line.split()[0] for line in lines] == list(EVENTS)
    assert "after_batch            recorder, progress" in lines


def test_the_model_is_left_ready_to_predict(make_learner):
    learn = make_learner()
    learn.fit(1)
    assert not learn.model.training


def test_a_metric_by_name_is_refused_as_a_whole(make_learner):
    with pytest.raises(ContractError, match="'accuracy' is no metric"):
        make_learner(metrics="accuracy")


def test_the_loss_can_be_kept_per_item_for_a_while(make_learner):
    learn = make_learner()
    before = learn.loss_func
    with learn.loss_not_reduced():
        assert learn.loss_func(torch.zeros(5, 1), torch.ones(5, 1)).shape[0] == 5
    assert learn.loss_func is before
    assert before(torch.zeros(5, 1), torch.ones(5, 1)).ndim == 0


def test_a_validation_context_is_silent_and_has_its_own_callbacks(make_learner):
    learn = make_learner(default_cbs=True)
    extra = Callback()
    with learn.validation_context([extra]) as same:
        assert same is learn
        assert extra in learn.cbs
        assert not any(isinstance(cb, ProgressCallback) for cb in learn.cbs)
    assert extra not in learn.cbs
    assert any(isinstance(cb, ProgressCallback) for cb in learn.cbs)
