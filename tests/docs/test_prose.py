"""The linter of prose: it judges prose alone, and names the line of the document."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from documents import DOCS, ROOT

PAGE = """# Title

A sentence about `the the` code.

```sh
the the code
```

<!-- the the
comment -->
| cell | cell |
|---|---|
| 8 | 8 |

This is is wrong, and [so on](so/so.md).
"""


@pytest.fixture
def prose() -> dict[str, Any]:
    """docs/prose.py, which belongs to no package."""
    return runpy.run_path(str(DOCS / "prose.py"), run_name="prose")


def test_lines_stay_where_they_are(prose: dict[str, Any]) -> None:
    """So that a finding's line is the document's."""
    for page in prose["pages"]():
        text = page.read_text()
        assert prose["prose"](text).count("\n") == text.count("\n"), page


def test_a_repeated_word_is_found_and_code_is_not_judged(prose: dict[str, Any], tmp_path: Path) -> None:
    """One finding, on the line of the sentence."""
    copy = tmp_path / "page.md"
    copy.write_text(prose["prose"](PAGE))
    command = [sys.executable, "-m", "proselint", "check", "--config", str(DOCS / "prose.json"), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = (done.stdout + done.stderr).splitlines()
    assert len(found) == 1, found
    assert f"{copy}:15:" in found[0]
    assert "is is" in found[0]


def test_the_documents_are_clean() -> None:
    """As `make lint` checks; the pages that are written from the code are not among them."""
    done = subprocess.run(
        [sys.executable, "docs/prose.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_whose_prose_it_is(prose: dict[str, Any]) -> None:
    """People's."""
    pages = {str(page.relative_to(ROOT)) for page in prose["pages"]()}
    assert {"README.md", "CONTRIBUTING.md", "docs/tutorial.md", "docs/deploy/eks.md"} <= pages
    assert not {"docs/settings.md", "docs/reference/http-api.md"} & pages
