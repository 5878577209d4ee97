import pytest
import torch
from torch import nn

from lamina.data.block import CategoryBlock, DataBlock, TransformBlock
from lamina.foundation.errors import DataError
from lamina.text.padding import PadInput
from lamina.text.sorted_loader import SortedDL
from lamina.train.learner import Learner

SIZES = torch.randint(1, 60, (500,), generator=torch.Generator().manual_seed(0)).tolist()
TEXTS = [(torch.full((n,), i + 2), i % 2) for i, n in enumerate(SIZES)]


def loader(**settings):
    return SortedDL(TEXTS, **{"bs": 8, "before_batch": PadInput(), **settings})


def test_validation_goes_from_long_to_short():
    widths = [x.shape[1] for x, _ in loader()]

    assert widths == sorted(widths, reverse=True)
    assert widths[0] == max(SIZES)


def test_training_begins_with_the_longest_batch_and_wastes_little():
    batches = [x for x, _ in loader(shuffle=True, seed=1)]
    n_used = sum(int((x != 1).sum()) for x in batches)

    assert batches[0].shape[1] == max(SIZES)
    assert n_used == sum(SIZES)
    assert n_used / sum(x.numel() for x in batches) > 0.9


def test_every_item_comes_once_in_an_order_that_the_seed_decides():
    first, again = (list(loader(shuffle=True, seed=1).get_idxs()) for _ in range(2))
    dl = loader(shuffle=True, seed=1)
    orders = [[int(row[0]) for x, _ in dl for row in x] for _ in range(2)]

    assert sorted(first) == sorted(again) == list(range(len(TEXTS)))
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


def test_known_lengths_are_taken():
    dl = SortedDL(TEXTS, bs=4, res=list(range(500)), before_batch=PadInput())

    assert dl.one_batch()[0][:, 0].tolist() == [501, 500, 499, 498]
    with pytest.raises(DataError, match="3 lengths for 500 items"):
        SortedDL(TEXTS, res=[1, 2, 3])


class FirstToken(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return torch.stack([x[:, 0], x[:, 0]], 1).float() * self.scale


def test_predictions_come_in_the_order_of_the_items():
    block = DataBlock(
        (TransformBlock(dl_type=SortedDL), CategoryBlock),
        get_x=lambda pair: pair[0],
        get_y=lambda pair: pair[1],
        splitter=lambda items: (range(100), range(100, 150)),
    )
    dls = block.dataloaders(TEXTS, bs=8, before_batch=PadInput(), device="cpu")
    learn = Learner(dls, FirstToken(), default_cbs=False)

    x, _, targets = learn.get_preds(act=lambda out: out, with_input=True)[:3]
    preds = learn.get_preds(act=lambda out: out)[0]
    assert preds[:, 0].tolist() == list(range(102, 152))
    assert targets.tolist() == [i % 2 for i in range(100, 150)]
    assert [int(text[0]) for text in x[0]] == list(range(102, 152))
