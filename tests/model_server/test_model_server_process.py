"""The process as people start it: what it says, when its ports open, how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from model_servers import eventually, free_port, image_request, value_of

from contract import tfserving_api as api

pytestmark = [pytest.mark.tensorflow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


class Process:
    """`python -m model_server`, with what it said so far."""

    def __init__(self, *arguments: str) -> None:
        self.port = free_port()
        self.popen = subprocess.Popen(
            [
                *(sys.executable, "-m", "model_server", f"--port={self.port}", "--bind_address=127.0.0.1"),
                *arguments,
            ],
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if not key.startswith("TF_")},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.said += line

    def until_it_says(self, words: str) -> None:
        eventually(lambda: words in self.said or self.popen.poll() is not None, 240)
        assert words in self.said, self.said

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        status = self.popen.wait(timeout=240)
        self._reader.join()
        return status

    def predict(self, timeout: float = 60.0) -> float:
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            stub = channel.unary_unary(
                api.PREDICT, api.PredictRequest.SerializeToString, api.PredictResponse.FromString
            )
            return value_of(stub(image_request("default"), timeout=timeout))


@contextmanager
def process(*arguments: str) -> Iterator[Process]:
    started = Process(*arguments)
    try:
        yield started
    finally:
        if started.popen.poll() is None:
            started.popen.kill()
        started.ended()
        if started.popen.stderr is not None:
            started.popen.stderr.close()


def test_a_call_in_flight_is_answered_before_the_process_ends(exports: Path) -> None:
    """SIGTERM: no new calls, the running one is answered, exit status 0."""
    with process(f"--model_base_path={exports}") as server:
        server.until_it_says("ready")
        assert server.predict() == 3
        request = api.PredictRequest()
        request.model_spec.name = "default"
        request.model_spec.signature_name = "wait"
        request.inputs["seconds"].dtype = 2
        request.inputs["seconds"].double_val.append(2.0)
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            stub = channel.unary_unary(
                api.PREDICT, api.PredictRequest.SerializeToString, api.PredictResponse.FromString
            )
            running = stub.future(request, timeout=60)
            assert server.predict() == 3
            server.popen.send_signal(signal.SIGTERM)
            assert running.result().outputs["turns"].int64_val[0] > 0
        assert server.ended() == 0
        assert "stopping: no new calls, the running ones may end signal=SIGTERM" in server.said
        said_by_others = [
            line for line in server.said.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", line)
        ]
        assert said_by_others == []


def test_the_ports_open_when_a_version_has_come(tmp_path: Path, publish: Callable[[Path, int], Path]) -> None:
    """A missing base path is waited for, said once; SIGINT ends the server, as SIGTERM does."""
    base_path, rest_port = tmp_path / "later", free_port()
    with process(f"--model_base_path={base_path}", f"--rest_api_port={rest_port}") as server:
        server.until_it_says(f"waiting for a version in {base_path}")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{rest_port}/v1/models/default")
        publish(base_path, 1)
        server.until_it_says("ready")
        assert server.said.count("Could not find base path") == 1
        assert server.predict() == 1
        assert httpx.get(f"http://127.0.0.1:{rest_port}/v1/models/default").status_code == 200
        server.popen.send_signal(signal.SIGINT)
        assert server.ended() == 0


def test_waiting_for_a_version_can_be_interrupted(tmp_path: Path) -> None:
    """A server that never got a model stops as well as any other."""
    with process(f"--model_base_path={tmp_path}") as server:
        server.until_it_says(f"waiting for a version in {tmp_path}")
        server.popen.send_signal(signal.SIGTERM)
        assert server.ended() == 0


def test_a_busy_port_is_one_sentence(exports: Path) -> None:
    """It is said before any model is loaded, with the way out."""
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        busy = other.getsockname()[1]
        with process(f"--model_base_path={exports}", f"--rest_api_port={busy}") as server:
            assert server.ended() == 1
            assert f"cannot listen on 127.0.0.1:{busy}: address already in use;" in server.said
            assert server.said.count("\n") == 1


def test_a_first_model_that_does_not_load_ends_the_process(tmp_path: Path) -> None:
    """As upstream: after the last attempt the server says why, and exits."""
    (tmp_path / "1").mkdir()
    with process(f"--model_base_path={tmp_path}", "--max_num_load_retries=0") as server:
        assert server.ended() == 1
        assert "Failed to start server. Error: UNKNOWN: 1 model(s) did not become available" in server.said
        assert "Traceback" not in server.said


def test_a_configuration_that_cannot_be_used_ends_the_process(tmp_path: Path, exports: Path) -> None:
    """At the start there is nothing to keep serving; the flag that would help is named."""
    path = tmp_path / "models.config"
    path.write_text(
        f'model_config_list {{ config {{ name: "m" base_path: "{exports}" model_platform: "tensorflow" '
        'version_labels { key: "stable" value: 1 } } }'
    )
    with process(f"--model_config_file={path}") as server:
        assert server.ended() == 1
        assert "Request to assign label to version 1 of model m, which is not" in server.said
        assert "--allow_version_labels_for_unavailable_models" in server.said


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--version"], 0, "TensorFlow ModelServer: "),
        (["--help"], 0, "--model_base_path VALUE"),
        (["--modle_name=x"], 2, "did you mean --model_name?"),
    ],
)
def test_questions_and_mistakes_are_answered_without_tensorflow(
    arguments: list[str], status: int, words: str
) -> None:
    """--help and the like do not wait for TensorFlow's import."""
    program = (
        "import sys, runpy; sys.argv = ['model_server', *sys.argv[1:]]\n"
        "try: runpy.run_module('model_server', run_name='__main__', alter_sys=True)\n"
        "finally: assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status
    assert words in done.stdout + done.stderr
    assert "AssertionError" not in done.stderr
