"""Classifiers around models of `transformers`: every family learns, is exported and comes back."""

import json
import subprocess
import sys

import pytest
import torch
import transformers
from torch.utils.data import DataLoader

from lamina.data.block import CategoryBlock, DataBlock, MultiCategoryBlock, RegressionBlock
from lamina.data.label import ColReader
from lamina.data.split import RandomSplitter
from lamina.foundation.errors import ContractError, UnknownArgumentError, UnknownNameError
from lamina.metrics.classify import accuracy
from lamina.text.blocks import TextBlock
from lamina.text.huggingface.groups import groups_by_depth
from lamina.text.huggingface.model import PretrainedModel
from lamina.text.huggingface.tokenizer import PretrainedTokenizer
from lamina.text.learner import text_classifier_learner
from lamina.text.loaders import TextDataLoaders
from lamina.train.callbacks.techniques.accumulation import GradientAccumulation
from lamina.train.interpretation import Interpretation
from lamina.train.learner import Learner

KINDS = ("bert", "distilbert", "modernbert", "gpt2", "llama")
TEXTS = ["an awful book", "this is a lovely film , so lovely indeed indeed indeed"]


def loaders(reviews, folder, path, **options):
    tok = PretrainedTokenizer.from_pretrained(folder)
    return TextDataLoaders.from_df(
        reviews, path=path, text_col="text", label_col="label", tok_tfm=tok, bs=8, seed=1,
        device="cpu", **options,
    )  # fmt: skip


def make(reviews, folder, path, **options):
    torch.manual_seed(1)
    dls = loaders(reviews, folder, path)
    return text_classifier_learner(dls, folder, metrics=accuracy, seed=1, **options)


def fit(learn, n=1, lr=5e-3):
    with learn.no_bar():
        learn.fit(n, lr)
    return learn


@pytest.fixture(scope="module")
def trained(reviews, models, tmp_path_factory):
    """Return a function from a kind of model to a learner that knows the reviews by heart."""
    made = {}

    def learner_of(kind):
        if kind not in made:
            made[kind] = learn = make(reviews, models(kind), tmp_path_factory.mktemp(f"{kind}_fit"))
            learn.unfreeze()
            with learn.no_bar():
                learn.fit_one_cycle(12, 1e-2)
        return made[kind]

    return learner_of


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_learns_a_tiny_set(trained, kind):
    assert trained(kind).validate(ds_idx=0)[1] > 0.95
    assert trained(kind).predict("this is a awful book , so awful")[0] == "neg"


@pytest.mark.slow
def test_exported_models_answer_alike_in_another_process(trained):
    files = [str(trained(kind).export()) for kind in KINDS]
    code = (
        "import json, sys\n"
        "from lamina.text.all import load_learner\n"
        "learners = [load_learner(file) for file in json.loads(sys.argv[1])]\n"
        "texts = json.loads(sys.argv[2])\n"
        "print(json.dumps([[l.predict(t)[2].tolist() for t in texts] for l in learners]))\n"
    )
    args = [sys.executable, "-c", code, json.dumps(files), json.dumps(TEXTS)]

    done = subprocess.run(args, check=True, capture_output=True, text=True)

    found = torch.tensor(json.loads(done.stdout.splitlines()[-1]))
    wanted = [[trained(kind).predict(text)[2].tolist() for text in TEXTS] for kind in KINDS]
    torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_in_a_batch_do_not_matter(trained, kind):
    learn = trained(kind)
    together = learn.get_preds(dl=learn.dls.test_dl(TEXTS))[0]
    alone = [learn.get_preds(dl=learn.dls.test_dl([text]))[0] for text in TEXTS]

    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_loads_what_was_saved_and_answers_alike(trained, kind, tmp_path):
    learn = trained(kind)
    learn.save_pretrained(tmp_path)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)

    logits = model.eval()(**tokenizer(TEXTS[0], return_tensors="pt")).logits

    assert model.config.id2label == {0: "neg", 1: "pos"}
    torch.testing.assert_close(
        logits.softmax(1)[0], learn.predict(TEXTS[0])[2], atol=1e-5, rtol=1e-4
    )


def test_what_was_saved_is_a_model_to_begin_with(trained, reviews, tmp_path):
    folder = trained("bert").save_pretrained(tmp_path / "saved")

    again = make(reviews, folder, tmp_path)

    assert again.validate() == pytest.approx(trained("bert").validate(), rel=1e-4)


def test_checkpoints_bring_weights_back(trained, reviews, models, tmp_path):
    file = trained("distilbert").save("kept")

    other = make(reviews, models("distilbert"), tmp_path).load(file)

    assert other.predict(TEXTS[0])[0] == trained("distilbert").predict(TEXTS[0])[0]


