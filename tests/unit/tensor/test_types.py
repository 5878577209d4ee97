import pytest
import torch
from torch import Tensor

from lamina.tensor.types import (
    MaskMeta,
    PointsMeta,
    TensorBase,
    TensorBBox,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorPoint,
    TitledTensorScalar,
    plain,
)
from lamina.viz.canvas import close


@pytest.fixture(autouse=True)
def close_figures():
    yield
    close()


def test_construction_shares_the_storage_of_a_tensor():
    data = torch.zeros(2)
    TensorImage(data)[0] = 7
    assert data.tolist() == [7, 0]
    assert type(data) is Tensor


def test_construction_from_lists_and_numbers():
    assert TensorImage([[1, 2]]).shape == (1, 2)
    assert TensorCategory(3).item() == 3


def test_meta_is_none_unless_given():
    assert TensorImage([1]).meta is None
    assert TensorImage([1], meta=PointsMeta((2, 3))).meta == PointsMeta((2, 3))


def test_unknown_keyword_is_refused():
    with pytest.raises(TypeError, match="codes"):
        TensorMask([1], codes=("a",))


def test_wrap_takes_meta_from_like():
    mask = TensorMask([1], meta=MaskMeta(("a", "b")))
    assert TensorMask.wrap(torch.zeros(1), like=mask).meta == MaskMeta(("a", "b"))
    assert TensorMask.wrap(torch.zeros(1)).meta is None
    assert TensorImage.wrap(mask).meta == MaskMeta(("a", "b"))


def test_meta_of_the_first_survives_stacking_with_others():
    first, second = (TensorPoint([[1.0, 2.0]], meta=PointsMeta((n, n))) for n in (4, 5))
    assert torch.stack([first, second]).meta == PointsMeta((4, 4))


def test_users_subclass_is_a_semantic_type():
    class TensorDepth(TensorBase):
        pass

    assert type(TensorDepth([1.0]) / 2) is TensorDepth


def test_boolean_mask_stays_a_mask_when_indexed_and_ends_when_compared():
    mask = TensorMask([[True, False]])
    assert type(mask[0]) is TensorMask
    assert type(~mask) is TensorMask
    assert type(mask == mask.clone()) is Tensor


def test_image_indexed_by_plain_mask_and_assigned():
    image = TensorImage(torch.zeros(3, 2, 2))
    image[image == 0] = 1
    assert image.sum() == 12


def test_tuple_results_keep_the_type():
    parts = TensorImage(torch.zeros(4, 2)).split(2)
    assert [type(part) for part in parts] == [TensorImage] * 2


def test_wrapping_results_leaves_plain_operands_plain():
    bare = torch.zeros(2)
    bare += TensorImage([1.0, 2.0])
    assert type(bare) is Tensor
    assert type(bare.to(TensorImage([1.0]))) is Tensor


def test_arithmetic_is_no_view():
    assert not (TensorImage([1.0]) + 1)._is_view()


def test_scalar_cannot_be_iterated():
    with pytest.raises(TypeError, match="0-d"):
        iter(TensorCategory(1))


def test_iterating_a_batch_of_categories_keeps_the_type():
    assert [type(y) for y in TensorCategory([1, 2])] == [TensorCategory] * 2


def test_plain_goes_through_containers_and_keeps_the_rest():
    bare = torch.zeros(1)
    out = plain((TensorImage([1]), [TensorMask([0]), bare], {"a": TensorCategory(1)}, "text"))
    assert type(out[0]) is type(out[1][0]) is type(out[2]["a"]) is Tensor
    assert out[1][1] is bare
    assert out[3] == "text"


def test_plain_shares_storage():
    image = TensorImage([1.0])
    plain(image)[0] = 5
    assert image.item() == 5


def test_show_draws_the_kind_of_thing_it_is():
    assert TensorImage(torch.zeros(3, 4, 6)).show().images[0].get_array().shape == (4, 6, 3)
    mask = TensorMask([[0, 1]], meta=MaskMeta(("road", "sky"))).show()
    assert [text.get_text() for text in mask.get_legend().get_texts()] == ["road", "sky"]
    assert TensorPoint([[1.0, 2.0]]).show().collections[0].get_offsets().tolist() == [[1, 2]]
    assert TensorBBox([[0, 0, 2, 3]]).show().patches[0].get_width() == 2
    assert TitledTensorScalar(2.5).show().get_title() == "2.5"
    assert TensorCategory([1, 2]).show().get_title() == "[1, 2]"


def test_show_refuses_unknown_options():
    with pytest.raises(TypeError, match="Did you mean 'cmap'"):
        TensorImage(torch.zeros(3, 4, 6)).show(cmaps="gray")
