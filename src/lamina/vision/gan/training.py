# ruff: noqa: D102 - the events are documented in lamina.train.events
"""Training two networks against each other, all of it in callbacks of the one loop.

`GANTrainer` turns the batch around for the critic and keeps the network still whose turn it is not;
a switcher decides when the other one has its turn.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from lamina.train.callback import Callback
from lamina.train.callbacks.schedule import ParamScheduler
from lamina.train.recorder import LossTrack

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["AdaptiveGANSwitcher", "FixedGANSwitcher", "GANDiscriminativeLR", "GANTrainer"]

Turns = int | Callable[[int], int]


class GANTrainer(Callback):
    """Train the generator or the critic of a `GANModule`, whichever has its turn.

    Validation is always that of the generator.

    Args:
        switch_eval: Whether the network that waits is in evaluation mode.
        clip: The weights of the critic are kept within this; None leaves them.
        beta: The smoothing of the losses.
        gen_first: Whether an epoch begins with the generator.
        show_img: Whether to keep a picture that was made at the end of each epoch.

    Attributes:
        losses: The losses of the "generator" and the "critic", each a `LossTrack`.
        images: The pictures that were kept, as the model gives them.
    """

    order: ClassVar[int] = -5

    def __init__(
        self,
        *,
        switch_eval: bool = False,
        clip: float | None = None,
        beta: float = 0.98,
        gen_first: bool = False,
        show_img: bool = True,
    ) -> None:
        super().__init__()
        self.switch_eval, self.clip, self.beta = switch_eval, clip, beta
        self.gen_first, self.show_img = gen_first, show_img
        self.losses = {name: LossTrack(beta) for name in ("generator", "critic")}
        self.images: list[Tensor] = []
        self._trained: list[Tensor] = []
        self._before = False

    def before_fit(self, learn: "Learner") -> None:
        self._trained = [p for p in learn.model.parameters() if p.requires_grad]
        if learn.purpose == "fit":
            self.losses = {name: LossTrack(self.beta) for name in self.losses}
            self.images = []

    def before_train(self, learn: "Learner") -> None:
        self.give_turn(learn, gen_mode=self.gen_first)

    def before_batch(self, learn: "Learner") -> None:
        if not _model(learn).gen_mode:
            learn.xb, learn.yb = learn.yb, learn.xb

    def after_step(self, learn: "Learner") -> None:
        if self.clip is not None and not _model(learn).gen_mode:
            for p in _model(learn).critic.parameters():
                p.detach().clamp_(-self.clip, self.clip)

    def after_batch(self, learn: "Learner") -> None:
        if learn.training and learn.loss is not None:
            self.losses["generator" if _model(learn).gen_mode else "critic"].add(learn.loss)

    def before_validate(self, learn: "Learner") -> None:
        self._before, _model(learn).gen_mode = _model(learn).gen_mode, True

    def after_validate(self, learn: "Learner") -> None:
        if self.show_img and learn.purpose == "fit" and learn.pred is not None:
            self.images.append(learn.pred[0].detach().cpu())
        _model(learn).gen_mode = self._before

    def after_fit(self, learn: "Learner") -> None:
        for p in self._trained:
            p.requires_grad_(True)
        _model(learn).gen_mode = True

    def give_turn(self, learn: "Learner", *, gen_mode: bool) -> None:
        """Let the generator or the critic train from the next batch on.

        Parameters that were frozen before the fit stay so.
        """
        model = _model(learn)
        model.gen_mode = gen_mode
        both = (model.critic, model.generator)
        turn, waiting = both[gen_mode], both[not gen_mode]
        own = {id(p) for p in turn.parameters()}
        for p in self._trained:
            p.requires_grad_(id(p) in own)
        turn.train()
        waiting.train(not self.switch_eval)

    def last_loss(self, name: str) -> float | None:
        """The smoothed loss of a network after its last batch; reading it waits for the device."""
        return (self.losses[name].smoothed() or [None])[-1]

    def switch(self, learn: "Learner") -> None:
        """Give the other network its turn."""
        self.give_turn(learn, gen_mode=not _model(learn).gen_mode)


class FixedGANSwitcher(Callback):
    """Give each network its turn for a number of batches.

    Args:
        n_crit: Batches for the critic, or a function of the batches that it has had in the epoch.
        n_gen: The same for the generator.

    Example:
        >>> FixedGANSwitcher(n_crit=lambda done: 100 if done < 500 else 5, n_gen=1).n_gen
        1
    """

    run_valid = False
    run_after: ClassVar[Sequence[type[Callback] | str]] = (GANTrainer,)

    def __init__(self, n_crit: Turns = 1, n_gen: Turns = 1) -> None:
        super().__init__()
        self.n_crit, self.n_gen = n_crit, n_gen
        self._done = {False: 0, True: 0}  # by whether it is the generator's turn
        self._turn = 0

    def before_train(self, learn: "Learner") -> None:
        self._done, self._turn = {False: 0, True: 0}, 0

    def after_batch(self, learn: "Learner") -> None:
        is_gen = _model(learn).gen_mode
        n = self.n_gen if is_gen else self.n_crit
        n = n(self._done[is_gen]) if callable(n) else n
        self._done[is_gen] += 1
        self._turn += 1
        if self._turn >= n:
            self._turn = 0
            learn.callback(GANTrainer).switch(learn)


class AdaptiveGANSwitcher(Callback):
    """Give the other network its turn once the loss is below a threshold.

    Reading the loss waits for the device in every batch.

    Args:
        gen_thresh: For the generator's loss; None changes after each batch.
        critic_thresh: The same for the critic's.
    """

    run_valid = False
    run_after: ClassVar[Sequence[type[Callback] | str]] = (GANTrainer,)

    def __init__(self, gen_thresh: float | None = None, critic_thresh: float | None = None) -> None:
        super().__init__()
        self.gen_thresh, self.critic_thresh = gen_thresh, critic_thresh

    def after_batch(self, learn: "Learner") -> None:
        thresh = self.gen_thresh if _model(learn).gen_mode else self.critic_thresh
        loss: Any = learn.loss
        if thresh is None or loss < thresh:
            learn.callback(GANTrainer).switch(learn)


class GANDiscriminativeLR(Callback):
    """Train the critic at a multiple of the learning rate.

    Args:
        mult_lr: The factor.
    """

    run_valid = False
    run_after: ClassVar[Sequence[type[Callback] | str]] = (ParamScheduler, GANTrainer)

    def __init__(self, mult_lr: float = 5.0) -> None:
        super().__init__()
        self.mult_lr = mult_lr
        self._lrs: list[float] = []

    def before_step(self, learn: "Learner") -> None:
        self._lrs = [hyper["lr"] for hyper in learn.opt.hypers]
        if not _model(learn).gen_mode:
            learn.opt.set_hyper("lr", [lr * self.mult_lr for lr in self._lrs])

    def after_step(self, learn: "Learner") -> None:
        learn.opt.set_hyper("lr", self._lrs)


def _model(learn: "Learner") -> Any:
    return learn.model
