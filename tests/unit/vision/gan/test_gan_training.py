"""Two networks train against each other through callbacks of the one loop."""

import pytest
import torch
from torch import Tensor, nn

from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import LaminaError
from lamina.optim.recipes import SGD, RMSProp
from lamina.train.callback import Callback
from lamina.train.learner import Learner
from lamina.vision.gan.learner import GANLearner
from lamina.vision.gan.losses import AdaptiveLoss
from lamina.vision.gan.training import (
    AdaptiveGANSwitcher,
    FixedGANSwitcher,
    GANDiscriminativeLR,
    GANTrainer,
)

MODES = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])


def mlp(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(n_in, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, n_out)
    )


def points(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noise, and points near one of two places."""
    real = MODES[torch.randint(0, 2, (n,), generator=rng)]
    noise = 0.05 * torch.randn(n, 2, generator=rng)
    return torch.randn(n, 4, generator=rng), real + noise


def loaders(n_batches: int = 12, bs: int = 16) -> DataLoaders:
    rng = torch.Generator().manual_seed(0)
    train = [points(bs, rng) for _ in range(n_batches)]
    return DataLoaders(train, [points(256, rng)], device="cpu")


def small(**options) -> GANLearner:
    torch.manual_seed(0)
    networks = mlp(4, 2), nn.Sequential(mlp(2, 1), nn.Flatten(0))
    return GANLearner.wgan(loaders(), *networks, **{"opt_func": RMSProp, **options})


class Turns(Callback):
    """Note whose turn each training batch is."""

    run_valid = False
    run_before = ("fixed_gan_switcher", "adaptive_gan_switcher")

    def before_fit(self, learn):
        self.seen, self.lrs = "", []

    def after_step(self, learn):
        self.lrs.append(learn.opt.hypers[0]["lr"])

    def after_batch(self, learn):
        self.seen += "g" if learn.model.gen_mode else "c"


def turns(**options) -> str:
    learn = small(cbs=Turns, default_cbs=False, **options)
    learn.fit(1, 1e-3)
    return learn.callback(Turns).seen


def test_it_learns_a_distribution_with_two_modes():
    torch.manual_seed(0)
    networks = mlp(4, 2), nn.Sequential(mlp(2, 1), nn.Flatten(0))
    learn = GANLearner.wgan(loaders(60, 128), *networks, clip=0.1, opt_func=RMSProp)
    learn.fit(25, 1e-3, wd=0.0)
    made = learn.get_preds()[0]
    distance, nearest = torch.cdist(made, MODES).min(1)
    assert distance.mean() < 0.35
    assert 0.2 < nearest.float().mean() < 0.8


@pytest.mark.parametrize(
    ("switcher", "expected"),
    [
        (None, "cccccgcccccg"),
        (FixedGANSwitcher(), "cgcgcgcgcgcg"),
        (FixedGANSwitcher(2, 1), "ccgccgccgccg"),
        (FixedGANSwitcher(lambda done: 4 if done < 4 else 1), "ccccgcgcgcgc"),
        (AdaptiveGANSwitcher(), "cgcgcgcgcgcg"),
        (AdaptiveGANSwitcher(critic_thresh=-1e9), "cccccccccccc"),
        (AdaptiveGANSwitcher(gen_thresh=1e9, critic_thresh=1e9), "cgcgcgcgcgcg"),
    ],
)
def test_who_trains_when(switcher, expected: str):
    assert turns(switcher=switcher) == expected


def test_the_generator_may_begin():
    assert turns(gen_first=True, switcher=FixedGANSwitcher(2, 2)) == "ggccggccggcc"


def test_only_the_network_whose_turn_it_is_changes():
    learn = small(switcher=AdaptiveGANSwitcher(critic_thresh=-1e9), clip=None)
    before = [p.clone() for p in learn.model.generator.parameters()]
    judged = learn.model.critic[0][0].weight.clone()
    learn.fit(1, 1e-3)
    pairs = zip(before, learn.model.generator.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(judged, learn.model.critic[0][0].weight)


def test_weights_of_the_critic_are_clipped():
    learn = small(clip=0.01)
    learn.fit(1, 1e-2)
    assert max(p.abs().max().item() for p in learn.model.critic.parameters()) <= 0.01
    assert max(p.abs().max().item() for p in learn.model.generator.parameters()) > 0.1


def test_what_was_frozen_stays_frozen():
    learn = small(default_cbs=False)
    first = learn.model.generator[0].weight.requires_grad_(False)
    before = first.clone()
    learn.fit(1, 1e-2)
    assert torch.equal(first, before)
    assert not first.requires_grad
    assert all(p.requires_grad for p in learn.model.critic.parameters())


def test_the_network_that_waits_may_evaluate():
    modes = set()

    def note(learn):
        modes.add((learn.model.gen_mode, learn.model.generator.training))

    small(switch_eval=True, cbs=Callback(after_pred=note), default_cbs=False).fit(1)
    assert modes == {(False, False), (True, True), (True, False)}  # the last one validates


def test_the_critic_has_a_rate_of_its_own():
    learn = small(
        cbs=[Turns, GANDiscriminativeLR(3.0)], opt_func=SGD, switcher=FixedGANSwitcher(1, 1)
    )
    seen = []
    spy = Callback(before_step=lambda learn: seen.append(learn.opt.hypers[0]["lr"]))
    spy.run_after = ("gan_discriminative_lr",)
    learn.fit(1, 0.1, cbs=spy)
    assert seen == pytest.approx([0.3, 0.1] * 6)
    assert learn.recorder.lrs == pytest.approx([0.1] * 12)


def test_the_record_has_both_losses_and_a_picture_of_each_epoch():
    learn = small()
    learn.fit(2)
    assert learn.recorder.metric_names[3:5] == ["generator_loss", "critic_loss"]
    trainer = learn.callback(GANTrainer)
    assert {name: len(t.smoothed()) for name, t in trainer.losses.items()} == {
        "generator": 4,
        "critic": 20,
    }
    assert [image.shape for image in trainer.images] == [(2,), (2,)]


def test_two_learners_become_a_gan():
    gen_learn = Learner(loaders(), mlp(4, 2), nn.functional.mse_loss)
    crit_learn = Learner(loaders(), mlp(2, 3), AdaptiveLoss(nn.BCEWithLogitsLoss()))
    learn = GANLearner.from_learners(gen_learn, crit_learn, weights_gen=(1.0, 50.0))
    learn.fit(1)
    assert learn.model.generator is gen_learn.model
    assert learn.callback(GANTrainer).switch_eval


def test_options_are_strict():
    with pytest.raises(LaminaError, match="Did you mean 'switcher'"):
        GANLearner.from_learners(*[Learner(loaders(), mlp(4, 2), torch.sub)] * 2, swicher=None)
