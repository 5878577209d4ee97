"""Tasks say how many outputs a model needs."""

import pytest

from lamina.data.task import (
    Boxes,
    DenseLabels,
    MultiLabel,
    NextToken,
    Ranking,
    Regression,
    SingleLabel,
    Task,
)
from lamina.foundation.errors import ContractError

VOCAB = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("task", "n_out"),
    [
        (SingleLabel(VOCAB), 3),
        (MultiLabel(VOCAB), 3),
        (Regression(), 1),
        (Regression(4), 4),
        (DenseLabels(VOCAB), 3),
        (Boxes(VOCAB), 7),
        (NextToken(VOCAB), 3),
        (Ranking(), 1),
    ],
)
def test_number_of_outputs(task: Task, n_out: int):
    assert task.n_out == n_out


def test_a_task_of_ones_own_says_so_if_it_does_not_know():
    with pytest.raises(ContractError, match=r"does not fix the number of outputs. Pass n_out"):
        _ = Task().n_out
