# ruff: noqa: F403, F405 - the paper imports everything
"""The paper's first example: name the breed on photographs of cats and dogs."""

import subprocess
import sys
from copy import deepcopy

import pytest
import torch

from lamina.vision.all import *

pytestmark = pytest.mark.slow

GUESSING = 36 / 37
IN_A_NEW_PROCESS = """
import sys
from lamina.vision.all import *

answer, index, probabilities = load_learner(sys.argv[1]).predict(sys.argv[2])
torch.save((str(answer), int(index), probabilities), sys.argv[3])
"""


@pytest.fixture(scope="module")
def path():
    return untar_data(URLs.PETS)


@pytest.fixture(scope="module")
def learn(path, tmp_path_factory):
    """The example as it is printed, with smaller pictures and the network that is bundled."""
    set_seed(42)
    dls = ImageDataLoaders.from_name_re(
        path=path,
        bs=32,
        fnames=get_image_files(path / "images"),
        pat=r"/([^/]+)_\d+.jpg$",
        item_tfms=RandomResizedCrop(128, min_scale=0.75),
        batch_tfms=[*aug_transforms(size=96, max_warp=0.0), Normalize.from_stats(*imagenet_stats)],
    )
    learn = cnn_learner(dls, mobilenet_v2, metrics=error_rate)
    learn.path = tmp_path_factory.mktemp("pets")
    learn.fit_one_cycle(1, 3e-3)
    return learn


@pytest.fixture
def photo(path):
    return path / "images" / "samoyed_11.jpg"


@pytest.fixture(scope="module")
def few(path):
    return sorted(get_image_files(path / "images"))[::40]


def test_one_epoch_is_far_better_than_guessing(learn):
    assert learn.recorder.metric_names == [
        "epoch",
        "train_loss",
        "valid_loss",
        "error_rate",
        "time",
    ]
    assert learn.recorder.values[-1][3] < GUESSING - 0.1
    assert learn.dls.c == len(learn.dls.vocab) == 37


def test_the_body_is_frozen_and_its_norm_layers_train(learn):
    body, head = learn.model
    kinds = {
        type(m) for m in body.modules() for p in m.parameters(recurse=False) if p.requires_grad
    }
    assert kinds == {nn.BatchNorm2d}
    assert all(p.requires_grad for p in head.parameters())


def test_transforms_given_are_not_doubled(learn):
    names = [tfm.name for tfm in learn.dls.train.after_batch]
    assert names.count("Normalize") == 1


def test_predict_gives_the_label_its_index_and_all_probabilities(learn, photo):
    answer, index, probabilities = learn.predict(photo)
    assert answer == learn.dls.vocab[index]
    assert probabilities.shape == (37,)
    torch.testing.assert_close(probabilities.sum(), torch.tensor(1.0))


def test_predict_takes_a_picture_in_any_form(learn, photo):
    expected = learn.predict(photo)[2]
    picture = PILImage.create(photo)
    for item in (str(photo), photo.read_bytes(), picture, np.array(picture)):
        # A file may be decoded at a smaller size than an array has, so only nearly.
        torch.testing.assert_close(learn.predict(item)[2], expected, atol=0.1, rtol=0.0)


def test_a_test_set_of_paths_equals_single_predictions(learn, few):
    probabilities, targets = learn.get_preds(dl=learn.dls.test_dl(few))
    assert targets is None
    torch.testing.assert_close(probabilities[0], learn.predict(few[0])[2])


def test_get_preds_agrees_with_validate(learn):
    probabilities, targets = learn.get_preds()
    loss, errors = learn.validate()
    assert errors == pytest.approx((probabilities.argmax(1) != targets).float().mean().item())
    assert loss == pytest.approx(nn.functional.nll_loss(probabilities.log(), targets).item(), 1e-4)


def test_batches_results_and_losses_are_drawn(learn):
    assert len(learn.dls.show_batch(max_n=4)) == 4
    titles = [ax.get_title() for ax in learn.show_results(max_n=4)]
    assert all(set(title.split("\n")) <= set(learn.dls.vocab) for title in titles)
    assert learn.recorder.plot_loss().lines
    assert len(learn.recorder.plot_sched()) == 2


def test_a_new_process_gives_the_same_probabilities(learn, photo, tmp_path):
    file = learn.export("pets.lamina")
    answer, index, probabilities = learn.predict(photo)
    given = [str(x) for x in (file, photo, tmp_path / "answer.pt")]
    subprocess.run([sys.executable, "-c", IN_A_NEW_PROCESS, *given], check=True)
    theirs = torch.load(tmp_path / "answer.pt")
    assert theirs[:2] == (answer, int(index))
    torch.testing.assert_close(theirs[2], probabilities, rtol=1e-5, atol=1e-6)


def test_a_loaded_learner_predicts_a_test_set(learn, few):
    again = load_learner(learn.export("pets.lamina"))
    theirs, _ = again.get_preds(dl=again.dls.test_dl(few))
    torch.testing.assert_close(theirs, learn.get_preds(dl=learn.dls.test_dl(few))[0])


def test_lr_find_leaves_everything_as_it_was(learn):
    def state():
        weights, opt = learn.model.state_dict(), learn.opt.state_dict()
        return weights, opt, torch.get_rng_state(), learn.dls.train.epoch

    weights, opt, rng, epoch = deepcopy(state())
    values = learn.recorder.values
    curve = learn.lr_find(num_it=6, show_plot=False)
    assert 1e-7 <= curve.valley <= 10
    for name, value in learn.model.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert repr(learn.opt.state_dict()) == repr(opt)
    assert torch.equal(torch.get_rng_state(), rng)
    assert learn.dls.train.epoch == epoch
    assert learn.recorder.values == values


def test_a_checkpoint_brings_weights_back(learn):
    learn.save("stage-1")
    before = [p.clone() for p in learn.model.parameters()]
    with torch.no_grad():
        for p in learn.model.parameters():
            p.zero_()
    learn.load("stage-1")
    assert all(map(torch.equal, learn.model.parameters(), before))
