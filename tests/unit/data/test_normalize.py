"""Pixels to floats and normalised floats, and back."""

import pytest
import torch

from lamina.data.normalize import IntToFloatTensor, Normalize, broadcast_vec
from lamina.data.pipeline import Pipeline
from lamina.foundation.errors import ContractError, DataError
from lamina.tensor.types import MaskMeta, TensorCategory, TensorImage, TensorMask


class Loader:
    """A loader with one batch, which counts how often it is asked for it."""

    def __init__(self, batch):
        self.batch = batch
        self.asked = 0

    def one_batch(self):
        self.asked += 1
        return self.batch


@pytest.fixture
def images() -> TensorImage:
    return TensorImage(torch.rand(4, 3, 5, 6, generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def pixels() -> TensorImage:
    return TensorImage(torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16))


class TestIntToFloat:
    def test_every_pixel_value_comes_back(self, pixels):
        tfm = IntToFloatTensor()
        x = tfm(pixels)
        assert (x.dtype, float(x.min()), float(x.max())) == (torch.float32, 0.0, 1.0)
        back = tfm.decode(x)
        assert type(back) is TensorImage
        assert torch.equal(back, pixels)

    def test_floats_are_pixel_values_too(self):
        assert IntToFloatTensor()(TensorImage([127.5])).tolist() == [0.5]

    def test_masks_become_class_indices(self):
        mask = TensorMask(torch.tensor([0, 255], dtype=torch.uint8), meta=MaskMeta(("no", "yes")))
        out = IntToFloatTensor(div_mask=255)(mask)
        assert out.tolist() == [0, 1]
        assert (out.dtype, type(out), out.meta) == (torch.int64, TensorMask, mask.meta)

    def test_decoded_values_are_clamped(self):
        assert IntToFloatTensor().decode(TensorImage([-1.0, 2.0])).tolist() == [0, 255]


class TestNormalize:
    def test_statistics_come_from_one_batch(self, images):
        tfm, loader = Normalize(), Loader((images, TensorCategory([1])))
        tfm.setup(loader)
        assert loader.asked == 1
        plain = tfm(images).as_subclass(torch.Tensor)
        torch.testing.assert_close(plain.mean((0, 2, 3)), torch.zeros(3), atol=1e-6, rtol=0)
        torch.testing.assert_close(plain.std((0, 2, 3)), torch.ones(3), atol=1e-5, rtol=0)

    def test_a_constant_channel_does_not_divide_by_zero(self):
        black = TensorImage(torch.zeros(2, 3, 4, 4))
        tfm = Normalize()
        tfm.setup(Loader((black,)))
        assert not tfm(black).any()

    def test_a_class_in_a_pipeline_does_too(self, images):
        pipe = Pipeline(Normalize)
        pipe.setup(Loader((images,)))
        assert pipe.gather("mean").shape == (1, 3, 1, 1)

    def test_given_statistics_are_kept(self, images):
        tfm, loader = Normalize.from_stats([0.5] * 3, [0.2] * 3), Loader((images,))
        tfm.setup(loader)
        assert loader.asked == 0
        expected = (images.as_subclass(torch.Tensor) - 0.5) / 0.2
        torch.testing.assert_close(tfm(images).as_subclass(torch.Tensor), expected)

    def test_decode_undoes_and_the_input_is_not_changed(self, images):
        tfm, before = Normalize.from_stats([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]), images.clone()
        torch.testing.assert_close(tfm.decode(tfm(images)), images)
        assert torch.equal(images, before)

    def test_one_image_and_half_precision(self, images):
        tfm = Normalize.from_stats([0.1, 0.2, 0.3], [0.5, 0.6, 0.7])
        torch.testing.assert_close(tfm(images[0]), tfm(images)[0])
        assert tfm(images.half()).dtype == torch.float16

    def test_only_images_are_touched(self, images):
        target = TensorCategory([1])
        assert Normalize.from_stats([0.5], [0.5])((images[:, :1], target))[1] is target

    def test_it_moves(self, images):
        tfm = Normalize.from_stats([0.5], [0.5]).to("meta")
        assert tfm.mean.device.type == "meta"

    def test_statistics_of_another_number_of_channels(self, images):
        with pytest.raises(DataError, match=r"\(1, 3, 1, 1\) do not fit .* Give one mean and std"):
            Normalize.from_stats([0.5] * 3, [0.2] * 3)(images[:, :1])

    def test_a_batch_without_images(self):
        with pytest.raises(
            DataError, match=r"no TensorImage in the batch, only TensorCategory. It"
        ):
            Normalize().setup(Loader((TensorCategory([1]),)))

    def test_without_statistics(self, images):
        with pytest.raises(ContractError, match=r"no statistics. Set it up"):
            Normalize()(images)
        with pytest.raises(ContractError, match=r"cannot take them from list. Set it up"):
            Normalize().setup([1])


def test_broadcast_vec():
    (vector,) = broadcast_vec(0, 2, [1, 2])
    assert vector.tolist() == [[1.0], [2.0]]
