"""The losses of a GAN against what they are by hand."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from lamina.vision.gan.losses import (
    AdaptiveLoss,
    GANLoss,
    accuracy_thresh_expand,
    gan_loss_from_func,
    wgan_losses,
)
from lamina.vision.gan.models import GANModule

JUDGED, REAL, MADE = torch.tensor([0.5, 1.0]), torch.tensor([2.0, 0.0]), torch.tensor([1.0, 3.0])


def model() -> GANModule:
    generator, critic = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.constant_(generator.weight, 2.0)
    nn.init.constant_(critic.weight, 3.0)
    return GANModule(generator, critic)


def test_wasserstein():
    of_generator, of_critic = wgan_losses()
    assert of_generator(JUDGED, MADE, REAL) == 0.75
    assert of_critic(REAL, MADE) == -1.0


def test_the_generator_is_judged_by_the_critic():
    gan = model()
    gan.gen_mode = True
    loss = GANLoss(lambda judged, made, target: (judged + made - target).mean(), torch.sub, gan)
    made, target = torch.tensor([[1.0]]), torch.tensor([[10.0]])
    assert loss(made, target).item() == 3 + 1 - 10


def test_the_critic_judges_what_the_generator_makes_without_training_it():
    gan = model()
    loss = GANLoss(None, lambda real, made: (real - made).mean(), gan)
    value = loss(gan(torch.tensor([[1.0]])), torch.tensor([[1.0]]))
    value.backward()
    assert value.item() == 3 * 1 - 3 * 2
    assert gan.generator.weight.grad is None
    assert gan.critic.weight.grad.item() == 1 - 2


def test_losses_of_two_learners_are_joined():
    bce = F.binary_cross_entropy_with_logits
    of_generator, of_critic = gan_loss_from_func(F.l1_loss, bce, weights_gen=(2.0, 10.0))
    zero = torch.zeros(2)
    log2 = math.log(2)
    assert math.isclose(of_generator(zero, MADE, REAL).item(), 2 * log2 + 10 * 2.0, rel_tol=1e-6)
    assert math.isclose(of_critic(zero, zero).item(), log2, rel_tol=1e-6)


def test_a_target_is_spread_over_the_outputs():
    loss = AdaptiveLoss(F.mse_loss)
    output = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert loss(output, torch.tensor([1, 0])).item() == (0 + 1 + 0 + 4) / 4


def test_accuracy_counts_every_output():
    logits = torch.tensor([[3.0, -3.0], [-3.0, -3.0]])
    assert accuracy_thresh_expand(logits, torch.tensor([1, 0])).item() == 0.75
    assert accuracy_thresh_expand(logits, torch.tensor([1, 0]), -5.0, sigmoid=False).item() == 0.5
