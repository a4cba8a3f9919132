"""A version directory → a servable that is warmed up. Imports TensorFlow when the first one is loaded.

Until then the server can already refuse a wrong configuration and wait for a version, at once and in
little memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from model_server.runtime.memory import MemoryGuard
from model_server.runtime.session import SessionSettings, session_options

if TYPE_CHECKING:
    from model_server.runtime.servable import Servable


class SavedModelLoader:
    """The repository's loader. May be called from several threads at once."""

    def __init__(
        self,
        sessions: SessionSettings,
        tags: Sequence[str] = ("serve",),
        warmup_iterations: int = 1,
        memory: MemoryGuard | None = None,
    ) -> None:
        """`tags` choose the meta graph; a warm-up request is replayed `warmup_iterations` times, 0: not.

        `memory` refuses what does not fit; without one everything is tried.
        """
        self._memory = memory
        self._sessions = sessions
        self._tags = tuple(tags)
        self._warmup_iterations = warmup_iterations
        self._importing = threading.Lock()
        self._load: Callable[[Path], Servable] | None = None

    def __call__(self, model: str, path: Path) -> Servable:
        """Load a version and replay its warm-up requests. Raises ServingError, or what TensorFlow does."""
        load = self._loader()
        with self._memory.reserve(path) if self._memory else nullcontext():
            return self._warmed_up(load(path), model, path)

    def _warmed_up(self, servable: Servable, model: str, path: Path) -> Servable:
        from model_server.inference.replay import replay
        from model_server.runtime import warmup

        servable.model, servable.version, servable.path = model, int(path.name), path
        try:
            warmup.replay(path, lambda record: replay(servable, record), self._warmup_iterations)
        except BaseException:
            servable.close()
            raise
        return servable

    def _loader(self) -> Callable[[Path], Servable]:
        with self._importing:
            if self._load is None:
                options = session_options(self._sessions)
                from model_server.runtime.servable import loader

                self._load = loader(options, self._tags)
            return self._load