@pytest.mark.parametrize(
    ("kind", "first"), [("bert", "word_embeddings"), ("gpt2", "wte"), ("llama", "embed_tokens")]
)
def test_groups_go_from_embeddings_to_head(trained, kind, first):
    model = trained(kind).model
    names = {p: name for name, p in model.named_parameters()}
    groups = groups_by_depth(model)

    assert len(groups) == 4  # of two layers
    assert first in names[groups[0][0]]
    assert any("classifier" in names[p] or "score" in names[p] for p in groups[-1])
    assert sum(map(len, groups)) == len(names)


def test_layers_can_share_groups(trained):
    assert len(groups_by_depth(trained("bert").model, layer_groups=1)) == 3


def test_a_pretrained_model_starts_frozen_and_thaws_from_the_head(reviews, models, tmp_path):
    learn = make(reviews, models("bert"), tmp_path)
    trains = [p.requires_grad for p in learn.model.parameters()]
    learn.unfreeze()
    with learn.no_bar():
        learn.fit_one_cycle(1, slice(1e-5, 1e-3))

    assert not trains[0]
    assert trains[-1]
    rates = [hyper["lr"] for hyper in learn.opt.hypers]
    assert rates == sorted(rates)
    assert rates[-1] / rates[0] == pytest.approx(100, rel=1e-3)


def test_gradual_unfreezing_and_fine_tuning(reviews, models, tmp_path):
    learn = make(reviews, models("distilbert"), tmp_path)
    with learn.no_bar():
        learn.fit_gradually(1)
        learn.fine_tune(1)

    assert learn.opt.frozen_idx == 0


def test_texts_are_shown_as_words(trained):
    learn = trained("bert")

    shown = str(learn.show_results())

    assert "[SEP]" not in shown
    assert "film" in shown
    assert "predicted" in shown
    assert len(Interpretation.from_learner(learn).top_losses(2)[0]) == 2


def test_lower_precision_and_accumulation(reviews, models, tmp_path):
    learn = make(reviews, models("bert"), tmp_path, cbs=GradientAccumulation(16)).to_bf16()

    fit(learn)

    assert learn.model.model.classifier.weight.dtype == torch.float32
    assert learn.recorder.losses[-1] > 0


def test_rates_are_searched_and_layers_listed(reviews, models, tmp_path):
    learn = make(reviews, models("bert"), tmp_path)
    with learn.no_bar():
        found = learn.lr_find(num_it=10, show_plot=False)

    assert found is not None
    assert "Embedding" in str(learn.summary())


