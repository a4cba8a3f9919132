"""The processes that the walkthrough talks to: what `make run` starts, on free ports."""

from __future__ import annotations

import atexit
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

from rekindle.answers.predictions import Remembered
from rekindle.client import Client
from rekindle.errors import ApiError
from rekindle.loopback import HOST, free_ports

REPOSITORY = Path(__file__).resolve().parents[1]
READY = "Ctrl-C stops it"
START_SECONDS = 600.0
NOT_FOUND, WRITE_ATTEMPTS = 404, 100


class RunningStack:
    """Model server and gateway under their supervisor."""

    def __init__(self, models: Path, data: Path) -> None:
        """Start them and wait until they answer. Raises RuntimeError with what they printed."""
        http, self.grpc_port, rest = free_ports(3)
        ports = ("--http-port", http, "--grpc-port", self.grpc_port, "--rest-port", rest)
        command = [sys.executable, "-m", "rekindle.stack", "--models", models, "--data", data, *ports]
        self._lines: deque[str] = deque(maxlen=50)
        self._is_settled = threading.Event()
        self._process = subprocess.Popen(
            list(map(str, command)),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        atexit.register(self.stop)
        threading.Thread(target=self._read, daemon=True).start()
        is_settled = self._is_settled.wait(START_SECONDS)
        if not is_settled or self._process.poll() is not None:
            self.stop()
            raise RuntimeError("the stack did not start:\n" + "".join(self._lines))
        self.url = f"http://{HOST}:{http}"
        self.grpc_target = f"{HOST}:{self.grpc_port}"
        self.client = Client(self.url, timeout_seconds=120)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            if READY in line:
                self._is_settled.set()
        self._is_settled.set()

    def correct(self, prediction: str, label: str, poll_seconds: float = 0.1) -> Remembered:
        """Give feedback once the prediction is written, which happens behind its answer."""
        for _ in range(WRITE_ATTEMPTS):
            try:
                return self.client.give_feedback(prediction, label)
            except ApiError as error:
                if error.problem.status != NOT_FOUND:
                    raise
                time.sleep(poll_seconds)
        return self.client.give_feedback(prediction, label)

    def wait_for_run(self, name: str, poll_seconds: float = 1.0) -> str:
        """Wait until a training run has ended; its state."""
        while (run := self.client.run(name)).state in ("queued", "running"):
            time.sleep(poll_seconds)
        return run.state

    def wait_until_loaded(self, model: str, version: int, poll_seconds: float = 0.5) -> None:
        """Wait until the model server answers with a version. Raises RuntimeError where it failed to load."""
        while version not in (state := self.client.rollout(model)).answering:
            if version in state.failed:
                raise RuntimeError(state.failed[version])
            time.sleep(poll_seconds)

    def stop(self) -> None:
        """As one Ctrl-C."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(60)
