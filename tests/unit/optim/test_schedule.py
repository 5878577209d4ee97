"""Schedules go from start to end, alone and one after another, for one value or several."""

import numpy as np
import pytest

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import name_of, resolve
from lamina.optim.schedule import (
    SchedCos,
    SchedExp,
    SchedLin,
    SchedNo,
    SchedPoly,
    combine_scheds,
    combined_cos,
)


@pytest.mark.parametrize(
    ("sched", "expected"),
    [
        (SchedNo(1.0, 3.0), [1.0, 1.0, 1.0]),
        (SchedLin(1.0, 3.0), [1.0, 1.5, 3.0]),
        (SchedCos(1.0, 3.0), [1.0, 1.29289, 3.0]),
        (SchedExp(1.0, 16.0), [1.0, 2.0, 16.0]),
        (SchedPoly(1.0, 3.0, 2.0), [1.0, 1.125, 3.0]),
    ],
)
def test_values_at_start_quarter_and_end(sched, expected: list[float]) -> None:
    assert [sched(pct) for pct in (0.0, 0.25, 1.0)] == pytest.approx(expected, abs=1e-5)


def test_one_value_per_group() -> None:
    assert SchedLin((0.0, 1.0), (1.0, 3.0))(0.5) == (0.5, 2.0)
    assert SchedLin(np.array([0.0, 1.0]), 0.0)(0.5) == (0.0, 0.5)
    assert SchedLin(0.0, [1.0, 3.0])(0.5) == (0.5, 1.5)


def test_start_and_end_need_as_many_values() -> None:
    with pytest.raises(ContractError, match="start and end have different numbers of values"):
        SchedLin((0.0, 1.0), (1.0, 2.0, 3.0))


def test_pieces_follow_one_another() -> None:
    sched = combine_scheds([0.2, 0.3, 0.5], [SchedLin(0, 1), SchedNo(1, 1), SchedLin(1, 0)])
    values = [sched(pct) for pct in (0.0, 0.1, 0.2, 0.4, 0.5, 0.75, 1.0)]
    assert values == pytest.approx([0.0, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0])


def test_sum_of_pieces_may_be_off_by_rounding() -> None:
    assert sum([0.7, 0.2, 0.1]) != 1.0
    assert combine_scheds([0.7, 0.2, 0.1], [SchedNo(i, i) for i in range(3)])(1.0) == 2


@pytest.mark.parametrize(("pct", "expected"), [(0.0, [2.0, 2.5, 3.0]), (1.0, [1.0, 1.5, 3.0])])
def test_pieces_may_be_empty(pct: float, expected: list[float]) -> None:
    sched = combined_cos(pct, 1.0, 2.0, 3.0)
    assert [sched(at) for at in (0.0, 0.5, 1.0)] == pytest.approx(expected)


def test_pieces_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ContractError, match=r"add up to 0\.75\. Give parts of at least 0 that add"):
        combine_scheds([0.25, 0.5], [SchedNo(1, 1)] * 2)
    with pytest.raises(ContractError, match="2 parts for 1 schedules"):
        combine_scheds([0.5, 0.5], [SchedNo(1, 1)])


def test_schedules_are_plain_data_that_can_be_saved() -> None:
    sched = combined_cos(0.25, (0.1, 1.0), 1.0, 0.0)
    assert sched == combined_cos(0.25, (0.1, 1.0), 1.0, 0.0)
    assert resolve(name_of(type(sched)) or "") is type(sched)
