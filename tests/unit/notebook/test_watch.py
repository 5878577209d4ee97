"""Watching a folder of notebooks."""

from queue import Queue
from threading import Event, Thread

from lamina.notebook.watch import watch_notebooks


def test_a_saved_notebook_is_exported_and_a_broken_one_reported(project) -> None:
    project.notebook("a.ipynb", "#| export core\nx = 1")
    said: Queue[str] = Queue()
    stop = Event()
    watcher = Thread(
        target=watch_notebooks, args=[project.config], kwargs={"stop": stop, "say": said.put}
    )
    watcher.start()
    try:
        assert said.get(timeout=20) == "written: pets/core.py\n"
        assert said.get(timeout=20) == "written: pets/__init__.py\n"
        project.notebook("a.ipynb", "#| export core\nx = = 1")
        while "is not valid Python" not in (line := said.get(timeout=20)):
            assert line
        project.notebook("a.ipynb", "#| export core\nx = 2")
        while "written: pets/core.py" not in (line := said.get(timeout=20)):
            assert line
    finally:
        stop.set()
        watcher.join(timeout=20)
    assert "x = 2" in project.module()
