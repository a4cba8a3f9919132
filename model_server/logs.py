"""Console logs of one line each: time, level, what happened, then `key=value` for what it happened to.

`Notices` keeps conditions that last (a base path that is not there) from filling the console: each is
said once, again when its words change, and then rarely.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _KeyValueFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123 INFO version is available model=cifar10 version=2`."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record)} {record.levelname} {record.getMessage()}"
        fields = ((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        line += "".join(f" {key}={_quoted(value)}" for key, value in fields)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _quoted(value: Any) -> str:
    text = str(value)
    if text and not any(character.isspace() or character in '"=' for character in text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def configure() -> None:
    """Send the logs of this process to standard error in the form above.

    By a descriptor of its own: session.py turns away what TensorFlow writes to the common one.
    """
    handler = logging.StreamHandler(os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1))
    handler.setFormatter(_KeyValueFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


class Notices:
    """Says a lasting condition once, again when its words change, and then every `repeat_seconds`."""

    def __init__(self, logger: logging.Logger, repeat_seconds: float = 600.0) -> None:
        self._logger = logger
        self._repeat_seconds = repeat_seconds
        self._said: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def say(self, key: str, message: str, level: int = logging.WARNING, **fields: Any) -> None:
        """Log `message` unless it was the last thing said about `key` not long ago."""
        now = time.monotonic()
        with self._lock:
            said, at = self._said.get(key, ("", 0.0))
            if said == message and now - at < self._repeat_seconds:
                return
            self._said[key] = (message, now)
        self._logger.log(level, message, extra=fields)

    def clear(self, key: str) -> None:
        """The condition is over: the next time it is said at once."""
        with self._lock:
            self._said.pop(key, None)
