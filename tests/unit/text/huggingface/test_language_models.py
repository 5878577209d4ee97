"""Language models of `transformers`: causal ones go on with texts, masked ones fill gaps."""

import pytest
import torch
import transformers

from lamina.data.block import DataBlock
from lamina.data.split import RandomSplitter
from lamina.foundation.errors import ContractError, DataError, UnknownArgumentError
from lamina.metrics.text import Perplexity
from lamina.text.blocks import TextBlock
from lamina.text.huggingface.groups import groups_by_depth
from lamina.text.huggingface.masking import MaskTokens, mask_tokens
from lamina.text.huggingface.tokenizer import PretrainedTokenizer
from lamina.text.huggingface.words import _Keeping
from lamina.text.learner import language_model_learner, text_classifier_learner
from lamina.text.loaders import TextDataLoaders
from lamina.text.vocab import text_vocab
from lamina.train.persistence import load_learner


def streams(reviews, folder, seq_len=16):
    block = DataBlock(
        TextBlock.from_pretrained(folder, "text", is_lm=True, seq_len=seq_len),
        splitter=RandomSplitter(seed=1),
    )
    return block.dataloaders(reviews, bs=4, device="cpu", seed=1)


def make(reviews, folder, path, n_epoch=0, **options):
    torch.manual_seed(1)
    dls = streams(reviews, folder)
    learn = language_model_learner(dls, folder, metrics=Perplexity(), seed=1, path=path, **options)
    with learn.no_bar():
        if n_epoch:
            learn.fit_one_cycle(n_epoch, 1e-2)
    return learn


@pytest.fixture(scope="module")
def causal(reviews, models, tmp_path_factory):
    return {
        kind: make(reviews, models(kind), tmp_path_factory.mktemp(f"{kind}_lm"), 25)
        for kind in ("gpt2", "llama")
    }


@pytest.fixture(scope="module")
def masked(reviews, models, tmp_path_factory):
    """Return a model that has learnt from whole texts, padded as for a classifier."""
    block = DataBlock(
        TextBlock.from_pretrained(models("bert"), "text"), splitter=RandomSplitter(seed=1)
    )
    dls = block.dataloaders(reviews, bs=8, device="cpu", seed=1)
    learn = language_model_learner(
        dls, models("bert"), objective="masked", seed=1, path=tmp_path_factory.mktemp("masked")
    )
    with learn.no_bar():
        learn.fit_one_cycle(30, 5e-3)
    return learn


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_causal_model_learns(causal, kind):
    loss, perplexity = causal[kind].validate()

    assert perplexity < 4  # of over 300 tokens
    assert perplexity == pytest.approx(torch.tensor(loss).exp().item(), rel=1e-3)


def test_the_loss_is_that_of_transformers(causal, models):
    learn = causal["gpt2"]
    x, y = (part.as_subclass(torch.Tensor) for part in learn.dls.train.one_batch())
    bare = learn.model.eval().bare

    ours = learn.loss_func(learn.model(x), y)

    whole = torch.cat([x, y[:, -1:]], 1)  # transformers shifts the labels itself
    assert ours.item() == pytest.approx(bare(whole, labels=whole).loss.item(), rel=1e-4)


def test_texts_end_with_the_token_of_the_end(causal):
    vocab = text_vocab(causal["gpt2"].dls)
    tokens = [vocab[i] for i in causal["gpt2"].dls.train.one_batch()[0].flatten().tolist()]

    assert "<|endoftext|>" in tokens


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_text_goes_on(causal, kind):
    text = causal[kind].predict("this is a bad", 4, temperature=0)

    assert text.startswith("this is a bad ")
    assert text.split()[4] in ("film", "book")
    assert causal[kind].predict("this is a", 6, seed=3) == causal[kind].predict(
        "this is a", 6, seed=3
    )


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_what_was_read_is_kept(causal, kind):
    model, tokenizer = causal[kind].model.eval(), causal[kind].tokenizer
    reader, tokens = _Keeping(model, tokenizer), torch.tensor([[5, 9, 14, 20]])

    with torch.no_grad():
        steps = [reader(tokens[:, :2]), reader(tokens[:, 2:3]), reader(tokens[:, 3:])]
        torch.testing.assert_close(torch.cat(steps, 1), model(tokens), atol=1e-5, rtol=1e-4)


def test_a_text_may_grow_longer_than_the_model_reads(causal):
    text = causal["gpt2"].predict("this is a", 90, temperature=0)

    assert len(text.split()) > 70


def test_wrong_questions_are_refused(causal, masked):
    with pytest.raises(UnknownArgumentError, match="Did you mean 'temperature'"):
        causal["gpt2"].predict("this", temprature=1)
    with pytest.raises(ContractError, match="the text has no tokens"):
        causal["gpt2"].predict("")
    with pytest.raises(ContractError, match=r"there is no \[MASK\] in the text"):
        masked.predict("this is")


def test_masked_tokens_are_found(masked):
    assert masked.predict("this [MASK] a good film , so good") == "this is a good film, so good"


def test_validation_masks_the_same_tokens_every_time(masked):
    assert masked.validate() == masked.validate()


