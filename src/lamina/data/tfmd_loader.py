"""A loader whose stages are pipelines of transforms, so that batches can be decoded and shown."""

from itertools import repeat
from typing import Any, Self, Unpack

import torch

from lamina.data.loader import DataLoader
from lamina.data.loading.options import LoaderOptions
from lamina.data.loading.stages import retype
from lamina.data.pipeline import Pipeline
from lamina.data.show import show_batch, show_results
from lamina.foundation.collections import L
from lamina.foundation.signatures import strict
from lamina.tensor.tree import batch_to_samples, to_cpu

__all__ = ["PIPELINES", "TfmdDL"]

PIPELINES = ("after_item", "before_batch", "after_batch")


class TfmdDL(DataLoader):
    """A `DataLoader` whose `after_item`, `before_batch` and `after_batch` are pipelines.

    Each of the three may be given as a transform, a class, a function, or a list of these. They
    know the split of the data set, and are set up in this order with the loader itself, so that
    `Normalize` can take its statistics from a batch.

    Args:
        dataset: the items, usually tuples; see `DataLoader`.
        bs: items per batch.
        shuffle: whether each pass has its own random order.
        drop_last: leave out an incomplete last batch, unless it is the only one.
        num_workers: worker processes.
        seed: where randomness starts; None follows `set_seed`.
        device: where batches go before `after_batch`.
        do_setup: whether to set the pipelines up.
        options: see `LoaderOptions`.

    Attributes:
        pipelines: the three pipelines by name, which are also the stages of these names.

    Example:
        >>> dl = TfmdDL([(1, "a"), (2, "b")], bs=2, after_item=lambda x: x * 2)
        >>> dl.one_batch()
        (tensor([2, 4]), ['aa', 'bb'])

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Data loading".
    """

    def __init__(
        self,
        dataset: Any,
        bs: int | None = 64,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        num_workers: int = 0,
        seed: int | None = None,
        device: torch.device | str | None = None,
        do_setup: bool = True,
        **options: Unpack[LoaderOptions],
    ) -> None:
        given = {name: options.pop(name, None) for name in PIPELINES}
        super().__init__(
            dataset,
            bs,
            shuffle=shuffle,
            drop_last=drop_last,
            num_workers=num_workers,
            seed=seed,
            device=device,
            **options,
        )
        self.pipelines = {name: Pipeline() for name in PIPELINES}
        for name, tfms in given.items():
            pipeline = Pipeline(tfms, getattr(dataset, "split_idx", None))
            self._set_pipeline(name, pipeline, do_setup=do_setup)
        if self.device is not None:
            self.pipelines["after_batch"].to(self.device)

    @property
    def n_inp(self) -> int:
        """How many elements of an item are inputs: the data set says, else all but the last."""
        if (n_inp := getattr(self.dataset, "n_inp", None)) is not None:
            return n_inp
        item = self.dataset[0] if self.indexed else next(iter(self.dataset))
        return max(1, len(item) - 1) if isinstance(item, tuple) else 1

    def split_xy(self, b: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Split a batch into its inputs and its targets.

        Args:
            b: the batch.
        """
        parts = tuple(b) if isinstance(b, tuple | list) else (b,)
        return parts[: self.n_inp], parts[self.n_inp :]

    def decode(self, b: Any) -> Any:
        """Undo what `after_batch` did to a batch, and bring it to the CPU.

        Args:
            b: a batch, as `after_batch` gives it.
        """
        return to_cpu(self.pipelines["after_batch"].decode(b))

    @strict
    def decode_batch(self, b: Any, max_n: int = 9, *, full: bool = True) -> L[Any]:
        """Return the first items of a batch, decoded.

        Args:
            b: a batch, as `after_batch` gives it; targets may be missing.
            max_n: how many items at most.
            full: whether to decode to the beginning; False stops where an item can show itself.
        """
        samples = batch_to_samples(self.decode(b), max_n)
        return L([self._decode_sample(sample, full=full) for sample in samples])

    def show_batch(
        self,
        b: Any = None,
        max_n: int = 9,
        *,
        show: bool = True,
        unique: bool = False,
        **options: Any,
    ) -> Any:
        """Show the first items of a batch.

        Args:
            b: a batch; None makes the next one.
            max_n: how many items at most.
            show: whether to draw them; False returns them decoded, as they would be drawn.
            unique: show one item again and again, to see its augmentations.
            options: those of the function registered in `show_batch` for the types of the batch;
                for pictures `GridOptions`, with `ctxs` for axes of yours.
        """
        if unique:
            once = self.new(bs=max_n, num_workers=0, n=None, get_idxs=lambda: [0] * max_n)
            return once.show_batch(None, max_n, show=show, **options)
        b = self.one_batch() if b is None else b
        x, y = map(_single, self.split_xy(b))
        samples = self.decode_batch(b, max_n, full=False)
        return show_batch(x, y, samples, max_n=max_n, **options) if show else samples

    def show_results(self, b: Any, preds: Any, max_n: int = 9, **options: Any) -> Any:
        """Show the first items of a batch with what was predicted for them.

        Args:
            b: the batch.
            preds: a prediction in the form of the targets (such as class indices), or a tuple; what
                has no target, such as scores, is passed on as it is.
            max_n: how many items at most.
            options: those of the function registered in `show_results` for the types of the batch.
        """
        xs, ys = self.split_xy(b)
        preds = tuple(preds) if isinstance(preds, tuple | list) else (preds,)
        typed = tuple(retype(p, y) for p, y in zip(preds, ys or preds, strict=False))
        decoded = self.decode_batch((*xs, *typed), max_n, full=False)
        more = batch_to_samples(preds[len(typed) :], max_n) if preds[len(typed) :] else repeat(())
        pairs = zip(decoded, more, strict=False)
        outs = L([(*sample[len(xs) :], *extra) for sample, extra in pairs])
        samples = self.decode_batch(b, max_n, full=False) if ys else decoded
        return show_results(_single(xs), _single(ys), samples, outs, max_n=max_n, **options)

    def gather(self, name: str, default: Any = None) -> Any:
        """Look an attribute up in the data set's transforms, then in the loader's pipelines.

        Args:
            name: the attribute, such as `vocab`.
            default: returned if nothing has it.
        """
        look_up = getattr(self.dataset, "gather", None)
        value = look_up(name) if look_up else getattr(self.dataset, name, None)
        for pipeline in self.pipelines.values():
            value = pipeline.gather(name) if value is None else value
        return default if value is None else value

    def to(self, device: torch.device | str) -> Self:
        """Send batches, and the state of the transforms on them, to another device from now on."""
        super().to(device)
        self.pipelines["after_batch"].to(self.device)
        return self

    def _is_default(self, stage: str) -> bool:
        """Tell whether a stage does nothing special; an empty pipeline does nothing."""
        if vars(self).get(stage) is self.pipelines.get(stage, self):
            return not len(self.pipelines[stage])
        return super()._is_default(stage)

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), **self.pipelines, "do_setup": False}

    def _set_pipeline(self, name: str, pipeline: Pipeline, *, do_setup: bool) -> None:
        self.pipelines[name] = pipeline
        if super()._is_default(name):  # a subclass that overrides the stage keeps its method
            setattr(self, name, pipeline)
        if do_setup:
            pipeline.setup(self)

    def _decode_sample(self, sample: Any, *, full: bool) -> Any:
        for stage in ("before_batch", "after_item"):
            sample = self.pipelines[stage].decode(sample, full)
        decode = getattr(self.dataset, "decode", None)
        return sample if decode is None else decode(sample, full)


def _single(parts: tuple[Any, ...]) -> Any:
    """Return the only part, all parts, or None if there are none."""
    return parts[0] if len(parts) == 1 else parts or None
