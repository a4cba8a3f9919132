"""The tree that a release is made of: what git knows, exported into a folder of its own.

So nothing that merely lies around (an old build/, an untracked file) comes into a wheel or an archive.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

from releasing.version import ReleaseError


def git(root: Path, *arguments: str) -> str:
    """What git says. Raises ReleaseError with its complaint."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise ReleaseError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def check_clean(root: Path) -> None:
    """Nothing is changed or untracked. Raises ReleaseError with what is."""
    if changed := git(root, "status", "--porcelain"):
        shown = "\n".join(changed.splitlines()[:10])
        raise ReleaseError(f"commit or take away first what a release would not have:\n{shown}")


def export(root: Path, folder: Path) -> None:
    """Write the tracked files as they stand, changes of the release included, below `folder`."""
    commit = git(root, "stash", "create") or "HEAD"  # a commit of the changes that no branch knows of
    archive = folder.with_suffix(".tar")
    git(root, "archive", "--format=tar", f"--output={archive}", commit)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    archive.unlink()


def moment(root: Path) -> str:
    """SOURCE_DATE_EPOCH: the time of the last commit, so that the same commit makes the same wheel."""
    return os.environ.get("SOURCE_DATE_EPOCH") or git(root, "log", "-1", "--format=%ct")
