"""What the documents take from the code is what the code says now."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.reference import PAGES
from gateway.settings import variable_names

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_fresh(name: str) -> None:
    """`make reference` would change nothing."""
    assert (DOCS / name).read_text() == PAGES[name](), "run `make reference`"


def test_every_setting_is_on_its_page() -> None:
    """By its variable; groups as a whole take JSON and have a heading."""
    page = (DOCS / "settings.md").read_text()
    for variable in variable_names():
        if "__" in variable:
            assert f"| `{variable}` |" in page
        else:
            assert f"## {variable.removeprefix('GATEWAY_').lower()}" in page
