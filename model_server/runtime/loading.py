"""A version directory → a servable that is warmed up. Imports TensorFlow when the first one is loaded.

Until then the server can already refuse a wrong configuration and wait for a version, at once and in
little memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from model_server.runtime.session import Threads, session_options

if TYPE_CHECKING:
    from model_server.runtime.servable import Servable


class SavedModelLoader:
    """The repository's loader. May be called from several threads at once."""

    def __init__(self, threads: Threads, replays_warmup: bool = True) -> None:
        """`threads` sizes TensorFlow's pools, once for the process."""
        self._threads = threads
        self._replays_warmup = replays_warmup
        self._importing = threading.Lock()
        self._load: Callable[[Path], Servable] | None = None

    def __call__(self, _: str, path: Path) -> Servable:
        """Load a version and replay its warm-up requests. Raises ServingError, or what TensorFlow does."""
        servable = self._loader()(path)
        if not self._replays_warmup:
            return servable
        from model_server.inference import messages
        from model_server.runtime import warmup

        try:
            warmup.replay(path, lambda request: messages.replay(servable, request))
        except BaseException:
            servable.close()
            raise
        return servable

    def _loader(self) -> Callable[[Path], Servable]:
        with self._importing:
            if self._load is None:
                options = session_options(self._threads)
                from model_server.runtime.servable import loader

                self._load = loader(options)
            return self._load
