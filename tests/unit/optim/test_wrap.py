"""PyTorch's optimizers behind Lamina's names."""

import pytest
import torch

from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.optim.wrap import OptimWrapper


def groups():
    return [[torch.ones(2, requires_grad=True)], [torch.ones(3, requires_grad=True)]]


def test_names_are_mapped() -> None:
    opt = OptimWrapper(groups(), torch.optim.SGD, lr=slice(1.0), mom=0.9, wd=0.1)
    assert [(g["lr"], g["momentum"], g["weight_decay"]) for g in opt.opt.param_groups] == [
        (0.1, 0.9, 0.1),
        (1.0, 0.9, 0.1),
    ]


def test_writing_a_hyper_writes_one_of_the_betas() -> None:
    opt = OptimWrapper(groups(), torch.optim.Adam, lr=0.1, betas=(0.5, 0.6))
    opt.set_hyper("sqr_mom", [0.7, 0.8])
    assert [g["betas"] for g in opt.opt.param_groups] == [(0.5, 0.7), (0.5, 0.8)]
    assert opt.hypers[1]["mom"] == 0.5


def test_a_ready_optimizer_brings_its_groups() -> None:
    gs = groups()
    opt = OptimWrapper(opt=torch.optim.RMSprop([{"params": g} for g in gs], alpha=0.5))
    opt.freeze()
    assert [g[0].requires_grad for g in gs] == [False, True]
    assert opt.hypers[0]["sqr_mom"] == 0.5


def test_a_ready_optimizer_takes_no_arguments() -> None:
    with pytest.raises(ContractError, match=r"a ready SGD brings its own .*\. Pass its class"):
        OptimWrapper(opt=torch.optim.SGD(groups()[0]), lr=0.1)
    with pytest.raises(ContractError, match="give parameters and an optimizer class"):
        OptimWrapper(groups())


def test_unknown_argument_is_refused() -> None:
    with pytest.raises(UnknownArgumentError, match="unknown argument 'sqr_mom'"):
        OptimWrapper(groups(), torch.optim.SGD, sqr_mom=0.9)


def test_state_round_trip_keeps_hypers_in_touch() -> None:
    opt = OptimWrapper(groups(), torch.optim.SGD, lr=0.25, mom=0.5)
    for p in opt.all_params():
        p.grad = torch.ones_like(p)
    opt.step()
    opt.load_state_dict(opt.state_dict())
    opt.set_hyper("lr", 1.0)
    opt.step()
    assert opt.all_params()[0].tolist() == [-0.75, -0.75]
    opt.clear_state()
    assert not opt.state


def test_decay_is_kept_from_marked_parameters() -> None:
    gs = groups()
    opt = OptimWrapper(gs, torch.optim.SGD, lr=0.5, wd=0.5)
    opt.mark(gs[0], do_wd=False)
    opt.set_hypers(lr=1.0, wd=0.25)
    for p in opt.all_params():
        p.grad = torch.zeros_like(p)
    opt.step()
    assert [g[0][0].item() for g in gs] == [1.0, 0.75]
