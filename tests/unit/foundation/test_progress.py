import io
import re
import sys
from types import ModuleType, SimpleNamespace

import pytest

from lamina.foundation.errors import UnknownNameError
from lamina.foundation.progress import (
    Display,
    NotebookDisplay,
    PlainDisplay,
    TerminalDisplay,
    make_display,
    track,
)


class Clock:
    """Time that passes only when told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Counting(Display):
    """Counts how often the bar is drawn."""

    draws = 0

    def _draw_bar(self):
        self.draws += 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def train(display):
    display.start(["epoch", "train_loss"])
    for epoch in range(2):
        display.bar(f"epoch {epoch}", 3)
        for _ in range(3):
            display.advance()
        display.row([str(epoch), "0.125000"])
    display.note("best [epoch]: 1")
    display.close()
    display.close()


TABLE = ["     epoch  train_loss", "         0    0.125000", "         1    0.125000"]


class TestPlain:
    def test_writes_an_aligned_table(self, capsys):
        train(PlainDisplay())
        assert capsys.readouterr().out.splitlines() == [*TABLE, "best [epoch]: 1"]

    def test_reports_the_bar_every_half_minute(self):
        clock, stream = Clock(), io.StringIO()
        display = PlainDisplay(stream, clock=clock)
        display.bar("train", 10)
        for _ in range(10):
            clock.now += 7
            display.advance()
        assert stream.getvalue().splitlines() == [
            "train 5/10 (50%) 00:35",
            "train 10/10 (100%) 01:10",
        ]


class TestTerminal:
    def test_table_is_printed_above_the_bar(self):
        stream = Terminal()
        train(TerminalDisplay(stream))
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
        lines = [line.split("\r")[-1].rstrip() for line in text.splitlines()]
        assert [line for line in lines if line in TABLE] == TABLE
        assert "best [epoch]: 1" in lines
        assert "0/3" in text

    def test_values_wider_than_their_column_stay_aligned(self):
        display = Display()
        display.start(["epoch", "a_long_metric_name"])
        header, row = display.format_row(display.columns), display.format_row(["1", "0.5"])
        assert len(header) == len(row) == 30


class TestNotebook:
    @pytest.fixture
    def shown(self, monkeypatch):
        """What a stand-in for IPython's display module was given."""
        outputs = []
        module = ModuleType("IPython.display")
        module.HTML = str
        handle = SimpleNamespace(update=lambda text: outputs.append(("update", text)))

        def show(text, *, display_id):
            outputs.append(("new", text))
            return handle

        module.display = show
        monkeypatch.setitem(sys.modules, "IPython.display", module)
        monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
        return outputs

    def test_one_output_is_updated(self, shown):
        train(NotebookDisplay())
        assert [kind for kind, _ in shown] == ["new"] + ["update"] * (len(shown) - 1)
        final = shown[-1][1]
        assert final.count("<tr>") == 3
        assert "<td>0.125000</td>" in final
        assert "<progress" not in final
        assert "<progress" in shown[1][1]

    def test_text_is_escaped(self, shown):
        display = NotebookDisplay()
        display.start(["<b>"])
        display.note("1 < 2")
        assert "&lt;b&gt;" in shown[-1][1]
        assert "1 &lt; 2" in shown[-1][1]


def test_the_bar_is_drawn_at_most_ten_times_a_second():
    clock = Clock()
    display = Counting(clock=clock)
    display.bar("train", 1000)
    for _ in range(1000):
        clock.now += 0.001
        display.advance()
    assert display.done == 1000
    assert 9 <= display.draws <= 11


class TestChoice:
    @pytest.mark.parametrize(
        ("name", "cls"),
        [
            ("off", Display),
            ("plain", PlainDisplay),
            ("terminal", TerminalDisplay),
            ("notebook", NotebookDisplay),
        ],
    )
    def test_by_name_and_environment(self, name, cls, monkeypatch):
        assert type(make_display(name)) is cls
        monkeypatch.setenv("LAMINA_PROGRESS", name)
        assert type(make_display()) is cls

    def test_by_where_the_output_goes(self, monkeypatch):
        monkeypatch.delenv("LAMINA_PROGRESS", raising=False)
        monkeypatch.setattr(sys, "stdout", Terminal())
        assert type(make_display()) is TerminalDisplay
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        assert type(make_display()) is PlainDisplay

    def test_in_a_notebook(self, monkeypatch):
        monkeypatch.delenv("LAMINA_PROGRESS", raising=False)
        shell = type("ZMQInteractiveShell", (), {})()
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        assert type(make_display()) is NotebookDisplay

    def test_unknown_name(self):
        with pytest.raises(UnknownNameError, match="Did you mean 'terminal'"):
            make_display("termnal")


class TestTrack:
    def test_gives_the_items_and_counts_them(self):
        display = Counting()
        assert list(track("abc", display=display)) == ["a", "b", "c"]
        assert (display.done, display.total) == (3, 3)
        assert list(track(iter("ab"), total=5, display=display)) == ["a", "b"]
        assert (display.done, display.total) == (2, 5)

    def test_closes_when_left_early(self):
        class Closing(Display):
            closed = False

            def close(self):
                self.closed = True

        display = Closing()
        items = track([1, 2], display=display)
        next(items)
        items.close()
        assert display.closed
