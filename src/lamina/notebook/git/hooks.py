"""Tell git and Jupyter about notebooks: drivers for merges and diffs, a filter, a save hook."""

import argparse
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lamina.foundation.errors import needs
from lamina.notebook.config import find_config
from lamina.notebook.document import write_if_changed
from lamina.notebook.errors import NotebookError

__all__ = ["Hooks", "add_arguments", "install_hooks", "run", "uninstall_hooks"]

NAME = "lamina-nb"
_BEGIN, _END = f"# >>> {NAME} >>>\n", f"# <<< {NAME} <<<\n"
_JUPYTER = (
    "from lamina.notebook.git.save_hook import clean_on_save\n\n"
    "c.ContentsManager.pre_save_hook = clean_on_save\n"
)


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What to install.

    Args:
        merge: notebooks merge cell by cell.
        diff: `git diff` and `git log -p` show the text of cells.
        clean: notebooks are clean in commits, whatever they are in the folder.
        jupyter: Jupyter cleans the notebooks of projects with `jupyter_hooks = true` as it saves.
    """

    merge: bool = True
    diff: bool = True
    clean: bool = True
    jupyter: bool = False


def install_hooks(path: str | Path = ".", hooks: Hooks | None = None) -> list[Path]:
    """Install hooks: drivers in the repository's `.git/config`, and which files use them.

    Doing it again changes nothing; with other choices, it leaves just those.

    Args:
        path: a folder of the repository.
        hooks: what to install.

    Returns:
        The files that changed.

    Raises:
        NotebookError: it is no git repository.
    """
    hooks = hooks or Hooks()
    root = _repository(path)
    config = _git_config(root)
    before = config.read_bytes()
    _remove_sections(root)
    for key, value in _settings(hooks).items():
        _git(root, "config", "--local", key, value)
    names = {"merge": hooks.merge, "diff": hooks.diff, "filter": hooks.clean}
    wanted = " ".join(f"{name}={NAME}" for name, is_on in names.items() if is_on)
    changed = [] if config.read_bytes() == before else [config]
    changed += _put(root / ".gitattributes", f"*.ipynb {wanted}\n" if wanted else "")
    if hooks.jupyter:
        changed += _put(_jupyter_config(), _JUPYTER)
    return changed


def uninstall_hooks(path: str | Path = ".", *, jupyter: bool = False) -> list[Path]:
    """Remove what `install_hooks` wrote, and nothing else.

    Args:
        path: a folder of the repository.
        jupyter: remove the save hook of Jupyter, too.

    Returns:
        The files that changed.

    Raises:
        NotebookError: it is no git repository.
    """
    root = _repository(path)
    config = _git_config(root)
    before = config.read_bytes()
    _remove_sections(root)
    changed = [] if config.read_bytes() == before else [config]
    changed += _put(root / ".gitattributes", "")
    return changed + (_put(_jupyter_config(), "") if jupyter else [])


def _settings(hooks: Hooks) -> dict[str, str]:
    # The interpreter by its path: git may run where `lamina` is not on the PATH.
    start = "from lamina.notebook.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    python = f"{shlex.quote(Path(sys.executable).as_posix())} -c {shlex.quote(start)}"
    settings: dict[str, str] = {}
    if hooks.merge:
        settings[f"merge.{NAME}.name"] = "notebooks, cell by cell"
        settings[f"merge.{NAME}.driver"] = f"{python} merge %O %A %B %P"
    if hooks.diff:
        settings[f"diff.{NAME}.textconv"] = f"{python} diff --textconv"
    if hooks.clean:
        settings[f"filter.{NAME}.clean"] = f"{python} clean --stdin %f"
        settings[f"filter.{NAME}.smudge"] = "cat"
    return settings


def _git(root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *args], cwd=root, capture_output=True, text=True, check=False)


def _repository(path: str | Path) -> Path:
    if not Path(path).is_dir():
        raise NotebookError("there is no such folder.", path)
    found = _git(Path(path), "rev-parse", "--show-toplevel")
    if found.returncode:
        raise NotebookError("is not in a git repository. Run `git init` first.", path)
    return Path(found.stdout.strip())


def _git_config(root: Path) -> Path:
    return root / _git(root, "rev-parse", "--git-path", "config").stdout.strip()


def _remove_sections(root: Path) -> None:
    for kind in ("merge", "diff", "filter"):
        _git(root, "config", "--local", "--remove-section", f"{kind}.{NAME}")


def _put(file: Path, block: str) -> list[Path]:
    """Put a marked block into a file, in place of the one there; an empty one removes it."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if begin and not end:
        raise NotebookError(f"has {_BEGIN.strip()!r}, but not {_END.strip()!r} below it.", file)
    if block:
        before += "\n" if before and not before.endswith("\n") else ""
        block = f"{_BEGIN}{block}{_END}"
    if not (whole := before + block + after):
        is_there = file.exists()
        file.unlink(missing_ok=True)
        return [file] if is_there else []
    file.parent.mkdir(parents=True, exist_ok=True)
    return [file] if write_if_changed(file, whole) else []


def _jupyter_config() -> Path:
    with needs("jupyter_core", "notebook"):
        from jupyter_core.paths import jupyter_config_dir
    return Path(jupyter_config_dir()) / "jupyter_server_config.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb hooks`."""
    parser.add_argument("action", choices=["install", "uninstall"])
    parser.add_argument("path", nargs="?", default=".", help="a folder of the repository")
    for name in ("merge", "diff", "clean"):
        parser.add_argument(f"--no-{name}", action="store_true", help=f"without git's {name}")
    parser.add_argument(
        "--jupyter", action="store_true", help="also the save hook, in your Jupyter configuration"
    )


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb hooks`."""
    config = find_config(options.path)
    jupyter = options.jupyter or (config is not None and config.jupyter_hooks)
    if options.action == "uninstall":
        changed = uninstall_hooks(options.path, jupyter=jupyter)
    else:
        hooks = Hooks(
            merge=not options.no_merge,
            diff=not options.no_diff,
            clean=not options.no_clean,
            jupyter=jupyter,
        )
        changed = install_hooks(options.path, hooks)
    for file in changed:
        sys.stdout.write(f"written: {file}\n")
    sys.stdout.write("" if changed else "nothing to do\n")
    return 0
