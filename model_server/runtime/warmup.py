"""Replays the requests that a SavedModel brings along, so that its first caller does not pay for them.

assets.extra/tf_serving_warmup_requests is a TFRecord file of PredictionLog. A record that fails fails the
load, as upstream. Which servable a record names does not matter: it is replayed on the one being loaded.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from contract import tfserving_api
from model_server.errors import Code, ServingError, invalid_argument

log = logging.getLogger(__name__)

REQUESTS = Path("assets.extra", "tf_serving_warmup_requests")
MAX_RECORDS = 1000


def replay(version: Path, answer: Callable[[Any], object], iterations: int = 1) -> int:
    """Hand each PredictionLog of the version's file to `answer`, `iterations` times; returns how many.

    Raises ServingError: what `answer` raised, INVALID_ARGUMENT for a record that is no PredictionLog or
    for too many of them, DATA_LOSS for a file that is no TFRecord.
    """
    path = version / REQUESTS
    if iterations == 0 or not path.is_file():
        return 0
    started = time.monotonic()
    count = 0
    for entry in read(path):
        count += 1
        for _ in range(iterations):
            answer(entry)
    seconds = round(time.monotonic() - started, 3)
    log.info("warm-up requests replayed", extra={"path": path, "records": count, "seconds": seconds})
    return count


def read(path: Path) -> Iterator[Any]:
    """The PredictionLogs of a TFRecord file. Raises ServingError, as `replay` says."""
    import tensorflow as tf

    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    for number in itertools.count(1):
        try:
            record = next(records, None)
        except tf.errors.OpError as error:
            message = f"{error.message}. Please verify your warmup data is in TFRecord format."
            raise ServingError(Code.DATA_LOSS, message) from error
        if record is None:
            return
        if number > MAX_RECORDS:
            message = f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}"
            raise invalid_argument(message)
        yield _parsed(record, path)


def _parsed(record: bytes, path: Path) -> Any:
    try:
        return tfserving_api.PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid_argument(f"Failed to parse warmup record from {path}: {error}") from error
