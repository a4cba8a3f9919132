"""gRPC requests by h2load: a client in C, so that what is measured is the server and not a client in Python.

A gRPC call is an HTTP/2 POST whose body is the message behind five bytes; what h2load does not read is the
status in the trailers. A call that fails answers without a message, so the bytes of all answers tell.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import grpc

from contract import tfserving_api as api

WARM_UP_SECONDS = 1
LEAST_A_CONNECTION = 10
"""Requests: the beginning and the end, when not all connections ask, must not be what is measured."""
FRAME_BYTES = 5
"""Before a message: whether it is compressed, and its length."""


class H2LoadError(Exception):
    """It is not installed, or not every request was answered; the message says which."""


def ask(address: str, content: bytes, connections: int, seconds: float) -> tuple[list[float], float]:
    """Predict over so many connections, one request after the other on each, for about that long.

    Args:
        address: host and port of a server without TLS.
        content: a serialized PredictRequest.

    Returns:
        The seconds that each answer took, ascending; and the seconds of the whole.

    Raises H2LoadError.
    """
    if shutil.which("h2load") is None:
        raise H2LoadError("h2load is not installed: apt-get install nghttp2-client, or brew install nghttp2")
    answer_bytes = _answer_bytes(address, content)
    with tempfile.TemporaryDirectory() as folder:
        body, log = Path(folder) / "body", Path(folder) / "log"
        body.write_bytes(struct.pack(">?I", False, len(content)) + content)
        call = [f"http://{address}{api.PREDICT}", f"-d{body}", f"-c{connections}", "-m1"]
        call += ["-Hcontent-type: application/grpc", "-Hte: trailers"]
        warm = _run([*call, "-D1", f"--warm-up-time={WARM_UP_SECONDS}s"])
        rate = float(_found(r"([\d.]+) req/s,", warm))
        count = max(LEAST_A_CONNECTION * connections, round(rate * seconds))
        said = _run([*call, f"-n{count}", f"--log-file={log}"])
        waits = sorted(int(line.split("\t")[2]) / 1e6 for line in log.read_text().splitlines())
    if len(waits) != count or int(_found(r"\((\d+)\) data", said)) != count * answer_bytes:
        raise H2LoadError(f"not every request was answered as the first one:\n{said}")
    return waits, count / float(_found(r"([\d.]+) req/s,", said))


def _answer_bytes(address: str, content: bytes) -> int:
    """Of one answer that is right."""
    with grpc.insecure_channel(address) as channel:
        predict = channel.unary_unary(api.PREDICT, request_serializer=bytes, response_deserializer=bytes)
        return FRAME_BYTES + len(predict(content, timeout=60))


def _run(arguments: list[str]) -> str:
    ended = subprocess.run(["h2load", *arguments], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise H2LoadError(f"h2load ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return ended.stdout


def _found(pattern: str, said: str) -> str:
    match = re.search(pattern, said)
    if match is None:
        raise H2LoadError(f"h2load said something unexpected:\n{said}")
    return match[1]
