"""The facades name everything that they offer, once, and a changed module makes them stale."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    spec = importlib.util.spec_from_file_location("facade_tool", TOOLS / "facade.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delitem(sys.modules, "source", raising=False)
    monkeypatch.setattr(module, "facades", lambda: {"vision": ["data.load", "vision.resize"]})
    return module


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name, public in {"data.load": ["Loader", "collate"], "vision.resize": ["Resize"]}.items():
        offer(tmp_path, name, public)
    return tmp_path


def offer(library: Path, module: str, names: list[str]) -> None:
    path = library / Path(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"__all__ = {names!r}\n", encoding="utf-8")


def test_a_facade_imports_each_name_from_its_module(tool: ModuleType, library: Path):
    assert list(tool.main(library, check=False)) == []
    text = (library / "vision" / "all.py").read_text("utf-8")
    assert "from lamina.data.load import (\n    Loader,\n    collate,\n)\n" in text
    assert "from lamina.vision.resize import (\n    Resize,\n)\n" in text
    assert '"Resize",' in text.partition("__all__")[2]


def test_check_is_silent_until_a_module_changes(tool: ModuleType, library: Path):
    list(tool.main(library, check=False))
    assert list(tool.main(library, check=True)) == []
    offer(library, "vision.resize", ["Crop", "Resize"])
    [problem] = tool.main(library, check=True)
    assert "is out of date" in problem


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["open"], "open of vision.resize hides a builtin"),
        (["ab"], "ab of vision.resize is too short"),
        (["Loader"], "Loader has 2 meanings: data.load, vision.resize"),
        ([f"name_{i}" for i in range(251)], "names, at most 250"),
    ],
)
def test_bad_names_are_refused(tool: ModuleType, library: Path, names: list[str], message: str):
    offer(library, "vision.resize", names)
    assert message in "\n".join(tool.main(library, check=False))
    assert not (library / "vision" / "all.py").exists()


def test_short_names_of_the_field_are_allowed(tool: ModuleType, library: Path):
    offer(library, "vision.resize", ["L"])
    assert list(tool.main(library, check=False)) == []


def test_an_entry_may_choose_some_names(
    tool: ModuleType, library: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tool, "facades", lambda: {"vision": ["data.load: collate"]})
    (library / "vision").mkdir(exist_ok=True)
    assert list(tool.main(library, check=False)) == []
    text = (library / "vision" / "all.py").read_text("utf-8")
    assert "collate" in text
    assert "Loader" not in text


@pytest.mark.parametrize(
    ("entry", "message"),
    [("data.lode", "does not exist"), ("data.load: colate", "data.load offers no colate")],
)
def test_an_unknown_entry_is_refused(
    tool: ModuleType, library: Path, monkeypatch: pytest.MonkeyPatch, entry: str, message: str
):
    monkeypatch.setattr(tool, "facades", lambda: {"vision": [entry]})
    with pytest.raises(SystemExit, match=message):
        list(tool.main(library, check=True))
