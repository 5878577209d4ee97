"""What the data doctor found: problems with advice, and tables that describe the data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from html import escape
from textwrap import wrap
from typing import Any

from lamina.foundation.signatures import strict
from lamina.viz.tables import Table

__all__ = ["SEVERITIES", "Problem", "Report", "flag"]

SEVERITIES = ("error", "warning", "note")
_COLOURS = {"error": "#dc3b3b", "warning": "#b37400", "note": "#2f80c4"}  # for light and dark
_CELL = "text-align:left; vertical-align:top; overflow-wrap:anywhere; min-width:6em"
_LISTED = 5  # items named in a printed report
_WIDTH = 100


@strict
@dataclass(frozen=True)
class Problem:
    """One thing that is, or may be, wrong with the data.

    Args:
        kind: the sort of problem in a word or two, such as "unreadable".
        severity: "error" breaks training or makes its figures wrong, "warning" may do so,
            "note" is good to know.
        message: what was found.
        items: the names of all items that it was found in: files, or places in a data set.
        advice: what to do.

    Raises:
        ValueError: the severity is none of the three.
    """

    kind: str
    severity: str
    message: str
    items: Sequence[str] = ()
    advice: str = ""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            known = ", ".join(SEVERITIES)
            raise ValueError(f"Problem: got severity {self.severity!r}, expected one of {known}.")


@strict
def flag(
    severity: str, kind: str, items: Iterable[str], message: str, advice: str = ""
) -> Iterator[Problem]:
    """Give a problem if there are items that have it; see `Problem`.

    Example:
        >>> [len(list(flag("note", "odd", items, "It is odd."))) for items in (["a.jpg"], [])]
        [1, 0]
    """
    if items := tuple(items):
        yield Problem(kind, severity, message, items, advice)


@strict
@dataclass(frozen=True)
class Report:
    """The result of a check: prints itself as text, and as HTML in a notebook.

    Args:
        problems: what was found, worst first.
        tables: what the data are like.
        looked_at: how many items of each split were looked at.

    Example:
        >>> print(Report([Problem("unreadable", "error", "It is empty.", ["a.jpg"], "Remove it.")]))
        1 error
        severity  problem     items  first item
        error     unreadable  1      a.jpg
        <BLANKLINE>
        error: unreadable (1). It is empty.
          -> Remove it.
             a.jpg
    """

    problems: Sequence[Problem] = ()
    tables: Sequence[Table] = ()
    looked_at: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing of severity "error" was found."""
        return all(problem.severity != "error" for problem in self.problems)

    def to_frame(self) -> Any:
        """Return the problems as a pandas data frame, one row each."""
        import pandas as pd

        return pd.DataFrame(list(self.problems), columns=[f.name for f in fields(Problem)])

    def __str__(self) -> str:
        parts = [self._summary()]
        if self.problems:
            header = ["severity", "problem", "items", "first item"]
            rows = [[p.severity, p.kind, len(p.items) or "", *p.items[:1]] for p in self.problems]
            parts[0] += "\n" + str(Table(header, [(*row, "")[:4] for row in rows]))
        parts += ["\n".join(_lines(problem)) for problem in self.problems]
        return "\n\n".join([*parts, *map(str, self.tables)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Give notebooks the report as HTML; every text is escaped."""
        found = f"<table>{''.join(map(_html_row, self.problems))}</table>" if self.problems else ""
        tables = "".join(table._repr_html_() for table in self.tables)
        return f"<p><b>{escape(self._summary())}</b></p>{found}{tables}"

    def _summary(self) -> str:
        counts = {name: sum(p.severity == name for p in self.problems) for name in SEVERITIES}
        found = [f"{k} {name}{'s' * (k > 1)}" for name, k in counts.items() if k]
        sizes = ", ".join(f"{name} {n:,}" for name, n in self.looked_at.items())
        total = sum(self.looked_at.values())
        where = f"Looked at {total:,} items ({sizes}): " if self.looked_at else ""
        return where + (", ".join(found) or "no problems found")


def _lines(problem: Problem) -> list[str]:
    """Write a problem in full for a terminal."""
    n = f" ({len(problem.items):,})" if problem.items else ""
    text = f"{problem.severity}: {problem.kind}{n}. {problem.message}"
    lines = wrap(text, _WIDTH, subsequent_indent="  ")
    lines += wrap(problem.advice, _WIDTH, initial_indent="  -> ", subsequent_indent="     ")
    return lines + [f"     {item}" for item in _shown(problem.items)]


def _html_row(problem: Problem) -> str:
    """Write a problem for a notebook: how bad and what, what was found and what to do, where."""
    colour, items = _COLOURS[problem.severity], map(escape, _shown(problem.items))
    what = f'<b style="color:{colour}">{problem.severity}</b><br>{escape(problem.kind)}'
    text = (
        f"{escape(problem.message)}<br>{'&rarr; ' * bool(problem.advice)}{escape(problem.advice)}"
    )
    cells = (what, text, "<br>".join(items))
    return f"<tr>{''.join(f'<td style={_CELL!r}>{cell}</td>' for cell in cells)}</tr>"


def _shown(items: Sequence[str]) -> list[str]:
    rest = len(items) - _LISTED
    return [*items[:_LISTED], f"... and {rest:,} more"] if rest > 0 else list(items)
