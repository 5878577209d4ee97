"""The loader of transforms: pipelines as stages, decoding and showing."""

import matplotlib.pyplot as plt
import pytest
import torch

from lamina.data.category import Categorize
from lamina.data.datasets import Datasets
from lamina.data.items import TfmdLists
from lamina.data.normalize import IntToFloatTensor, Normalize
from lamina.data.pipeline import Pipeline
from lamina.data.tfmd_loader import TfmdDL
from lamina.data.transform import RandTransform, Transform
from lamina.foundation.errors import UnknownArgumentError
from lamina.foundation.seeding import current
from lamina.tensor.types import TensorCategory, TensorImage
from lamina.viz.canvas import get_grid

PIXELS = [10, 60, 110, 160, 210, 250]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def image(value: int) -> TensorImage:
    return TensorImage(torch.full((3, 4, 4), value, dtype=torch.uint8))


def label(value: int) -> str:
    return "bright" if value > 128 else "dark"


@pytest.fixture
def images() -> Datasets:
    splits = [[0, 1, 3, 4], [2, 5]]
    return Datasets(PIXELS, [[image], [label, Categorize()]], splits=splits)


class Shift(RandTransform):
    """Adds something random to training images."""

    order = 20

    def encodes(self, x: TensorImage) -> TensorImage:
        return x + current().python.random() / 2


def test_the_stages_are_pipelines_sorted_by_order(images):
    tfms = [Normalize(), IntToFloatTensor]
    dl = TfmdDL(images.train, bs=4, after_batch=tfms)
    assert isinstance(dl.after_batch, Pipeline)
    assert [t.name for t in dl.after_batch] == ["IntToFloatTensor", "Normalize"]


def test_a_class_is_set_up_with_a_batch(images):
    dl = TfmdDL(images.train, bs=4, after_batch=[IntToFloatTensor(), Normalize])
    x, y = dl.one_batch()
    assert type(x) is TensorImage
    assert type(y) is TensorCategory
    assert float(x.mean()) == pytest.approx(0, abs=1e-5)
    assert float(x.std()) == pytest.approx(1, abs=1e-2)


def test_a_copy_shares_the_transforms_and_their_state(images):
    train = TfmdDL(images.train, bs=4, after_batch=[IntToFloatTensor(), Normalize])
    valid = train.new(images.valid)
    assert valid.after_batch[1] is train.after_batch[1]
    assert (train.after_batch.split_idx, valid.after_batch.split_idx) == (0, 1)


class Largest(Transform):
    """Learns each time that it is set up."""

    def setups(self, dl):
        self.most = int(dl.one_batch().max())


def test_a_copy_learns_nothing_from_its_own_items():
    train = TfmdDL(range(9), bs=9, after_batch=Largest)
    train.new(range(99), bs=99)
    assert train.after_batch[0].most == 8


def test_random_transforms_leave_validation_alone(images):
    train = TfmdDL(images.train, bs=4, seed=1, after_item=[IntToFloatTensor(), Shift()])
    valid = train.new(images.valid)
    assert valid.one_batch()[0][0, 0, 0, 0] == pytest.approx(110 / 255)
    assert train.one_batch()[0][0, 0, 0, 0] != pytest.approx(10 / 255)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_bits_do_not_depend_on_the_workers(images, workers):
    options = {"bs": 2, "seed": 1, "shuffle": True, "after_item": [IntToFloatTensor(), Shift()]}
    alone = torch.cat([x for x, _ in TfmdDL(images.train, **options)])
    shared = torch.cat([x for x, _ in TfmdDL(images.train, **options, num_workers=workers)])
    assert alone.equal(shared)


def test_batches_are_decoded_to_what_they_were_made_of(images):
    dl = TfmdDL(images.train, bs=4, after_batch=[IntToFloatTensor(), Normalize])
    decoded = dl.decode_batch(dl.one_batch(), max_n=3)
    assert [y for _, y in decoded] == ["dark", "dark", "bright"]
    assert [int(x[0, 0, 0]) for x, _ in decoded] == [10, 60, 160]


def test_a_single_pipeline_gives_single_values():
    dl = TfmdDL(TfmdLists([1, 2, 3], [Transform(float, dec=int)]), bs=2)
    assert dl.one_batch().tolist() == [1.0, 2.0]
    assert dl.n_inp == 1


