import pytest
import torch
from torch import nn

from lamina.data.category import Categorize
from lamina.data.datasets import Datasets
from lamina.foundation.errors import BundleError, ContractError, UntrustedError
from lamina.foundation.registry import savable
from lamina.optim.lookahead import ranger
from lamina.optim.muon import Muon
from lamina.optim.recipes import Adam
from lamina.optim.schedule_free import ScheduleFreeAdamW
from lamina.train.learner import Learner
from lamina.train.persistence import ModelSpec, load_learner


def same(one: nn.Module, other: nn.Module) -> bool:
    state = one.state_dict()
    return all(torch.equal(state[name], value) for name, value in other.state_dict().items())


def test_training_goes_on_from_a_checkpoint_as_if_never_stopped(make_learner):
    whole, first, second = (make_learner(opt_func=Adam) for _ in range(3))
    whole.fit(1)
    whole.fit(1)
    first.fit(1)
    first.save("half")
    second.load("half").fit(1)
    assert same(second.model, whole.model)
    assert second.epochs_done == 2


def test_a_checkpoint_can_be_read_by_torch_without_running_code(make_learner):
    learn = make_learner()
    learn.fit(1)
    kept = torch.load(learn.save("a"), weights_only=True)
    assert set(kept) == {"model", "opt", "frozen", "epochs_done"}


OPTIMIZERS = {
    "stats and steppers": Adam,
    "lookahead": ranger,
    "schedule-free": ScheduleFreeAdamW,
    "muon": Muon,
    "torch": torch.optim.AdamW,
}


def halves(model):
    return [list(model[:2].parameters()), list(model[2:].parameters())]


@pytest.mark.parametrize("opt_func", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_frozen_fit_goes_on_from_a_checkpoint(make_learner, opt_func):
    one, other = (make_learner(opt_func=opt_func, splitter=halves) for _ in range(2))
    one.fine_tune(1)
    one.freeze()
    one.fit(1)
    one.save("frozen")
    other.load("frozen")
    assert other.opt.frozen_idx == 1
    for learn in (one, other):
        learn.fit(1)
        learn.unfreeze()
        learn.fit(1)
    assert same(one.model, other.model)


def test_files_go_under_path_and_model_dir(make_learner, tmp_path):
    learn = make_learner(model_dir="kept")
    assert learn.save("a") == tmp_path / "kept" / "a.pth"
    assert learn.save(tmp_path / "b.pth") == tmp_path / "b.pth"


def test_what_was_saved_is_loaded_by_its_path(make_learner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    learn = make_learner(path="here")
    file = learn.save("one")

    assert file == tmp_path / "here" / "models" / "one.pth"
    assert learn.load(file) is learn


def test_the_optimizer_can_be_left_out(make_learner):
    learn = make_learner(opt_func=Adam)
    learn.fit(1)
    learn.save("a", with_opt=False)
    fresh = make_learner().load("a")
    assert fresh.opt is None
    with pytest.raises(BundleError, match=r"saved without the optimizer\. Leave out with_opt"):
        learn.load("a", with_opt=True)


def test_an_optimizer_that_does_not_fit_is_an_error(make_learner):
    learn = make_learner(opt_func=Adam)
    learn.fit(1)
    learn.save("a")
    with pytest.raises(ContractError, match="differ between what was saved"):
        make_learner().load("a")


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 damaged"])
def test_a_damaged_checkpoint_is_explained(make_learner, tmp_path, content):
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(BundleError, match="damaged or no checkpoint"):
        make_learner().load(tmp_path / "bad.pth")


def test_bare_weights_are_not_a_checkpoint(make_learner, tmp_path):
    torch.save({"0.weight": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(BundleError, match=r"not a checkpoint .*load_state_dict"):
        make_learner().load(tmp_path / "w.pth")


def test_a_missing_checkpoint_is_named(make_learner):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*nothing\.pth"):
        make_learner().load("nothing")


@savable("tests:to_features")
def to_features(number: int) -> torch.Tensor:
    return torch.tensor([number / 10 - 1, 1.0])


@savable("tests:linear")
def linear(n_in: int, n_out: int) -> nn.Module:
    return nn.Linear(n_in, n_out)


@pytest.fixture
def classifier(tmp_path):
    items = list(range(20))
    labelled = [lambda number: "high" if number >= 10 else "low", Categorize()]
    data = Datasets(items, [[to_features], labelled], splits=[items[::2], items[1::2]])
    dls = data.dataloaders(bs=4, device="cpu")
    learn = Learner(dls, nn.Linear(2, 2), path=tmp_path)
    learn.model_spec = ModelSpec(linear, {"n_in": 2, "n_out": 2})
    return learn


def test_an_exported_learner_predicts_the_same(classifier):
    classifier.fit(1)
    loaded = load_learner(classifier.export())
    for item in (3, 17):
        label, index, probs = classifier.predict(item)
        again = loaded.predict(item)
        assert (again[0], again[1]) == (label, index)
        assert torch.equal(again[2], probs)
    test = loaded.get_preds(dl=loaded.dls.test_dl([1, 2, 3]))[0]
    assert torch.equal(test, classifier.get_preds(dl=classifier.dls.test_dl([1, 2, 3]))[0])


def test_export_leaves_the_learner_as_it_is(classifier):
    classifier.fit(1)
    dls, opt = classifier.dls, classifier.opt
    classifier.export()
    assert (classifier.dls, classifier.opt, len(dls.train_ds)) == (dls, opt, 10)


def test_a_failed_export_leaves_learner_and_old_file_intact(classifier, tmp_path):
    class Private(nn.Module): ...

    old = classifier.export().read_bytes()
    classifier.model_spec = ModelSpec(Private, {})
    dls = classifier.dls
    with pytest.raises(ContractError):
        classifier.export()
    assert (tmp_path / "export.lamina").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["export.lamina"]
    assert classifier.dls is dls
    classifier.fit(1)


def test_a_file_without_the_models_plan_needs_the_model(classifier):
    classifier.model_spec = None
    file = classifier.export()
    with pytest.raises(BundleError, match="does not say how its model is built"):
        load_learner(file)
    assert load_learner(file, model=nn.Linear(2, 2)).predict(3)[0] in {"low", "high"}


def test_a_foreign_name_is_refused_unless_allowed(classifier, tmp_path):
    file = classifier.export()
    renamed = file.read_bytes().replace(b"tests:linear", b"other:linear")
    (tmp_path / "other.lamina").write_bytes(renamed)
    with pytest.raises(UntrustedError, match="other:linear"):
        load_learner(tmp_path / "other.lamina")


def test_a_custom_loss_gives_way_to_that_of_the_task(classifier):
    classifier.loss_func = lambda pred, targ: pred.sum() * 0
    loaded = load_learner(classifier.export())
    assert type(loaded.loss_func).__name__ == "CrossEntropyLossFlat"


def test_a_learner_on_plain_loaders_can_be_exported(make_learner):
    learn = make_learner()
    loaded = load_learner(learn.export("plain.lamina"), model=make_learner().model)
    preds = loaded.get_preds(dl=learn.dls[1])[0]
    assert torch.equal(preds, learn.get_preds()[0])
