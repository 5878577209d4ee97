"""The version of a package: read it, and raise it."""

import argparse
import re
import sys
from pathlib import Path

from lamina.foundation.errors import UnknownNameError
from lamina.notebook.config import Config, load_config
from lamina.notebook.document import write_if_changed
from lamina.notebook.errors import NotebookError

__all__ = ["PARTS", "add_arguments", "bump_version", "next_version", "read_version", "run"]

PARTS = ("major", "minor", "patch", "pre")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:[.-]?(a|b|rc|dev)\.?(\d+))?")
_PLACES = {
    "pyproject.toml": re.compile(r'(?ms)(^\[project\]$(?:(?!^\[).)*?^version\s*=\s*")([^"]+)(?=")'),
    "__init__.py": re.compile(r"(?m)(^__version__\s*=\s*[\"'])([^\"']+)(?=[\"'])"),
}


def next_version(version: str, part: str) -> str:
    """Return the version after this one.

    A version that is only prepared (`1.3.0rc1`) is finished by raising the part that it prepares.

    Args:
        version: three numbers, and perhaps `a1`, `b1`, `rc1` or `.dev1`.
        part: `"major"`, `"minor"`, `"patch"`, or `"pre"` for the next candidate.

    Raises:
        UnknownNameError: there is no such part.
        NotebookError: the version has another form.

    Example:
        >>> [next_version("1.2.3", part) for part in PARTS]
        ['2.0.0', '1.3.0', '1.2.4', '1.2.4rc1']
        >>> next_version("1.3.0rc1", "minor"), next_version("1.3.0rc1", "pre")
        ('1.3.0', '1.3.0rc2')
    """
    if part not in PARTS:
        raise UnknownNameError("part", part, PARTS, where="next_version")
    if (match := _VERSION.fullmatch(version)) is None:
        raise NotebookError(f"the version {version!r} is not of the form 1.2.3 or 1.2.3rc1.")
    numbers = [int(text) for text in match.groups()[:3]]
    if part == "pre":
        if match[4]:
            stage = f".{match[4]}" if match[4] == "dev" else match[4]
            return f"{'.'.join(map(str, numbers))}{stage}{int(match[5]) + 1}"
        return f"{next_version(version, 'patch')}rc1"
    place = PARTS.index(part)
    if not (match[4] and not any(numbers[place + 1 :])):
        numbers[place] += 1
        numbers[place + 1 :] = [0] * (2 - place)
    return ".".join(map(str, numbers))


def read_version(config: Config) -> tuple[str, list[Path]]:
    """Return a project's version and the files it stands in.

    Raises:
        NotebookError: it stands nowhere, or the files differ.
    """
    found: dict[Path, str] = {}
    for file in (config.root / "pyproject.toml", config.lib_path / "__init__.py"):
        text = file.read_text("utf-8") if file.is_file() else ""
        if match := _PLACES[file.name].search(text):
            found[file] = match[2]
    if len(versions := set(found.values())) != 1:
        places = ", ".join(f"{config.relative(f)}: {version}" for f, version in found.items())
        raise NotebookError(
            f"the version must stand in [project] of pyproject.toml or as __version__ in "
            f"{config.relative(config.lib_path / '__init__.py')}, the same in both. "
            f"Found: {places or 'none'}."
        )
    return versions.pop(), list(found)


def bump_version(config: Config, part: str = "patch") -> tuple[str, str]:
    """Raise a project's version where it stands.

    Args:
        config: the settings.
        part: `"major"`, `"minor"`, `"patch"`, `"pre"`, or the new version itself.

    Returns:
        The old and the new version.

    Raises:
        NotebookError: the version cannot be found or has another form.
    """
    old, places = read_version(config)
    new = part if _VERSION.fullmatch(part) else next_version(old, part)
    for file in places:
        text = file.read_text("utf-8")
        write_if_changed(file, _PLACES[file.name].sub(lambda m: m[1] + new, text, count=1))
    return old, new


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb bump`."""
    helped = f"{', '.join(PARTS)} or a version (default: patch)"
    parser.add_argument("part", nargs="?", default="patch", help=helped)


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb bump`."""
    sys.stdout.write("{} -> {}\n".format(*bump_version(load_config(), options.part)))
    return 0
