"""Random transforms: one draw per call, counted randomness, the training split only."""

import pytest

from lamina.data.transform import RandTransform
from lamina.foundation.seeding import Randomness, current, using


class Shift(RandTransform):
    """Adds a drawn number to every whole number."""

    def before_call(self, x, split_idx):
        super().before_call(x, split_idx)
        self.by = current().python.randrange(1, 1000)

    def encodes(self, x: int):
        return x + self.by


def test_all_parts_of_a_tuple_get_the_same_draw():
    a, b, other = Shift()((0, 0, "label"), split_idx=0)
    assert a == b > 0
    assert other == "label"


def test_the_draw_depends_on_the_seed_alone():
    def draw(seed):
        with using(Randomness(seed)):
            return Shift()(0, split_idx=0)

    assert draw(1) == draw(1) != draw(2)


def test_only_the_training_split_is_touched():
    assert Shift()(0, split_idx=1) == 0
    assert Shift(split_idx=1)(0, split_idx=1) > 0


def test_it_happens_as_often_as_p_says():
    tfm = RandTransform(0.25, enc=lambda x: 1)
    with using(Randomness(0)):
        share = sum(tfm(0, split_idx=0) for _ in range(2000)) / 2000
    assert abs(share - 0.25) < 0.03


@pytest.mark.parametrize(("p", "expected"), [(0.0, 0), (1.0, 1)])
def test_never_and_always(p, expected):
    assert RandTransform(p, enc=lambda x: 1)(0, split_idx=0) == expected


def test_an_error_while_drawing_names_the_stage():
    class Broken(RandTransform):
        def before_call(self, x, split_idx):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        Broken()(1, split_idx=0)
    assert "in before_call of" in caught.value.__notes__[0]
