import pytest

from lamina.foundation.errors import ContractError
from lamina.viz.curves import plot_loss, plot_lr, plot_sched


def points(line):
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_losses_with_validations_at_their_steps():
    train, valid = plot_loss([3, 2, 1], [1.5], valid_steps=[2]).lines
    assert points(train) == [(1, 3), (2, 2), (3, 1)]
    assert points(valid) == [(2, 1.5)]


def test_start_can_be_skipped():
    train, valid = plot_loss([9, 2, 1, 1], [8, 1], valid_steps=[1, 4], skip_start=1).lines
    assert points(train) == [(2, 2), (3, 1), (4, 1)]
    assert points(valid) == [(4, 1)]


def test_scale_and_labels():
    ax = plot_loss([3, 2, 1], log=True)
    assert (ax.get_yscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "steps", "loss")
    assert ax.get_legend() is None


def test_validations_and_steps_must_match():
    with pytest.raises(ContractError, match=r"2 valid_steps for 1 validation losses. Give one"):
        plot_loss([1, 2], [1], valid_steps=[1, 2])


def test_suggestion_sits_on_the_curve():
    marker = plot_lr([1e-3, 1e-2, 1e-1], [3, 1, 2], suggestions={"valley": 0.011}).lines[1]
    assert points(marker) == [(0.011, 1)]


@pytest.mark.parametrize(("lrs", "losses"), [([1], []), ([], [])])
def test_rates_and_losses_must_match(lrs, losses):
    with pytest.raises(ContractError, match="Give one loss per learning rate, and at least one"):
        plot_lr(lrs, losses)


def test_one_axes_per_hyper_parameter():
    axes = plot_sched({"lr": [1, 2], "mom": [2, 1]})
    assert [points(ax.lines[0]) for ax in axes] == [[(1, 1), (2, 2)], [(1, 2), (2, 1)]]
