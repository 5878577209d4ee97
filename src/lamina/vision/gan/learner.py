"""`GANLearner`: two networks in one learner, from two learners, or as a Wasserstein GAN."""

from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack

from torch import nn

from lamina.foundation.errors import refuse_unknown
from lamina.metrics.base import ValueMetric
from lamina.nn.init import first_weights
from lamina.train.callback import Callback
from lamina.train.learner import Learner, LearnerArgs
from lamina.train.persistence import ModelSpec
from lamina.vision.gan import losses
from lamina.vision.gan.models import GANModule
from lamina.vision.gan.training import FixedGANSwitcher, GANTrainer

__all__ = ["GANArgs", "GANLearner"]


class SharedGANArgs(LearnerArgs, total=False):
    """Keyword arguments of all ways to make a `GANLearner`."""

    gen_first: bool
    switch_eval: bool
    show_img: bool


class GANArgs(SharedGANArgs, total=False):
    """Keyword arguments of `GANLearner` beside its networks and losses."""

    switcher: Callback | None
    clip: float | None


class GANLearner(Learner):
    """A generator and a critic that are trained against each other.

    Batches are what the generator makes pictures from, and real pictures. The record of a fit has
    the losses of both networks; predictions, results and the exported file are the generator's.

    Args:
        dls: The loaders.
        generator: Makes pictures; a `ModelSpec` lets an exported file build it.
        critic: Judges pictures.
        gen_loss_func: Of the critic's judgement, the generator's output and the target.
        crit_loss_func: Of the critic's judgement of real pictures and of made ones.
        options: `switcher` (`FixedGANSwitcher()`): a callback that says when which network trains;
            `gen_first` (False), `switch_eval` (True), `show_img` (True), `clip` (None) of
            `GANTrainer`; and those of `Learner`. A `seed` decides the first weights of what a
            `ModelSpec` builds, too.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.

    Example:
        >>> import torch
        >>> batches = [(torch.randn(8, 4), torch.randn(8, 2))]
        >>> critic = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
        >>> learn = GANLearner.wgan((batches, batches), nn.Linear(4, 2), critic)
        >>> learn.get_preds()[0].shape
        torch.Size([8, 2])

    Source: Goodfellow et al. 2014; two-way callbacks in place of a loop: the fastai paper,
    "Callbacks".
    """

    def __init__(
        self,
        dls: Any,
        generator: nn.Module | ModelSpec,
        critic: nn.Module | ModelSpec,
        gen_loss_func: losses.GeneratorLoss,
        crit_loss_func: losses.CriticLoss,
        **options: Unpack[GANArgs],
    ) -> None:
        refuse_unknown(type(self).__name__, options, GANArgs.__annotations__)
        given: dict[str, Any] = {"switch_eval": True, **options}
        switcher = given.pop("switcher", None) or FixedGANSwitcher()
        names = ("gen_first", "switch_eval", "show_img", "clip")
        trainer = GANTrainer(**{name: given.pop(name) for name in names if name in given})
        with first_weights(given.get("seed")):
            model = GANModule(_built(generator), _built(critic))
        loss = losses.GANLoss(gen_loss_func, crit_loss_func, model)
        metrics = [ValueMetric(partial(trainer.last_loss, n), f"{n}_loss") for n in trainer.losses]
        super().__init__(dls, model, loss, **given)
        self.metrics = [*metrics, *self.metrics]
        self.add_cbs([trainer, switcher])
        self.generator_spec = generator if isinstance(generator, ModelSpec) else None

    @classmethod
    def from_learners(
        cls,
        gen_learn: Learner,
        crit_learn: Learner,
        switcher: Callback | None = None,
        weights_gen: tuple[float, float] | None = None,
        **options: Unpack[SharedGANArgs],
    ) -> Self:
        """The GAN of two networks that were trained alone before.

        Args:
            gen_learn: Has the generator, its loss and the loaders.
            crit_learn: Has the critic and its loss.
            switcher: A callback that says when which network trains.
            weights_gen: Of the critic's and its own part of the generator's loss; None for 1 and 1.
            options: As of the class.
        """
        gen_loss: Any = gen_learn.loss_func
        crit_loss: Any = crit_learn.loss_func
        both = losses.gan_loss_from_func(gen_loss, crit_loss, weights_gen)
        made = cls(
            gen_learn.dls, gen_learn.model, crit_learn.model, *both, switcher=switcher, **options
        )
        made.generator_spec = gen_learn.model_spec
        return made

    @classmethod
    def wgan(
        cls,
        dls: Any,
        generator: nn.Module | ModelSpec,
        critic: nn.Module | ModelSpec,
        switcher: Callback | None = None,
        clip: float | None = 0.01,
        **options: Unpack[SharedGANArgs],
    ) -> Self:
        """A Wasserstein GAN: the critic measures how far made pictures are from real ones.

        Args:
            dls: The loaders.
            generator: Makes pictures.
            critic: Judges pictures.
            switcher: A callback that says when which network trains; None for five batches of the
                critic, then one of the generator.
            clip: The weights of the critic are kept within this.
            options: As of the class; `switch_eval` is False.

        Source: Arjovsky et al. 2017, "Wasserstein GAN".
        """
        given: SharedGANArgs = {"switch_eval": False, **options}
        switcher = switcher or FixedGANSwitcher(n_crit=5, n_gen=1)
        return cls(
            dls, generator, critic, *losses.wgan_losses(), switcher=switcher, clip=clip, **given
        )

    def export(self, fname: str | Path = "export.lamina") -> Path:
        """Write the generator, with what prediction needs, to one file; see `Learner.export`."""
        model: Any = self.model
        alone = Learner(
            self.dls, model.generator, nn.functional.mse_loss, path=self.path, default_cbs=False
        )
        alone.model_spec, alone.target_types = self.generator_spec, self.target_types
        return alone.export(fname)


def _built(network: nn.Module | ModelSpec) -> nn.Module:
    return network.build() if isinstance(network, ModelSpec) else network
