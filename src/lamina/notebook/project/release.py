"""Build what is to be published, and check it; it is uploaded only where that is asked for."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from lamina.notebook.config import Config, load_config
from lamina.notebook.errors import NotebookError
from lamina.notebook.export import export_notebooks
from lamina.notebook.project.changelog import git
from lamina.notebook.project.version import read_version

__all__ = ["add_arguments", "build_release", "check_release", "run", "upload_release"]

_REFUSED = re.compile(r"HTTPError: 40[13]|Credential not found")


def check_release(config: Config) -> str:
    """Check that a project can be released: all committed, modules up to date, a new version.

    Args:
        config: the settings.

    Returns:
        The version.

    Raises:
        NotebookError: says what is in the way.
    """
    version, _ = read_version(config)
    if changed := git(config, "status", "--porcelain").splitlines():
        raise NotebookError(f"there are changes that are not committed: {changed[0].strip()}.")
    if tags := git(config, "tag", "--list", version, f"v{version}").split():
        raise NotebookError(f"{tags[0]} is tagged already. Run `lamina nb bump` first.")
    if stale := export_notebooks(config, check=True).written:
        raise NotebookError("is not up to date. Run `lamina nb export`.", stale[0])
    return version


def build_release(config: Config, *, isolated: bool = True) -> list[Path]:
    """Build the wheel and the source archive into `dist/`, and check them with twine.

    Args:
        config: the settings.
        isolated: build in a fresh environment, which needs a network.

    Returns:
        The two files.

    Raises:
        NotebookError: build or twine is missing or fails.
    """
    dist = config.root / "dist"
    before = {path: path.stat().st_mtime_ns for path in dist.glob("*")}
    _python(config, "build", "--outdir", str(dist), *([] if isolated else ["--no-isolation"]))
    built = [p for p in sorted(dist.glob("*")) if before.get(p) != p.stat().st_mtime_ns]
    _python(config, "twine", "check", "--strict", *map(str, built))
    return built


def upload_release(config: Config, files: Iterable[Path], repository: str = "pypi") -> None:
    """Upload built files through twine, which never asks anything.

    Args:
        config: the settings.
        files: from `build_release`.
        repository: a name that twine knows (`pypi`, `testpypi`, or from `~/.pypirc`), or a URL.

    Raises:
        NotebookError: says what the repository, or twine, has against it.
    """
    place = ["--repository-url" if "://" in repository else "--repository", repository]
    quiet = ["--non-interactive", "--disable-progress-bar"]
    try:
        _python(config, "twine", "upload", *quiet, *place, *map(str, files))
    except NotebookError as error:
        if not _REFUSED.search(str(error)):
            raise
        raise NotebookError(
            f"{repository} does not know who is uploading. Set TWINE_USERNAME to '__token__' and "
            f"TWINE_PASSWORD to a token that it gave you, or write both into ~/.pypirc.\n{error}"
        ) from None


def _python(config: Config, module: str, *args: str) -> None:
    if find_spec(module) is None:
        raise NotebookError(f"a release needs {module!r}. Run: pip install build twine")
    command = [sys.executable, "-m", module, *args]
    done = subprocess.run(
        command, cwd=config.root, capture_output=True, text=True, check=False,
        env=os.environ | {"NO_COLOR": "1", "TERM": "dumb"},
    )  # fmt: skip
    if done.returncode:
        raise NotebookError(f"{module} failed:\n{done.stdout}{done.stderr}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb release`."""
    parser.add_argument("path", nargs="?", default=".", help="the project (default: here)")
    parser.add_argument("--no-isolation", action="store_true", help="build in this environment")
    parser.add_argument("--upload", action="store_true", help="upload the files through twine")
    parser.add_argument("--repository", default="pypi", help="a name or URL (default: pypi)")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb release`."""
    config = load_config(options.path)
    version = check_release(config)
    built = build_release(config, isolated=not options.no_isolation)
    sys.stdout.writelines(f"built: {config.relative(path)}\n" for path in built)
    if not options.upload:
        sys.stdout.write("checked; `lamina nb release --upload` publishes it\n")
        return 0
    upload_release(config, built, options.repository)
    sys.stdout.write(f"uploaded. Now: git tag v{version} && git push origin v{version}\n")
    return 0
