import pandas as pd
import pytest
import torch
from torch import nn

from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.foundation.registry import savable
from lamina.text.loaders import TextDataLoaders
from lamina.text.tokenize import Tokenizer, tokenize_df
from lamina.text.tokenizers.fast import HFTokenizer
from lamina.text.tokenizers.subwords import SentencePieceTokenizer
from lamina.text.tokenizers.words import SpacyTokenizer
from lamina.text.vocab import make_vocab, text_vocab
from lamina.train.learner import Learner
from lamina.train.persistence import ModelSpec, load_learner

FRAME = pd.DataFrame(
    {
        "label": ["good", "bad"] * 30,
        "text": [f"a {w} film, number {i}!" for i in range(30) for w in ("fine", "dull")],
        "valid": [False] * 50 + [True] * 10,
    }
)
COLS = {"text_col": "text", "label_col": "label", "device": "cpu", "bs": 8}


def from_df(frame=FRAME, **settings):
    return TextDataLoaders.from_df(frame, **{**COLS, **settings})


def test_rows_are_split_at_random_or_by_a_column():
    assert [len(dl.dataset) for dl in from_df(seed=1)] == [48, 12]
    assert [len(dl.dataset) for dl in from_df(valid_pct=0.5)] == [30, 30]
    assert [len(dl.dataset) for dl in from_df(valid_col="valid")] == [50, 10]


@pytest.mark.parametrize("name", ["vocab", "text_vocab"])
def test_a_vocabulary_is_taken(name):
    words = ["xxunk", "xxpad", "film"]

    assert text_vocab(from_df(**{name: words})) == words


def test_tokens_are_not_tokenized_again():
    tokens, count = tokenize_df(FRAME, "text")
    dls = from_df(tokens, vocab=make_vocab(count))

    assert "xxbos" not in dls.decode_batch(dls.one_batch(), 1)[0][0][5:]
    lengths = sorted(tokens.text_length.tolist())
    assert lengths[0] <= (dls.one_batch()[0] != 1).sum(1).min() <= lengths[-1]


def test_language_models_have_no_labels():
    dls = from_df(is_lm=True, seq_len=5)
    x, y = dls.one_batch()

    assert x.shape == (8, 5)
    assert torch.equal(x[:, 1:], y[:, :-1])
    assert isinstance(dls.vocab, list)


def test_several_labels():
    frame = FRAME.assign(label=["a b", "b", "c"] * 20)
    dls = from_df(frame, label_delim=" ")

    assert dls.one_batch()[1].shape == (8, 3)
    assert list(dls.vocab[1]) == ["a", "b", "c"]


def test_tables_in_files(tmp_path):
    FRAME.to_csv(tmp_path / "reviews.csv", index=False)
    dls = TextDataLoaders.from_csv(tmp_path, "reviews.csv", **COLS)

    assert len(dls.train.dataset) == 48
    assert dls.path == tmp_path
    with pytest.raises(UnknownArgumentError, match="Did you mean 'text_col'"):
        TextDataLoaders.from_csv(tmp_path, "reviews.csv", text_cl="text")


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "test"):
        for label in ("neg", "pos"):
            (tmp_path / split / label).mkdir(parents=True)
            for i in range(12):
                file = tmp_path / split / label / f"{i}.txt"
                file.write_text(f"{label} text {i} {'x ' * i}", encoding="utf-8")
    return tmp_path


def test_folders_of_labels(folder):
    dls = TextDataLoaders.from_folder(folder, valid="test", bs=4, device="cpu")

    assert [len(dl.dataset) for dl in dls] == [24, 24]
    assert list(dls.vocab[1]) == ["neg", "pos"]
    shuffled = TextDataLoaders.from_folder(
        folder, valid_pct=0.25, vocab=["pos", "neg"], bs=4, device="cpu"
    )
    assert list(shuffled.vocab[1]) == ["pos", "neg"]
    assert len(shuffled.valid.dataset) == 12


def test_folders_of_a_language_model(folder):
    dls = TextDataLoaders.from_folder(folder, valid_pct=0.5, is_lm=True, bs=4, seq_len=7)

    assert dls.one_batch()[0].shape == (4, 7)
    assert isinstance(dls.vocab, list)


def test_mistakes_are_named():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'is_lm'"):
        from_df(is_ml=True)
    with pytest.raises(ContractError, match="both text_vocab and vocab"):
        from_df(vocab=["a"], text_vocab=["a"])


def test_batches_are_tables():
    table = from_df(seed=1).show_batch(max_n=3)

    assert list(table.header) == ["text", "category"]
    assert len(table.rows) == 3
    assert "<th>category</th>" in table._repr_html_()
    lm = from_df(is_lm=True, seq_len=5).show_batch(max_n=2)
    assert list(lm.header) == ["text", "text_"]
    assert lm.rows[0][0].split()[1:] == lm.rows[0][1].split()[:-1]


def test_long_texts_are_cut_in_tables_on_demand():
    dls = from_df()

    assert dls.show_batch(max_n=1, trunc_at=4).rows[0][0] == "xxbo..."
    assert len(dls.show_batch(max_n=1, trunc_at=None).rows[0][0]) > 20


@savable("tests:MeanOfWords")
class MeanOfWords(nn.Module):
    def __init__(self, n_words=200, n_out=2):
        super().__init__()
        self.embed = nn.Embedding(n_words, n_out, padding_idx=1)

    def forward(self, x):
        return self.embed(x).mean(1)

    def to_state(self):
        raise NotImplementedError

    from_state = to_state


def learner(**settings):
    learn = Learner(from_df(seed=1, **settings), MeanOfWords(), default_cbs=False)
    learn.model_spec = ModelSpec(MeanOfWords)
    return learn


def test_results_and_hardest_texts_are_tables():
    learn = learner()
    table = learn.show_results(max_n=4)

    assert list(table.header) == ["text", "category", "predicted"]
    assert len(table.rows) == 4
    assert set(table.rows[0][1:]) <= {"good", "bad"}


def test_language_model_results_are_a_table():
    class Next(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.embed = nn.Embedding(n, n)

        def forward(self, x):
            return self.embed(x)

    dls = from_df(is_lm=True, seq_len=5)
    table = Learner(dls, Next(len(dls.vocab)), default_cbs=False).show_results(max_n=2)

    assert list(table.header) == ["text", "text_", "predicted"]


TOKENIZERS = {
    "words": SpacyTokenizer(),
    "subwords": SentencePieceTokenizer(vocab_sz=60),
    "fast": HFTokenizer.trained(FRAME.text.tolist(), "bpe", vocab_sz=300),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_an_exported_learner_has_its_tokenizer(name, tmp_path):
    learn = learner(tok_tfm=Tokenizer(TOKENIZERS[name]))
    before = learn.predict("a fine film, number 3!")
    loaded = load_learner(learn.export(tmp_path / "text.lamina"))
    after = loaded.predict("a fine film, number 3!")

    assert before[0] in ("good", "bad")
    assert before[0] == after[0]
    assert torch.equal(before[2], after[2])
