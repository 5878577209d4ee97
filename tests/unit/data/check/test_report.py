"""The report of the data doctor: what it says of itself, as text, HTML and a frame."""

import pytest

from lamina.data.check.report import Problem, Report
from lamina.viz.tables import Table

ITEMS = [f"{i}.jpg" for i in range(7)]
REPORT = Report(
    [
        Problem("unreadable", "error", "Cannot be read.", ITEMS, "Remove <them>."),
        Problem("rare class", "warning", "Few."),
    ],
    [Table(["label", "train"], [["cat", 3]], "Items per class")],
    {"train": 8, "valid": 2},
)


def test_text_counts_the_problems_and_names_the_items():
    text = str(REPORT)
    assert text.startswith("Looked at 10 items (train 8, valid 2): 1 error, 1 warning\n")
    assert "error     unreadable  7      0.jpg" in text
    assert "     4.jpg\n     ... and 2 more" in text
    assert text.endswith("Items per class\nlabel  train\ncat    3")


def test_html_is_escaped():
    html = REPORT._repr_html_()
    assert "Remove &lt;them&gt;." in html
    assert "overflow-wrap:anywhere" in html  # long paths do not push the items off the page
    assert "... and 2 more" in html
    assert "<caption>Items per class</caption>" in html


def test_frame_has_a_row_per_problem():
    frame = REPORT.to_frame()
    assert list(frame["kind"]) == ["unreadable", "rare class"]
    assert list(Report().to_frame().columns) == ["kind", "severity", "message", "items", "advice"]


def test_only_errors_make_a_report_not_ok():
    assert not REPORT.ok
    assert Report(REPORT.problems[1:]).ok
    assert str(Report()) == "no problems found"


def test_unknown_severity_is_refused():
    with pytest.raises(ValueError, match="severity 'bad', expected one of error, warning, note"):
        Problem("odd", "bad", "It is odd.")
