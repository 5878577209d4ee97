"""Stats and steppers say what they read; wrong compositions are refused when built."""

from functools import partial

import pytest
import torch

from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.optim.optimizer import Optimizer
from lamina.optim.stats import average_grad, step_stat
from lamina.optim.steppers import adam_step, sgd_step
from lamina.optim.wiring import listwise, makes, read_part


def params():
    return [torch.zeros(2, requires_grad=True)]


def test_state_that_nothing_makes_is_named() -> None:
    with pytest.raises(
        ContractError,
        match=r"adam_step reads 'sqr_avg', which is neither a hyper-parameter nor made by a stat "
        r"before it\. Pass sqr_avg=\.\.\. or put a stat that makes it earlier in "
        r"\['average_grad', 'step_stat', 'adam_step'\]\.",
    ):
        Optimizer(params(), [average_grad, step_stat, adam_step], lr=1, mom=0.9, sqr_mom=0.9, eps=1)


def test_a_stat_after_its_reader_does_not_count() -> None:
    def reader(p, grad_avg):
        pass

    with pytest.raises(ContractError, match="reader reads 'grad_avg'"):
        Optimizer(params(), [reader, average_grad], mom=0.9)


def test_missing_hyper_parameter_is_named() -> None:
    with pytest.raises(ContractError, match=r"sgd_step reads 'lr'.*Pass lr=\.\.\."):
        Optimizer(params(), [sgd_step])


def test_hyper_parameter_that_nothing_reads_is_refused() -> None:
    with pytest.raises(UnknownArgumentError, match=r"unknown argument 'lrr'\. Did you mean 'lr'"):
        Optimizer(params(), [sgd_step], lr=0.1, lrr=0.1)


def test_state_cannot_be_given_as_a_hyper_parameter() -> None:
    with pytest.raises(UnknownArgumentError, match="grad_avg"):
        Optimizer(params(), [average_grad], mom=0.9, grad_avg=1)


def test_numbers_in_signatures_are_defaults() -> None:
    def shrink(p, *, rate=0.25):
        p.mul_(1 - rate)

    assert Optimizer(params(), [shrink]).hypers == [{"rate": 0.25}]
    assert Optimizer(params(), [shrink], rate=0.5).hypers == [{"rate": 0.5}]


def test_defaults_attribute_is_read() -> None:
    def shrink(p, rate, **kwargs):
        p.mul_(1 - rate)

    shrink.defaults = {"rate": 0.25}
    assert Optimizer(params(), [shrink]).hypers == [{"rate": 0.25}]


def test_two_defaults_that_disagree_need_a_value() -> None:
    def first(p, *, eps=1e-8):
        pass

    def second(p, *, eps=1e-5):
        pass

    with pytest.raises(
        ContractError, match=r"different defaults for 'eps': 1e-08 and 1e-05\. Pass"
    ):
        Optimizer(params(), [first, second])
    assert Optimizer(params(), [first, second], eps=1.0).hypers == [{"eps": 1.0}]


def test_bound_arguments_are_settled() -> None:
    part = read_part(partial(average_grad, mom=0.5))
    assert "mom" not in part.reads
    assert part.name == "average_grad"


def test_bound_positional_arguments_are_refused() -> None:
    with pytest.raises(ContractError, match=r"binds positional arguments\. Bind by keyword only"):
        read_part(partial(average_grad, 1))


def test_only_functions_are_parts() -> None:
    with pytest.raises(ContractError, match="has to be a function; got 3"):
        Optimizer(params(), [3])


def test_declared_state_satisfies_a_reader() -> None:
    @makes("norm")
    def grad_norm(p, g):
        return {"norm": g.norm()}

    def normalised(p, g, *, lr, norm):
        p.sub_(lr * g / norm)

    (p,) = ps = params()
    opt = Optimizer(ps, [grad_norm, normalised], lr=1.0)
    p.grad = torch.tensor([3.0, 4.0])
    opt.step()
    assert p.tolist() == pytest.approx([-0.6, -0.8])


def test_listwise_function_stays_callable() -> None:
    @listwise()
    def halve(ps, gs):
        """Halve."""
        for p in ps:
            p.mul_(0.5)

    p = torch.ones(1)
    halve([p], [])
    assert (p.item(), halve.__name__, halve.__doc__) == (0.5, "halve", "Halve.")
