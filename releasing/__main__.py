"""`python -m releasing X.Y.Z`, by `make release VERSION=X.Y.Z`: prepares a version and builds it into dist/.

Nothing is committed, tagged or pushed: that is said at the end, and done by a person. Of a commit that has
the version already, as in the release workflow, it changes nothing and builds the same.
"""

from __future__ import annotations

import argparse
import datetime
import shutil
import sys
import tempfile
from pathlib import Path

from releasing import artefacts, changelog, tree
from releasing.version import NUMBER, ReleaseError, set_everywhere

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Prepare and build; the exit status is 1 with a sentence where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m releasing", description=__doc__)
    parser.add_argument("version", nargs="?", default="", help="X.Y.Z")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="default: dist/, which is emptied")
    options = parser.parse_args()
    try:
        artefacts.find_helm()  # before anything is changed
        changed = prepare(ROOT, options.version)
        build(ROOT, options.version, options.into)
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    _say_what_is_left(changed, options.version)
    return 0


def prepare(root: Path, version: str) -> list[Path]:
    """Check tree and changelog, then set version and date; returns the changed files. Raises ReleaseError."""
    if not NUMBER.fullmatch(version):
        raise ReleaseError(f"the version is {version!r}; give one such as: make release VERSION=1.2.3")
    tree.check_clean(root)
    notes = root / changelog.NAME
    changelog.check(notes.read_text(encoding="utf-8"), version)
    changed = set_everywhere(root, version)
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return [*changed, notes] if changelog.set_date(notes, today) else changed


def build(root: Path, version: str, into: Path) -> None:
    """Make every artefact of the tree as it stands. Raises ReleaseError."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="rekindle-release-") as name:
        exported = Path(name, "tree")
        tree.export(root, exported)
        print("Building the wheel", flush=True)
        artefacts.wheel(exported, into, tree.moment(root))
        print("Packaging the chart", flush=True)
        artefacts.chart(exported, into)
        print("Writing the bills of materials", flush=True)
        artefacts.bills_of_materials(exported, into, version)
        print("Building the documentation and the archive", flush=True)
        artefacts.site(exported)
        artefacts.archive(exported, into, version)
    artefacts.sums(into)
    for file in sorted(into.iterdir()):
        print(f"  {file.stat().st_size / 1e6:8.2f} MB  {file.name}")


def _say_what_is_left(changed: list[Path], version: str) -> None:
    if not changed:
        print(f"This commit is {version} already; nothing was changed.")
        return
    print(f"\nSet to {version}: {', '.join(str(file.relative_to(ROOT)) for file in changed)}")
    commit = f"git commit -am 'Rekindle {version}' && git tag v{version}"
    print(f"Look at it, then: {commit} && git push origin HEAD v{version}")


if __name__ == "__main__":
    sys.exit(main())
