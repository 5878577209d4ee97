# ruff: noqa: F403, F405 - as a reader of the paper types it
"""The paper's segmentation example on the trimaps of pets, and what else is predicted of pictures.

Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Vision". The paper takes CamVid,
and names `acc_segment` without saying what it is.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from lamina.metrics.multilabel import fit_thresholds
from lamina.nn.norm import NormType
from lamina.vision.all import *
from lamina.vision.all import LaminaError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def path() -> Path:
    return untar_data(URLs.OXFORD_PETS)


@pytest.fixture(scope="module")
def learn(path: Path, tmp_path_factory):
    """The example as it is printed, with smaller pictures and the network that is bundled."""
    set_seed(42)
    trimaps = path / "annotations" / "trimaps"
    dls = SegmentationDataLoaders.from_label_func(
        path=path,
        bs=8,
        fnames=[
            f for f in get_image_files(path / "images") if (trimaps / f"{f.stem}.png").exists()
        ],
        label_func=lambda o: path / "annotations" / "trimaps" / f"{o.stem}.png",
        codes=np.array(["pet", "background", "border"]),
        values=[1, 2, 3],
        item_tfms=Resize(96),
        batch_tfms=[*aug_transforms(size=64), Normalize.from_stats(*imagenet_stats)],
        seed=0,
        device="cpu",
    )
    learn = unet_learner(dls, mobilenet_v2, metrics=acc_segment)
    learn.path = tmp_path_factory.mktemp("segmentation")
    learn.fit_one_cycle(4, 3e-3, pct_start=0.9)
    return learn


@pytest.fixture(scope="module")
def masks(learn) -> torch.Tensor:
    return torch.cat([plain(y) for _, y in learn.dls.valid])


def test_it_is_far_better_than_the_commonest_class(learn, masks):
    majority = masks.flatten().bincount().max() / masks.numel()
    assert learn.recorder.metric_names[3] == "acc_segment"
    assert learn.recorder.values[-1][3] > majority + 0.1


def test_the_body_is_frozen_and_normalised_once(learn):
    assert not learn.model.body.layers[0][0].weight.requires_grad
    assert all(p.requires_grad for p in learn.model.head.parameters())
    assert [t.name for t in learn.dls.train.after_batch].count("Normalize") == 1


def test_versions_of_the_pictures_agree_in_their_place(learn, masks):
    preds, targs = learn.get_preds()
    mean, _ = learn.tta()
    assert torch.equal(targs, masks)
    right = [(p.argmax(1) == masks).float().mean() for p in (preds, mean)]
    assert right[1] > right[0] - 0.02


def test_a_loaded_learner_predicts_the_same_mask(learn):
    photo = learn.dls.valid_ds.items[0]
    mask, encoded, probabilities = load_learner(learn.export("pets.lamina")).predict(photo)
    assert isinstance(mask, TensorMask)
    assert mask.meta.codes == ("pet", "background", "border")
    assert torch.equal(plain(mask), plain(encoded))
    assert probabilities.shape == (3, 64, 64)
    torch.testing.assert_close(probabilities, learn.predict(photo)[2])


def test_results_and_layers_are_shown(learn):
    titles = [ax.get_title() for ax in learn.show_results(max_n=2)]
    assert titles == ["target", "predicted"] * 2
    assert "VisionModel, input 8 x 3 x 64 x 64" in str(learn.summary())


def test_options_are_strict(learn):
    with pytest.raises(LaminaError, match="Did you mean 'self_attention'"):
        unet_learner(learn.dls, "mobilenet_v2", self_atention=True)


def test_options_of_the_decoder_are_kept_in_the_file(learn, tmp_path):
    options = {"self_attention": True, "act_cls": nn.Mish, "norm_type": NormType.Weight}
    other = unet_learner(learn.dls, xresnet18, pretrained=False, **options)
    again = load_learner(other.export(tmp_path / "other.lamina"))
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(again.model(x), other.model.eval()(x))


def test_a_point_is_found_and_given_in_pixels(path: Path, tmp_path):
    names, boxes = get_annotations(path / "annotations" / "coco_head_boxes.json")
    middles = [np.reshape(box, (2, 2)).mean(0) for box, _ in boxes]
    centre = dict(zip(names, middles, strict=True))
    heads = DataBlock(
        blocks=(ImageBlock, PointBlock),
        get_y=lambda o: centre[o.name],
        splitter=RandomSplitter(0.2, seed=0),
        item_tfms=Resize(64, method="squish"),
        batch_tfms=aug_transforms(max_warp=0.0, max_rotate=0.0, max_zoom=1.0, max_lighting=0.0),
    )
    set_seed(0)
    files = [path / "images" / name for name in names]
    dls = heads.dataloaders(files, bs=16, device="cpu", seed=0)
    learn = vision_learner(dls, mobilenet_v2, y_range=(-1, 1), ps=0.0, path=tmp_path)
    (before,) = learn.validate()
    learn.unfreeze()
    learn.fit_one_cycle(5, 4e-3)
    assert learn.validate()[0] < 0.8 * before
    point, encoded, _ = load_learner(learn.export()).predict(files[0])
    torch.testing.assert_close(plain(point), (plain(encoded).view(1, 2) + 1) * 32)


def test_several_labels_with_a_threshold_for_each(tmp_path):
    set_seed(0)
    dls = ImageDataLoaders.from_csv(
        untar_data(URLs.BCCD),
        "multilabel.csv",
        folder="images",
        label_delim=" ",
        valid_col="is_valid",
        item_tfms=Resize(64, method="squish"),
        bs=16,
        device="cpu",
    )
    learn = vision_learner(dls, mobilenet_v2, metrics=F1ScoreMulti(), path=tmp_path)
    learn.fit_one_cycle(1, 5e-3)
    probs, targs = learn.get_preds()
    fitted = fit_thresholds(probs, targs)
    score = {
        name: F1ScoreMulti(thresh=t, sigmoid=False)
        for name, t in [("half", 0.5), ("fitted", fitted)]
    }
    for metric in score.values():
        metric.update(probs, targs)
    assert score["fitted"].value > score["half"].value
    learn.loss_func.thresh = fitted
    again = load_learner(learn.export())
    labels, _, found = again.predict(learn.dls.valid_ds.items.iloc[0])
    assert list(labels) == [
        name for name, yes in zip(dls.vocab, found > fitted, strict=True) if yes
    ]
