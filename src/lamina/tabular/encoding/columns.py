"""`Columns`: a table on its way from a frame to tensors, as procs see and change it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lamina.foundation.errors import DataError
from lamina.tabular.encoding.frames import Frame, as_frame, factorize, is_gap

__all__ = ["Columns", "no_levels"]

_NUMBER = (int, float, Decimal, np.number, np.bool_)


class Columns:
    """Named columns: those of a frame, and those that procs have put over them.

    `columns[name]` is a float64 tensor for numbers, an array of objects for anything else.
    Assigning a column never touches the frame. A proc that makes a new column says what it is by
    appending its name to `cat_names` or `cont_names`.

    Args:
        frame: where columns come from; see `as_frame`.
        cat_names: the columns of categories.
        cont_names: the columns of numbers.
        rows: the training rows; None if all are.

    Example:
        >>> to = Columns({"a": [1, 2, 4]}, cont_names=["a"], rows=torch.tensor([0, 1]))
        >>> to["b"] = to["a"] * 10
        >>> to["b"], to.train["b"].mean()
        (tensor([10., 20., 40.], dtype=torch.float64), tensor(15., dtype=torch.float64))
    """

    def __init__(
        self,
        frame: Any,
        cat_names: Sequence[Any] = (),
        cont_names: Sequence[Any] = (),
        rows: Tensor | None = None,
    ) -> None:
        self.frame: Frame = as_frame(frame)
        self.cat_names, self.cont_names = list(cat_names), list(cont_names)
        self.rows = rows
        self._made: dict[Any, Any] = {}
        self._own: set[Any] = set()  # columns that are not, or no longer, those of the frame
        self._levels: dict[Any, tuple[Tensor, list[Any]]] = {}

    @property
    def train(self) -> "Columns":
        """The training rows, from which procs learn."""
        return self if self.rows is None else _Rows(self, self.rows)

    def __getitem__(self, name: Any) -> Any:
        if name not in self._made:
            self.frame.require([name], "tabular")
            is_number = self.frame.kind(name) in "biuf"
            self._made[name] = (self.frame.numbers if is_number else self.frame.objects)(name)
        return self._made[name]

    def __setitem__(self, name: Any, values: Any) -> None:
        if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
            values = torch.from_numpy(values if values.flags.writeable else values.copy())
        elif not isinstance(values, Tensor):
            values = np.asarray(values, dtype=object)
        if len(values) != len(self):
            what = f"tabular: column {name!r} was given {len(values)} values"
            raise DataError(f"{what} for {len(self)} rows.")
        self._made[name] = values
        self._own.add(name)
        self._levels.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._made or name in self.frame

    def __len__(self) -> int:
        return len(self.frame)

    def numbers(self, name: Any) -> Tensor:
        """Return a column as float64 tensor.

        Raises:
            DataError: it does not hold numbers.
        """
        values = self[name]
        if isinstance(values, Tensor):
            return values.double()
        wrong = [x for x in values if not (isinstance(x, _NUMBER) or is_gap(x))]
        if wrong:
            what = f"tabular: column {name!r} holds {wrong[0]!r} where numbers were expected"
            raise DataError(f"{what}. Convert it with astype(float), or name it in cat_names.")
        return torch.tensor([np.nan if is_gap(x) else float(x) for x in values], dtype=torch.double)

    def factorize(self, name: Any) -> tuple[Tensor, list[Any]]:
        """Return for each row which of the levels of a column it has, -1 for gaps; the levels.

        Raises:
            DataError: it holds lists, or other values that cannot be levels.
        """
        if name not in self._levels:
            try:
                self._levels[name] = self._factorized(name)
            except TypeError as error:
                raise no_levels(name, error) from error
        return self._levels[name]

    def is_ordered(self, name: Any) -> bool:
        """Tell whether the levels of a column come in an order of their own."""
        return name not in self._own and name in self.frame and self.frame.is_ordered(name)

    def dates(self, name: Any) -> np.ndarray:
        """Return a column as datetime64[us]."""
        self.frame.require([name], "tabular")
        return self.frame.dates(name)

    def _factorized(self, name: Any) -> tuple[Tensor, list[Any]]:
        if name not in self._own:
            self.frame.require([name], "tabular")
            return self.frame.factorize(name)
        made = self._made[name]
        return factorize(made.cpu().numpy() if isinstance(made, Tensor) else made)

    def table(self, names: Sequence[Any]) -> Any:
        """Return columns as a pandas frame."""
        import pandas as pd

        columns = {n: x.cpu().numpy() if isinstance(x := self[n], Tensor) else x for n in names}
        return pd.DataFrame(columns, columns=list(names))


def no_levels(name: Any, error: TypeError) -> DataError:
    """Return the error for a column whose values cannot be levels.

    Args:
        name: the column.
        error: why not.
    """
    what = f"tabular: column {name!r} cannot be one of categories ({error})"
    return DataError(f"{what}. Make texts of its values, or leave it out.")


class _Rows(Columns):
    """Some rows of a table; new columns stay here."""

    def __init__(self, whole: Columns, rows: Tensor) -> None:
        super().__init__(whole.frame, whole.cat_names, whole.cont_names)
        self.whole, self.at = whole, rows

    def __getitem__(self, name: Any) -> Any:
        if name not in self._made:
            values = self.whole[name]
            at = self.at.to(values.device) if isinstance(values, Tensor) else self.at.numpy()
            self._made[name] = values[at]
        return self._made[name]

    def __len__(self) -> int:
        return len(self.at)

    def factorize(self, name: Any) -> tuple[Tensor, list[Any]]:
        codes, levels = self.whole.factorize(name)
        return codes[self.at.to(codes.device)], levels

    def is_ordered(self, name: Any) -> bool:
        return self.whole.is_ordered(name)
