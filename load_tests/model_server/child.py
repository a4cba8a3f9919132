"""A model server as a child process, and the clients that ask it over gRPC."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx

from contract import tfserving_api as api
from rekindle.loopback import free_ports

START_SECONDS = 120.0
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Child:
    """A started server."""

    process: subprocess.Popen[str]
    grpc_port: int
    rest_port: int
    log: Path | None = None

    @property
    def address(self) -> str:
        """Where gRPC is served."""
        return f"127.0.0.1:{self.grpc_port}"

    def states(self, model: str) -> dict[int, str]:
        """The state of each version."""
        reply = httpx.get(f"http://127.0.0.1:{self.rest_port}/v1/models/{model}", timeout=60)
        return {int(entry["version"]): entry["state"] for entry in reply.json()["model_version_status"]}

    def resident_mb(self) -> float:
        """The memory that the process holds."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in text.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def terminate(self) -> tuple[int, float]:
        """Ask it to stop; its exit status, and the seconds that it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS), time.monotonic() - started


@contextmanager
def child(*arguments: str, log: Path | None = None, prefix: Sequence[str] = ()) -> Iterator[Child]:
    """`python -m model_server` with these flags on free ports, once it answers; ended at the end.

    `log`: where its console goes; `prefix`: a command that starts it.
    """
    grpc_port, rest_port = free_ports(2)
    command = [*prefix, sys.executable, "-m", "model_server", "--bind_address=127.0.0.1"]
    command += [f"--port={grpc_port}", f"--rest_api_port={rest_port}", *arguments]
    with _started(command, grpc_port, rest_port, log) as started:
        yield started


@contextmanager
def echo(classes: int) -> Iterator[Child]:
    """A server that answers at once (echo.py), once it does; it has no REST."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "load_tests.model_server.echo", str(port), str(classes)]
    with _started(command, port, 0, None) as started:
        yield started


@contextmanager
def _started(command: Sequence[str], grpc_port: int, rest_port: int, log: Path | None) -> Iterator[Child]:
    with open(log or os.devnull, "w") as console:
        process = subprocess.Popen(command, stdout=console, stderr=console, text=True)
        started = Child(process, grpc_port, rest_port, log)
        try:
            _wait_until_open(started)
            yield started
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _wait_until_open(started: Child) -> None:
    with grpc.insecure_channel(started.address) as channel:
        ready = grpc.channel_ready_future(channel)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                ready.result(timeout=0.2)
                return
            except grpc.FutureTimeoutError:
                if started.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("the model server did not start") from None


def request(model: str, images: int = 1, side: int = 32) -> Any:
    """A PredictRequest for noisy images, the same every time."""
    import random

    message = api.PredictRequest()
    message.model_spec.name = model
    content = random.Random(images).randbytes(images * side * side * 3)
    api.fill_uint8_tensor(message.inputs["images"], content, [images, side, side, 3])
    return message


def predict_method(channel: grpc.Channel) -> Any:
    """The Predict method of a channel."""
    return channel.unary_unary(
        api.PREDICT,
        request_serializer=lambda content: content,
        response_deserializer=api.PredictResponse.FromString,
    )


@dataclass
class Crowd:
    """Clients in threads, each with a connection of its own, that ask without a pause."""

    address: str
    contents: Sequence[bytes]
    """Serialized requests, taken in turn."""
    clients: int
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    is_fatal: Callable[[grpc.RpcError], bool] = lambda error: True
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Send the clients off."""
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(self.clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every client finish its call."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        options = (("grpc.use_local_subchannel_pool", 1),)
        with grpc.insecure_channel(self.address, options) as channel:
            predict = predict_method(channel)
            while not self._stopped.is_set():
                number += 1
                started = time.perf_counter()
                try:
                    predict(self.contents[number % len(self.contents)], timeout=60)
                except grpc.RpcError as error:
                    with self._lock:
                        self.failures.append(f"{error.code().name}: {error.details()}")
                    if self.is_fatal(error):
                        return
                    continue
                with self._lock:
                    self.answered += 1
                    self.seconds.append(time.perf_counter() - started)
