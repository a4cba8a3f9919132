"""An archive of a gigabyte while predictions go on: `python -m load_tests.faults.big_upload`.

Starts a model server, a gateway of the role `control` and one of the role `predict`; counts the predictions
of a few clients for a while; then uploads a zip of made-up pictures to the control gateway while the clients
go on, and goes on for a while itself. Prints the report of the import, the seconds beside those of `unzip`,
the peak memory of the control gateway, and the rate of predictions during the upload as a share of the rate
before and after it, and of the rate in pauses that it makes between, in which the control gateway is stopped:
a machine that others use changes its speed within minutes. With `--clients 0` it tells the seconds on a
machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, median
from typing import Any

import httpx

from contract.images import encode_png
from load_tests.faults.crowd import Answer, crowd, summary
from rekindle.child import Command
from rekindle.console import Console
from rekindle.loopback import HOST, free_ports, get
from rekindle.supervisor import Supervisor
from rekindle.topology import Stack

START_SECONDS = 300.0
STEADY_SECONDS = 15.0
BETWEEN_PAUSES_SECONDS = 25.0
PAUSE_SECONDS = 4.0
SIDE = 40
"""40 × 40 noisy pixels are a PNG of 4.9 KB: 200,000 of them are a gigabyte."""
CLASSES = 10
CHUNK = 1024 * 1024


def main() -> int:
    """Upload, watch and print; 1 when a prediction failed or a picture is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--pictures", type=int, default=200_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rekindle-") as folder, Supervisor(Console()) as supervisor:
        archive = Path(folder) / "pictures.zip"
        print("drawing the pictures …", file=sys.stderr)
        write_archive(archive, options.pictures)
        control, predict, grpc, rest = free_ports(4)
        stack = Stack(options.models.resolve(), Path(folder) / "data", control, grpc, rest)
        pid = start(supervisor, stack, predict)
        found = measure(options, stack.url, f"http://{HOST}:{predict}", archive, pid)
        found["unzip, s"] = unzip_seconds(archive, Path(folder) / "unzipped")
    print(json.dumps(found, indent=2))
    return 1 if found["predictions"]["failed"] or found["report"]["added"] != options.pictures else 0


