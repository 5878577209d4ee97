from collections import namedtuple

from lamina.vision.parts import each_part, parts_of

Item = namedtuple("Item", "image label")  # noqa: PYI024  # untyped on purpose


def test_what_is_no_tuple_is_its_only_part():
    assert parts_of([1, 2]) == ([1, 2],)
    assert each_part(len, [1, 2]) == 2


def test_a_tuple_stays_one_of_its_class():
    assert each_part(str, Item(1, 2)) == Item("1", "2")
    assert type(each_part(str, Item(1, 2))) is Item
