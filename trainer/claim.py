"""Who carries a waiting run out: the watcher that creates its claim file, for as long as it beats.

Nothing here asks a clock that two machines would have to share, or a lock of a network file system. A
claim is given up for dead by whoever has seen its content unchanged for a while; it is taken away by a
rename, which only one can do. The holder keeps the file open, so that its beats never reach the claim
of a successor, and sees by the file's identity that it has lost it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from uuid import uuid4

BEAT_SECONDS = 5.0
DEAD_SECONDS = 60.0
"""A network file system may hide a beat for half of that."""


class Claims:
    """What one watcher has seen of the claims of others."""

    def __init__(self, beat_seconds: float = BEAT_SECONDS, dead_seconds: float = DEAD_SECONDS) -> None:
        self._beat_seconds = beat_seconds
        self._dead_seconds = dead_seconds
        self._seen: dict[Path, tuple[bytes, float]] = {}

    def take(self, path: Path) -> Claim | None:
        """The claim, if it is free or its holder seems dead; None while another holds it."""
        if self._is_dead(path):
            _take_away(path, self._seen.pop(path)[0])
        try:
            claim = Claim(path, self._beat_seconds)
        except FileExistsError:
            return None
        self._seen.pop(path, None)
        return claim

    def _is_dead(self, path: Path) -> bool:
        try:
            content = path.read_bytes()
        except OSError:
            self._seen.pop(path, None)
            return False
        known, since = self._seen.get(path, (None, 0.0))
        if content != known:
            self._seen[path] = content, monotonic()
            return False
        return monotonic() - since >= self._dead_seconds


def _take_away(path: Path, dead: bytes) -> None:
    """Remove a claim that was judged dead; one that another made meanwhile is put back."""
    aside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if aside.read_bytes() != dead:
        with suppress(FileExistsError):
            os.link(aside, path)
    aside.unlink()


class Claim:
    """A claim that is held and beats. `with` it; afterwards the file is gone."""

    def __init__(self, path: Path, beat_seconds: float) -> None:
        """Raises FileExistsError while there is one."""
        self._path = path
        self._beat_seconds = beat_seconds
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._name = uuid4().hex
        self._beats = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="claim", daemon=True)
        self.beat()

    def beat(self) -> None:
        """Show that the holder lives. Raises OSError."""
        self._beats += 1
        os.pwrite(self._file, f"{self._name} {self._beats:012}\n".encode(), 0)
        os.fsync(self._file)

    def is_held(self) -> bool:
        """False once another has taken the claim away."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            return False

    def start(self, on_lost: Callable[[], None]) -> None:
        """Beat in a thread; `on_lost` is called once if the claim is lost."""
        self._on_lost = on_lost
        self._thread.start()

    def _beat_on(self) -> None:
        while not self._ended.wait(self._beat_seconds):
            with suppress(OSError):  # a full disk loses beats; `is_held` says when it is too late
                self.beat()
            if not self.is_held():
                self._on_lost()
                return

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.is_held():
            self._path.unlink(missing_ok=True)
        os.close(self._file)
