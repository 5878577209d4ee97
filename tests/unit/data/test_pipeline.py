"""Pipelines: order, set-up one at a time, decoding, showing, gathering, errors that say where."""

import pickle

import pytest

from lamina.data.pipeline import Pipeline
from lamina.data.transform import Transform
from lamina.foundation.collections import L
from lamina.foundation.errors import SkipItem
from lamina.foundation.functional import noop


class Label(str):
    """A value that shows itself, and remembers where."""

    shown: list

    def show(self, ax=None):
        ax = [] if ax is None else ax
        ax.append(str(self))
        return ax


class AddOne(Transform):
    def encodes(self, x: int):
        return x + 1

    def decodes(self, x: int):
        return x - 1


class Centre(Transform):
    """Its state is the mean of what it is set up with."""

    order = 5
    mean = None

    def setups(self, items: L | list):
        self.mean = sum(items) // len(items)

    def encodes(self, x: int):
        return x - self.mean

    def decodes(self, x: int):
        return x + self.mean


class ToLabel(Transform):
    order = 1
    vocab = ("a", "b")

    def encodes(self, x: str):
        return self.vocab.index(x)

    def decodes(self, x: int):
        return Label(self.vocab[x])


def times_ten(x: int):
    return 10 * x


def test_runs_forwards_and_decodes_backwards():
    pipe = Pipeline([AddOne, times_ten])
    assert pipe(1) == 20
    assert pipe.decode(20) == 19


def test_sorts_by_order_and_keeps_the_given_order_within():
    early = Transform(times_ten, order=-1)
    pipe = Pipeline([AddOne(), times_ten, early])
    assert list(pipe) == [early, pipe[1], pipe[2]]
    assert pipe(1) == 110


@pytest.mark.parametrize("funcs", [None, [], noop, [noop, None], Pipeline()])
def test_an_empty_pipeline_changes_nothing(funcs):
    pipe = Pipeline(funcs)
    assert (pipe(3), pipe.decode(3), len(pipe)) == (3, 3, 0)


def test_from_another_pipeline_or_an_l():
    pipe = Pipeline(L(AddOne(), times_ten))
    assert Pipeline(pipe).fs == pipe.fs


def test_its_split_is_that_of_every_call():
    pipe = Pipeline([AddOne(split_idx=0)], split_idx=0)
    assert (pipe(1), pipe(1, split_idx=1), Pipeline(pipe)(1)) == (2, 1, 1)
    assert (pipe.decode(2), pipe.decode(2, split_idx=1)) == (1, 2)


def test_each_transform_is_set_up_with_what_those_before_it_make():
    pipe = Pipeline([Centre(), AddOne()])
    pipe.setup([1, 2, 3])
    assert pipe.gather("mean") == 3
    assert pipe(1) == -1
    assert pipe.decode(-1) == 1


def test_items_that_run_the_pipeline_themselves_see_the_transforms_before():
    class Items:
        def __init__(self, pipe):
            self.pipe = pipe

    lengths = []
    pipe = Pipeline([AddOne(), Transform(times_ten, setup=lambda items: lengths.append(len(pipe)))])
    pipe.setup(Items(pipe))
    assert lengths == [1]
    assert len(pipe) == 2


def test_a_failed_setup_leaves_the_pipeline_whole():
    pipe = Pipeline([AddOne(), Centre()])
    with pytest.raises(ZeroDivisionError) as caught:
        pipe.setup([])
    assert caught.value.__notes__[-1] == "while setting up Pipeline: AddOne -> Centre"
    assert len(pipe) == 2


def test_decoding_stops_at_what_can_be_shown():
    pipe = Pipeline([Transform(str.lower, str.upper), ToLabel()])
    assert pipe.decode(1) == "B"
    shown = pipe.decode_until_showable(1)
    assert isinstance(shown, Label)
    assert shown == "b"


def test_show_draws_on_the_given_axes():
    pipe = Pipeline(ToLabel())
    assert pipe.show(1) == ["b"]
    assert pipe.show((0, 1), ax=["before"]) == ["before", "a", "b"]


def test_show_writes_plain_values_as_title():
    assert Pipeline().show("cat").get_title() == "cat"


def test_add_keeps_the_order():
    pipe = Pipeline([Centre()]).add(AddOne, [times_ten])
    assert [tfm.name for tfm in pipe] == ["AddOne", "times_ten", "Centre"]


def test_indexing():
    pipe = Pipeline([AddOne(), times_ten], split_idx=1)
    assert isinstance(pipe[0], AddOne)
    assert pipe[1:](2) == 20
    assert pipe[1:].split_idx == 1


class TestGather:
    def test_one_value(self):
        assert Pipeline([AddOne(), ToLabel()]).gather("vocab") == ("a", "b")

    def test_several_values(self):
        other = ToLabel()
        other.vocab = ("c",)
        assert Pipeline([ToLabel(), other]).gather("vocab") == L(("a", "b"), ("c",))

    def test_default_and_none(self):
        assert Pipeline([Centre()]).gather("mean") is None
        assert Pipeline([Centre()]).gather("mean", 0) == 0

    def test_an_error_inside_a_property_surfaces(self):
        class Broken(Transform):
            @property
            def vocab(self):
                return self.missing

        with pytest.raises(AttributeError, match="missing"):
            Pipeline([Broken()]).gather("vocab")


class TestErrors:
    def test_the_notes_name_transform_and_step(self):
        with pytest.raises(ValueError, match="not in tuple") as caught:
            Pipeline([AddOne, ToLabel])("z")
        transform, step = caught.value.__notes__
        assert transform == "in encodes of ToLabel(), given str 'z'"
        assert step == "at step 2 of 2 of Pipeline: AddOne -> ToLabel"

    def test_skipping_is_no_error(self):
        def skip(x):
            raise SkipItem("too small")

        with pytest.raises(SkipItem) as caught:
            Pipeline(skip)(1)
        assert not hasattr(caught.value, "__notes__")


def test_repr_and_pickle():
    pipe = pickle.loads(pickle.dumps(Pipeline([AddOne(), times_ten])))
    assert repr(pipe) == "Pipeline: AddOne -> times_ten"
    assert repr(Pipeline()) == "Pipeline: (empty)"
    assert pipe(1) == 20
