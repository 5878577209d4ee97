"""The record of a fit as a CSV file, written as it goes."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lamina.train.callback import Callback

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Write one line per epoch, with the columns of the `Recorder`.

    Args:
        fname: The file, under the learner's path.
        append: Whether to add to the file; otherwise every fit starts it anew.
    """

    order: ClassVar[int] = 60
    only_fit: ClassVar[bool] = True

    def __init__(self, fname: str | Path = "history.csv", *, append: bool = False) -> None:
        super().__init__()
        self.fname, self.append = Path(fname), append
        self.path = self.fname

    def before_fit(self, learn: "Learner") -> None:
        self.path = learn.path / self.fname
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not (self.append and self.path.exists()):
            self._write(learn.recorder.metric_names, "w")

    def after_epoch(self, learn: "Learner") -> None:
        self._write(learn.recorder.log, "a")

    def read_log(self) -> Any:
        """Read the file into a pandas data frame."""
        import pandas as pd

        return pd.read_csv(self.path)

    def _write(self, row: list[Any], mode: str) -> None:
        with self.path.open(mode, newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(row)
