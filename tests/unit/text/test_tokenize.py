import multiprocessing
from collections import Counter

import pandas as pd
import pytest

from lamina.foundation.errors import (
    ContractError,
    DataError,
    ItemError,
    UnknownArgumentError,
    UnknownNameError,
)
from lamina.text import tokenize
from lamina.text.cache import cache_key
from lamina.text.tables import load_tokenized_csv, tokenize_csv
from lamina.text.tokenize import (
    Tokenizer,
    join_fields,
    tokenize_df,
    tokenize_files,
    tokenize_folder,
    tokenize_texts,
)
from lamina.text.tokenizers.base import BaseTokenizer, TokenizeWithRules
from lamina.text.tokenizers.fast import HFTokenizer
from lamina.text.tokenizers.subwords import SentencePieceTokenizer
from lamina.text.tokenizers.words import SpacyTokenizer
from lamina.text.types import Tokens

TEXTS = [f"A film number {i} is FINE!!!" for i in range(50)]
SPLIT = BaseTokenizer()


def test_texts_become_tokens_and_counts():
    found = tokenize_texts(TEXTS)

    assert " ".join(found[1]) == "xxbos a film number 1 is xxup fine xxrep 3 !"
    assert found.counter == Counter(token for tokens in found for token in tokens)
    assert found.lengths.tolist() == [len(tokens) for tokens in found]
    assert len(found) == 50


def test_processes_give_the_same(monkeypatch):
    monkeypatch.setattr(tokenize, "_RUN", 7)
    alone, together = (tokenize_texts(TEXTS, n, tok=SPLIT) for n in (0, 2))

    assert list(alone) == list(together)
    assert alone.counter == together.counter


def test_parts_of_tokenized_texts_share_the_tokens():
    found = tokenize_texts(TEXTS, tok=SPLIT)
    part = found[10:20][[3, 1]]

    assert list(part) == [found[13], found[11]]
    assert part.counter == Counter(found[13] + found[11])
    assert part.lengths.tolist() == [len(found[13]), len(found[11])]
    assert found[-1] == found[49]
    with pytest.raises(IndexError, match="no text 50 among 50"):
        found[50]


class Counted(BaseTokenizer):
    """Not savable: only what is registered itself can be named in a file."""


def test_tokens_are_kept_and_found_again(tmp_path):
    first = tokenize_texts(TEXTS, cache=tmp_path, tok=SPLIT)
    written = first.path.stat().st_mtime_ns
    again = tokenize_texts(TEXTS, cache=tmp_path, tok=SPLIT)

    assert list(again) == list(first) == list(tokenize_texts(TEXTS, tok=SPLIT))
    assert again.counter == first.counter
    assert again.path.stat().st_mtime_ns == written
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".arrow", ".arrow"]


@pytest.mark.parametrize(
    ("texts", "settings"),
    [(TEXTS[1:], {}), (TEXTS, {"rules": ()}), (TEXTS, {"tok": BaseTokenizer("i")})],
)
def test_other_texts_or_settings_have_another_name(texts, settings, tmp_path):
    paths = [
        tokenize_texts(t, cache=tmp_path, **{"tok": SPLIT, **s}).path
        for t, s in ((TEXTS, {}), (texts, settings))
    ]

    assert paths[0] != paths[1]


