"""Who takes part in the benchmark: how each is started, when it is ready, what is posted where.

A new peer is one more function that returns a Contender, and its name in CONTENDERS.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from contract.layout import ModelPaths
from load_tests.peers.environments import ROOT, python_of, server_of
from rekindle.child import Command
from rekindle.loopback import HOST, free_ports


@dataclass(frozen=True)
class Setting:
    """What every contender serves."""

    models: Path
    """Our model store."""
    model: str
    peer_models: Path
    """The peers' model store: ours, or one with a plain export of the same model."""

    @property
    def precision(self) -> str:
        """Of our model server: what `make run` has, or the peers' where both serve the same file."""
        return "float32" if self.models == self.peer_models else "int8"

    @property
    def peer_version(self) -> Path:
        """The directory that a peer loads."""
        paths = ModelPaths(self.peer_models, self.model)
        return paths.version(paths.versions()[-1])


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
    flags["precision"] = setting.precision
    arguments = [f"--{flag}={value}" for flag, value in flags.items()]
    return _speaking_our_api("rekindle", "rekindle.stack", arguments, http, setting)


def fastapi_in_process(setting: Setting) -> Contender:
    """FastAPI and TensorFlow in one process."""
    (port,) = free_ports(1)
    arguments = [f"--models={setting.peer_models}", f"--model={setting.model}", f"--port={port}"]
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


def _json_of(template: dict[str, Any]) -> Callable[[bytes], bytes]:
    """A JSON body with the picture in base64 where the template says PICTURE."""

    def encode(picture: bytes) -> bytes:
        return json.dumps(template).replace("PICTURE", base64.b64encode(picture).decode()).encode()

    return encode


@dataclass(frozen=True)
class Peer:
    """A server of own-environments: what is particular to it."""

    ready_path: str
    predict_path: str
    body: Body
    ranked: Callable[[Any], Any]
    """From its parsed answer to the list of labels and scores."""
    arguments: Callable[[Path, int], list[str]]
    """From its folder and port to what is started after its Python."""
    threads: int = 0
    """Of TensorFlow in a process; 0: all cores."""


_V1 = Body("json", "application/json", _json_of({"instances": [{"b64": "PICTURE"}]}))
_V2_INPUT = {
    "name": "images",
    "shape": [1, 1],
    "datatype": "BYTES",
    "parameters": {"content_type": "base64"},
    "data": ["PICTURE"],
}
_V2 = Body("json", "application/json", _json_of({"inputs": [_V2_INPUT]}))


def _script(folder: Path, port: int) -> list[str]:
    return [str(folder / "server.py")]


def _gunicorn(folder: Path, port: int) -> list[str]:
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    options = [f"--workers={workers}", f"--bind={HOST}:{port}", f"--chdir={folder}", "--timeout=0"]
    return ["-m", "gunicorn", *options, "server:app"]


def _bentoml(folder: Path, port: int) -> list[str]:
    options = [f"--host={HOST}", f"--port={port}", f"--working-dir={folder}"]
    return ["-m", "bentoml", "serve", "server:Model", *options]


PEERS: Mapping[str, Peer] = {
    "litserve": Peer("/health", "/predict", MULTIPART, lambda answer: answer, _script),
    "mlserver": Peer(
        "/v2/models/model/ready",
        "/v2/models/model/infer",
        _V2,
        lambda answer: json.loads(answer["outputs"][0]["data"][0]),
        _script,
    ),
    "flask": Peer("/ready", "/predict", MULTIPART, lambda answer: answer, _gunicorn, threads=1),
    "ray-serve": Peer("/", "/", MULTIPART, lambda answer: answer, _script),
    "bentoml": Peer("/readyz", "/predict", MULTIPART, lambda answer: answer[0], _bentoml),
    "kserve": Peer(
        "/v2/models/model/ready",
        "/v1/models/model:predict",
        _V1,
        lambda answer: answer["predictions"][0],
        _script,
    ),
}


def peer(name: str, setting: Setting) -> Contender:
    """A server of own-environments."""
    found = PEERS[name]
    port, other = free_ports(2)
    folder = server_of(name).parent
    variables = {
        "PEER_VERSION": str(setting.peer_version),
        "PEER_PORT": str(port),
        "PEER_OTHER_PORT": str(other),
        "PEER_THREADS": str(found.threads),
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    url = f"http://{HOST}:{port}"
    return Contender(
        name=name,
        command=Command(name, [str(python_of(name)), *found.arguments(folder, port)], variables),
        ready_url=f"{url}{found.ready_path}",
        predict_url=f"{url}{found.predict_path}",
        bodies=(found.body,),
        top_label=lambda answer: str(found.ranked(json.loads(answer))[0]["label"]),
    )


CONTENDERS: Mapping[str, Callable[[Setting], Contender]] = {
    "rekindle": rekindle_stack,
    "fastapi-in-process": fastapi_in_process,
    **{name: partial(peer, name) for name in PEERS},
}
"""By name; the first is what the others are compared to."""
