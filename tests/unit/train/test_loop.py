import pytest
import torch
from torch import nn

from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import ContractError, DataError
from lamina.optim.recipes import LBFGS
from lamina.optim.schedule_free import ScheduleFreeAdamW
from lamina.tensor.types import TensorImage
from lamina.train.callback import Callback
from lamina.train.events import CancelBatch, CancelFit, CancelTrain


def test_x_and_y_stay_consistent_with_xb_and_yb(make_learner):
    learn = make_learner()
    learn.x, learn.y = 1, (2, 3)
    assert (learn.xb, learn.yb, learn.x, learn.y) == ((1,), (2, 3), 1, (2, 3))
    learn.xb, learn.yb = (1, 2), (3,)
    assert (learn.x, learn.y) == ((1, 2), 3)


def test_batches_are_split_by_n_inp_or_before_the_last_part(make_learner):
    learn = make_learner()
    assert learn.split_batch((1, 2)) == ((1,), (2,))
    assert learn.split_batch([1]) == ((1,), ())
    learn.dls = None
    assert learn.split_batch((1, 2, 3)) == ((1, 2), (3,))


def test_a_dict_batch_is_keyword_input_and_its_label_the_target(make_learner):
    class Named(nn.Linear):
        def forward(self, *, features):
            return super().forward(features)

    batch = {"features": torch.ones(4, 3), "labels": torch.zeros(4, 1)}
    learn = make_learner(model=Named(3, 1))
    learn.dls = DataLoaders([batch], [batch])
    learn.fit(1)
    assert learn.y.shape == learn.pred.shape == (4, 1)
    assert list(learn.x) == ["features"]


def test_model_and_loss_see_plain_tensors(make_learner):
    seen = []
    learn = make_learner(cbs=Callback(before_batch=lambda learn: seen.append(type(learn.x))))
    x = TensorImage(torch.ones(4, 3))
    learn.dls = DataLoaders([(x, torch.zeros(4, 1))], [(x, torch.zeros(4, 1))])
    learn.fit(1)
    assert seen == [torch.Tensor, torch.Tensor]


def test_an_empty_training_loader_is_an_error(make_learner):
    with pytest.raises(DataError, match=r"gives no batches.*training set is not empty"):
        make_learner(n_train=0).fit(1)


def test_a_training_stream_without_batches_is_an_error(make_learner):
    class Nothing:
        def __iter__(self):
            return iter(())

    learn = make_learner()
    learn.dls = DataLoaders(Nothing(), [])
    with pytest.raises(DataError, match="gives no batches"):
        learn.fit(1)


def test_a_batch_without_target_is_an_error(make_learner):
    learn = make_learner()
    learn.dls = DataLoaders([(torch.ones(2, 3),)], [])
    with pytest.raises(ContractError, match="the batch has no target"):
        learn.fit(1)


def test_a_callback_can_set_the_target(make_learner):
    def copy_prediction_size(learn):
        learn.y = torch.zeros_like(learn.pred)

    learn = make_learner(cbs=Callback(after_pred=copy_prediction_size))
    learn.dls = DataLoaders([(torch.ones(2, 3),)], [(torch.ones(2, 3),)])
    learn.fit(1)
    assert learn.loss is not None


def test_cancelling_a_part_that_is_not_running_is_explained(make_learner):
    def wrong(learn):
        raise CancelTrain

    learn = make_learner(cbs=Callback(before_validate=wrong))
    with pytest.raises(ContractError, match=r"CancelTrainException .* not running"):
        learn.fit(1)


def test_an_error_says_in_which_callback_and_event_it_happened(make_learner):
    def broken(learn):
        raise KeyError("x")

    learn = make_learner(cbs=Callback(after_loss=broken))
    with pytest.raises(KeyError) as info:
        learn.fit(1)
    assert info.value.__notes__ == ["In callback callback, event after_loss."]


def test_a_real_error_is_not_hidden_by_a_cancellation(make_learner):
    def broken(learn):
        raise KeyError("x")

    def stop(learn):
        raise CancelFit

    learn = make_learner(cbs=Callback(after_loss=broken, after_batch=stop))
    with pytest.raises(KeyError):
        learn.fit(1)


def test_the_cancellation_that_reaches_further_counts(make_learner):
    def skip(learn):
        raise CancelBatch

    def stop(learn):
        raise CancelFit

    learn = make_learner(cbs=Callback(after_pred=skip, after_batch=stop))
    learn.fit(3)
    assert learn.train_iter == 0


def test_replacing_the_loss_replaces_what_is_differentiated(make_learner):
    def ten_times(learn):
        learn.loss = learn.loss * 10

    plain, scaled = make_learner(n_train=1), make_learner(n_train=1)
    scaled.add_cb(Callback(after_loss=ten_times))
    grads = []
    for learn in (plain, scaled):
        keep = Callback(before_step=lambda one: grads.append(one.model[0].weight.grad.clone()))
        learn.fit(1, cbs=keep)
    torch.testing.assert_close(grads[1], grads[0] * 10)


def test_replacing_loss_grad_leaves_the_loss_that_is_shown(make_learner):
    def double(learn):
        learn.loss_grad = learn.loss_grad * 2

    learn, other = make_learner(n_train=1), make_learner(n_train=1)
    learn.fit(1, cbs=Callback(after_loss=double))
    other.fit(1)
    assert learn.recorder.losses == other.recorder.losses
    assert not torch.equal(learn.model[0].weight, other.model[0].weight)


