"""The whole stack as `make run` starts it: real processes, a real model, HTTP from outside.

On the bundled model where there is one, else on a tiny one that is exported for the purpose.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from contract.card import ModelCard
from contract.layout import CARD, ModelPaths, publish
from rekindle.loopback import free_ports, is_free

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "models" / "cifar10" / "1"
PICTURE = ROOT / "docs" / "pictures" / "ship.jpg"
PREDICTIONS = "/v1/models/cifar10/predictions"
START_SECONDS = 480

# Three TensorFlow processes start one after the other; on a busy machine each takes a minute or more.
pytestmark = [pytest.mark.stack, pytest.mark.tensorflow, pytest.mark.timeout(1200)]


def program(*arguments: str) -> subprocess.Popen[str]:
    """A Python program of the repository, its output in one pipe."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def succeeds(*arguments: str) -> str:
    """The output of a program that must succeed."""
    process = program(*arguments)
    output = process.communicate(timeout=START_SECONDS)[0]
    assert process.returncode == 0, output
    return output


def eventually(is_true: Callable[[], bool], seconds: float = 120.0) -> None:
    """Poll until it is true; fail after a generous bound."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"not true after {seconds} seconds"
        time.sleep(0.05)


@dataclass
class RunningStack:
    """A supervisor with its children, and what it said."""

    process: subprocess.Popen[str]
    store: Path
    ports: list[int]
    lines: list[str] = field(default_factory=list)
    is_running: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        """Collect the lines until the end; run in a thread."""
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.append(line)
                if "Ctrl-C stops it" in line:
                    self.is_running.set()
        self.is_running.set()

    @property
    def output(self) -> str:
        """Everything that was said so far."""
        return "".join(self.lines)

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.ports[0]}"


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a version that can be served."""
    if BUNDLED.is_dir():
        return BUNDLED
    folder = tmp_path_factory.mktemp("tiny") / "version"
    succeeds(str(Path(__file__).with_name("export_tiny.py")), str(folder))
    return folder


