"""Console lines `time level logger message key=value …`, with the request id where there is one.

Values are quoted, so that no caller can forge a line. Picture data never reaches a log.
"""

from __future__ import annotations

import json
import logging
import time
from contextvars import ContextVar

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
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if current := request_id.get():
            fields["request_id"] = current
        pairs = (f"{key}={_quoted(value)}" for key, value in fields.items())
        return " ".join([super().formatMessage(record), *pairs])


def _quoted(value: object) -> str:
    text = str(value)
    is_plain = text.isprintable() and not any(character in ' "=\\' for character in text)
    return text if is_plain and text else json.dumps(text)


def configure(level: int = logging.INFO) -> None:
    """Send every log line of the process to stderr in one form."""
    stream = logging.StreamHandler()
    stream.setFormatter(KeyValueFormatter())
    logging.basicConfig(level=level, handlers=[stream], force=True)
    for noisy in ("uvicorn", "asyncio", "grpc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
