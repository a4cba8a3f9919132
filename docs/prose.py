"""Lints the prose of the documents: `python docs/prose.py`, by `make lint`.

Proselint knows what editors advise against: words said twice, clichés, redundancy, hedging, malapropisms. It
reads plain text, so it gets copies in build/prose without code, targets of links, comments, bars of tables,
line by line the same. All of its checks count but three that docs/prose.json names: archaisms ("for ever" is
none in British English), dates, which it sees in every range of numbers, and curly quotes. Pages that are
written from the code are left out: their sentences are docstrings.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIES = ROOT / "build" / "prose"
DOCUMENTS = (ROOT, ROOT / "data", ROOT / "models", ROOT / "helm" / "rekindle" / "monitoring")
"""Folders whose own Markdown is prose, beside all of docs/."""
FROM_CODE = re.compile(r"Written by\s`make reference`")
BLOCK = re.compile(r"^( *)```.*?^\1```$|<!--.*?-->", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`[^`]+`|<https?://[^>]+>")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]+\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def pages() -> list[Path]:
    """All documents that people wrote."""
    found = [*(ROOT / "docs").rglob("*.md"), *(page for folder in DOCUMENTS for page in folder.glob("*.md"))]
    return sorted(page for page in found if not FROM_CODE.search(page.read_text()))


def prose(text: str) -> str:
    """The same lines without what is no prose; each span of code becomes a word of its own."""
    numbers = count()
    text = BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text)
    text = SPAN.sub(lambda found: f"Span{next(numbers)}" + "\n" * found[0].count("\n"), text)
    text = LINK.sub(r"\1", text)
    text = HEADING.sub(r"\1.", text)
    return re.sub(r"^\|(.*)\|$", lambda row: row[1].replace("|", ";") + ".", text, flags=re.MULTILINE)


def main() -> int:
    """Print what is found, with the place in the document; 1 when there is anything."""
    shutil.rmtree(COPIES, ignore_errors=True)
    for page in pages():
        copy = COPIES / page.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(prose(page.read_text()))
    command = [sys.executable, "-m", "proselint", "check", "--config", str(ROOT / "docs" / "prose.json")]
    done = subprocess.run([*command, str(COPIES)], capture_output=True, text=True, check=False)  # noqa: S603
    print((done.stdout + done.stderr).replace(f"{COPIES}/", ""), end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