def test_inputs_and_targets_are_told_apart(images):
    dl = TfmdDL(images.train, bs=4)
    xs, ys = dl.split_xy(dl.one_batch())
    assert [type(part) for part in (*xs, *ys)] == [TensorImage, TensorCategory]


def test_n_inp_is_read_off_an_item_if_the_data_set_does_not_say():
    assert TfmdDL([(1, 2, 3)]).n_inp == 2
    assert TfmdDL([1]).n_inp == 1


def test_attributes_are_gathered_from_data_set_and_pipelines(images):
    norm = Normalize.from_stats([0.5], [0.5])
    dl = TfmdDL(images.train, bs=4, after_batch=norm)
    assert dl.gather("vocab") == ["bright", "dark"]
    assert dl.gather("mean") is norm.mean
    assert dl.gather("nothing", 3) == 3


def test_a_subclass_may_still_override_a_stage(images):
    class Dark(TfmdDL):
        def after_batch(self, batch):
            return (batch[0] * 0, batch[1])

    assert Dark(images.train, bs=4).one_batch()[0].sum() == 0


def test_the_state_of_the_transforms_moves_with_the_loader(images):
    norm = Normalize.from_stats([0.5], [0.5])
    TfmdDL(images.train, bs=4, after_batch=norm).to("meta")
    assert norm.mean.device.type == "meta"


def test_unknown_options_are_refused(images):
    with pytest.raises(UnknownArgumentError, match=r"'after_btch'\. Did you mean 'after_batch'"):
        TfmdDL(images.train, after_btch=None)


def test_pictures_are_shown_with_their_labels(images):
    dl = TfmdDL(images.train, bs=4, after_batch=IntToFloatTensor())
    axes = dl.show_batch(max_n=3)
    assert [ax.get_title() for ax in axes] == ["dark", "dark", "bright"]
    assert len(axes[0].images) == 1


def test_pictures_are_drawn_on_axes_that_are_given_or_not_at_all(images):
    dl = TfmdDL(images.train, bs=4, after_batch=IntToFloatTensor())
    ours = get_grid(6)
    assert list(dl.show_batch(max_n=3, ctxs=ours)) == list(ours)[:3]
    samples = dl.show_batch(max_n=3, show=False)
    assert [str(label) for _, label in samples] == ["dark", "dark", "bright"]


def test_one_item_can_be_shown_with_its_augmentations(images):
    dl = TfmdDL(images.train, bs=4, seed=1, after_item=[IntToFloatTensor(), Shift()])
    axes = dl.show_batch(unique=True, max_n=4)
    assert {ax.get_title() for ax in axes} == {"dark"}
    assert len({float(ax.images[0].get_array().max()) for ax in axes}) > 1


def test_results_are_green_or_red(images):
    dl = TfmdDL(images.train, bs=4, after_batch=IntToFloatTensor())
    axes = dl.show_results(dl.one_batch(), torch.tensor([1, 0, 0, 0]), max_n=2)
    assert [ax.get_title() for ax in axes] == ["dark\ndark", "dark\nbright"]


def test_what_cannot_be_drawn_is_listed():
    table = TfmdDL([(1.5, "a"), (2.5, "b")], bs=2).show_batch()
    assert table.rows == [["1.5", "a"], ["2.5", "b"]]


def test_results_that_cannot_be_drawn_are_listed():
    dl = TfmdDL([(1.5, 0), (2.5, 1)], bs=2)
    table = dl.show_results(dl.one_batch(), torch.tensor([0, 0]))
    assert table.header == ["part 0", "part 1", "predicted"]
    assert table.rows == [["1.5", "0", "0"], ["2.5", "1", "0"]]


def test_unknown_options_of_a_picture_are_refused(images):
    dl = TfmdDL(images.train, bs=4, after_batch=IntToFloatTensor())
    with pytest.raises(UnknownArgumentError, match="Did you mean 'figsize'"):
        dl.show_batch(figsiz=(3, 3))


def test_a_batch_is_decoded_as_a_whole(images):
    dl = TfmdDL(images, bs=2, after_batch=IntToFloatTensor)
    x, y = dl.decode(dl.one_batch())
    assert x[:, 0, 0, 0].tolist() == PIXELS[:2]
    assert type(y) is TensorCategory
