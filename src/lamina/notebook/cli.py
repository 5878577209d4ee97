"""The command `lamina nb`: a table of commands, whose modules are loaded when they are used."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from lamina.foundation.errors import LaminaError, UnknownNameError

__all__ = ["COMMANDS", "main"]

# Each module offers `add_arguments(parser)` and `run(options) -> int`.
COMMANDS = {
    "new": ("lamina.notebook.project.new", "start a project in a git repository"),
    "export": ("lamina.notebook.export", "write the package's modules from the notebooks"),
    "sync": ("lamina.notebook.sync", "take edits of modules back into the notebooks"),
    "watch": ("lamina.notebook.watch", "export whenever a notebook is saved"),
    "clean": ("lamina.notebook.clean", "remove counts, metadata and addresses from notebooks"),
    "test": ("lamina.notebook.run.testing", "run notebooks as tests, each in a fresh kernel"),
    "diff": ("lamina.notebook.git.diff", "show how two versions of a notebook differ"),
    "docs": ("lamina.notebook.docs.site", "build the site of the documentation"),
    "preview": ("lamina.notebook.docs.preview", "show the site, and build it on every change"),
    "readme": ("lamina.notebook.project.readme", "make the README from a notebook"),
    "prepare": ("lamina.notebook.project.prepare", "export, clean, test, readme: before a commit"),
    "bump": ("lamina.notebook.project.version", "raise the version"),
    "changelog": ("lamina.notebook.project.changelog", "add what was merged to the changelog"),
    "release": ("lamina.notebook.project.release", "build and check what is to be published"),
    "merge": ("lamina.notebook.git.merge", "merge three versions of a notebook, cell by cell"),
    "fix": ("lamina.notebook.git.fix", "repair conflict markers, broken JSON, ids and kernels"),
    "trust": ("lamina.notebook.git.trust", "sign notebooks, so that Jupyter shows their outputs"),
    "hooks": ("lamina.notebook.git.hooks", "make git and Jupyter merge, show and clean notebooks"),
    "migrate": ("lamina.notebook.migrate", "rewrite `# export` and the like to `#| export`"),
}


def main(args: Sequence[str]) -> int:
    """Run a command of the notebook tool.

    Args:
        args: what follows `lamina nb`.

    Returns:
        0 if all is well, 1 if the command found something wrong, 2 if it could not work.
    """
    if not args or args[0] in ("-h", "--help"):
        sys.stdout.write(_help())
        return 0
    name, *rest = args
    try:
        if name not in COMMANDS:
            raise UnknownNameError("command", name, COMMANDS, where="lamina nb")
        module_name, summary = COMMANDS[name]
        module = import_module(module_name)
        parser = argparse.ArgumentParser(prog=f"lamina nb {name}", description=_sentence(summary))
        module.add_arguments(parser)
        return module.run(parser.parse_args(rest))
    except LaminaError as error:
        sys.stderr.write(f"lamina nb: {str(error).removeprefix('lamina nb: ')}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def _help() -> str:
    width = max(map(len, COMMANDS))
    rows = "".join(f"  {name:<{width}}  {summary}\n" for name, (_, summary) in COMMANDS.items())
    return (
        "usage: lamina nb COMMAND [...]\n\nPackages written as notebooks.\n\n"
        f"commands:\n{rows}\n"
        "`lamina nb COMMAND --help` explains one. The settings are in [tool.lamina.nb] of\n"
        "pyproject.toml. Exit codes: 0 all is well, 1 something was found, 2 could not work.\n"
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
