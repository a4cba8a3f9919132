"""`make two-workers`: the same run by one process and by two, on this machine.

Prints what both reached on the test pictures, and how many pictures a second they trained on. On one machine
two workers share its cores, so the figure shows the cost of working together, not a gain.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from contract.card import ModelCard
from contract.layout import ModelPaths, RunPaths
from contract.training import Preset
from trainer.progress import read_events
from trainer.trials.drawn import draw_folder


def tf_configs(workers: int) -> list[str]:
    """TF_CONFIG of each of several workers on free ports of the loopback interface."""
    sockets = [socket.socket() for _ in range(workers)]
    for listener in sockets:
        listener.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in sockets]
    for listener in sockets:
        listener.close()
    return [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})
        for index in range(workers)
    ]


def train(
    root: Path, data: Path, preset: Preset, epochs: int | None, workers: int
) -> tuple[ModelCard, float]:
    """One run by so many processes; its card, and the median images per second of its epochs."""
    name = f"workers-{workers}"
    command = [
        sys.executable,
        "-m",
        "trainer",
        "run",
        "--data",
        str(data),
        "--preset",
        preset,
        "--run-id",
        name,
    ]
    command += ["--models", str(root / "models"), "--runs", str(root / "runs"), "--model", name]
    command += ["--epochs", str(epochs)] if epochs else []
    processes = [
        subprocess.Popen(command, env={**os.environ, "TF_CONFIG": config})  # noqa: S603 – our own
        for config in (tf_configs(workers) if workers > 1 else [""])
    ]
    statuses = [process.wait() for process in processes]
    if any(statuses):
        raise SystemExit(f"the run by {workers} worker(s) failed")
    events = read_events(RunPaths(root / "runs", name))
    rates = [rate for event in events if (rate := event.values.get("images_per_second"))]
    card = ModelPaths(root / "models", name).card(1)
    return ModelCard.model_validate_json(card.read_bytes()), statistics.median(rates)


def main() -> None:
    """Train twice and compare."""
    parser = argparse.ArgumentParser(prog="make two-workers", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="default: five drawn shapes, 400 of each")
    parser.add_argument("--preset", choices=("tiny", "default", "best"), default="tiny", help="default: tiny")
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rekindle-workers-") as folder:
        root = Path(folder)
        pictures = flags.data or draw_folder(root / "shapes", 400)
        rows = [(n, *train(root, pictures, flags.preset, flags.epochs, n)) for n in (1, 2)]
    for workers, card, rate in rows:
        judged = card.test or card.validation
        print(
            f"{workers} worker(s): accuracy {judged.accuracy:.4f}, log loss {judged.log_loss:.4f} on "
            f"{judged.examples} pictures, {rate:.0f} images/s"
        )
    alone, together = ((card.test or card.validation).accuracy for _, card, _ in rows)
    _compare(alone, together, judged.examples)


def _compare(alone: float, together: float, examples: int) -> None:
    """Two standard errors of a difference between two independent trainings, by the pictures alone."""
    mean = (alone + together) / 2
    noise = 2 * math.sqrt(2 * max(mean * (1 - mean), 1 / examples) / examples)
    verdict = "within" if abs(alone - together) <= noise else "beyond"
    print(f"difference {together - alone:+.4f}, {verdict} the noise of ±{noise:.4f}")


if __name__ == "__main__":
    main()