def dicts(reviews, folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = [
        {**tokenizer(row.text), "labels": int(row.label == "pos")} for row in reviews.itertuples()
    ]
    return DataLoader(rows, 8, collate_fn=transformers.DataCollatorWithPadding(tokenizer))


def test_loaders_of_dicts_are_accepted(reviews, models):
    dl = dicts(reviews, models("bert"))
    learn = text_classifier_learner((dl, dl), models("bert"), n_out=2, metrics=accuracy)

    fit(learn)

    assert len(learn.recorder.losses) == len(dl)
    assert learn.get_preds()[0].shape == (len(reviews), 2)


def test_a_ready_model_goes_into_any_learner(reviews, models):
    ready = transformers.AutoModelForSequenceClassification.from_pretrained(
        models("bert"), num_labels=2
    )
    dl = dicts(reviews, models("bert"))
    loss = torch.nn.functional.cross_entropy
    learn = Learner((dl, dl), PretrainedModel(ready), loss, splitter=groups_by_depth)

    fit(learn)

    assert len(learn.opt.groups) == 4


def test_dicts_and_tensors_give_the_same_answers(trained, reviews):
    learn = trained("bert")
    folder = learn.save_pretrained(learn.path / "hf")
    of_dicts = torch.cat([learn.model(**{k: v for k, v in batch.items() if k != "labels"})
                          for batch in dicts(reviews, folder)])  # fmt: skip

    preds = learn.get_preds(dl=learn.dls.test_dl(reviews))[0]

    torch.testing.assert_close(of_dicts.softmax(1), preds, atol=1e-5, rtol=1e-4)


def block_of(models, target, getter, **options):
    return DataBlock(
        blocks=(TextBlock.from_pretrained(models("bert"), **options), target),
        get_x=None if options else ColReader("text"),
        get_y=getter,
        splitter=RandomSplitter(seed=1),
    )


def test_several_labels(reviews, models):
    block = block_of(models, MultiCategoryBlock(), lambda row: [row.label, row.text.split()[4]])
    dls = block.dataloaders(reviews, bs=8, device="cpu")
    learn = fit(text_classifier_learner(dls, models("bert")))

    assert learn.model.bare.config.problem_type == "multi_label_classification"
    assert learn.model.bare.config.id2label[0] == "book"
    assert 0 < learn.predict(TEXTS[0])[2].sum() < 4


def test_numbers(reviews, models):
    block = block_of(models, RegressionBlock(), lambda row: float(row.label == "pos"))
    dls = block.dataloaders(reviews, bs=8, device="cpu")
    learn = fit(text_classifier_learner(dls, models("bert")))

    assert learn.model.bare.config.problem_type == "regression"
    assert learn.get_preds()[0].shape[1] == 1


def test_two_columns_are_a_pair(reviews, models):
    frame = reviews.assign(title="a review")
    folder = models("bert")
    block = block_of(models, CategoryBlock(), ColReader("label"), text_cols=["title", "text"])
    dls = block.dataloaders(frame, bs=2, device="cpu", shuffle=False)
    learn = text_classifier_learner(dls, folder)
    x = learn.dls.test_dl(frame.iloc[:1]).one_batch()[0].as_subclass(torch.Tensor)
    wanted = transformers.AutoTokenizer.from_pretrained(folder)("a review", frame.text[0])

    made = learn.model.inputs(x)

    assert made["input_ids"][0].tolist() == wanted["input_ids"]
    assert made["token_type_ids"][0].tolist() == wanted["token_type_ids"]


def test_the_tokenizer_of_another_model_is_refused(reviews, models, tmp_path):
    with pytest.raises(ContractError, match=r"Token 0 is '<\|endoftext\|>'.*'\[PAD\]' in the load"):
        text_classifier_learner(loaders(reviews, models("bert"), tmp_path), models("gpt2"))
    with pytest.raises(ContractError, match=r"has?ve 305 different tokens|knows 79"):
        text_classifier_learner(loaders(reviews, models("llama"), tmp_path), models("bert"))


def test_words_of_another_kind_are_refused(reviews, models, tmp_path):
    dls = TextDataLoaders.from_df(reviews, path=tmp_path, text_col="text", bs=8, device="cpu")

    with pytest.raises(ContractError, match=r"Make the loaders with TextBlock\.from_pretrained"):
        text_classifier_learner(dls, models("bert"))


def test_texts_are_cut_at_what_the_model_reads(reviews, models, tmp_path):
    long = reviews.assign(text=reviews.text + " very" * 100)

    with pytest.warns(UserWarning, match="of 39 texts reach 64 tokens, where they are cut"):
        learn = make(long, models("bert"), tmp_path)

    assert learn.dls.one_batch()[0].shape[1] == 64
    tok = PretrainedTokenizer.from_pretrained(models("bert"), max_len=99)
    dls = TextDataLoaders.from_df(long, path=tmp_path, text_col="text", tok_tfm=tok, bs=8)
    with pytest.raises(ContractError, match="reads 64 tokens at a time, and the loaders give 99"):
        text_classifier_learner(dls, models("bert"))


def test_settings_of_recurrent_readers_are_refused(reviews, models, tmp_path):
    dls = loaders(reviews, models("bert"), tmp_path)

    with pytest.raises(ContractError, match="drop_mult, lin_ftrs are settings of Lamina's own"):
        text_classifier_learner(dls, models("bert"), drop_mult=0.1, lin_ftrs=[3])
    with pytest.raises(UnknownArgumentError, match="Did you mean 'hidden_act'"):
        text_classifier_learner(dls, models("bert"), config={"hidden_atc": "relu"})
    with pytest.raises(UnknownNameError, match="Did you mean 'AWD_LSTM'"):
        text_classifier_learner(dls, "AWD_LSTN")
    with pytest.raises(ContractError, match="lora are for models of transformers"):
        text_classifier_learner(dls, pretrained=False, lora=True)


def test_a_folder_without_a_model_is_refused(reviews, models, tmp_path):
    dls = loaders(reviews, models("bert"), tmp_path)

    with pytest.raises(ContractError, match="is no reader of Lamina's, and no classifier model"):
        text_classifier_learner(dls, tmp_path)


def test_a_configuration_can_be_changed_and_weights_left(reviews, models, tmp_path):
    learn = make(reviews, models("bert"), tmp_path, pretrained=False, config={"hidden_act": "relu"})

    assert learn.model.bare.config.hidden_act == "relu"
    assert all(p.requires_grad for p in learn.model.parameters())


def first_weights(reviews, folder, path, **options):
    dls = loaders(reviews, folder, path)
    return dict(text_classifier_learner(dls, folder, **options).model.named_parameters())


@pytest.mark.parametrize("start", [{}, {"pretrained": False}, {"lora": {"r": 2}}])
def test_a_seed_decides_the_weights_that_are_new(reviews, models, tmp_path, start):
    if "lora" in start:
        pytest.importorskip("peft")
    folder, before = models("bert"), torch.get_rng_state()
    first, again, other = (
        first_weights(reviews, folder, tmp_path, seed=seed, **start) for seed in (3, 3, 4)
    )

    assert all(torch.equal(p, again[name]) for name, p in first.items())
    assert any(not torch.equal(p, other[name]) for name, p in first.items())
    assert torch.equal(torch.get_rng_state(), before)
