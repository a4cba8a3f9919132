"""What the tests of the documents read out of them: blocks of shell, links, paths and routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(ROOT) for page in DOCS.rglob("*.md"))
DOCUMENTS = [Path("README.md"), *PAGES]

_BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<mark>background|retry|not run)(?:: (?P<why>[^\n]*?))? -->\n(?P=indent))?"
    r"```sh\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of shell, and the comment above it.

    `background: WORDS` starts and goes on when it has said the words; `retry` is repeated for a while,
    because what it asks for happens by itself; `not run: WHY` cannot be run here.
    """

    document: Path
    line: int
    mark: str
    why: str
    code: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(document: Path) -> Iterator[Block]:
    """Every block of shell of a document, in order."""
    text = (ROOT / document).read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        code = "\n".join(each.removeprefix(found["indent"]) for each in found["code"].split("\n"))
        yield Block(document, line, found["mark"] or "", found["why"] or "", code)


def spans(text: str) -> list[str]:
    """What stands between backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL))


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