def test_chance_is_counted(reviews, models, tmp_path):
    runs = [make(reviews, models("bert"), tmp_path, 1, objective="masked") for _ in range(2)]

    assert runs[0].recorder.losses == runs[1].recorder.losses


def test_shares_of_masked_tokens():
    x = torch.randint(10, 1000, (200, 100))
    x[:, 0] = 3
    hidden, asked = mask_tokens(x, 4, 1000, special=[3], generator=torch.Generator().manual_seed(0))
    where = asked != -100

    assert where.float().mean().item() == pytest.approx(0.15 * 0.99, abs=0.01)
    assert (hidden[where] == 4).float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert (hidden[where] == x[where]).float().mean().item() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(asked[where], x[where])
    assert torch.equal(hidden[~where], x[~where])
    assert not where[:, 0].any()


def test_at_least_one_token_is_masked():
    x = torch.arange(10, 14)[None]
    generator = torch.Generator().manual_seed(0)

    asked = mask_tokens(x, 4, 100, p=1e-6, generator=generator)[1]

    assert (asked != -100).sum() == 1


def test_a_mask_is_needed(reviews, models):
    with pytest.raises(ContractError, match="no token for what is masked"):
        MaskTokens.of(PretrainedTokenizer.from_pretrained(models("gpt2")))
    with pytest.raises(ContractError, match="p=2 must be between"):
        MaskTokens(1, 9, p=2)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert"])
def test_embeddings_that_answer_are_in_the_last_group(causal, masked, kind):
    model = masked.model if kind == "bert" else causal[kind].model
    groups = groups_by_depth(model)
    answering = model.bare.get_output_embeddings().weight

    assert any(p is answering for p in groups[-1])
    assert sum(map(len, groups)) == len(list(model.parameters()))


def test_exported_language_models_come_back(causal, masked):
    again = load_learner(causal["gpt2"].export())
    filler = load_learner(masked.export())

    assert again.predict("this is", 5, seed=2) == causal["gpt2"].predict("this is", 5, seed=2)
    assert filler.predict("this is a good [MASK]") == masked.predict("this is a good [MASK]")


def test_transformers_loads_a_language_model(causal, tmp_path):
    folder = causal["llama"].save_pretrained(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer("this is a", return_tensors="pt")

    out = tokenizer.decode(
        model.generate(**batch, max_new_tokens=4, do_sample=False)[0], skip_special_tokens=True
    )

    assert out.strip() == causal["llama"].predict("this is a", 4, temperature=0)


def test_a_tuned_reader_goes_on_to_a_classifier(masked, reviews, models, tmp_path):
    file = masked.save_encoder("reader")
    tok = PretrainedTokenizer.from_pretrained(models("bert"))
    dls = TextDataLoaders.from_df(reviews, path=tmp_path, text_col="text", tok_tfm=tok, bs=8)
    learn = text_classifier_learner(dls, models("bert")).load_encoder(file)
    words = learn.model.encoder.get_input_embeddings().weight

    assert torch.equal(words, masked.model.encoder.get_input_embeddings().weight)
    other = text_classifier_learner(
        dls, models("bert"), config={"intermediate_size": 40}, pretrained=False
    )
    with pytest.raises(ContractError, match="is the reader of another model"):
        other.load_encoder(file)


@pytest.mark.parametrize(("kind", "objective"), [("bert", "masked"), ("llama", "causal")])
def test_dicts_of_collators_are_asked_for_the_same(reviews, models, tmp_path, kind, objective):
    folder = models(kind)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm=objective == "masked")
    torch.manual_seed(0)
    batch = collate([tokenizer(text) for text in reviews.text[:8]])
    learn = language_model_learner(([batch], [batch]), folder, objective=objective, path=tmp_path)

    loss = learn.validate()[0]

    with torch.no_grad():
        assert loss == pytest.approx(learn.model.bare.eval()(**batch).loss.item(), rel=1e-4)


def test_too_long_a_window_is_refused(reviews, models):
    dls = streams(reviews, models("gpt2"), seq_len=65)

    with pytest.raises(ContractError, match="reads 64 tokens at a time, and the loaders give 65"):
        language_model_learner(dls, models("gpt2"))
    with pytest.raises(ContractError, match="expected 'causal' or 'masked'"):
        language_model_learner(dls, models("gpt2"), objective="prefix")


def test_rows_of_a_stream_are_shown(causal):
    shown = str(causal["gpt2"].show_results(max_n=2))

    assert "film" in shown
    assert "text_" in shown


def test_what_is_no_text_is_refused(causal, masked):
    for learn in (causal["gpt2"], masked):
        with pytest.raises(DataError, match=r"got NoneType None where a text was expected\. Fill"):
            learn.predict(None)


def test_loaders_for_the_other_kind_of_learner_are_refused(causal, masked, reviews, models):
    folder = models("gpt2")
    with pytest.raises(ContractError, match=r"streams of words .*\. Make them without is_lm=True"):
        text_classifier_learner(causal["gpt2"].dls, folder)
    tok = PretrainedTokenizer.from_pretrained(folder)
    dls = TextDataLoaders.from_df(reviews, text_col="text", label_col="label", tok_tfm=tok, bs=8)
    with pytest.raises(ContractError, match=r"texts with labels.*\. Make them with is_lm=True"):
        language_model_learner(dls, folder)
