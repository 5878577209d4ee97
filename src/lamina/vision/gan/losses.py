"""The losses of the two networks, and the one callable that has both."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lamina.vision.gan.models import GANModule

__all__ = ["AdaptiveLoss", "GANLoss", "accuracy_thresh_expand", "gan_loss_from_func"]

GeneratorLoss = Callable[..., Tensor]  # (judgement, picture, targets)
CriticLoss = Callable[[Tensor, Tensor], Tensor]  # (of real pictures, of made ones)


class GANLoss:
    """The loss of whichever network of a `GANModule` has its turn.

    The generator's is that of what it made, judged by the critic; the critic's that of its
    judgement of real pictures and of what the generator makes.

    Args:
        gen_loss_func: Of the critic's judgement, the generator's output and the target.
        crit_loss_func: Of the critic's judgement of real pictures and of made ones.
        gan_model: The model.
    """

    def __init__(
        self, gen_loss_func: GeneratorLoss, crit_loss_func: CriticLoss, gan_model: GANModule
    ) -> None:
        self.gen_loss_func, self.crit_loss_func = gen_loss_func, crit_loss_func
        self.gan_model = gan_model

    def __call__(self, pred: Tensor, *target: Tensor) -> Tensor:
        """The loss of the model's output.

        Args:
            pred: What the generator made, or the critic's judgement of real pictures.
            target: The real picture, or what the generator makes pictures from.
        """
        model = self.gan_model
        if model.gen_mode:
            return self.gen_loss_func(model.critic(pred), pred, *target)
        with torch.no_grad():
            made = model.generator(*target)
        return self.crit_loss_func(pred, model.critic(made))


class AdaptiveLoss(nn.Module):
    """A loss whose targets, one for each picture, are spread over the outputs for the picture.

    Args:
        crit: The loss.

    Example:
        >>> loss = AdaptiveLoss(nn.BCEWithLogitsLoss())
        >>> round(loss(torch.zeros(2, 5), torch.tensor([0, 1])).item(), 3)
        0.693
    """

    def __init__(self, crit: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.crit = crit

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of `output` `(b, ...)` for `target` `(b,)`."""
        return self.crit(output, _spread(target, output).float())


def accuracy_thresh_expand(
    y_pred: Tensor,
    y_true: Tensor,
    thresh: float = 0.5,
    sigmoid: bool = True,  # noqa: FBT001  # the known signature
) -> Tensor:
    """The part of all outputs that are on the side of `thresh` of their picture's target.

    Args:
        y_pred: `(b, ...)`.
        y_true: 0 or 1 for each picture, `(b,)`.
        thresh: From where an output counts as 1.
        sigmoid: Whether outputs are logits.

    Example:
        >>> accuracy_thresh_expand(torch.tensor([[1.0, -1.0], [-1.0, -1.0]]), torch.tensor([1, 0]))
        tensor(0.7500)
    """
    y_pred = y_pred.sigmoid() if sigmoid else y_pred
    return ((y_pred > thresh) == _spread(y_true, y_pred).bool()).float().mean()


def gan_loss_from_func(
    loss_gen: Callable[..., Tensor],
    loss_crit: Callable[..., Tensor],
    weights_gen: tuple[float, float] | None = None,
) -> tuple[GeneratorLoss, CriticLoss]:
    """The two losses of a GAN whose networks have losses of their own.

    The generator's is that of fooling the critic plus that of its own; the critic's is the mean of
    those of real pictures, which are 1, and made ones, which are 0.

    Args:
        loss_gen: Of (picture, target).
        loss_crit: Of (judgement, 0 or 1 for each picture).
        weights_gen: Of the critic's and its own part of the generator's loss; None for 1 and 1.
    """
    of_critic, own = weights_gen or (1.0, 1.0)

    def generator(judged: Tensor, made: Tensor, *target: Tensor) -> Tensor:
        fooled = loss_crit(judged, judged.new_ones(len(judged)))
        return of_critic * fooled + own * loss_gen(made, *target)

    def critic(real: Tensor, made: Tensor) -> Tensor:
        missed = loss_crit(real, real.new_ones(len(real)))
        return (missed + loss_crit(made, made.new_zeros(len(made)))) / 2

    return generator, critic


def wgan_losses() -> tuple[GeneratorLoss, CriticLoss]:
    """The losses of a Wasserstein GAN: the critic's judgement is low for real pictures."""
    return (lambda judged, _made, _target: judged.mean()), (
        lambda real, made: real.mean() - made.mean()
    )


def _spread(target: Tensor, like: Tensor) -> Tensor:
    return target.view(-1, *[1] * (like.ndim - 1)).expand_as(like)
