"""Log lines for people (`time level logger message key=value …`) or as JSON, with the id of the request.

Values are quoted, so that no caller can forge a line. Picture data never reaches a log.
"""

from __future__ import annotations

import json
import logging
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that the current task answers."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class KeyValueFormatter(logging.Formatter):
    """Appends what was passed as `extra`, and the request id."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """The line without the traceback."""
        record.message = record.message.replace("\n", "\\n").replace("\r", "\\r")
        pairs = (f"{key}={_quoted(value)}" for key, value in _fields(record).items())
        return " ".join([super().formatMessage(record), *pairs])


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, what was passed as `extra`, and a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {"time": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        told |= {key: value for key, value in _fields(record).items() if key not in told}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    if current := request_id.get():
        fields["request_id"] = current
    return fields


def _quoted(value: object) -> str:
    text = str(value)
    is_plain = text.isprintable() and not any(character in ' "=\\' for character in text)
    return text if is_plain and text else json.dumps(text)


def configure(form: str = "console", level: str = "info") -> None:
    """Send every log line of the process to stderr; `form` and `level` as gateway.settings.log has them."""
    stream = logging.StreamHandler()
    stream.setFormatter(JsonFormatter() if form == "json" else KeyValueFormatter())
    logging.basicConfig(level=level.upper(), handlers=[stream], force=True)
    for noisy in ("uvicorn", "asyncio", "grpc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
