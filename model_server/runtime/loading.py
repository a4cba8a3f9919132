"""A version directory → a servable that is warmed up. Imports TensorFlow when the first one is loaded.

Until then the server can already refuse a wrong configuration and wait for a version, at once and in
little memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from model_server.errors import Code, ServingError
from model_server.runtime import lite, page_cache, warmup
from model_server.runtime.interface import Servable
from model_server.runtime.lite import LiteSettings
from model_server.runtime.memory import MemoryGuard
from model_server.runtime.precision import Precisions
from model_server.runtime.session import SessionSettings, session_options

WarmupObserver = Callable[[str, Code, float], None]
"""Told of every file of warm-up requests: the version's path, how it ended, its seconds."""


def _ignore_warmup(path: str, code: Code, seconds: float) -> None:
    """Nobody counts."""


class SavedModelLoader:
    """The repository's loader. May be called from several threads at once."""

    def __init__(
        self,
        sessions: SessionSettings,
        tags: Sequence[str] = ("serve",),
        warmup_iterations: int = 1,
        memory: MemoryGuard | None = None,
        precisions: Precisions | None = None,
        *,
        preferred_lite: LiteSettings | None = None,
        flushes_caches: bool = True,
        on_warmup: WarmupObserver = _ignore_warmup,
    ) -> None:
        """`tags` choose the meta graph; a warm-up request is replayed `warmup_iterations` times, 0: not.

        `memory` refuses what does not fit; without one everything is tried.
        `precisions` chooses between float32 and less; without one it is float32.
        With `preferred_lite`, a version that has a TF Lite model is served from that.
        `flushes_caches`: the kernel forgets the files that were read.
        """
        self._memory = memory
        self._precisions = precisions
        self._preferred_lite = preferred_lite
        self._flushes_caches = flushes_caches
        self._on_warmup = on_warmup
        self._sessions = sessions
        self._tags = tuple(tags)
        self._warmup_iterations = warmup_iterations
        self._importing = threading.Lock()
        self._load: Callable[[Path], Servable] | None = None

    def __call__(self, model: str, path: Path) -> Servable:
        """Load a version and replay its warm-up requests. Raises ServingError, or what TensorFlow does."""
        settings = self._preferred_lite if lite.is_there(path) else None
        load = settings.load if settings else self._loader()
        needed = settings.memory(path) if settings else None
        try:
            with self._reserve(path, needed):
                return self._warmed_up(load(path), model, path)
        finally:
            if self._flushes_caches:
                page_cache.drop(path)

    def _warmed_up(self, servable: Servable, model: str, path: Path) -> Servable:
        servable.model, servable.version, servable.path = model, int(path.name), path
        try:
            if self._warmup_iterations and (path / warmup.REQUESTS).is_file():
                self._replay(servable)
        except BaseException:
            servable.close()
            raise
        return servable

    def _replay(self, servable: Servable) -> None:
        self._loader()  # TF Lite has not imported TensorFlow, which reads the file
        from model_server.inference.replay import replay

        path, started = servable.path, time.perf_counter()
        try:
            warmup.replay(path, lambda record: replay(servable, record), self._warmup_iterations)
        except ServingError as error:
            if error.code is Code.DATA_LOSS:  # upstream counts what it could not read, not what did not run
                self._on_warmup(str(path), error.code, time.perf_counter() - started)
            raise
        self._on_warmup(str(path), Code.OK, time.perf_counter() - started)

    def _reserve(self, path: Path, needed: float | None = None) -> AbstractContextManager[None]:
        return self._memory.reserve(path, needed) if self._memory else nullcontext()

    def _loader(self) -> Callable[[Path], Servable]:
        with self._importing:
            if self._load is None:
                options = session_options(self._sessions)
                from model_server.runtime.servable import loader

                # A user who says how many operations run at a time gets the pool for every run.
                hands_over = bool(self._sessions.threads.inter_op or self._sessions.config_file)
                make_load = partial(loader, tags=self._tags, hands_over=hands_over)
                if self._precisions is None:
                    self._load = make_load(options)
                else:
                    self._load = self._precisions.chooser(make_load, options, self._reserve)
            return self._load
