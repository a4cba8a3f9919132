"""How a version gets into the model store: staged, synced, and made visible by one rename."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from contract.card import ModelCard
from contract.layout.files import fsync, fsync_tree
from contract.layout.models import ModelPaths, is_version_name


def published_version(paths: ModelPaths, run_id: str) -> int | None:
    """The version that this run published, if it did: what makes publishing repeatable."""
    for version in reversed(paths.versions()):
        try:
            card = ModelCard.model_validate_json(paths.card(version).read_bytes())
        except (OSError, ValueError):
            continue
        if card.run_id == run_id:
            return version
    return None


def publish(candidate: Path, paths: ModelPaths, run_id: str) -> int:
    """Copy a candidate into the model store and make it visible by one rename; return its version.

    The copy is staged under a dotted name and synced before the rename, so that a death at any moment
    leaves at most a staging directory, which the next publication of the run removes. Publishing a run
    twice returns the version of the first time. Two publishers at once get two numbers: a rename onto a
    directory that is not empty fails, and the next number is tried.

    Raises OSError (e.g. ENOSPC) and removes the staged copy.
    """
    paths.root.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(paths.root, run_id)
    if (version := published_version(paths, run_id)) is not None:
        return version
    staging = paths.root / f".staging-{run_id}.{uuid4().hex}"
    try:
        shutil.copytree(candidate, staging)
        fsync_tree(staging)
        version = _rename_to_next(staging, paths)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    fsync(paths.root)
    return version


def _remove_leftovers(root: Path, run_id: str) -> None:
    """Remove what a dead publication of the run left; the dot ends the id, so no other run's is taken.

    It is renamed before it is emptied: should its publisher live after all, that one's rename fails,
    instead of making visible a directory that is being emptied.
    """
    for staging in root.glob(f".staging-{run_id}.*"):
        with suppress(OSError):
            staging.rename(root / f".trash-{run_id}.{uuid4().hex}")
    for trash in root.glob(f".trash-{run_id}.*"):
        shutil.rmtree(trash, ignore_errors=True)


def _rename_to_next(staging: Path, paths: ModelPaths) -> int:
    taken = [int(name) for name in os.listdir(paths.root) if is_version_name(name)]
    version = max(taken, default=0) + 1
    while is_version_name(str(version)):
        try:
            staging.rename(paths.version(version))
            return version
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            version += 1
    raise OSError(errno.EOVERFLOW, f"no version number is left after {max(taken)}", str(paths.root))
