from itertools import pairwise

import pytest
import torch

from lamina.foundation.errors import ContractError, DataError
from lamina.text.lm_loader import Documents, LMDataLoader

TEXTS = [torch.arange(start, start + 7) for start in range(0, 70, 7)]


def loader(**settings):
    return LMDataLoader(TEXTS, **{"bs": 3, "seq_len": 5, **settings})


def joined(batches, part=0):
    return torch.cat([batch[part] for batch in batches], 1)


def test_rows_continue_from_batch_to_batch():
    x = joined(loader())

    assert x.shape == (3, 23)
    assert all(torch.equal(row, row[0] + torch.arange(23)) for row in x)


def test_target_is_one_token_later():
    for x, y in loader():
        assert torch.equal(x + 1, y)
        assert y.dtype == torch.int64


def test_last_batch_is_shorter():
    sizes = [x.shape[1] for x, _ in loader()]

    assert sizes == [5, 5, 5, 5, 3]
    assert len(loader()) == 5


def test_windows_share_the_memory_of_one_tensor():
    batches = list(loader())

    pointers = {x.untyped_storage().data_ptr() for batch in batches for x in batch}
    assert len(pointers) == 1


def test_a_batch_transform_gets_a_copy():
    dl = loader(after_batch=lambda part: part.mul_(0))

    assert not joined(dl).any()
    assert joined(loader()).any()


def test_shuffling_changes_the_order_of_texts_only():
    dl = loader(shuffle=True, seed=1)
    first, second = joined(dl), joined(dl)

    assert not torch.equal(first, second)
    starts = [int(t) for t in first.flatten() if t % 7 == 0]
    assert sorted(starts) != starts
    tokens = first[0].tolist()
    assert all(b == a + 1 for a, b in pairwise(tokens) if b % 7)


def test_the_same_seed_gives_the_same_passes():
    passes = [[joined(dl) for _ in range(2)] for dl in (loader(shuffle=True, seed=4),) * 1]
    again = loader(shuffle=True, seed=4)

    assert all(torch.equal(a, joined(again)) for a in passes[0])


@pytest.mark.parametrize("n_seen", [0, 1, 3])
def test_a_pass_goes_on_from_any_batch(n_seen):
    dl, whole = loader(shuffle=True, seed=2), list(loader(shuffle=True, seed=2))
    batches = iter(dl)
    for _ in range(n_seen):
        next(batches)
    state = dl.state_dict()
    other = loader(shuffle=True)
    other.load_state_dict(state)

    assert torch.equal(joined(other), joined(whole[n_seen:]))


def test_worker_processes_give_the_same_batches():
    plain, worked = loader(shuffle=True, seed=3), loader(shuffle=True, seed=3, num_workers=2)

    assert all(torch.equal(a[0], b[0]) for a, b in zip(plain, worked, strict=True))


def test_ranks_read_different_streams():
    rows = [joined(loader(bs=2, rank=rank, world_size=2)) for rank in range(2)]

    assert rows[0].shape == rows[1].shape == (2, 17)
    assert torch.equal(torch.cat(rows), joined(loader(bs=4)))


def test_too_few_tokens_are_refused():
    with pytest.raises(DataError, match=r"70 tokens are too few for 70 rows\. Give a smaller bs"):
        loader(bs=70)
    with pytest.raises(ContractError, match="seq_len=0"):
        loader(seq_len=0)


def test_texts_are_read_once():
    class Texts(list):
        n_read = 0

        def __iter__(self):
            self.n_read += 1
            return super().__iter__()

    texts = Texts(TEXTS)
    LMDataLoader(texts, bs=2, seq_len=3).new(bs=4).new(shuffle=True)

    assert texts.n_read == 1


def test_documents_of_tuples():
    docs = Documents.of([(torch.tensor([1, 2]), "label"), (torch.tensor([3]), "label")])

    assert docs.joined([1, 0]).tolist() == [3, 1, 2]
