import os
import sys
import threading
import time
from concurrent.futures import BrokenExecutor
from types import ModuleType

import pytest

from lamina.foundation.collections import L
from lamina.foundation.errors import UnknownNameError
from lamina.foundation.parallel import num_cpus, parallel


def module_level(x):
    return x


WAYS = [
    {"n_workers": 0},
    {"n_workers": 2, "threadpool": True},
    {"n_workers": 2, "method": "spawn", "chunksize": 2},
]


@pytest.mark.parametrize("way", WAYS, ids=["here", "threads", "processes"])
class TestAllWays:
    def test_results_are_in_the_items_order(self, way):
        results = parallel(int, ["f", "10", "1", "a", "2"], 16, **way)
        assert results == [15, 16, 1, 10, 2]
        assert type(results) is L

    def test_an_error_names_its_item(self, way):
        with pytest.raises(ValueError, match="invalid literal") as caught:
            parallel(int, ["1", "two", "3"], **way)
        assert caught.value.__notes__ == ["parallel: int failed on item 1 of 3: 'two'"]

    def test_errors_can_be_results(self, way):
        first, second, third = parallel(int, ["1", "two", "3"], return_exceptions=True, **way)
        assert (first, third) == (1, 3)
        assert isinstance(second, ValueError)


def test_nothing_to_do():
    assert parallel(abs, []) == []


def test_the_slowest_first_item_still_comes_first():
    def slow_first(x):
        time.sleep(0.05 if x == 0 else 0)
        return x

    assert parallel(slow_first, range(4), n_workers=4, threadpool=True) == [0, 1, 2, 3]


def test_a_function_that_workers_cannot_import_is_explained(capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "only_here", ModuleType("only_here"))
    monkeypatch.setattr(module_level, "__module__", "only_here")
    monkeypatch.setattr(sys.modules["only_here"], "module_level", module_level, raising=False)
    with pytest.raises(BrokenExecutor) as caught:
        parallel(module_level, [1], n_workers=1, method="spawn")
    assert "Can module_level be imported in a new process?" in caught.value.__notes__[0]
    assert "ModuleNotFoundError" in capfd.readouterr().err


def test_threads_share_the_process():
    def where(_item):
        return os.getpid(), threading.current_thread() is threading.main_thread()

    assert set(parallel(where, range(4), n_workers=2, threadpool=True)) == {(os.getpid(), False)}


def test_timeout():
    with pytest.raises(TimeoutError):
        parallel(time.sleep, [0.5], n_workers=1, threadpool=True, timeout=0.05)


def test_progress_is_shown(monkeypatch):
    monkeypatch.setenv("LAMINA_PROGRESS", "nonsense")
    assert parallel(abs, [-1], n_workers=0) == [1]
    with pytest.raises(UnknownNameError):
        parallel(abs, [-1], n_workers=0, progress=True)


def test_num_cpus():
    assert 1 <= num_cpus() <= (os.cpu_count() or 1)