def write_archive(path: Path, count: int) -> None:
    """A zip of class folders with `count` different pictures."""
    source = random.Random(1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(count):
            noise = encode_png(source.randbytes(SIDE * SIDE * 3), SIDE, SIDE)
            archive.writestr(f"class{number % CLASSES}/{number}.png", noise)


def start(supervisor: Supervisor, stack: Stack, predict_port: int) -> int:
    """Both gateways before one model server; the process id of the controlling one."""
    stack.data.mkdir()
    supervisor.finish(stack.bootstrap)
    supervisor.start(stack.model_server)
    variables = stack.gateway_variables
    roles = {
        "control": {"GATEWAY_SERVER__ROLE": "control"},
        "predict": {"GATEWAY_SERVER__ROLE": "predict", "GATEWAY_SERVER__PORT": str(predict_port)},
    }
    children = {
        role: supervisor.start(Command(role, stack.gateway.arguments, variables | own))
        for role, own in roles.items()
    }
    supervisor.wait_until(stack.models_are_available, "Waiting for the model server", START_SECONDS)
    for port in (stack.http_port, predict_port):
        ready = f"http://{HOST}:{port}/readyz"
        supervisor.wait_until(lambda: get(ready) is not None, "Waiting for a gateway", START_SECONDS)  # noqa: B023
    return children["control"].process.pid


def measure(
    options: argparse.Namespace, control: str, predict: str, archive: Path, pid: int
) -> dict[str, Any]:
    """The upload under predictions."""
    with crowd(f"{predict}/v1/models/{options.model}/predictions", options.clients) as clients:
        time.sleep(2)
        steady = time.time()
        time.sleep(STEADY_SECONDS)
        resident = memory_mb(pid, "VmRSS")
        uploading = time.time()
        with pauses_of(pid if options.clients else None) as pauses:
            finished = upload(control, archive)
        imported = time.time()
        time.sleep(STEADY_SECONDS)
        ended = time.time()
        answers = clients.stop()
    before_and_after = rate(answers, steady, uploading), rate(answers, imported, ended)
    during = rate(answers, uploading, imported)
    return {
        "archive, MB": round(archive.stat().st_size / 1e6),
        "pictures": options.pictures,
        "report": {key: value for key, value in finished["report"].items() if key != "files"},
        "upload and import, s": round(imported - uploading - PAUSE_SECONDS * len(pauses), 1),
        "control gateway before, MB": resident,
        "control gateway at its peak, MB": memory_mb(pid, "VmHWM"),
        "clients": options.clients,
        "predictions": summary(answers),
        "predictions a second before and after": [round(each) for each in before_and_after],
        "predictions a second during": round(during),
        "of before and after": round(2 * during / sum(before_and_after), 3) if options.clients else None,
        "of pauses between": beside_pauses(answers, pauses) if options.clients else None,
    }


def upload(url: str, archive: Path) -> dict[str, Any]:
    """Send the archive as it is read, and wait for its import to end."""

    def content() -> Iterator[bytes]:
        with archive.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    with httpx.Client(base_url=url, timeout=600, trust_env=False) as client:
        headers = {"Content-Type": "application/zip", "Content-Length": str(archive.stat().st_size)}
        accepted = client.post("/v1/datasets/made-up/examples", content=content(), headers=headers)
        accepted.raise_for_status()
        while (known := client.get(accepted.headers["location"]).json())["state"] in ("queued", "running"):
            print(f"{known['progress']['files_done']:,} files", file=sys.stderr)
            time.sleep(1)
    return dict(known)


@contextmanager
def pauses_of(pid: int | None) -> Iterator[list[float]]:
    """Stop the process, if there is one, for PAUSE_SECONDS now and then; the moments at which that began.

    A machine that others share is not as fast after a quarter of an hour as it was before it. What lies a few
    seconds apart can be compared.
    """
    begun: list[float] = []
    is_over = threading.Event()

    def pause_now_and_then() -> None:
        while pid is not None and not is_over.wait(BETWEEN_PAUSES_SECONDS):
            begun.append(time.time())
            os.kill(pid, signal.SIGSTOP)
            time.sleep(PAUSE_SECONDS)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=pause_now_and_then, name="pauses")
    thread.start()
    try:
        yield begun
    finally:
        is_over.set()
        thread.join()


def beside_pauses(answers: list[Answer], pauses: list[float]) -> float | None:
    """Median over the pauses: answers a second just before and after one, as a share of those in it."""
    shares = []
    for begun in pauses:
        ended = begun + PAUSE_SECONDS
        around = rate(answers, begun - PAUSE_SECONDS, begun), rate(answers, ended, ended + PAUSE_SECONDS)
        if alone := rate(answers, begun, ended):
            shares.append(fmean(around) / alone)
    return round(median(shares), 3) if shares else None


def rate(answers: list[Answer], start: float, end: float) -> float:
    """Answers a second between two moments."""
    return sum(start <= answer.moment < end for answer in answers) / (end - start)


def memory_mb(pid: int, field: str) -> float:
    """VmRSS: resident now; VmHWM: at the peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(field))
    return round(int(line.split()[1]) / 1024)


def unzip_seconds(archive: Path, folder: Path) -> float | None:
    """What the program `unzip` takes for the same archive; None without it."""
    if shutil.which("unzip") is None:
        return None
    started = time.perf_counter()
    subprocess.run(["unzip", "-q", str(archive), "-d", str(folder)], check=True)
    return round(time.perf_counter() - started, 1)


if __name__ == "__main__":
    sys.exit(main())
