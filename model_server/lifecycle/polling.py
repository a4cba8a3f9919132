"""When to look: at the base paths and at the configuration file.

One thread; a directory on a slow volume delays the next look, never a request. What is found is the
repository's business.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from pathlib import Path
from typing import Any, Protocol

from model_server.errors import ServingError
from model_server.lifecycle import model_config
from model_server.logs import Notices

log = logging.getLogger(__name__)


class Refreshable(Protocol):
    """The part of the repository that polling needs."""

    def configure(self, models: Any) -> Any:
        """Replace the list of models."""
        ...

    def refresh(self) -> None:
        """Look into every base path once."""
        ...


class ConfigurationFile:
    """A --model_config_file: applied when its content is new, or was refused last time."""

    def __init__(self, path: Path, repository: Refreshable) -> None:
        self.path = path
        self._repository = repository
        self._applied: bytes | None = None
        self._notices = Notices(log)

    def read(self) -> tuple[model_config.ModelConfig, ...]:
        """Read and apply the file now. Raises ServingError or OSError; used at the start."""
        content = self.path.read_bytes()
        models = self._apply(content)
        self._applied = content
        return models

    def poll(self) -> bool:
        """Apply the file if it changed; True if it did. One that cannot be used changes nothing."""
        key = str(self.path)
        try:
            content = self.path.read_bytes()
            if content == self._applied:
                return False
            self._apply(content)
        except (ServingError, OSError, UnicodeDecodeError) as error:
            message = f"cannot use {self.path}, keeping the configuration as it was: {error}"
            self._notices.say(key, message, logging.ERROR)
            return False
        self._applied = content
        self._notices.clear(key)
        log.info("configuration file applied", extra={"path": self.path})
        return True

    def _apply(self, content: bytes) -> tuple[model_config.ModelConfig, ...]:
        models = model_config.from_text(content.decode())
        if models is None:
            log.warning("Taking no action for empty config.", extra={"path": self.path})
            return ()
        self._repository.configure(models)
        return models


class Poller:
    """The thread that looks. An interval of 0 seconds means: once, and again when woken."""

    def __init__(
        self,
        repository: Refreshable,
        interval_seconds: float,
        file: ConfigurationFile | None = None,
        file_interval_seconds: float = 0.0,
    ) -> None:
        self._repository = repository
        self._interval_seconds = interval_seconds or math.inf
        self._file = file
        self._file_interval_seconds = file_interval_seconds or math.inf
        self._woken = threading.Event()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="poll", daemon=True)

    def start(self) -> None:
        """Look for the first time, and go on looking."""
        self._thread.start()

    def wake(self) -> None:
        """Look now: the configuration has changed."""
        self._woken.set()

    def stop(self) -> None:
        """Look no more. Waits for a look that is under way, but not for long."""
        self._is_stopped = True
        self._woken.set()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        next_file = time.monotonic() + self._file_interval_seconds
        while not self._is_stopped:
            self._woken.clear()
            self._refresh()
            next_look = time.monotonic() + self._interval_seconds
            while not self._is_stopped and time.monotonic() < next_look and not self._woken.is_set():
                self._wait_until(min(next_look, next_file))
                if time.monotonic() >= next_file:
                    self._poll_file()
                    next_file = time.monotonic() + self._file_interval_seconds

    def _wait_until(self, moment: float) -> None:
        if math.isinf(moment):
            self._woken.wait()
        else:
            self._woken.wait(max(0.0, moment - time.monotonic()))

    def _poll_file(self) -> None:
        if self._file is not None and self._file.poll():
            self._woken.set()

    def _refresh(self) -> None:
        try:
            self._repository.refresh()
        except Exception:
            log.exception("looking for versions failed; trying again")
