import io
import sys
from types import ModuleType, SimpleNamespace

from lamina.foundation.progress import Display, PlainDisplay
from lamina.metrics.regress import mae
from lamina.train.callback import Callback
from lamina.train.callbacks.progress import ProgressCallback, ShowGraphCallback
from lamina.train.recorder import Recorder


def test_the_table_has_a_row_per_epoch(make_learner):
    out = io.StringIO()
    shown = ProgressCallback(PlainDisplay(out))
    learn = make_learner(metrics=mae)
    with learn.removed_cbs([ProgressCallback]):
        learn.fit(2, cbs=shown)
    header, *rows = out.getvalue().splitlines()
    assert header.split() == ["epoch", "train_loss", "valid_loss", "mae", "time"]
    assert [row.split()[0] for row in rows] == ["0", "1"]
    assert rows[1].split()[2] == f"{learn.recorder.last('valid_loss'):.6f}"
    assert rows[0].split()[-1] == "00:00"


class Bars(Display):
    def __init__(self):
        super().__init__()
        self.seen = []

    def bar(self, label, total=None):
        super().bar(label, total)
        self.seen.append((label, total))


def test_every_batch_advances_the_bar(make_learner):
    bars = Bars()
    make_learner(default_cbs=False, cbs=ProgressCallback(bars)).fit(1)
    assert bars.seen == [("epoch 1/1 train", 4), ("epoch 1/1 validate", 2)]
    assert bars.done == 2


def test_the_bar_can_be_left_out(make_learner):
    learn = make_learner()
    with learn.no_bar():
        assert [cb.name for cb in learn.cbs] == ["recorder"]
    assert [cb.name for cb in learn.cbs] == ["recorder", "progress"]


def test_validation_shows_no_table(make_learner, capsys):
    make_learner().validate()
    assert capsys.readouterr().out == ""


def test_the_graph_of_the_losses_goes_into_a_file(make_learner, tmp_path):
    sizes = []
    watch = Callback(after_epoch=lambda learn: sizes.append((tmp_path / "loss.png").exists()))
    watch.run_after = (ShowGraphCallback,)
    make_learner(cbs=[watch, ShowGraphCallback("loss.png")]).fit(2)
    assert sizes == [True, True]
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_the_graph_is_one_output_of_a_notebook_that_is_updated(make_learner, monkeypatch):
    shown = []
    handle = SimpleNamespace(update=lambda figure: shown.append(("update", figure)))
    module = ModuleType("IPython.display")
    module.display = lambda figure, *, display_id: shown.append(("new", figure)) or handle
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setenv("LAMINA_PROGRESS", "notebook")
    make_learner(default_cbs=False, cbs=[Recorder, ShowGraphCallback]).fit(2)
    assert [kind for kind, _ in shown] == ["new", "update"]
    lines = shown[-1][1].axes[0].lines
    assert [line.get_label() for line in lines] == ["train", "valid"]


def test_without_notebook_and_file_nothing_is_drawn(make_learner):
    graph = ShowGraphCallback()
    make_learner(cbs=graph).fit(1)
    assert graph._ax is None