@pytest.fixture(scope="module")
def stack(version: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The stack on ports of its own, ready to answer."""
    store = tmp_path_factory.mktemp("store")
    shutil.copytree(version, store / "cifar10" / "1")
    ports = free_ports(3)
    names = ("--http-port", "--grpc-port", "--rest-port")
    flags = [part for name, port in zip(names, ports, strict=True) for part in (name, str(port))]
    data = tmp_path_factory.mktemp("data")
    flags += ["--precision", "float32"]  # in which the trainer computes: answers are compared exactly
    process = program("-m", "rekindle.stack", "--models", str(store), "--data", str(data), *flags)
    running = RunningStack(process, store, ports)
    reader = threading.Thread(target=running.read)
    reader.start()
    try:
        assert running.is_running.wait(START_SECONDS), running.output
        assert process.poll() is None, running.output
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
        reader.join(60)


def test_a_form_and_a_raw_body_get_the_same_answer(stack: RunningStack) -> None:
    """The photograph, sent as curl sends it both ways, gets ranked classes of version 1."""
    picture = PICTURE.read_bytes()
    form = httpx.post(stack.url + PREDICTIONS, files={"images": ("ship.jpg", picture)}, timeout=60)
    raw = httpx.post(
        stack.url + PREDICTIONS, content=picture, headers={"Content-Type": "image/jpeg"}, timeout=60
    )
    assert (form.status_code, raw.status_code) == (200, 200), form.text + raw.text
    assert form.json()["version"] == 1
    (prediction,) = form.json()["predictions"]
    scores = [best["score"] for best in prediction["classifications"]]
    assert scores == sorted(scores, reverse=True)
    assert prediction["classifications"] == raw.json()["predictions"][0]["classifications"]


@pytest.mark.skipif(not BUNDLED.is_dir(), reason="the bundled model is not there")
def test_the_bundled_model_knows_the_photograph(stack: RunningStack) -> None:
    """What the README shows is what a user gets."""
    answer = httpx.post(stack.url + PREDICTIONS, files={"images": PICTURE.read_bytes()}, timeout=60)
    assert answer.json()["predictions"][0]["classifications"][0]["label"] == "ship"


@pytest.mark.skipif(not BUNDLED.is_dir(), reason="the bundled model is not there")
def test_embeddings_and_plain_answers_at_once(stack: RunningStack) -> None:
    """Requests of both kinds, many at a time: each gets what it asked for, and the same classes."""
    picture = PICTURE.read_bytes()

    def ask(number: int) -> set[str]:
        params = {"embedding": "true"} if number % 2 else {}
        files = [("images", (f"{n}.jpg", picture)) for n in range(1 + number % 3)]
        answer = httpx.post(stack.url + PREDICTIONS, params=params, files=files, timeout=60)
        assert answer.status_code == 200, answer.text
        predictions = answer.json()["predictions"]
        assert {len(one.get("embedding", ())) for one in predictions} == {256 if number % 2 else 0}
        return {one["classifications"][0]["label"] for one in predictions}

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(ask, range(64)))
    assert found == [{"ship"}] * 64


@pytest.mark.skipif(not BUNDLED.is_dir(), reason="the bundled model is not there")
def test_an_embedding_is_what_was_exported(stack: RunningStack, version: Path) -> None:
    """By the command line, through gateway and model server: the numbers that the SavedModel gives."""
    picture = str(PICTURE)
    told = succeeds(
        "-m", "rekindle", "predict", "--json", "--embedding", picture, picture, "--url", stack.url
    )
    first, second = (one["embedding"] for one in json.loads(told)["predictions"])
    code = (
        "import json, sys, pathlib, numpy, tensorflow as tf; from contract import images; "
        "from trainer.version.served import read_card; folder, picture = map(pathlib.Path, sys.argv[1:]); "
        "image = read_card(folder).image; pixels = images.decode(picture.read_bytes(), image, 10**8); "
        "batch = numpy.frombuffer(pixels, numpy.uint8).reshape(1, image.height, image.width, 3); "
        "served = tf.saved_model.load(str(folder)).signatures['serving_embedding']; "
        "print('ROW', json.dumps(served(images=tf.constant(batch))['embedding'].numpy()[0].tolist()))"
    )
    (row,) = (line for line in succeeds("-c", code, str(version), picture).splitlines() if "ROW" in line)
    expected = json.loads(row.removeprefix("ROW "))
    assert len(expected) == 256
    assert first == pytest.approx(expected, abs=1e-4)
    assert second == pytest.approx(expected, abs=1e-4)


def test_the_curl_line_on_the_terminal_is_one_that_works(stack: RunningStack) -> None:
    """The line that `make run` prints names the picture, the port and the model that are there."""
    (line,) = (line for line in stack.lines if "curl" in line)
    match = re.search(r"curl -F images=@(\S+) (\S+)", line)
    assert match is not None
    assert (ROOT / match[1]).is_file()
    assert match[2] == stack.url + PREDICTIONS


def test_the_command_line_predicts(stack: RunningStack) -> None:
    """`rekindle predict` shows a row for each picture."""
    picture = os.path.relpath(PICTURE, ROOT)
    output = succeeds("-m", "rekindle", "predict", picture, picture, "--url", stack.url)
    assert "cifar10, version 1" in output
    assert output.count(picture) == 2


def test_the_command_line_keeps_a_model_learning(stack: RunningStack, tmp_path: Path) -> None:
    """Upload pictures, see them, correct a prediction, look at versions and rollout: all by `rekindle`."""

    def rekindle(*arguments: str) -> str:
        return succeeds("-m", "rekindle", *arguments, "--url", stack.url)

    for label in ("ship", "frog"):
        (tmp_path / label).mkdir()
        shutil.copy(PICTURE, tmp_path / label / "one.jpg")
    refused = program("-m", "rekindle", "upload", str(tmp_path), "--dataset", "mine", "--url", stack.url)
    output = refused.communicate(timeout=60)[0]
    assert refused.returncode == 1, output
    assert "mine: 1 added, 0 duplicates, 1 conflicts, 0 refused" in output
    again = rekindle("upload", str(PICTURE), "--label", "frog", "--dataset", "mine")
    assert "0 added, 1 duplicates" in again
    assert json.loads(rekindle("datasets", "--json"))[0]["examples"] == 1
    predicted = json.loads(rekindle("predict", str(PICTURE), "--json"))["predictions"][0]["id"]
    eventually(lambda: predicted in rekindle("history", "--json"))
    assert "feedback: frog" in rekindle("history", predicted, "--feedback", "frog")
    assert "stable is version 1" in rekindle("rollout")
    assert "stable" in rekindle("versions")


def test_the_gateway_agrees_with_the_trainer(stack: RunningStack, version: Path, tmp_path: Path) -> None:
    """20 real pictures of each class where they are at hand: the same labels as `trainer evaluate`."""
    pictures = os.environ.get("REKINDLE_CIFAR10")
    if not (pictures and BUNDLED.is_dir()):
        pytest.skip("needs the bundled model, and REKINDLE_CIFAR10 to name a folder with test/<class>/")
    for folder in sorted(Path(pictures, "test").iterdir()):
        target = tmp_path / "test" / folder.name
        target.mkdir(parents=True)
        for picture in sorted(folder.iterdir())[:20]:
            shutil.copy(picture, target)
    table = tmp_path / "out.csv"
    folders = ("--version", str(version), "--data", str(tmp_path), "--predictions", str(table))
    succeeds("-m", "trainer", "evaluate", *folders)
    output = succeeds(
        "-m", "rekindle", "agreement", str(tmp_path), "--predictions", str(table), "--url", stack.url
    )
    assert "200 pictures compared" in output
    assert "disagreements: 0" in output


def test_a_published_version_answers_without_a_failed_request(
    stack: RunningStack, version: Path, tmp_path: Path
) -> None:
    """A second version is published beside the first: every request succeeds, and soon it answers."""
    candidate = tmp_path / "candidate"
    shutil.copytree(version, candidate)
    card = ModelCard.model_validate_json((candidate / CARD).read_bytes())
    (candidate / CARD).write_bytes(card.model_copy(update={"run_id": "second"}).to_json())
    assert publish(candidate, ModelPaths(stack.store, "cifar10"), "second") == 2

    def second_answers() -> bool:
        answer = httpx.post(stack.url + PREDICTIONS, files={"images": PICTURE.read_bytes()}, timeout=60)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["version"]) == 2

    eventually(second_answers)


def test_ctrl_c_stops_everything(stack: RunningStack) -> None:
    """One SIGINT: exit status 0, gateway before model server, and nobody listens any more."""
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(60) == 0, stack.output
    eventually(lambda: "Stopped." in stack.output)
    assert stack.output.index("Stopping the gateway") < stack.output.index("Stopping the model server")
    assert all(is_free(port) for port in stack.ports)
