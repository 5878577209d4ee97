"""The errors of the notebook tool: each names the notebook, and the cell if there is one."""

from pathlib import Path

from lamina.foundation.errors import LaminaError

__all__ = ["NotebookError"]


class NotebookError(LaminaError, ValueError):
    """A notebook, or a module made from one, cannot be used as it is.

    Args:
        message: what is wrong and what to do.
        path: the file.
        cell: which cell, such as `"cell 3 (#a1b2c3d4)"`.

    Example:
        >>> str(NotebookError("is empty.", "nbs/core.ipynb", "cell 3 (#a1)"))
        'nbs/core.ipynb, cell 3 (#a1): is empty.'
    """

    def __init__(self, message: str, path: str | Path = "", cell: str = "") -> None:
        self.message = message
        self.path = str(path)
        self.cell = cell
        place = ", ".join(part for part in (self.path, cell) if part)
        super().__init__(f"{place}: {message}" if place else message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.path, self.cell)
