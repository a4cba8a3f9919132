"""Every link of every document leads somewhere: to a file, and to a heading of it.

`make docs` checks the links among the pages of the site; here are all documents, README and those beside it
too, as a forge shows them. Addresses elsewhere are not called, only looked at.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from documents import PAGES, ROOT

ALL = sorted(
    {
        *PAGES,
        *(page.relative_to(ROOT) for page in ROOT.glob("*.md")),
        *(
            page.relative_to(ROOT)
            for folder in ("data", "models", "helm", "load_tests", ".github")
            for page in (ROOT / folder).rglob("*.md")
        ),
    }
)
_LINK = re.compile(
    r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)?)\)|<(https?://[^>\s]+)>"
)
_CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def links(document: Path) -> list[str]:
    """The addresses of a document, outside of code."""
    text = _CODE.sub("", (ROOT / document).read_text())
    return [inline or bare for inline, bare in _LINK.findall(text)]


@cache
def anchors(file: Path) -> frozenset[str]:
    """The headings of a document as GitHub names them."""
    text = re.sub(r"^( *)```.*?^\1```$", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return frozenset(found)


def wrong(document: Path, link: str) -> str:
    """What is wrong with a link; empty when nothing is."""
    address = urlsplit(link)
    if address.scheme:
        is_whole = address.scheme in ("https", "http") and "." in (address.hostname or "")
        return "" if is_whole or link.startswith("http://127.0.0.1") else "no address"
    file = ((ROOT / document).parent / address.path).resolve() if address.path else ROOT / document
    if not file.exists():
        return "no such file"
    if not file.is_relative_to(ROOT):
        return "outside of the repository"
    if address.fragment and file.suffix == ".md" and address.fragment not in anchors(file):
        return "no such heading"
    return ""


@pytest.mark.parametrize("document", ALL, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    """Files and headings are there; addresses elsewhere are whole."""
    found = {link: fault for link in links(document) if (fault := wrong(document, link))}
    assert found == {}


def test_a_wrong_link_is_found() -> None:
    """Of each kind."""
    readme = Path("README.md")
    assert wrong(readme, "docs/nothing.md") == "no such file"
    assert wrong(readme, "docs/training.md#nothing") == "no such heading"
    assert wrong(readme, "#nothing") == "no such heading"
    assert wrong(readme, "../elsewhere") in ("no such file", "outside of the repository")
    assert wrong(readme, "https://nothing") == "no address"
    assert wrong(readme, "docs/training.md#the-promotion-gate") == ""


def test_readme_has_links_that_are_looked_at() -> None:
    """Or the expression would find none."""
    assert len(links(Path("README.md"))) > 40
