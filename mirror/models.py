"""A model store, in either direction: finished versions, then the small files that name them.

Locally a version arrives as the trainer publishes it: staged under a dotted name, synced, one rename.
Nothing is deleted on the other side: a bucket keeps every version, and a version that has gone there stays
here, because a model server may be answering by it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from contract.layout import CARD, ModelPaths, fsync_tree, model_names, write_atomically
from mirror import small_files
from mirror.errors import MirrorError, explained
from mirror.marker import MARKER, Marker, check, finished, marker_of
from mirror.remote import Remote

Say = Callable[[str], None]
STAGED = ".staging-mirror-"


def pull(remote: Remote, store: Path, say: Say, *, named_only: bool) -> list[str]:
    """Bring what is new; returns what could not be brought. Raises MirrorError where nothing can."""
    files = {path: remote.read(path) for path in small_files.paths_among(remote.sizes())}
    faults: dict[str, list[str]] = {}
    for model, version in finished(remote.sizes()):
        names = small_files.named(files, model) if named_only else None
        if (names is not None and version not in names) or ModelPaths(store, model).version(version).exists():
            continue
        try:
            _pull_version(remote, ModelPaths(store, model), version)
            say(f"version {version} of {model} arrived")
        except MirrorError as error:
            faults.setdefault(model, []).append(f"version {version} of {model} was left out: {error}")
    _write_local(store, small_files.without(files, set(faults)))
    return [fault for each in faults.values() for fault in each]


def _pull_version(remote: Remote, paths: ModelPaths, version: int) -> None:
    prefix = f"{paths.model}/{version}"
    marker = _read_marker(remote, prefix)
    staging = paths.root / f"{STAGED}{version}.{uuid4().hex}"
    try:
        with explained("store", str(paths.version(version))):
            paths.root.mkdir(parents=True, exist_ok=True)
            _check_room(paths.root, marker.bytes)
            remote.get({f"{prefix}/{name}": staging / name for name in marker.files})
            check(staging, marker)
            fsync_tree(staging)
            staging.rename(paths.version(version))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _read_marker(remote: Remote, prefix: str) -> Marker:
    try:
        return Marker.model_validate_json(remote.read(f"{prefix}/{MARKER}"))
    except ValidationError as error:
        first = error.errors()[0]
        raise MirrorError(f"{remote.url}/{prefix}/{MARKER} cannot be read: {first['msg']}") from error


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise MirrorError(
            f"{folder} has {free / 1e6:.0f} MB free, and {needed / 1e6:.0f} MB are needed: give the volume "
            "more room"
        )


def _write_local(store: Path, files: small_files.SmallFiles) -> None:
    for path, content in files.items():
        target = store / path
        with explained("write", str(target)):
            if not target.is_file() or target.read_bytes() != content:
                write_atomically(target, content)


class Pushing:
    """Sends what is new in a store; remembers which versions are there, so as not to ask again."""

    def __init__(self, store: Path, remote: Remote) -> None:
        self._store = store
        self._remote = remote
        self._settled: set[tuple[str, int]] = set()

    def push(self, say: Say) -> list[str]:
        """Send; returns what could not be sent. Raises MirrorError where nothing can."""
        with explained("read", str(self._store)):
            files = small_files.local(self._store)
        there = set(self._remote.sizes())
        faults: dict[str, list[str]] = {}
        for model in model_names(self._store):
            for version in ModelPaths(self._store, model).versions():
                if fault := self._settle(model, version, there, say):
                    faults.setdefault(model, []).append(fault)
        for path, content in small_files.without(files, set(faults)).items():
            if path not in there or self._remote.read(path) != content:
                self._remote.write(path, content)
        return [fault for each in faults.values() for fault in each]

    def _settle(self, model: str, version: int, there: set[str], say: Say) -> str | None:
        """Send the version, or see that it is the same one; what keeps it from that."""
        paths = ModelPaths(self._store, model)
        if (model, version) in self._settled:
            return None
        try:
            if f"{model}/{version}/{MARKER}" in there:
                _compare(self._remote, paths, version)
            else:
                _push_version(self._remote, paths, version)
                say(f"version {version} of {model} was sent")
        except MirrorError as error:
            return f"version {version} of {model} was left out: {error}"
        self._settled.add((model, version))
        return None


def _push_version(remote: Remote, paths: ModelPaths, version: int) -> None:
    prefix, folder = f"{paths.model}/{version}", paths.version(version)
    with explained("send", str(folder)):
        marker = marker_of(folder)
        remote.put({f"{prefix}/{name}": folder / name for name in marker.files})
    remote.write(f"{prefix}/{MARKER}", marker.model_dump_json(indent=1).encode())


def _compare(remote: Remote, paths: ModelPaths, version: int) -> None:
    """Two stores that publish to one prefix would give one number to two versions."""
    with explained("read", str(paths.version(version))), suppress(FileNotFoundError):
        card = paths.card(version).read_bytes()
        if remote.read(f"{paths.model}/{version}/{CARD}") != card:
            raise MirrorError(
                f"{remote.url} has another version of this number; each store that publishes needs a prefix "
                "of its own"
            )


def clean(store: Path) -> None:
    """Remove what a mirror left that died; there is one for each volume."""
    for staging in store.glob(f"*/{STAGED}*"):
        shutil.rmtree(staging, ignore_errors=True)
