"""What users of the low level rely on is there, under the name that they know."""

import importlib
from pathlib import Path

import pytest

from lamina.data.pipeline import Pipeline
from lamina.data.transform import Transform
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError
from lamina.foundation.functional import (
    AttrDict,
    Self,
    arg0,
    basic_repr,
    bind,
    compose,
    gt,
    maps,
    nested_attr,
    not_,
    star,
    true,
)
from lamina.foundation.paths import ls, working_directory
from lamina.foundation.sequences import chunked, detuplify, even_mults, only, range_of, renumerate

NAMES = {
    "collections": "L",
    "sequences": "chunked coll_repr concat cycle detuplify even_mults first flatten groupby "
    "is_bool is_indexer last listify mask2idxs merge only partition range_of renumerate tuplify "
    "uniqueify val2idx zip_cycle",
    "functional": "AttrDict Self add arg0 arg1 arg2 arg3 arg4 basic_repr bind camel2snake compose "
    "eq ge gt ifnone in_ is_ is_not le lt maps mapt mod mul ne nested_attr noop noops not_ rstar "
    "star sub true truediv",
    "signatures": "delegates funcs_kwargs method use_kwargs_dict",
    "patching": "patch patch_to",
    "annotations": "typed",
    "dispatch": "Dispatch TypeTable dispatch typedispatch",
    "paths": "ls working_directory write_text",
    "parallel": "num_cpus parallel",
    "testing": "ExceptionExpected is_close test_close test_eq test_eq_type test_fail test_is "
    "test_ne test_shuffled test_stdout test_warns",
}
METHODS = (
    "accumulate append argfirst argwhere attrgot batched combinations compress concat copy cycle "
    "dropwhile enumerate extend filter first flatmap flatten groupby index itemgot last map "
    "map_dict map_first map_zip map_zipwith pairwise partition permutations product range reduce "
    "renumerate setattrs shuffle sorted split splitlines sum takewhile unique val2idx zip zipwith"
)


@pytest.mark.parametrize("module", NAMES)
def test_the_names_are_public(module):
    found = importlib.import_module(f"lamina.foundation.{module}")
    assert [name for name in NAMES[module].split() if name not in found.__all__] == []


def test_a_list_has_all_its_methods():
    assert [name for name in METHODS.split() if not callable(getattr(L, name, None))] == []


def test_methods_of_a_list_can_wait_for_it():
    assert L(L("ab"), L("c")).map(Self.map(str.upper)) == [["AB"], ["C"]]


def test_functions_are_put_together():
    assert compose(gt(2), not_(bool))(3) is False
    assert list(maps(str, len, [10, 200])) == [2, 3]
    assert bind(divmod, arg0, 3)(7) == (2, 1)
    assert star(divmod)((7, 3)) == (2, 1)
    assert L("b", "A").map(Self.lower()).sorted() == ["a", "b"]


def test_attributes_by_path_and_by_key():
    settings = AttrDict(opt=AttrDict(lr=0.1))
    assert nested_attr(settings, "opt.lr") == settings.opt["lr"] == 0.1
    assert nested_attr(settings, "opt.wd", None) is None


def test_a_class_can_show_its_fields():
    class Point:
        __repr__ = basic_repr("x,y")

        def __init__(self):
            self.x, self.y = 1, 2

    assert repr(Point()) == "Point(x=1, y=2)"


def test_one_or_many():
    assert list(chunked(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert (detuplify((1,)), detuplify((1, 2)), detuplify(())) == (1, (1, 2), None)
    assert range_of("abc") == [0, 1, 2]
    assert even_mults(1e-4, 1e-2, 3) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert not true([])


def test_only_wants_exactly_one():
    assert only({5}) == 5
    with pytest.raises(ContractError, match=r"expected one item, got 2: \(#2\) \[1,2\]"):
        only([1, 2])


def test_renumerate_gives_the_number_last():
    assert list(renumerate("ab", start=1)) == [("a", 1), ("b", 2)]


def test_the_working_directory_comes_back_after_an_error(tmp_path):
    before = Path.cwd()
    (tmp_path / "a.txt").touch()
    with working_directory(tmp_path):
        assert ls() == [Path("a.txt")]
    assert Path.cwd() == before
    with pytest.raises(ZeroDivisionError), working_directory(tmp_path):
        1 / 0  # noqa: B018 - fails
    assert Path.cwd() == before


def test_a_pipeline_of_the_four_ways_to_write_a_transform():
    class Add(Transform):
        order = 1

        def encodes(self, x: int):
            return x + 1

        def decodes(self, x: int):
            return x - 1

    @Transform
    def double(x: int):
        return x * 2

    def strip(x: str):
        return x.strip()

    pipe = Pipeline([Add, double, strip, Transform(lambda x: x)])
    assert pipe((3, " a ")) == (7, "a")
    assert pipe.decode((7, "a")) == (6, "a")
