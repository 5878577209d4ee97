import random

import numpy as np
import pytest
import torch

from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.bundle import read_bundle, write_bundle
from lamina.tensor.types import (
    PointsMeta,
    TensorBBox,
    TensorImage,
    TensorMask,
    TensorMultiCategory,
    TensorPoint,
    plain,
)
from lamina.vision.augmentation.adapters import FromAlbumentations, FromTorchvision
from lamina.vision.images import PILImage, PILMask


def jitter(x: torch.Tensor) -> torch.Tensor:
    """As torchvision's: from the global generator, one draw for all that it is given."""
    return x * torch.rand(())


class Mirror:
    """As albumentations': keywords in, a dict out, everything in pixels."""

    def __call__(self, image, mask=None, keypoints=(), bboxes=(), labels=()):
        width = image.shape[1]
        done = {"image": image[:, ::-1], "labels": list(labels)[1:]}  # drops the first box
        done["mask"] = None if mask is None else mask[:, ::-1]
        done["keypoints"] = [(width - x, y) for x, y in keypoints]
        done["bboxes"] = [(width - r, t, width - left, b) for left, t, r, b in list(bboxes)[1:]]
        return done


def noise(image):
    """As albumentations' of old: from the generators of Python and NumPy."""
    return {"image": image + np.random.randint(0, 9) + random.randint(0, 9)}  # noqa: NPY002


def seeded(tfm, x, seed: int = 0, split_idx: int = 0):
    with using(Randomness(seed)):
        return tfm(x, split_idx=split_idx)


def test_every_image_of_a_batch_has_its_own_draw():
    out = seeded(FromTorchvision(jitter), (TensorImage(torch.ones(6, 3, 2, 2)), "label"))
    assert type(out[0]) is TensorImage
    assert out[1] == "label"
    assert len({x.mean().item() for x in plain(out[0])}) == 6


def test_an_item_is_one_image():
    out = seeded(FromTorchvision(lambda x: x[:, :1]), TensorImage(torch.ones(3, 4, 4)))
    assert out.shape == (3, 1, 4)


@pytest.mark.parametrize(
    ("tfm", "x"),
    [
        (FromTorchvision(jitter), TensorImage(torch.ones(2, 3, 2, 2))),
        (FromAlbumentations(noise), PILImage.create(np.zeros((2, 2, 3), np.uint8))),
    ],
    ids=["torchvision", "albumentations"],
)
def test_their_randomness_is_counted_and_global_generators_stay(tfm, x):
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (np.asarray(seeded(tfm, x, s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all()  # noqa: NPY002


def test_a_generator_of_their_own_is_seeded():
    class Owner:
        def set_random_seed(self, seed):
            self.seed = seed

        def __call__(self, image):
            return {"image": image + self.seed % 7}

    im = PILImage.create(np.zeros((1, 1, 3), np.uint8))
    made = [np.asarray(seeded(FromAlbumentations(Owner()), im, s)).max() for s in (*range(9), 0)]
    assert len(set(made)) > 2
    assert made[0] == made[-1]


def test_everything_on_a_picture_goes_along():
    marks = np.zeros((4, 8), np.uint8)
    marks[1, 2] = 1
    meta = PointsMeta((8, 4))
    boxes = TensorBBox([[-1.0, -1, 0, 0], [2 / 4 - 1, 1 / 2 - 1, 3 / 4 - 1, 0]], meta=meta)
    given = (
        PILImage.create(np.stack([marks] * 3, -1)),
        PILMask.create(marks),
        TensorPoint([[2.5 / 4 - 1, 1.5 / 2 - 1]], meta=meta),
        boxes,
        TensorMultiCategory([7, 9]),
    )
    image, mask, point, kept, labels = seeded(FromAlbumentations(Mirror()), given)
    assert np.asarray(image)[1, 5].tolist() == [1, 1, 1]
    assert np.asarray(mask)[1, 5] == 1
    torch.testing.assert_close(plain(point), torch.tensor([[5.5 / 4 - 1, 1.5 / 2 - 1]]))
    torch.testing.assert_close(plain(kept), torch.tensor([[5 / 4 - 1, 1 / 2 - 1, 6 / 4 - 1, 0]]))
    assert labels.tolist() == [9]


def test_points_must_stay_as_many():
    point = TensorPoint([[0.0, 0.0]], meta=PointsMeta((2, 2)))
    lost = FromAlbumentations(lambda image, keypoints: {"image": image, "keypoints": []})
    with pytest.raises(ContractError, match=r"1 points became 0. Give KeypointParams"):
        seeded(lost, (PILImage.create(np.zeros((2, 2, 3), np.uint8)), point))


def test_what_would_not_move_along_is_refused():
    pair = TensorImage(torch.ones(3, 4, 4)), TensorMask(torch.zeros(4, 4))
    with pytest.raises(ContractError, match=r"would leave a TensorMask where it is. Use Lamina"):
        seeded(FromTorchvision(jitter), pair)
    assert seeded(FromTorchvision(jitter, pixels_only=True), pair)[1] is pair[1]


def test_only_the_split_that_it_is_for():
    x = TensorImage(torch.ones(3, 4, 4))
    assert seeded(FromTorchvision(jitter), x, split_idx=1) is x
    assert seeded(FromTorchvision(jitter, split_idx=None), x, split_idx=1) is not x


def test_a_saved_one_predicts_and_says_that_it_cannot_train(tmp_path):
    file = write_bundle(tmp_path / "t.bundle", FromTorchvision(jitter), kind="transform")
    loaded = read_bundle(file).object
    x = TensorImage(torch.ones(3, 4, 4))
    assert loaded(x, split_idx=1) is x
    with pytest.raises(ContractError, match=r"jitter.* was not saved. Put it into the pipeline"):
        seeded(loaded, x)