def test_a_callback_can_change_the_learning_rate_in_use(make_learner):
    def freeze_rate(learn):
        learn.lr = 0.0

    learn = make_learner()
    before = learn.model[0].weight.clone()
    learn.fit(1, cbs=Callback(before_step=freeze_rate))
    assert torch.equal(before, learn.model[0].weight)
    assert learn.lr == 0.05


def test_a_callback_can_be_switched_off_while_the_loop_runs(make_learner):
    seen = []
    counter = Callback(after_step=lambda learn: seen.append(learn.iter))
    counter.run = True

    def switch_off(learn):
        counter.run = False

    make_learner().fit(1, cbs=[counter, Callback(after_step=switch_off)])
    assert seen == [0]


def test_a_callback_can_be_added_while_the_loop_runs(make_learner):
    seen = []

    def add(learn):
        if learn.iter == 1:
            learn.add_cb(Callback(after_step=lambda learn: seen.append(learn.iter)))

    make_learner().fit(1, cbs=Callback(before_batch=add))
    assert seen == [1, 2, 3]


def test_a_callback_may_validate_inside_of_a_fit(make_learner):
    inside = []

    def look(learn):
        inside.append(learn.validate()[0])
        assert learn.training
        assert learn.model.training

    plain, learn = make_learner(), make_learner()
    learn.fit(1, cbs=Callback(after_step=look))
    plain.fit(1)
    assert len(inside) == 4
    assert [len(row) for row in learn.recorder.values] == [len(learn.recorder.metric_names)]
    assert torch.equal(learn.model[0].weight, plain.model[0].weight)


def test_added_and_removed_cbs_are_put_back(make_learner):
    learn = make_learner()
    names = {cb.name for cb in learn.cbs}
    with learn.added_cbs(Callback), learn.removed_cbs([learn.recorder]):
        assert {cb.name for cb in learn.cbs} == names - {"recorder"} | {"callback"}
    assert {cb.name for cb in learn.cbs} == names


def test_pct_train_runs_over_all_epochs(make_learner):
    seen = []
    watch = Callback(
        before_batch=lambda learn: seen.append(learn.pct_train) if learn.training else 0
    )
    make_learner().fit(2, cbs=watch)
    assert seen == [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]


def test_a_seed_makes_dropout_depend_on_the_epoch_alone(make_learner):
    def weights(burn):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 16), nn.Dropout(0.5), nn.Linear(16, 1))
        learn = make_learner(model=model, seed=3)
        torch.rand(burn)
        before = torch.get_rng_state()
        learn.fit(2)
        assert torch.equal(before, torch.get_rng_state())
        return model[0].weight

    assert torch.equal(weights(0), weights(5))


def test_several_validation_sets_are_all_measured(make_learner):
    learn = make_learner()
    learn.dls = DataLoaders(learn.dls[0], learn.dls[1], learn.dls[0])
    learn.fit(1)
    assert learn.recorder.metric_names == [
        "epoch",
        "train_loss",
        "valid_loss",
        "valid_loss_2",
        "time",
    ]
    assert learn.recorder.values[0][2:4] == learn.validate()


def test_a_validation_set_without_batches_does_not_count(make_learner):
    learn = make_learner()
    learn.dls = DataLoaders(learn.dls[0], [], learn.dls[0])
    learn.fit(1)
    assert learn.recorder.metric_names == ["epoch", "train_loss", "valid_loss_2", "time"]
    assert learn.recorder.values[0][2] == learn.validate(2)[0]


def test_what_callbacks_wrap_around_the_model_ends_with_the_run(make_learner):
    calls = []

    def counted(forward):
        def call(x):
            calls.append(len(x))
            return forward(x)

        return call

    learn = make_learner(cbs=Callback(before_fit=lambda learn: learn.wrap_forward(counted)))
    learn.fit(1)
    assert calls == [8] * 6
    assert learn.forward is None


def test_an_optimizer_that_needs_a_closure_gets_one(make_learner):
    learn = make_learner(n_train=1, model=nn.Linear(3, 1), opt_func=LBFGS)
    learn.fit(3, lr=1.0)
    assert learn.validate()[0] < 1e-6


def test_optimizers_with_modes_follow_the_loop(make_learner):
    learn = make_learner(opt_func=ScheduleFreeAdamW)
    kept = []

    def keep(learn):
        kept.append(learn.model[0].weight.detach().clone())

    learn.fit(2, cbs=Callback(after_train=keep))
    assert not torch.allclose(learn.model[0].weight, kept[-1])
    learn.opt.train()
    torch.testing.assert_close(learn.model[0].weight, kept[-1])


def test_evaluating_again_gives_fresh_gradients_and_keeps_the_rest(make_learner):
    def again(learn):
        loss, grads = learn.loss, [p.grad.clone() for p in learn.opt.all_params()]
        assert torch.equal(learn.reevaluate(), loss.detach())
        assert learn.loss is loss
        for p, grad in zip(learn.opt.all_params(), grads, strict=True):
            torch.testing.assert_close(p.grad, grad)

    make_learner(cbs=Callback(before_step=again)).fit(1)
