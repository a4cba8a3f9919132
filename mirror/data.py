"""A dataset store, in either direction: labelled pictures, each of them one file that arrives whole.

An upload's name is its hash, so equal names are equal pictures. One that moved to another label leaves its
old place on the other side, too; one that was deleted does while the mirror runs. What was not there before
the mirror started and is not here is left alone: an empty volume must not empty a bucket.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from uuid import uuid4

from contract.layout import is_upload, walk_files
from mirror.errors import MirrorError, explained
from mirror.remote import Remote

Say = Callable[[str], None]
Sizes = Mapping[str, int]
"""Path in the store → bytes."""
DEPTH = 4
"""dataset/split/label/file."""
AT_ONCE = 256
STAGED = ".staging-mirror"


class DataMirror:
    """Copies one way, and remembers what it saw, so that it notices deletions."""

    def __init__(self, remote: Remote, store: Path) -> None:
        self._remote = remote
        self._store = store
        self._seen: Collection[str] = ()

    def pull(self, say: Say) -> None:
        """Bring what is new. Raises MirrorError."""
        theirs, ours = examples(self._remote.sizes()), self._local()
        new = _missing(theirs, ours)
        for some in _batches(new):
            self._bring(some)
        gone = outdated(theirs, ours, self._seen)
        for path in gone:
            (self._store / path).unlink(missing_ok=True)
        self._end(theirs, say, f"{len(new)} pictures arrived, {len(gone)} left", bool(new or gone))

    def push(self, say: Say) -> None:
        """Send what is new. Raises MirrorError."""
        ours, theirs = self._local(), examples(self._remote.sizes())
        new = _missing(ours, theirs)
        for some in _batches(new):
            self._remote.put({path: self._store / path for path in some})
        gone = outdated(ours, theirs, self._seen)
        for path in gone:
            self._remote.remove(path)
        self._end(ours, say, f"{len(new)} pictures were sent, {len(gone)} deleted", bool(new or gone))

    def _end(self, source: Sizes, say: Say, sentence: str, has_changed: bool) -> None:
        self._seen = source.keys()
        if has_changed:
            say(sentence)

    def _local(self) -> dict[str, int]:
        with explained("read", str(self._store)):
            files = {path.relative_to(self._store).as_posix(): path for path in walk_files(self._store)}
            return examples({name: path.stat().st_size for name, path in files.items()})

    def _bring(self, paths: list[str]) -> None:
        """Beside the store's own folders, then one rename each."""
        staging = self._store / f"{STAGED}.{uuid4().hex}"
        try:
            with explained("store", str(self._store)):
                self._remote.get({path: staging / path for path in paths})
                for path in paths:
                    (self._store / path).parent.mkdir(parents=True, exist_ok=True)
                    (staging / path).replace(self._store / path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def examples(sizes: Sizes) -> dict[str, int]:
    """What lies where examples lie. Raises MirrorError for a path that leads out of the store."""
    found = {}
    for path, size in sizes.items():
        parts = PurePosixPath(path).parts
        if ".." in parts or path.startswith("/"):
            raise MirrorError(f"{path!r} is no path inside of a dataset store")
        if len(parts) == DEPTH and not any(part.startswith(".") for part in parts):
            found[path] = size
    return found


def outdated(source: Sizes, target: Sizes, seen: Collection[str]) -> list[str]:
    """Uploads of the target that moved in the source, or that the source had and has no more."""
    moved = {path.rpartition("/")[2] for path in source}
    return [
        path
        for path in target
        if path not in source
        and is_upload(path.rpartition("/")[2])
        and (path.rpartition("/")[2] in moved or path in seen)
    ]


def _missing(source: Sizes, target: Sizes) -> list[str]:
    return [path for path, size in source.items() if target.get(path) != size]


def _batches(paths: list[str]) -> Iterable[list[str]]:
    return (paths[start : start + AT_ONCE] for start in range(0, len(paths), AT_ONCE))


def clean(store: Path) -> None:
    """Remove what a mirror left that died; there is one for each volume."""
    for staging in store.glob(f"{STAGED}.*"):
        shutil.rmtree(staging, ignore_errors=True)
