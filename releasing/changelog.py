"""The changelog's part in a release: it has a section for the version, which then gets its date."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from releasing.version import ReleaseError

NAME = "CHANGELOG.md"
UNRELEASED = "unreleased"
_HEADING = re.compile(r"^## (?P<version>\S+) \((?P<date>[^)]*)\)$", re.MULTILINE)


def section(text: str) -> re.Match[str]:
    """The heading of the newest section. Raises ReleaseError where there is none."""
    found = _HEADING.search(text)
    if found is None:
        raise ReleaseError(f"{NAME}: there is no heading `## X.Y.Z ({UNRELEASED})`")
    return found


def check(text: str, version: str) -> None:
    """The newest section is this version's, and says something. Raises ReleaseError."""
    heading = section(text)
    if heading["version"] != version:
        raise ReleaseError(
            f"{NAME}: the newest section is {heading['version']}, not {version}; "
            f"write `## {version} ({UNRELEASED})` above it, with what a user notices"
        )
    if not re.search(r"^\* ", text[heading.end() :].split("\n## ")[0], re.MULTILINE):
        raise ReleaseError(f"{NAME}: the section {version} has no line that begins with `* `")


def set_date(path: Path, today: datetime.date) -> bool:
    """Replace `unreleased` by a date; False where the section has one."""
    text = path.read_text(encoding="utf-8")
    heading = section(text)
    if heading["date"] != UNRELEASED:
        return False
    start, end = heading.span("date")
    path.write_text(text[:start] + today.isoformat() + text[end:], encoding="utf-8")
    return True
