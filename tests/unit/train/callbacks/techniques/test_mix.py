import pytest
import torch
from torch import nn

from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import ContractError
from lamina.nn.losses import CrossEntropyLossFlat
from lamina.train.callback import Callback
from lamina.train.callbacks.techniques.mix import CutMix, MixUp
from lamina.train.learner import Learner

N = 16


@pytest.fixture
def pictures():
    """Pictures whose every pixel is the number of the picture, and their labels."""
    x = torch.arange(N).float().view(N, 1, 1, 1).expand(N, 2, 8, 8).clone()
    return x, torch.arange(N) % 3


@pytest.fixture
def seen_by(pictures):
    """Fit one epoch with a callback; return what the model saw, and the learner."""

    def run(cb, seed=1, loss=None, n_epoch=1, data=pictures):
        seen = []
        watch = Callback(
            after_loss=lambda learn: seen.append((learn.x, learn.y, learn.pred, learn.loss))
        )
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(128, 3))
        dls, loss = DataLoaders([data], [data]), loss or CrossEntropyLossFlat()
        learn = Learner(dls, model, loss, cbs=[cb, watch], seed=seed)
        learn.fit(n_epoch)
        return seen, learn

    return run


def parts_of(x):
    """The share of the own pixels per item, and the mean of the strange ones."""
    own = x == torch.arange(N).view(N, 1, 1, 1)
    return own.float().mean((1, 2, 3))


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_every_item_has_its_own_draw_and_nothing_is_written_in_place(seen_by, pictures, kind):
    before = pictures[0].clone()
    (x, y, _, _), *_ = seen_by(kind(1.0))[0]
    assert torch.equal(pictures[0], before)
    assert torch.equal(y, pictures[1])
    changes = (x - pictures[0]).abs().mean((1, 2, 3))
    assert len(changes.unique()) > N // 2


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_draws_follow_from_seed_and_epoch(seen_by, kind):
    first, again, other = (seen_by(kind(), seed, n_epoch=2)[0] for seed in (1, 1, 2))
    assert torch.equal(first[0][0], again[0][0])
    assert not torch.equal(first[0][0], other[0][0])
    assert not torch.equal(first[0][0], first[2][0])


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_validation_is_not_mixed_and_the_loss_is_put_back(seen_by, pictures, kind):
    loss = CrossEntropyLossFlat()
    seen, learn = seen_by(kind(), loss=loss)
    assert torch.equal(seen[1][0], pictures[0])
    assert learn.loss_func is loss
    assert loss.reduction == "mean"


def test_mixup_weights_the_losses_like_the_inputs(seen_by, pictures):
    one_hot = torch.eye(N, 128).view(N, 2, 8, 8)
    (x, y, pred, loss), *_ = seen_by(MixUp(), data=(one_hot, pictures[1]))[0]
    shares, rows = x.flatten(1)[:, :N], torch.arange(N)
    own = shares.diag()
    other = (shares - own.diag()).argmax(1)
    each = -pred.log_softmax(1)
    expected = (own * each[rows, y] + (1 - own) * each[rows, y[other]]).mean()
    assert bool((own >= 0.5).all())
    torch.testing.assert_close(loss, expected)


def test_cutmix_weights_the_losses_like_the_areas(seen_by, pictures):
    (x, y, pred, loss), *_ = seen_by(CutMix())[0]
    own = parts_of(x)
    strange = x.amax((1, 2, 3)) + x.amin((1, 2, 3)) - torch.arange(N)
    other = torch.where(own < 1, strange, torch.arange(N)).round().long()
    other = torch.where(own == 0, x[:, 0, 0, 0].long(), other)
    each = -pred.log_softmax(1)
    rows = torch.arange(N)
    expected = (own * each[rows, y] + (1 - own) * each[rows, y[other]]).mean()
    torch.testing.assert_close(loss, expected)


def test_functions_of_pytorch_and_regression_work_too(make_learner):
    learn = make_learner(loss_func=nn.functional.mse_loss, cbs=MixUp())
    learn.fit(1)
    assert learn.loss_func is nn.functional.mse_loss


def test_the_loss_is_put_back_after_an_error(make_learner):
    def fail(learn):
        if learn.running:
            raise ZeroDivisionError

    learn = make_learner(cbs=[MixUp(), Callback(after_pred=fail)])
    loss = learn.loss_func
    with pytest.raises(ZeroDivisionError):
        learn.fit(1)
    assert learn.loss_func is loss


def test_what_cannot_be_mixed_is_explained(make_learner, seen_by, pictures):
    with pytest.raises(ContractError, match=r"uint8, which cannot be averaged.*IntToFloatTensor"):
        seen_by(MixUp(), data=(pictures[0].byte(), pictures[1]))
    with pytest.raises(ContractError, match=r"CutMix: the input is \(8, 3\).*MixUp works"):
        make_learner(cbs=CutMix()).fit(1)
    with pytest.raises(ContractError, match="must give one value per item"):
        make_learner(cbs=MixUp(), loss_func=lambda pred, y: (pred - y).mean()).fit(1)
    with pytest.raises(ContractError, match="alpha is 0"):
        MixUp(0)
