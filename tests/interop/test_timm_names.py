"""Networks of timm by their names: as classifiers, U-Nets and detectors, frozen by depth, saved."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.models import build_model_with_cfg, register_model

from lamina.data.block import DataBlock
from lamina.data.external.untar import untar_data
from lamina.data.external.urls import URLs
from lamina.data.normalize import Normalize
from lamina.foundation.errors import DownloadError, UnknownNameError
from lamina.tensor.types import plain
from lamina.train.persistence import load_learner
from lamina.vision.augmentation.resize import Resize
from lamina.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock
from lamina.vision.detection.learner import detection_learner
from lamina.vision.detection.model import create_detection_model
from lamina.vision.learner import unet_learner, vision_learner
from lamina.vision.loaders import ImageDataLoaders, SegmentationDataLoaders
from lamina.vision.models.architectures import find_architecture
from lamina.vision.models.model import create_vision_model, split_groups
from lamina.vision.models.unet import create_unet_model
from lamina.vision.models.weights import weights_file
from lamina.vision.targets.annotations import get_voc_annotations

pytestmark = pytest.mark.interop

NAMES = ["timm/resnet18", "convnext_atto", "mobilenetv3_small_050", "vit_tiny_patch16_224"]
WINDOWED = ["swin_tiny_patch4_window7_224", "mixer_s16_224"]  # of one size of pictures


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_model_for_pictures_of_any_size(name: str):
    model = create_vision_model(name, 5, n_in=1)
    out = model(torch.randn(2, 1, 96, 64))
    out.sum().backward()
    assert out.shape == (2, 5)
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", WINDOWED)
def test_a_network_of_one_size_is_one_too(name: str):
    assert create_vision_model(name, 5).eval()(torch.zeros(2, 3, 224, 224)).shape == (2, 5)


@pytest.mark.parametrize(
    ("name", "n_groups"), [("timm/resnet18", 6), ("convnext_atto", 7), (NAMES[3], 14)]
)
def test_groups_go_by_depth_and_hold_every_parameter_once(name: str, n_groups: int):
    model = create_vision_model(name, 5)
    groups = split_groups(model)
    assert len(groups) == n_groups
    assert [id(p) for p in groups[-1]] == [id(p) for p in model.head.parameters()]
    held = [id(p) for group in groups for p in group]
    assert sorted(held) == sorted(id(p) for p in model.parameters())


def test_the_first_convolution_is_in_the_first_group_and_the_last_stage_before_the_head():
    model = create_vision_model("timm/resnet18", 5)
    net, (first, *_, last, _) = model.body.net, split_groups(model)
    assert net.conv1.weight is first[0]
    assert {id(p) for p in net.layer4.parameters()} == {id(p) for p in last}


@pytest.mark.parametrize("name", NAMES[:3])
def test_a_name_carries_a_unet(name: str):
    model = create_unet_model(name, 2, (64, 64)).eval()
    groups = split_groups(model)
    assert model(torch.zeros(1, 3, 70, 50)).shape == (1, 2, 70, 50)
    assert sum(map(len, groups)) == len(list(model.parameters()))
    assert len(groups) > 4


def test_statistics_are_those_of_the_weights():
    assert find_architecture("vit_tiny_patch16_224").stats == ((0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize("name", ["convnext_ato", "timm/convnext_ato"])
def test_a_misspelt_name_is_told(name: str):
    with pytest.raises(UnknownNameError, match="Did you mean 'convnext_atto'"):
        create_vision_model(name, 5)


def test_a_misspelt_set_of_weights_is_told():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'convnext_atto\.d2_in1k'"):
        find_architecture("convnext_atto.d2_in1")


def test_names_of_the_table_come_first():
    assert find_architecture("resnet18").name == "resnet18"
    assert find_architecture("timm/resnet18").name == "timm/resnet18"


WEIGHTS = [""]


@register_model
def tiny_published(pretrained: bool = False, **options):
    """A network whose published weights are in the file that `WEIGHTS` names."""
    layers = {"block": timm.models.resnet.BasicBlock, "layers": [1, 1, 1, 1]}
    cfg = {**timm.get_pretrained_cfg("resnet18").to_dict(), "hf_hub_id": None, "url": ""}
    options = {**options, **layers, "pretrained_cfg": {**cfg, "file": WEIGHTS[0]}}
    return build_model_with_cfg(timm.models.ResNet, "tiny_published", pretrained, **options)


@pytest.fixture
def published(tmp_path):
    whole = tiny_published()
    WEIGHTS[0] = str(tmp_path / "published.pth")
    torch.save(whole.state_dict(), WEIGHTS[0])
    return whole


def test_weights_come_from_timm_once_and_with_channels_adapted(published, tmp_path):
    arch = find_architecture("tiny_published")
    file = weights_file(arch, base=tmp_path)
    assert weights_file(arch, base=tmp_path).stat().st_mtime == file.stat().st_mtime
    body = create_vision_model(arch, 5, n_in=1, weights=file).body
    grey = published.conv1.weight.sum(1, keepdim=True)
    torch.testing.assert_close(body.net.conv1.weight, grey)


def test_a_unet_has_the_same_weights(published, tmp_path):
    arch = find_architecture("tiny_published").for_maps
    model = create_unet_model(arch, 2, (64, 64), weights=weights_file(arch, base=tmp_path))
    found = dict(model.body.net.named_parameters())["layer1.0.conv1.weight"]
    torch.testing.assert_close(found, published.layer1[0].conv1.weight)


def test_a_network_without_weights_says_what_to_do(tmp_path):
    WEIGHTS[0] = str(tmp_path / "missing.pth")
    with pytest.raises(DownloadError, match="Pass pretrained=False"):
        weights_file(find_architecture("tiny_published"), base=tmp_path)


@pytest.fixture
def photos(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (10, 70, 80, 3), dtype=np.uint8)
    for i, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{'ab'[i % 2]}{i}.png")
    return sorted(tmp_path.glob("*.png"))


def test_a_learner_is_frozen_normalised_and_comes_back_from_a_file(published, photos, tmp_path):
    dls = ImageDataLoaders.from_name_func(
        tmp_path, photos, lambda name: name[0], item_tfms=Resize(64), bs=4, device="cpu"
    )
    weights = weights_file(find_architecture("tiny_published"), base=tmp_path)
    learn = vision_learner(dls, "tiny_published", weights=weights)
    assert not learn.model.body.net.conv1.weight.requires_grad
    assert any(isinstance(tfm, Normalize) for tfm in dls.train.after_batch)
    learn.fine_tune(1, 1e-3)
    again = load_learner(learn.export(tmp_path / "timm.lamina"))
    torch.testing.assert_close(again.predict(photos[0])[2], learn.predict(photos[0])[2])


def test_a_unet_learner_takes_a_name(photos, tmp_path):
    dls = SegmentationDataLoaders.from_label_func(
        tmp_path, photos, lambda _: np.zeros((70, 80), np.uint8), codes=["a", "b"],
        item_tfms=Resize(64, "squish"), bs=4, device="cpu",
    )  # fmt: skip
    learn = unet_learner(dls, "convnext_atto", pretrained=False)
    learn.fit(1)
    assert plain(learn.predict(photos[0])[0]).shape == (64, 64)


@pytest.mark.parametrize("name", ["timm/resnet18", "convnext_atto", "mobilenetv3_small_050"])
def test_a_name_carries_a_detector(name: str):
    model = create_detection_model(name, 3)
    x = torch.randn(2, 3, 96, 64)
    model(x).sum().backward()
    groups = split_groups(model)
    assert model(x).shape == (2, 12 * 8 + 6 * 4 + 3 * 2 + 2 * 1, 11)
    assert all(p.grad is not None for p in model.parameters())
    assert sum(map(len, groups)) == len(list(model.parameters()))
    assert len(groups) > 4


def test_a_transformer_of_one_size_of_cells_carries_a_detector():
    model = create_detection_model("vit_tiny_patch16_224", 3, min_stride=16).eval()
    assert model(torch.zeros(1, 3, 128, 96)).shape == (1, 8 * 6 + 4 * 3 + 2 * 2 + 1, 11)
    groups = split_groups(model)
    assert len(groups) == len(split_groups(create_vision_model("vit_tiny_patch16_224", 3)))
    assert sum(map(len, groups)) == len(list(model.parameters()))


def test_a_detector_on_published_weights_is_frozen_learns_and_comes_back(published, tmp_path):
    cells = untar_data(URLs.BCCD)
    names, found = get_voc_annotations(sorted((cells / "annotations").glob("*.xml"))[:12])
    boxes = dict(zip(names, found, strict=True))
    block = DataBlock(
        (ImageBlock, BBoxBlock, BBoxLblBlock), n_inp=1, item_tfms=Resize((96, 128), "squish"),
        get_y=[lambda f: boxes[f.name][0], lambda f: boxes[f.name][1]],
    )  # fmt: skip
    files = [cells / "images" / name for name in names]
    dls = block.dataloaders(files, bs=4, device="cpu", seed=42)
    weights = weights_file(find_architecture("tiny_published").for_maps, base=tmp_path)
    learn = detection_learner(dls, "tiny_published", weights=weights, metrics=[], seed=42)
    assert not dict(learn.model.body.net.named_parameters())["conv1.weight"].requires_grad
    learn.fine_tune(1, 1e-3)
    learn.loss_func.min_score = 0.0
    again = load_learner(learn.export(tmp_path / "cells.lamina"))
    boxes, _, scores = again.predict(files[0])
    assert len(boxes) > 0
    torch.testing.assert_close(scores, learn.predict(files[0])[2])
