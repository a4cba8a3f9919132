"""Who takes part in the benchmark: how each is started, when it is ready, what is posted where.

A new peer is one more function that returns a Contender, and its name in CONTENDERS.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rekindle.child import Command
from rekindle.loopback import HOST, free_ports


@dataclass(frozen=True)
class Setting:
    """What every contender serves."""

    models: Path
    """The model store."""
    model: str


@dataclass(frozen=True)
class Body:
    """How a picture is put into a request."""

    kind: str
    content_type: str
    encode: Callable[[bytes], bytes]


_BOUNDARY = "rekindle-benchmark"


def _as_multipart(picture: bytes) -> bytes:
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="picture.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()


MULTIPART = Body("multipart", f"multipart/form-data; boundary={_BOUNDARY}", _as_multipart)
RAW = Body("raw", "image/jpeg", lambda picture: picture)


@dataclass(frozen=True)
class Contender:
    """One server under test."""

    name: str
    command: Command
    ready_url: str
    """Answers 2xx once predictions will be answered."""
    predict_url: str
    bodies: tuple[Body, ...]
    top_label: Callable[[bytes], str]
    """The label that an answer ranks first; ValueError, LookupError or TypeError for what is no answer."""


def _gateway_label(answer: bytes) -> str:
    return str(json.loads(answer)["predictions"][0]["classifications"][0]["label"])


def rekindle_stack(setting: Setting) -> Contender:
    """Ours, as `make run` starts it: gateway and embedded model server."""
    http, grpc, rest = free_ports(3)
    flags = {"http-port": http, "grpc-port": grpc, "rest-port": rest, "models": setting.models}
    arguments = [f"--{flag}={value}" for flag, value in flags.items()]
    return _speaking_our_api("rekindle", "rekindle.stack", arguments, http, setting)


def fastapi_in_process(setting: Setting) -> Contender:
    """FastAPI and TensorFlow in one process."""
    (port,) = free_ports(1)
    arguments = [f"--models={setting.models}", f"--model={setting.model}", f"--port={port}"]
    return _speaking_our_api(
        "fastapi-in-process", "load_tests.peers.fastapi_in_process", arguments, port, setting
    )


def _speaking_our_api(name: str, module: str, arguments: list[str], port: int, setting: Setting) -> Contender:
    url = f"http://{HOST}:{port}"
    return Contender(
        name=name,
        command=Command(f"{name} server", [sys.executable, "-m", module, *arguments]),
        ready_url=f"{url}/readyz",
        predict_url=f"{url}/v1/models/{setting.model}/predictions",
        bodies=(MULTIPART, RAW),
        top_label=_gateway_label,
    )


CONTENDERS: Mapping[str, Callable[[Setting], Contender]] = {
    "rekindle": rekindle_stack,
    "fastapi-in-process": fastapi_in_process,
}
"""By name; the first is what the others are compared to."""
