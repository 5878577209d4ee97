import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lamina.foundation.errors import ContractError
from lamina.text.padding import PadChunk, PadInput, ReverseText, pad_chunk, pad_texts
from lamina.text.types import TensorText

LONG, SHORT = torch.arange(5, 12), torch.tensor([7, 8])
BATCH = [(LONG, "a"), (SHORT, "b")]


def test_padding_goes_behind_or_in_front():
    behind, front = (PadInput(pad_first=first)(BATCH)[1][0].tolist() for first in (False, True))

    assert behind == [7, 8, 1, 1, 1, 1, 1]
    assert front == [1, 1, 1, 1, 1, 7, 8]


def test_chunks_go_in_front_and_the_rest_behind():
    x = PadChunk(seq_len=3)(BATCH)[1][0]

    assert x.tolist() == [1, 1, 1, 7, 8, 1, 1]
    assert pad_chunk(SHORT, pad_first=False, seq_len=3, pad_len=7).tolist() == [7, 8, *[1] * 5]


def test_types_and_targets_stay():
    x, y = PadChunk()([(TensorText(LONG), 0), (TensorText(SHORT), 1)])[1]

    assert type(x) is TensorText
    assert y == 1


def test_several_fields_are_padded_each_for_itself():
    items = [(LONG, SHORT, 0), (SHORT, SHORT[:1], 1)]
    sizes = [[len(part) for part in item[:2]] for item in PadInput(pad_fields=[0, 1])(items)]

    assert sizes == [[7, 2], [7, 2]]
    with pytest.raises(ContractError, match=r"no part 2 in items of 2"):
        PadInput(pad_fields=2)(BATCH)


def test_decoding_takes_the_padding_off():
    for tfm in (PadInput(), PadInput(backwards=True), PadChunk(seq_len=2)):
        assert tfm.decode(tfm(BATCH)[1])[0].tolist() == [7, 8]
    kept = PadChunk(seq_len=2, undo=False)
    assert len(kept.decode(kept(BATCH)[1])[0]) == 7


def test_reversing_is_undone_by_itself():
    x = TensorText([1, 2, 3])

    assert ReverseText()(x).tolist() == [3, 2, 1]
    assert ReverseText().decode(ReverseText()(x)).tolist() == [1, 2, 3]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 9), st.booleans())
def test_padding_adds_nothing_but_padding(sizes, seq_len, pad_first):
    texts = [torch.arange(2, 2 + n) for n in sizes]
    out = pad_texts(texts, pad_first=pad_first, seq_len=seq_len)

    assert out.shape == (len(sizes), max(sizes))
    for row, text in zip(out, texts, strict=True):
        assert torch.equal(row[row != 1], text)
        assert int((row != 1).int().argmax()) % seq_len == 0
