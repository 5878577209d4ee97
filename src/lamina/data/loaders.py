"""`DataLoaders`: the loaders that belong together, training first, and what they have in common."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self, Unpack

import torch

from lamina.data.check import doctor
from lamina.data.items import TfmdLists
from lamina.data.loader import DataLoader
from lamina.data.loading.group import LoaderGroup
from lamina.data.loading.options import OPTIONS, LoaderOptions
from lamina.data.loading.plain import PlainLoader
from lamina.data.task import Task
from lamina.data.tfmd_loader import PIPELINES, TfmdDL
from lamina.data.transform import Transform, mk_transform
from lamina.foundation.collections import L
from lamina.foundation.errors import ContractError, UnknownNameError, refuse_unknown
from lamina.foundation.signatures import signature_names, strict
from lamina.tensor.device import default_device

__all__ = ["DataLoaders", "LoadersArgs", "PlainLoader", "get_c", "refuse_options", "showing"]


class LoadersArgs(LoaderOptions, total=False):
    """Keywords of `DataLoaders.from_dsets` and of all that end there.

    Any name of a loader's option with `val_` before it is for the loaders after the first.

    Attributes:
        bs: items per batch (64).
        val_bs: the same for validation; default `bs`.
        shuffle: whether training is shuffled (True).
        drop_last: whether training leaves out an incomplete last batch; default as `shuffle`.
        num_workers: worker processes (0).
        seed: where randomness starts.
        device: where batches go; default the accelerator of the machine.
        dl_type: the class of the loaders (`TfmdDL`).
    """

    bs: int | None
    val_bs: int | None
    shuffle: bool
    drop_last: bool | None
    num_workers: int
    seed: int | None
    device: torch.device | str | None
    dl_type: type[DataLoader]


class DataLoaders(LoaderGroup):
    """Loaders for training and one or more validation sets.

    Args:
        loaders: the training loader, then those for validation. Besides Lamina's own, anything
            that gives batches (tuples or dicts) and can be gone through again and again: a
            PyTorch loader, a list of batches.
        path: a folder for what belongs to these data.
        device: where batches go; None takes that of the first loader, or the accelerator.

    Attributes:
        loaders: the loaders.
        path: the folder.
        device: where batches go.

    Example:
        >>> batches = [(torch.zeros(2, 3), torch.tensor([0, 1]))]
        >>> dls = DataLoaders(batches, batches, device="cpu")
        >>> len(dls), len(dls.train), dls.one_batch()[1]
        (2, 1, tensor([0, 1]))

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "DataLoaders".
    """

    @classmethod
    def from_dsets(
        cls, *dsets: Any, path: str | Path = ".", **options: Unpack[LoadersArgs]
    ) -> Self:
        """Make a loader for each data set: the first shuffled and without rest, the others not.

        Args:
            dsets: the data sets; the first is for training.
            path: see the class.
            options: see `LoadersArgs`, and the parameters of `dl_type`.

        Raises:
            UnknownArgumentError: an option is not known.
            ContractError: there is no data set.
        """
        kind = options.pop("dl_type", None) or TfmdDL
        refuse_options(f"{cls.__name__}.from_dsets", options, kind)
        if not dsets:
            raise ContractError("DataLoaders.from_dsets: no data set given. Give at least one.")
        first, others = _separate(options)
        train = kind(dsets[0], **first)
        # The others share the transforms, which are set up with the training loader.
        return cls(train, *(train.new(ds, **others) for ds in dsets[1:]), path=path)

    @classmethod
    def from_dblock(cls, dblock: Any, source: Any, path: str | Path = ".", **options: Any) -> Self:
        """Make the loaders that a `DataBlock` describes.

        Args:
            dblock: the `DataBlock`.
            source: what it makes items from.
            path: see the class.
            options: those of `DataBlock.dataloaders`.
        """
        dls = dblock.dataloaders(source, path, **options)
        return cls(*dls, path=path, device=dls.device)

    @property
    def n_inp(self) -> int | None:
        """How many elements of a batch are inputs; None if the training loader does not say."""
        return getattr(self.train, "n_inp", None)

    @property
    def task(self) -> Task | Any:
        """What the target is; an `L` if there are several targets, None if it is not known."""
        return self.gather("task")

    @property
    def vocab(self) -> Any:
        """The vocabulary of the transforms; an `L` if there are several, None if there is none."""
        return self.gather("vocab")

    @property
    def c(self) -> int | None:
        """The number of outputs that the target needs, None if it is not known."""
        task = self.task
        task = task[-1] if isinstance(task, L) else task
        return self.gather("c") if task is None else task.n_out

    def show_batch(self, b: Any = None, max_n: int = 9, **options: Any) -> Any:
        """Show items of the training loader; see `TfmdDL.show_batch`."""
        return showing(self.train, b).show_batch(b, max_n, **options)

    def show_results(self, b: Any, preds: Any, max_n: int = 9, **options: Any) -> Any:
        """Show items with what was predicted for them; see `TfmdDL.show_results`."""
        return showing(self._last(), b).show_results(b, preds, max_n, **options)

    @strict
    def decode_batch(self, b: Any, max_n: int = 9, *, full: bool = True) -> L[Any]:
        """Return the first items of a batch, decoded; see `TfmdDL.decode_batch`."""
        return showing(self._last(), b).decode_batch(b, max_n, full=full)

    @strict
    def test_dl(
        self,
        items: Any,
        *,
        with_labels: bool = False,
        bs: int | None = None,
        num_workers: int = 0,
        rm_type_tfms: int | None = None,
    ) -> Any:
        """Make a loader of new items with the transforms as they are for validation.

        Args:
            items: the new items.
            with_labels: whether they have targets too.
            bs: items per batch; None takes that of the validation loader.
            num_workers: worker processes.
            rm_type_tfms: how many transforms to leave out at the front of each pipeline; None
                finds out from the type of the first item.
        """
        loader = self._last()
        if not isinstance(loader, DataLoader):
            where = "DataLoaders.test_dl: a plain loader has no transforms to use on new items"
            raise ContractError(f"{where}. Give the learner a loader of these items instead.")
        ds = loader.dataset
        if hasattr(ds, "test_set"):
            ds = ds.test_set(items, with_labels=with_labels, rm_tfms=rm_type_tfms)
        elif isinstance(ds, TfmdLists):
            ds = TfmdLists(items, ds.tfms[rm_type_tfms or 0 :], split_idx=1, do_setup=False)
        else:
            ds = items
        order: Any = {"shuffle": False, "drop_last": False, "n": None, "get_idxs": None}
        return loader.new(ds, bs=bs or loader.bs, num_workers=num_workers, **order)

    check = doctor.check

    def new_empty(self) -> Self:
        """Return loaders without items, which still transform and decode."""
        loaders = [
            PlainLoader([])
            if isinstance(loader, PlainLoader)
            else loader.new(
                loader.dataset.new_empty() if hasattr(loader.dataset, "new_empty") else []
            )
            for loader in self.loaders
        ]
        return type(self)(*loaders, path=self.path, device=self.device)

    @strict
    def add_tfms(self, tfms: Any, event: str, loaders: Iterable[int] | None = None) -> None:
        """Add transforms to a stage; they are set up with the training loader.

        Args:
            tfms: one transform or several.
            event: "after_item", "before_batch" or "after_batch".
            loaders: the numbers of the loaders to add them to; None is all.

        Raises:
            UnknownNameError: there is no such stage.
            ContractError: a loader has no stages.
        """
        if event not in PIPELINES:
            raise UnknownNameError("event", event, PIPELINES, where="DataLoaders.add_tfms")
        chosen = self.loaders if loaders is None else [self.loaders[i] for i in loaders]
        if not all(hasattr(loader, "pipelines") for loader in chosen):
            where = "DataLoaders.add_tfms: a plain loader has no stages"
            raise ContractError(f"{where}. Put the transforms into its data set.")
        for tfm in tfms if isinstance(tfms, list | tuple | L) else [tfms]:
            made: Transform = mk_transform(tfm)
            made.setup(self.train)
            for loader in chosen:
                loader.pipelines[event].add(made)

    def _last(self) -> Any:
        """Return the loader whose transforms are those of validation, where there is one."""
        return self.loaders[min(1, len(self.loaders) - 1)]


def showing(loader: Any, b: Any) -> Any:
    """Return a loader that shows batches: the given one, or a stand-in with only the batch.

    Args:
        loader: any loader.
        b: the batch that will be shown; None takes the loader's next one.
    """
    if hasattr(loader, "show_batch"):
        return loader
    return TfmdDL([loader.one_batch() if b is None else b], bs=None)


def get_c(dls: DataLoaders) -> int:
    """Return the number of outputs that a model for these data needs: `dls.c`, which must be known.

    Raises:
        ContractError: it is not.

    Example:
        >>> from lamina.data.category import Categorize
        >>> get_c(TfmdLists(["cat", "dog"], Categorize()).dataloaders(bs=2, device="cpu"))
        2
    """
    if dls.c is None:
        raise ContractError(
            "get_c: these data do not say what the target is. Use a block that does, such as "
            "CategoryBlock, or give the model's number of outputs yourself."
        )
    return dls.c


def refuse_options(
    where: str, options: Iterable[str], kind: type | None = None, more: Iterable[str] = ()
) -> None:
    """Check the options that end in `DataLoaders.from_dsets`.

    Args:
        where: what was called, for the message.
        options: the names given.
        kind: the class of the loaders; default `TfmdDL`.
        more: further names that the caller takes.

    Raises:
        UnknownArgumentError: an option is not known.
    """
    kind = kind or TfmdDL
    names = [n for n in signature_names(kind) if n not in ("dataset", "do_setup")] + list(OPTIONS)
    plain = [
        name.removeprefix("val_") if name.removeprefix("val_") in names else name
        for name in options
    ]
    refuse_unknown(where, plain, [*names, *more, "val_bs", "dl_type"])


def _separate(options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of the training loader, and those in which the others differ."""
    others = {"shuffle": False, "drop_last": False}
    first: dict[str, Any] = {"bs": 64, "shuffle": True}
    for name, value in options.items():
        if not name.startswith("val_"):
            first[name] = value
        elif value is not None:
            others[name.removeprefix("val_")] = value
    if first.get("drop_last") is None:
        first["drop_last"] = first["shuffle"]
    if first.get("device") is None:
        first["device"] = default_device()
    return first, others
