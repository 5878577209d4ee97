"""Low-rank adapters: little trains; what was learnt is saved apart or put into the weights."""

import pytest
import torch
import transformers

from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.metrics.classify import accuracy
from lamina.text.huggingface.learner import add_lora, merge_lora
from lamina.text.huggingface.tokenizer import PretrainedTokenizer
from lamina.text.learner import text_classifier_learner
from lamina.text.loaders import TextDataLoaders
from lamina.train.persistence import load_learner

peft = pytest.importorskip("peft")
KINDS = ("bert", "distilbert", "modernbert", "gpt2", "llama")


def make(reviews, folder, path, **options):
    tok = PretrainedTokenizer.from_pretrained(folder)
    dls = TextDataLoaders.from_df(
        reviews, path=path, text_col="text", label_col="label", tok_tfm=tok, bs=8, seed=1,
        device="cpu",
    )  # fmt: skip
    torch.manual_seed(1)
    return text_classifier_learner(dls, folder, metrics=accuracy, seed=1, **options)


def fit(learn, n=2):
    with learn.no_bar():
        learn.fit(n, 1e-2)
    return learn


@pytest.fixture(scope="module")
def adapted(reviews, models, tmp_path_factory):
    made = {}

    def learner_of(kind):
        if kind not in made:
            path = tmp_path_factory.mktemp(f"{kind}_lora")
            made[kind] = fit(make(reviews, models(kind), path, lora={"r": 4}))
        return made[kind]

    return learner_of


def answers(learn, reviews):
    return learn.get_preds(dl=learn.dls.test_dl(reviews))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_only_adapters_and_head_train(reviews, models, tmp_path, kind):
    learn = make(reviews, models(kind), tmp_path, lora=True)
    learn.freeze()
    learn.unfreeze()
    before = {name: p.clone() for name, p in learn.model.named_parameters()}
    fit(learn, 1)
    moved = {n for n, p in learn.model.named_parameters() if not torch.equal(p, before[n])}

    assert any("lora_B" in name for name in moved)
    assert any("modules_to_save" in name for name in moved)
    assert all("lora_" in name or "modules_to_save" in name for name in moved)


@pytest.mark.parametrize("kind", KINDS)
def test_merging_keeps_the_answers(adapted, reviews, models, tmp_path, kind):
    learn = adapted(kind)
    folder = learn.save_pretrained(tmp_path / "merged")

    again = make(reviews, folder, tmp_path)

    torch.testing.assert_close(
        answers(again, reviews), answers(learn, reviews), atol=1e-4, rtol=1e-3
    )
    assert learn.model.adapted  # saving a merged copy leaves the learner as it is


def test_checkpoints_of_adapters(adapted, reviews, models, tmp_path):
    file = adapted("bert").save("kept")
    again = make(reviews, models("bert"), tmp_path, lora={"r": 4}).load(file)

    assert answers(again, reviews).equal(answers(adapted("bert"), reviews))
    fit(again, 1)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_exported_with_adapters(adapted, reviews, kind):
    again = load_learner(adapted(kind).export())

    assert answers(again, reviews).equal(answers(adapted(kind), reviews))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of peft, about transformers
def test_peft_loads_a_saved_adapter(adapted, reviews, models, tmp_path):
    learn = adapted("distilbert")
    folder = learn.save_adapter(tmp_path)
    base = transformers.AutoModelForSequenceClassification.from_pretrained(models("distilbert"))
    model = peft.PeftModel.from_pretrained(base, folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(models("distilbert"))

    logits = model(**tokenizer("this is a good film", return_tensors="pt")).logits

    wanted = learn.predict("this is a good film")[2]
    torch.testing.assert_close(logits.softmax(1)[0], wanted, atol=1e-5, rtol=1e-4)


def test_adapters_come_and_go(reviews, models, tmp_path):
    learn = make(reviews, models("distilbert"), tmp_path)
    add_lora(learn, peft.LoraConfig(r=2, lora_alpha=4, target_modules=["q_lin", "v_lin"]))
    fit(learn, 1)
    told = answers(learn, reviews)
    merge_lora(learn)

    torch.testing.assert_close(answers(learn, reviews), told, atol=1e-5, rtol=1e-4)
    assert all(p.requires_grad for p in learn.model.parameters())
    fit(learn, 1)
    assert load_learner(learn.export()).model.adapted is None


def test_wrong_settings_are_refused(reviews, models, tmp_path):
    learn = make(reviews, models("distilbert"), tmp_path)

    with pytest.raises(UnknownArgumentError, match="Did you mean 'lora_alpha'"):
        add_lora(learn, {"lora_alfa": 3})
    with pytest.raises(UnknownArgumentError, match="megatron_core"):
        add_lora(learn, {"megatron_core": "os"})
    with pytest.raises(ContractError, match="expected True, a dict of settings"):
        add_lora(learn, 3)
    with pytest.raises(ContractError, match="the model has no adapters"):
        merge_lora(learn)
    add_lora(learn)
    with pytest.raises(ContractError, match="Merge them first"):
        add_lora(learn)
