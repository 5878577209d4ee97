"""Names: short parts of public parameter names come from the closed lists of docs/names.md."""

import re
from collections.abc import Iterator
from pathlib import Path

from source import ROOT, Function, modules, public_functions, report, target

LIST = ROOT / "docs" / "names.md"
MOST_ABBREVIATIONS = 40
SHORT = 4  # parts with fewer letters must be on a list


def listed(text: str) -> dict[str, list[set[str]]]:
    """Read the lists: per section and row, the words in backticks in the first cell."""
    lists: dict[str, list[set[str]]] = {}
    for section in text.split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        cells = re.findall(r"^\| (`.*?) \|", body, flags=re.M)
        lists[heading.strip()] = [set(re.findall(r"`(\w+)`", cell)) for cell in cells]
    return lists


def parameters(function: Function) -> list[str]:
    args = function.args
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return [a.arg for a in every if a is not None and not a.arg.startswith("_")]


def check(folder: Path) -> Iterator[str]:
    lists = listed(LIST.read_text(encoding="utf-8"))
    count = len(lists["Abbreviations"])
    if count > MOST_ABBREVIATIONS:
        yield f"{LIST}: {count} abbreviations, at most {MOST_ABBREVIATIONS}"
    known = {word for rows in lists.values() for row in rows for word in row}
    for path, tree in modules(folder):
        for name, function in public_functions(tree):
            for parameter in parameters(function):
                parts = [p for p in re.split(r"_|\d+", parameter) if p]
                strange = [p for p in parts if len(p) < SHORT and p not in known]
                if strange:
                    yield (
                        f"{path}:{function.lineno}: {name}({parameter}): {', '.join(strange)} is "
                        "not in docs/names.md; use a full word"
                    )
    print(f"names: {count} abbreviations")


if __name__ == "__main__":
    report("names", check(target()))
