"""Groups: how values spread over them, what is frozen, and what is refused."""

import pytest
import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError, UnknownArgumentError, UnknownNameError
from lamina.optim.recipes import SGD


def groups(n: int = 3) -> list[list[Tensor]]:
    return [[torch.zeros(1, requires_grad=True)] for _ in range(n)]


def lrs(opt) -> list[float]:
    return [round(h["lr"], 6) for h in opt.hypers]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, [0.5, 0.5, 0.5]),
        (slice(0.01, 1.0), [0.01, 0.1, 1.0]),
        (slice(1.0), [0.1, 0.1, 1.0]),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        (torch.tensor([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]),
    ],
)
def test_set_hyper_spreads_values(value, expected: list[float]) -> None:
    opt = SGD(groups(), lr=0.0)
    opt.set_hyper("lr", value)
    assert lrs(opt) == expected


@pytest.mark.parametrize("value", [slice(0.01, 1.0), slice(1.0), 1.0])
def test_one_group_gets_the_last_value(value) -> None:
    assert lrs(SGD(groups(1), lr=value)) == [1.0]


def test_number_of_values_must_fit() -> None:
    with pytest.raises(
        ContractError, match=r"'lr' got 2 values for 3 parameter groups\. Give one number, slice"
    ):
        SGD(groups(), lr=[1.0, 2.0])


def test_unknown_hyper_is_refused() -> None:
    opt = SGD(groups(), lr=0.1)
    with pytest.raises(UnknownNameError, match="unknown hyper-parameter 'momentum'"):
        opt.set_hyper("momentum", 0.9)
    with pytest.raises(UnknownArgumentError, match="Did you mean 'wd'"):
        opt.set_hypers(lr=1.0, wdd=0.1)
    with pytest.raises(UnknownNameError, match="unknown hyper-parameter 'initial_lr'"):
        opt.param_groups[0]["initial_lr"] = 1.0


@pytest.mark.parametrize(
    ("n", "trainable"),
    [(0, [1, 1, 1]), (1, [0, 1, 1]), (-1, [0, 0, 1]), (-3, [1, 1, 1]), (3, [0, 0, 0])],
)
def test_freeze_to_counts_groups(n: int, trainable: list[int]) -> None:
    gs = groups()
    SGD(gs, lr=0.1).freeze_to(n)
    assert [g[0].requires_grad for g in gs] == trainable


def test_freeze_to_refuses_a_group_that_is_not_there() -> None:
    with pytest.raises(ContractError, match=r"freeze_to\(4\): there are 3 parameter groups"):
        SGD(groups(), lr=0.1).freeze_to(4)


def test_forced_parameters_train_in_frozen_groups() -> None:
    gs = groups()
    opt = SGD(gs, lr=0.1)
    opt.mark(gs[0], force_train=True)
    opt.freeze()
    assert [g[0].requires_grad for g in gs] == [True, False, True]


def test_force_train_works_on_groups_already_frozen() -> None:
    gs = groups()
    opt = SGD(gs, lr=0.1)
    opt.freeze()
    opt.mark(gs[0], force_train=True)
    assert [g[0].requires_grad for g in gs] == [True, False, True]


def test_unknown_mark_is_refused() -> None:
    gs = groups()
    with pytest.raises(UnknownArgumentError, match="Did you mean 'do_wd'"):
        SGD(gs, lr=0.1).mark(gs[0], do_wdd=False)


def test_zero_grad_drops_or_fills() -> None:
    ((p,),) = gs = groups(1)
    opt = SGD(gs, lr=0.1)
    p.grad = torch.ones(1)
    opt.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    opt.zero_grad()
    assert p.grad is None


def test_all_params_with_grad() -> None:
    gs = groups()
    gs[1][0].grad = torch.ones(1)
    opt = SGD(gs, lr=0.1)
    assert len(opt.all_params()) == 3
    assert opt.all_params(with_grad=True)[0] is gs[1][0]


def test_a_models_parameters_are_one_group() -> None:
    opt = SGD(nn.Linear(2, 1).parameters(), lr=0.1)
    assert [len(g) for g in opt.groups] == [2]
    assert list(opt.param_groups[0]) == ["params", "lr", "wd"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ([], "needs parameters; got none"),
        ([[3]], "Group 0 holds a int; expected tensors"),
        ([[p := torch.zeros(2)], [p]], r"is in group 0 and again in group 1\. Give a shared"),
        ([torch.zeros(2, requires_grad=True) * 2], "is the result of operations, not a leaf"),
    ],
)
def test_unusable_parameters_are_refused(params, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        SGD(params, lr=0.1)
