"""Nothing is silenced without saying which rule and why."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from source import report, target

IGNORE = re.compile(r"#\s*(type: ignore|pyright: ignore|noqa)\b(.*)")
REASON = re.compile(r"(\[[\w, -]+\]|: [A-Z]+\d+(, ?[A-Z]+\d+)*)\W+\w.{3,}")
MOST_PER_THOUSAND_LINES = 5  # typing ignores; the aim is 2, torch is itself partly untyped


def check(folder: Path) -> Iterator[str]:
    lines = typing = 0
    for path in sorted(folder.rglob("*.py")):
        with path.open("rb") as stream:
            for token in tokenize.tokenize(stream.readline):
                lines += token.type == tokenize.NEWLINE
                found = IGNORE.search(token.string) if token.type == tokenize.COMMENT else None
                typing += bool(found and found[1] != "noqa")
                if found and not REASON.match(found[2]):
                    yield f"{path}:{token.start[0]}: an ignore needs a rule code and a reason"
    most = max(MOST_PER_THOUSAND_LINES * lines // 1000, 10)
    print(f"ignores: {typing} typing ignores in {lines} logical lines, at most {most}")
    if typing > most:
        yield f"{folder}: {typing} typing ignores, at most {most}"


if __name__ == "__main__":
    report("ignores", check(target()))
