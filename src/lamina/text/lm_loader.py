"""The loader of language models: all texts as a few long streams, read side by side."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor

from lamina.data.items import TfmdLists
from lamina.data.loading.options import LoaderOptions
from lamina.data.loading.plan import Plan
from lamina.data.loading.share import rank_of
from lamina.data.tfmd_loader import TfmdDL
from lamina.foundation.errors import ContractError, DataError
from lamina.foundation.seeding import using
from lamina.tensor.random import generator
from lamina.tensor.tree import to_device
from lamina.tensor.types import plain
from lamina.text.types import LMTensorText

__all__ = ["Documents", "LMDataLoader"]

_BLOCK = 64  # steps that go to another device at once


class Documents:
    """The tokens of many texts in one tensor.

    Args:
        tokens: The numbers of all tokens, text after text.
        sizes: How many tokens each text has.

    Example:
        >>> docs = Documents.of([torch.tensor([1, 2]), torch.tensor([3])])
        >>> len(docs), docs.joined([1, 0])
        (2, tensor([3, 1, 2]))
    """

    def __init__(self, tokens: Tensor, sizes: list[int]) -> None:
        self.tokens = tokens
        self.sizes = sizes

    @classmethod
    def of(cls, dataset: Iterable[Any]) -> "Documents":
        """Read all texts of a data set.

        Args:
            dataset: Vectors of token numbers, or tuples of which these come first.
        """
        pieces: list[Tensor] = []
        run: list[Tensor] = []
        sizes: list[int] = []
        for item in _texts(dataset):
            run.append(plain(torch.as_tensor(item)))
            sizes.append(len(item))
            if len(run) == 1000:  # many small tensors weigh more than what is in them
                pieces.append(torch.cat(run).to(torch.int32))
                run = []
        pieces += [text.to(torch.int32) for text in run]
        tokens = torch.cat(pieces) if pieces else torch.zeros(0, dtype=torch.int32)
        return cls(tokens, sizes)

    def joined(self, order: Sequence[int] | None = None) -> Tensor:
        """Return all tokens, the texts in an order of choice.

        Args:
            order: The numbers of the texts; None leaves them as they are.
        """
        if order is None or not self.sizes:
            return self.tokens.long()
        tokens, ends = self.tokens.numpy(), [0, *accumulate(self.sizes)]
        parts = [tokens[ends[i] : ends[i + 1]] for i in order]  # of arrays: tensors take longer
        return torch.from_numpy(np.concatenate(parts, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.sizes)


class LMDataLoader(TfmdDL):
    """Batches `(x, y)` of token numbers, where `y` is `x` one token later.

    All texts are put in a row, which is cut into `bs` streams of equal length. Row `i` of a batch
    continues row `i` of the batch before, so a model may keep its state from one to the next. With
    `shuffle` the texts come in another order in every pass. Batches are windows on one tensor:
    nothing is copied, unless a transform of batches is to work on them or they go to a device.

    Processes that share the work (`rank` of `world_size`) have `bs` streams each.

    Shapes: `x` and `y` are `(bs, seq_len)`; the last batch of a pass may be shorter.

    Args:
        dataset: The texts: vectors of token numbers, or tuples of which these come first.
        bs: Streams, which are rows of a batch.
        seq_len: Tokens of a row.
        shuffle: Whether the texts come in another order in every pass.
        drop_last: Nothing to drop: kept so that all loaders can be made alike.
        num_workers: Worker processes; making windows costs less than sending them.
        seed: Where randomness starts; None follows `set_seed`.
        device: Where batches go.
        do_setup: Whether to set the pipelines up.
        documents: The texts, if they have been read before.
        options: See `LoaderOptions`.

    Raises:
        DataError: There are fewer tokens than rows.

    Example:
        >>> dl = LMDataLoader([torch.arange(4), torch.arange(4, 9)], bs=2, seq_len=3)
        >>> list(dl)[0]
        (tensor([[0, 1, 2],
                [4, 5, 6]]), tensor([[1, 2, 3],
                [5, 6, 7]]))

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Text".
    """

    def __init__(  # noqa: PLR0913 - a loader's settings and the streams'
        self,
        dataset: Any,
        bs: int = 64,
        seq_len: int = 72,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        num_workers: int = 0,
        seed: int | None = None,
        device: torch.device | str | None = None,
        do_setup: bool = True,
        documents: Documents | None = None,
        **options: Unpack[LoaderOptions],
    ) -> None:
        if seq_len < 1 or bs is None or bs < 1:
            raise ContractError(f"LMDataLoader: bs={bs}, seq_len={seq_len}. Give 1 or more.")
        self.bs: int = bs
        self.seq_len = seq_len
        self.documents = Documents.of(dataset) if documents is None else documents
        # The number of streams depends on these, and the check of the settings on that.
        self.options = {k: v for k, v in options.items() if v is not None}
        self._stream: tuple[Any, Tensor] | None = None
        n_rows = bs * rank_of(self)[1]
        if 0 < len(self.documents.tokens) <= n_rows:
            raise DataError(
                f"LMDataLoader: {len(self.documents.tokens)} tokens are too few for {n_rows} rows. "
                "Give a smaller bs or more text."
            )
        super().__init__(
            dataset,
            bs,
            shuffle=shuffle,
            num_workers=num_workers,
            seed=seed,
            device=device,
            do_setup=do_setup,
            **options,
        )

    @property
    def n(self) -> int:
        """The number of rows that a pass gives."""
        n = -(-self._row_length // self.seq_len) * self.bs
        most = self.options.get("n")
        return n if most is None else min(n, most)

    @property
    def n_inp(self) -> int:
        """One input: the tokens."""
        return 1

    def shuffle_fn(self, idxs: Sequence[Any]) -> Sequence[Any]:
        """Leave the rows in their order; it is the texts that are shuffled."""
        return idxs

    def create_batches(self, samps: Iterable[Any]) -> Iterator[Any]:
        """Give this worker's windows."""
        plan = self._current_plan()
        x, y = self._streams(plan)
        for k in range(-(-len(_sized(samps)) // plan.size)):
            start = plan.number(k) * self.seq_len
            window = slice(start, start + self.seq_len)
            yield x[:, window].clone(), y[:, window].clone()

    def new(self, dataset: Any = None, cls: type | None = None, **overrides: Any) -> Any:
        """Make a loader with the same settings, except for what is given; see `DataLoader.new`.

        Args:
            dataset: Other texts.
            cls: Another class of loader.
            overrides: Settings that differ.
        """
        if dataset is not None and dataset is not self.dataset:
            overrides.setdefault("documents", None)
        return super().new(dataset, cls, **overrides)

    def show_batch(
        self, b: Any = None, max_n: int = 9, *, unique: bool = False, **options: Any
    ) -> Any:
        """Show rows of a batch with what follows; see `TfmdDL.show_batch`."""
        b = self.one_batch() if b is None else b
        return super().show_batch(_typed(b), max_n, unique=unique, **options)

    def show_results(self, b: Any, preds: Any, max_n: int = 9, **options: Any) -> Any:
        """Show rows of a batch with what was predicted; see `TfmdDL.show_results`."""
        return super().show_results(_typed(b), preds, max_n, **options)

    def _finished(self, plan: Plan, n_workers: int) -> Generator[tuple[int, Any]]:
        if n_workers or not self._is_default("after_batch"):
            yield from super()._finished(plan, n_workers)
            return
        yield from enumerate(self._windows(plan), plan.first)

    def _windows(self, plan: Plan) -> Iterator[tuple[Tensor, Tensor]]:
        """Give the windows of a pass as views, after a few at once went to their device."""
        n_left = -(-len(plan.idxs or ()) // plan.size) - plan.first
        stays = self.device is None or self.device.type == "cpu"
        run = max(n_left, 1) if stays else _BLOCK
        streams = self._streams(plan)
        start = plan.first * self.seq_len
        stop = start + n_left * self.seq_len
        for i in range(start, stop, run * self.seq_len):
            window = slice(i, min(i + run * self.seq_len, stop))
            x, y = (stream[:, window] for stream in streams)
            if not stays:
                x, y = to_device((x, y), self.device)
            yield from zip(x.split(self.seq_len, 1), y.split(self.seq_len, 1), strict=True)

    def _streams(self, plan: Plan) -> tuple[Tensor, Tensor]:
        """Return the streams of a pass and the same one token later: `(bs, length)` each."""
        key = (plan.seed, plan.epoch) if self.shuffle else None
        if self._stream is None or self._stream[0] != key:
            self._stream = key, self.documents.joined(self._order(plan))
        rank, world = rank_of(self)
        length, rows = self._row_length, self.bs * world
        tokens = self._stream[1][: length * rows + 1]
        mine = slice(rank * self.bs, (rank + 1) * self.bs)
        return tokens[:-1].view(rows, length)[mine], tokens[1:].view(rows, length)[mine]

    def _order(self, plan: Plan) -> list[int] | None:
        if not self.shuffle:
            return None
        with using(plan.randomness("documents")):
            return torch.randperm(len(self.documents), generator=generator()).tolist()

    @property
    def _row_length(self) -> int:
        return max(0, len(self.documents.tokens) - 1) // (self.bs * rank_of(self)[1])

    def _decode_sample(self, sample: Any, *, full: bool) -> Any:
        """Decode input and target alike: the data set knows only the text that both come from."""
        decode = getattr(self.dataset, "decode", None)
        if decode is None:
            return sample
        is_tuple = not isinstance(self.dataset, TfmdLists)
        whole = [decode((part,) if is_tuple else part, full) for part in sample]
        return tuple(part[0] if is_tuple else part for part in whole)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_stream": None}


def _texts(dataset: Any) -> Iterator[Any]:
    for item in dataset:
        yield item[0] if isinstance(item, tuple) else item


def _sized(samples: Iterable[Any]) -> Sequence[Any]:
    return samples if isinstance(samples, Sequence) else list(samples)


def _typed(b: Any) -> tuple[Any, ...]:
    return tuple(LMTensorText.wrap(part) for part in b)
