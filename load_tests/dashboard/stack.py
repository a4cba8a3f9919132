"""A stack with something to look at: `make run` on a folder of its own, filled by the client.

Everything that a page shows comes from what is done here: pictures are uploaded, predicted and corrected;
nothing is written into the database.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from load_tests.dashboard.drawing import LABELS, picture
from rekindle.loopback import free_ports

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 300.0
MODEL = "cifar10"
BASE_TRAIN, BASE_TEST = 40, 30
"""Pictures of each class that lie in the dataset's folder before anything is uploaded."""


@dataclass(frozen=True)
class RunningStack:
    """A started stack."""

    url: str
    grpc_port: int
    folder: Path


@contextmanager
def running_stack(folder: Path, model: Path = ROOT / "models" / MODEL) -> Iterator[RunningStack]:
    """The bundled model on free ports; everything it writes lies in the folder."""
    shutil.copytree(model, folder / "models" / MODEL)
    http, grpc, rest = free_ports(3)
    options = {"--models": folder / "models", "--data": folder / "data"}
    options |= {"--http-port": http, "--grpc-port": grpc, "--rest-port": rest}  # type: ignore[dict-item]
    arguments = [str(part) for pair in options.items() for part in pair]
    environment = os.environ | {"GATEWAY_STORES__RUNS": str(folder / "runs"), "TF_CPP_MIN_LOG_LEVEL": "2"}
    with (folder / "stack.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rekindle.stack", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{http}"
            wait_until_ready(url, process, folder / "stack.log")
            yield RunningStack(url, grpc, folder)
        finally:
            process.terminate()
            process.wait(60)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path | None = None) -> None:
    """Until /readyz says yes. Raises RuntimeError with what the process said."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the stack did not become ready: {log.read_text()[-2000:] if log else ''}")


def draw_base(folder: Path, train: int = BASE_TRAIN, test: int = BASE_TEST) -> None:
    """A dataset folder with train/ and test/, as `trainer fetch` leaves it."""
    for split, count, first in (("train", train, 10_000), ("test", test, 20_000)):
        for label in LABELS:
            target = folder / "data" / MODEL / split / label
            target.mkdir(parents=True, exist_ok=True)
            for seed in range(first, first + count):
                (target / f"{seed}.png").write_bytes(picture(label, seed, 24))


def fill(url: str, *, examples: int = 4, predictions: int = 30, looked_at: int = 12) -> None:
    """Upload labelled pictures, ask for predictions, and say of some what is right."""
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        for number, label in enumerate(LABELS):
            count = examples + (number * 7) % max(2, examples)
            files = [("images", (f"{label}-{seed}.png", picture(label, seed))) for seed in range(count)]
            _checked(client.post(f"/v1/datasets/{MODEL}/examples", files=files, data={"label": label}))
        known = [_predicted(client, number) for number in range(predictions)]
        _until_remembered(client, known[-1][0])
        for prediction, label in known[:looked_at]:
            _checked(client.put(f"/v1/predictions/{prediction}/feedback", json={"label": label}))


def _predicted(client: httpx.Client, number: int) -> tuple[str, str]:
    label = LABELS[number % len(LABELS)]
    files = {"images": (f"{label}-{number}.png", picture(label, 1000 + number, 96))}
    answer = _checked(client.post(f"/v1/models/{MODEL}/predictions", files=files)).json()
    return answer["predictions"][0]["id"], label


def _until_remembered(client: httpx.Client, prediction: str) -> None:
    deadline = time.monotonic() + 30
    while client.get(f"/v1/predictions/{prediction}").status_code != 200:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the prediction {prediction} is not in the history")
        time.sleep(0.05)


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        raise RuntimeError(f"{answer.request.url}: {answer.status_code} {answer.text}")
    return answer
