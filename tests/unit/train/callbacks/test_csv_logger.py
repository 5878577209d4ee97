import pytest

from lamina.train.callbacks.csv_logger import CSVLogger


def test_a_line_per_epoch_is_written(make_learner, tmp_path):
    logger = CSVLogger()
    learn = make_learner(cbs=logger)
    learn.fit(2)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,train_loss,valid_loss,time"
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1"]
    assert logger.read_log()["valid_loss"].tolist() == pytest.approx(
        [row[2] for row in learn.recorder.values]
    )


@pytest.mark.parametrize(("append", "n_rows"), [(False, 1), (True, 2)])
def test_a_second_fit_starts_anew_or_appends(make_learner, append, n_rows):
    logger = CSVLogger("logs/all.csv", append=append)
    learn = make_learner(cbs=logger)
    learn.fit(1)
    learn.lr_find(show_plot=False)
    learn.fit(1)
    assert len(logger.read_log()) == n_rows