def cut_off(content):
    return content[: len(content) // 2]


def changed(content):
    return content[:300] + bytes([content[300] ^ 1]) + content[301:]


@pytest.mark.parametrize("damage", [cut_off, changed, lambda content: b""])
@pytest.mark.parametrize("which", ["numbers", "words"])
def test_damaged_files_are_made_again(damage, which, tmp_path):
    found = tokenize_texts(TEXTS, cache=tmp_path, tok=SPLIT)
    expected = list(found)
    file = found.path if which == "numbers" else found.path.with_suffix(".words.arrow")
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(damage(content))

    assert list(tokenize_texts(TEXTS, cache=tmp_path, tok=SPLIT)) == expected


def test_the_name_needs_settings_that_can_be_written():
    with pytest.raises(ContractError, match="cannot be saved"):
        cache_key(TEXTS, Counted)


def test_what_has_to_learn_learns_from_the_texts():
    found = tokenize_texts(TEXTS, tok=SentencePieceTokenizer(vocab_sz=60))

    assert found[0][0] == "xxbos"
    assert "".join(found[3]).replace("▁", " ").startswith("xxbos a film number 3")


def test_mistakes_are_named():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'n_workers'"):
        tokenize_csv("texts.csv", "text", n_worker=1)
    with pytest.raises(DataError, match=r"got float nan where a text was expected\. Fill gaps"):
        tokenize_texts(["a", float("nan")], 0)


@pytest.mark.parametrize("columns", ["text", ["title", "text"]])
@pytest.mark.parametrize("gap", [None, float("nan"), pd.NA])
def test_gaps_are_no_words(gap, columns):
    frame = pd.DataFrame({"title": ["A"] * 3, "text": ["b", "c", gap]}, index=[7, 8, 9])
    with pytest.raises(ItemError, match=r"where a text was expected\. Fill .* It is item 2\."):
        tokenize_df(frame, columns, 0)
    with pytest.raises(ItemError, match=r"Fill gaps first.* It is item 9\."):
        Tokenizer.from_df(columns).setup([frame.loc[i] for i in frame.index])


def test_what_is_wrong_in_a_later_run_is_named(monkeypatch):
    monkeypatch.setattr("lamina.text.tokenize._RUN", 2)
    with pytest.raises(ItemError, match=r"got NoneType None .* It is item 4\."):
        tokenize_texts([*TEXTS[:4], None], 0)
    with pytest.raises(ItemError, match=r"the text is not in UTF-8 .*mend.* It is item 1\."):
        tokenize_texts(["a", "b \ud83d"], 0)
    with pytest.raises(ContractError, match="one text instead of several"):
        tokenize_texts("a fine film")


def test_columns_are_named_and_not_replaced():
    with pytest.raises(UnknownNameError, match=r"unknown column 'txt'\. Did you mean 'text'"):
        tokenize_df(FRAME, ["title", "txt"])
    with pytest.raises(ContractError, match=r"would replace the column 'text'.*Give another"):
        tokenize_df(FRAME, "title", 0)


def test_the_mark_at_the_beginning_of_a_file_is_no_letter(tmp_path):
    (tmp_path / "marked.txt").write_text("A film", encoding="utf-8-sig")

    assert tokenize_files([tmp_path / "marked.txt"], n_workers=0)[0] == ["xxbos", "a", "film"]


def test_files_that_are_not_utf8_are_named(tmp_path):
    file = tmp_path / "old.txt"
    file.write_bytes("Größe".encode("latin-1"))
    with pytest.raises(DataError, match=r"old.txt is not in UTF-8 \(.*\)\. Convert it"):
        tokenize_files([file], n_workers=0)


FRAME = pd.DataFrame({"title": ["One", "Two"], "text": ["so so so", "B"], "y": [0, 1]})


def test_frames_keep_their_other_columns():
    frame, count = tokenize_df(FRAME, "text")

    assert list(frame.columns) == ["title", "y", "text", "text_length"]
    assert frame.text.tolist() == [["xxbos", "xxwrep", "3", "so"], ["xxbos", "b"]]
    assert frame.text_length.tolist() == [4, 2]
    assert count["xxbos"] == 2


def test_several_columns_are_marked():
    frame, _ = tokenize_df(FRAME, ["title", "text"], tok_text_col="both")

    assert frame.both[1] == ["xxbos", "xxfld", "1", "xxmaj", "two", "xxfld", "2", "b"]
    assert join_fields(["a", "b"], False) == "a b"


def test_tables_are_read_in_parts(tmp_path):
    FRAME.to_csv(tmp_path / "texts.csv", index=False)
    frame, count = tokenize_csv(tmp_path / "texts.csv", ["text"], chunksize=1)
    whole, total = tokenize_df(FRAME, "text")

    assert frame.text.tolist() == whole.text.tolist()
    assert count == total


def test_tables_of_other_encodings_are_read(tmp_path):
    FRAME.assign(text="Größe").to_csv(tmp_path / "old.csv", index=False, encoding="latin-1")
    frame, _ = tokenize_csv(
        tmp_path / "old.csv", "text", encoding="latin-1", outname=tmp_path / "tokens.csv"
    )

    assert frame.text[0] == ["xxbos", "xxmaj", "größe"]
    assert load_tokenized_csv(tmp_path / "tokens.csv")[0].text[0] == frame.text[0]


def test_tokenized_tables_are_kept_in_files(tmp_path):
    table = pd.DataFrame({"text": ['so so so "good"', "A\n\n b, None"], "label": ["x", "y"]})
    table.to_csv(tmp_path / "texts.csv", index=False)
    frame, count = tokenize_csv(tmp_path / "texts.csv", "text", outname=tmp_path / "tokens.csv")
    again, total = load_tokenized_csv(tmp_path / "tokens.csv")

    assert again.text.tolist() == frame.text.tolist()
    assert total == count
    assert again.text_length.tolist() == frame.text_length.tolist()


def test_folders_are_read(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.txt").write_text(f"text {name}", encoding="utf-8")
    files, found = tokenize_folder(tmp_path)

    assert [file.name for file in files] == ["a.txt", "b.txt"]
    assert found[1] == ["xxbos", "text", "b"]


def test_the_transform_takes_texts_files_rows_and_tokens(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("A b", encoding="utf-8")
    tfm = Tokenizer.from_df("text")

    assert tfm("A b") == tfm(file) == tfm({"text": "A b"}) == tfm({"text": file})
    assert tfm(["a", "b"]) == tfm({"text": ["a", "b"]}) == Tokens(["a", "b"])
    assert Tokenizer.from_df(["x", "y"])({"x": "A", "y": "b"})[:4] == Tokens(
        ["xxbos", "xxfld", "1", "a"]
    )
    with pytest.raises(DataError, match="no folder"):
        Tokenizer.from_folder(tmp_path / "none")


def test_the_transform_tokenizes_once():
    class Seen(BaseTokenizer):
        n = 0

        def __call__(self, texts):
            for text in texts:
                type(self).n += 1
                yield text.split()

    tfm = Tokenizer(Seen(), n_workers=0)
    tfm.setup(TEXTS)
    assert [tfm(text) for text in TEXTS][3][0] == "xxbos"
    assert Seen.n == 50


@pytest.fixture
def spawn():
    usual = multiprocessing.get_start_method()
    multiprocessing.set_start_method("spawn", force=True)
    yield
    multiprocessing.set_start_method(usual, force=True)


@pytest.mark.parametrize(
    "local", [{"rules": [lambda x: x.lower()]}, {"tok": lambda x: map(str.split, x)}]
)
def test_what_new_processes_cannot_be_given_works_in_this_one(local, spawn, monkeypatch):
    monkeypatch.setattr("lamina.text.tokenize._RUN", 20)
    with pytest.warns(UserWarning, match=r"one process works, .*\. Define .* pass n_workers=0"):
        found = tokenize_texts(TEXTS, 2, **{"tok": SPLIT, **local})

    assert list(found) == list(tokenize_texts(TEXTS, 0, **{"tok": SPLIT, **local}))


@pytest.mark.parametrize("tok", [SpacyTokenizer(), SentencePieceTokenizer(), HFTokenizer("{}")])
def test_another_release_of_the_library_has_another_name(tok, monkeypatch):
    keys = []
    for release in ("1.0", "1.1", "1.1"):
        monkeypatch.setattr("lamina.text.cache.version", lambda name, release=release: release)
        keys.append(cache_key(TEXTS, TokenizeWithRules(tok)))

    assert keys[0] != keys[1] == keys[2]
