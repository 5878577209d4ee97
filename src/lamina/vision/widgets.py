"""Cleaning a set of pictures in a notebook: choose what is deleted or has another label.

Nothing is touched by the widgets themselves; they say what was chosen, and the caller acts on it.
"""

import io
from collections.abc import Iterable, Sequence
from typing import Any

from lamina.data.items import get_item
from lamina.foundation.collections import L
from lamina.foundation.errors import needs
from lamina.train.interpretation.items import Interpretation
from lamina.vision.images import PILBase, PILImage

__all__ = ["ImageClassifierCleaner", "ImagesCleaner"]

KEEP, DELETE = "<Keep>", "<Delete>"
_SPLITS = ("Train", "Valid")


class ImagesCleaner:
    """A row of pictures, each with a menu: keep it, delete it, or give it another label.

    Args:
        opts: The labels that can be chosen.
        height: Of a picture, in pixels.
        width: Of a picture.
        max_n: How many pictures at most.

    Attributes:
        fns: The files (or what else was given) of the pictures that are shown.
        menus: Their menus, whose `value` is what was chosen.
        box: The widget, which a notebook shows when the cleaner is the last thing of a cell.

    Raises:
        MissingExtraError: ipywidgets is not installed.

    Example:
        >>> import numpy as np
        >>> cleaner = ImagesCleaner(["cat", "dog"])
        >>> cleaner.set_fns([np.zeros((4, 4, 3), dtype=np.uint8)] * 3)
        >>> cleaner.menus[0].value, cleaner.menus[2].value = "<Delete>", "dog"
        >>> cleaner.delete(), cleaner.change()
        ((#1) [0], (#1) [(2, 'dog')])

    Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020; its notebooks.
    """

    def __init__(
        self, opts: Iterable[Any] = (), height: int = 128, width: int = 256, max_n: int = 30
    ) -> None:
        self.opts, self.max_n = tuple(map(str, opts)), max_n
        self.height, self.width = height, width
        self.fns: L[Any] = L()
        self.menus: list[Any] = []
        self.box = self._row = _widgets().HBox(layout={"overflow": "auto hidden"})

    def set_fns(self, fns: Iterable[Any], pictures: Iterable[PILBase] | None = None) -> None:
        """Show other pictures.

        Args:
            fns: Their files, or anything that `PILImage.create` opens.
            pictures: The pictures, where they are not in the files.
        """
        self.fns = L(fns)[: self.max_n]
        shown = map(PILImage.create, self.fns) if pictures is None else pictures
        menu: Any = {"options": [KEEP, DELETE, *self.opts], "layout": {"width": "max-content"}}
        self.menus = [_widgets().Dropdown(**menu) for _ in self.fns]
        self._row.children = [
            _widgets().VBox([self._picture(picture), menu], layout={"flex": "0 0 auto"})
            for picture, menu in zip(shown, self.menus, strict=True)
        ]

    def values(self) -> L[str]:
        """What was chosen for each picture: `<Keep>`, `<Delete>` or a label."""
        return L(menu.value for menu in self.menus)

    def delete(self) -> L[int]:
        """The numbers of the pictures to delete, as in `fns`."""
        return L(i for i, value in enumerate(self.values()) if value == DELETE)

    def change(self) -> L[tuple[int, str]]:
        """The numbers of the pictures with another label, and the label."""
        return L((i, v) for i, v in enumerate(self.values()) if v not in (KEEP, DELETE))

    def _picture(self, picture: Any) -> Any:
        picture = picture.convert("RGB")
        picture.thumbnail((self.width, self.height))
        png = io.BytesIO()
        picture.save(png, "png")
        layout = {"height": f"{self.height}px", "object_fit": "contain"}
        return _widgets().Image(value=png.getvalue(), layout=layout)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.box)  # pyright: ignore[reportUnusedCallResult]  # it shows


class ImageClassifierCleaner(ImagesCleaner):
    """The pictures of one label and one split, those with the highest loss first.

    The chosen label and split decide which pictures are shown; with another choice the menus begin
    anew, so act on what was chosen before.

    Args:
        learn: The learner of a classifier of pictures.
        opts: The labels that can be chosen; none for those of the data.
        height: Of a picture, in pixels.
        width: Of a picture.
        max_n: How many pictures at most.

    Attributes:
        label: The menu of labels.
        split: The menu of splits.

    Raises:
        MissingExtraError: ipywidgets is not installed.
    """

    def __init__(
        self,
        learn: Any,
        *,
        opts: Sequence[Any] = (),
        height: int = 128,
        width: int = 256,
        max_n: int = 30,
    ) -> None:
        vocab = [str(label) for label in learn.dls.vocab]
        super().__init__(opts or vocab, height, width, max_n)
        self.learn = learn
        self._measured: dict[int, Interpretation] = {}
        self.label = _widgets().Dropdown(options=vocab)
        self.split = _widgets().Dropdown(options=[(name, i) for i, name in enumerate(_SPLITS)])
        self.box = _widgets().VBox([self.label, self.split, self._row])
        for menu in (self.label, self.split):
            menu.observe(self._show, names="value")
        self._show()

    def _show(self, _change: Any = None) -> None:
        found = self._interpretation(self.split.value)
        hardest = [i for i in found.top_losses()[1] if int(found.targs[i]) == self.label.index]
        places = [found.positions[i] for i in hardest[: self.max_n]]
        data = found.dl.dataset
        self.set_fns([get_item(data.items, i) for i in places], (data[i][0] for i in places))

    def _interpretation(self, split: int) -> Interpretation:
        """The losses of a split, measured at the first time and without augmentation."""
        if split not in self._measured:
            dls = self.learn.dls
            dl = dls.test_dl(dls[split].dataset.items, with_labels=True)
            with self.learn.no_bar():
                self._measured[split] = Interpretation.from_learner(self.learn, dl=dl)
        return self._measured[split]


def _widgets() -> Any:
    with needs("ipywidgets", "widgets"):
        import ipywidgets
    return ipywidgets
