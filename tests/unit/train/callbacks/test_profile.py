import time

import pytest

from lamina.foundation.errors import ContractError
from lamina.train.callback import Callback
from lamina.train.callbacks.profile import PARTS, Profile
from lamina.train.events import CancelBatch

SLOW = 0.02


def sleep(learn):
    time.sleep(SLOW)


@pytest.mark.parametrize(
    ("event", "part"),
    [
        ("before_batch", "forward"),
        ("after_pred", "loss"),
        ("before_backward", "backward"),
        ("before_step", "step"),
        ("after_batch", "rest"),
    ],
)
def test_what_is_slow_is_found(make_learner, event, part):
    profile = Profile()
    make_learner(cbs=[profile, Callback(**{event: sleep})]).fit(1)
    assert min(profile.seconds[part]) > SLOW
    others = [max(profile.seconds[other]) for other in PARTS if other != part]
    assert max(others) < SLOW


def test_the_wait_for_data_is_found(make_learner):
    profile = Profile()
    learn = make_learner(cbs=profile)

    class Slow(list):
        def __iter__(self):
            for batch in super().__iter__():
                time.sleep(SLOW)
                yield batch

    learn.dls.loaders[0] = Slow(learn.dls.train)
    learn.fit(1)
    assert min(profile.seconds["data"]) > SLOW


def test_all_batches_but_the_first_are_measured(make_learner):
    profile = Profile()
    make_learner(n_train=4, cbs=profile).fit(2)
    assert {part: len(values) for part, values in profile.seconds.items()} == dict.fromkeys(
        PARTS, 7
    )
    assert profile.n_items == 7 * 8
    assert profile.items_per_second > 0
    assert profile.peak_bytes > 2**20


def test_the_table_adds_up(make_learner):
    profile = Profile(skip=0)
    make_learner(cbs=profile).fit(1)
    *parts, total = profile.table().rows
    assert sum(row[1] for row in parts) == pytest.approx(total[1])
    assert sum(row[2] for row in parts) == pytest.approx(100)


def test_batches_that_are_cancelled_are_measured_as_far_as_they_went(make_learner):
    def cancel(learn):
        raise CancelBatch

    profile = Profile(skip=0)
    make_learner(cbs=[profile, Callback(after_pred=cancel)]).fit(1)
    assert set(profile.seconds) == {"data", "forward", "rest"}
    assert len(profile.table().rows) == 4


def test_after_an_error_the_profile_is_readable_and_the_learner_clean(make_learner):
    def fail(learn):
        if learn.train_iter == 2:
            raise RuntimeError

    profile = Profile()
    learn = make_learner(cbs=[profile, Callback(before_step=fail)])
    before = list(learn.cbs)
    with pytest.raises(RuntimeError):
        learn.fit(1)
    assert learn.cbs == before
    assert len(profile.seconds["backward"]) == 2


def test_nothing_measured_is_explained():
    with pytest.raises(ContractError, match=r"nothing was measured\. Fit with this callback"):
        Profile().table()


def test_the_plot_names_the_parts(make_learner):
    profile = Profile()
    make_learner(cbs=profile).fit(1)
    labels = profile.plot().get_legend_handles_labels()[1]
    assert [label.split()[0] for label in labels] == list(PARTS)
