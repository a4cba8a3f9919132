"""Builds the site of these pages into build/site: `python docs/build_site.py`, by `make docs`.

On a forge the pages link to the code beside them, which a site does not have. So they are copied into
build/docs first: pictures from elsewhere in the repository come along, and a link to any other file becomes
its path. The links between pages are then checked by Zensical itself, which ends with an error for a broken
one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
STAGED = ROOT / "build" / "docs"
PICTURES = {".png", ".jpg", ".svg"}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


class BrokenLinkError(Exception):
    """A page links to a file that is not in the repository."""


def stage() -> None:
    """Copy the pages and their pictures. Raises BrokenLinkError."""
    shutil.rmtree(STAGED, ignore_errors=True)
    for page in sorted(DOCS.rglob("*.md")):
        target = STAGED / page.relative_to(DOCS)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_LINK.sub(lambda link, page=page: _relinked(page, link), page.read_text()))  # type: ignore[misc]


def _relinked(page: Path, link: re.Match[str]) -> str:
    """A link as it is on the site."""
    mark, text, address, _ = link.groups()
    if re.match(r"[a-z]+:|/", address):
        return link[0]
    file = (page.parent / address).resolve()
    if not file.exists():
        raise BrokenLinkError(f"{page.relative_to(ROOT)}: there is no {address}")
    if mark:
        return f"![{text}]({_picture(page, file)})"
    if file.suffix == ".md" and file.is_relative_to(DOCS):
        return link[0]
    path = str(file.relative_to(ROOT))
    return f"`{path}`" if text.strip("`") in path else f"{text} (`{path}`)"


def _picture(page: Path, file: Path) -> str:
    """Where the site has a picture, seen from the page; copies it there."""
    target = STAGED / "pictures" / "-".join(file.relative_to(ROOT).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return os.path.relpath(target, (STAGED / page.relative_to(DOCS)).parent)


def main() -> int:
    """Stage, then build strictly; the exit status is Zensical's."""
    try:
        stage()
    except BrokenLinkError as error:
        print(error, file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
