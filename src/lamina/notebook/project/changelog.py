"""The changelog, from what git knows: in the format of Keep a Changelog."""

import argparse
import datetime as dt
import re
import subprocess
import sys

from lamina.notebook.config import Config, load_config
from lamina.notebook.document import write_if_changed
from lamina.notebook.errors import NotebookError
from lamina.notebook.project.version import read_version

__all__ = ["add_arguments", "git", "merged_changes", "run", "update_changelog"]

FILE = "CHANGELOG.md"
HEAD = """# Changelog

The format is that of [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).

## [Unreleased]
"""
_GROUPS = {
    "Added": r"add|feat|new|introduce|implement",
    "Fixed": r"fix|bug|hotfix|correct|repair",
    "Removed": r"remove|drop|delete",
    "Deprecated": r"deprecate",
    "Security": r"security",
    "Changed": r"",
}
_PREFIX = re.compile(r"^\w+(?:\([^)]*\))?(!?): +")
_UNRELEASED = re.compile(
    r"^## \[Unreleased\].*?$\n(?P<body>.*?)(?=^## |^\[[^\]]+\]: |\Z)", re.M | re.S
)


def git(config: Config, *args: str) -> str:
    """Run git in the project, and return what it says.

    Raises:
        NotebookError: git fails.
    """
    command = ["git", *args]
    done = subprocess.run(command, cwd=config.root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotebookError(f"`git {' '.join(args)}` failed: {done.stderr.strip()}", config.root)
    return done.stdout


def merged_changes(config: Config) -> dict[str, list[str]]:
    """Return what was merged or committed since the last tag, by group.

    Of a merged pull request that is its title; of commits on the main line, their first line. The
    first word says the group: `Fix ...` and `fix: ...` are in "Fixed".

    Raises:
        NotebookError: the folder is no git repository.
    """
    tags = git(config, "tag", "--merged", "HEAD", "--sort=-creatordate").split()
    since = [f"{tags[0]}..HEAD"] if tags else []
    log = git(config, "log", "--first-parent", "--reverse", "--format=%s%x1f%b%x1e", *since)
    groups: dict[str, list[str]] = {}
    for record in log.split("\x1e"):
        title, _, body = record.strip().partition("\x1f")
        if merged := re.match(r"Merge pull request (#\d+)", title):
            title = f"{(body.strip().splitlines() or [title])[0]} ({merged[1]})"
        if title and not title.startswith("Merge "):
            name = next(n for n, words in _GROUPS.items() if re.match(rf"(?:{words})", title, re.I))
            breaking = "**Breaking.** " if (m := _PREFIX.match(title)) and m[1] else ""
            groups.setdefault(name, []).append(breaking + _PREFIX.sub("", title))
    return groups


def update_changelog(config: Config, *, release: bool = False, today: str = "") -> bool:
    """Add to the changelog what was merged since the last tag and is not in it yet.

    Args:
        config: the settings.
        release: also make what is unreleased the section of the present version.
        today: the date of the release; today if empty.

    Returns:
        Whether the file was written.

    Raises:
        NotebookError: the file has no section "Unreleased", or one of the version already.
    """
    path = config.root / FILE
    text = path.read_text("utf-8") if path.is_file() else HEAD
    if (match := _UNRELEASED.search(text)) is None:
        raise NotebookError("has no section '## [Unreleased]'. Add the heading.", path)
    body = match["body"].strip("\n")
    for name, titles in merged_changes(config).items():
        known = text.splitlines()
        new = [f"- {title}" for title in dict.fromkeys(titles) if f"- {title}" not in known]
        body = _with_entries(body, name, new) if new else body
    heading = "## [Unreleased]\n"
    if release:
        version, _ = read_version(config)
        if f"## [{version}]" in text:
            raise NotebookError(f"has a section of {version} already. Run `lamina nb bump`.", path)
        heading += f"\n## [{version}] - {today or dt.date.today().isoformat()}\n"
    section = f"{heading}\n{body}\n\n" if body else heading
    changed = text[: match.start()] + section + text[match.end() :]
    return write_if_changed(path, changed.rstrip("\n") + "\n")


def _with_entries(body: str, group: str, entries: list[str]) -> str:
    """Add entries at the end of a group, which begins if it is not there yet."""
    heading = f"### {group}\n"
    if heading not in body:
        body = f"{body}\n\n{heading}".lstrip("\n")
    end = body.find("\n### ", body.index(heading) + 1)
    end = len(body) if end < 0 else end
    gap = "\n\n" if body[:end].rstrip().endswith(heading.strip()) else "\n"
    rest = f"\n{body[end:]}" if body[end:] else ""
    return body[:end].rstrip() + gap + "\n".join(entries) + rest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lamina nb changelog`."""
    parser.add_argument("path", nargs="?", default=".", help="the project (default: here)")
    parser.add_argument("--release", action="store_true", help="close the section of the version")


def run(options: argparse.Namespace) -> int:
    """Run `lamina nb changelog`."""
    if update_changelog(load_config(options.path), release=options.release):
        sys.stdout.write(f"written: {FILE}\n")
    return 0
