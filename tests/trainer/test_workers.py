"""Two real worker processes on one run: one version, made by both, written by the chief."""

from __future__ import annotations

import json
import signal
import socket
import subprocess

import pytest
from conftest import Workshop

from contract.card import ModelCard
from contract.training import ProgressEvent, RunState, TrainingResult

# Three trainings at once on a machine that may be busy.
pytestmark = [pytest.mark.tensorflow, pytest.mark.timeout(900)]


def _start(shop: Workshop, run_id: str, *extra: str) -> list[subprocess.Popen[str]]:
    """Both workers of a run, chief first."""
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in (first, second)]
    return [
        shop.start(
            *shop.run_arguments(run_id, *extra),
            environment={
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
                )
            },
        )
        for index in range(2)
    ]


def _result(shop: Workshop, run_id: str) -> TrainingResult:
    return TrainingResult.model_validate_json(shop.run_paths(run_id).result.read_bytes())


def test_two_workers_train_one_version(workshop: Workshop, finished: Workshop) -> None:
    """The version is as good as that of one worker; the run's files are the chief's."""
    outputs = [worker.communicate(timeout=600)[0] for worker in _start(workshop, "pair")]
    card = ModelCard.model_validate_json(workshop.model.card(1).read_bytes())
    alone = ModelCard.model_validate_json(finished.model.card(1).read_bytes())
    assert workshop.model.versions() == [1], outputs
    assert card.test is not None
    assert alone.test is not None
    assert abs(card.test.accuracy - alone.test.accuracy) <= 0.1
    lines = workshop.run_paths("pair").progress.read_text().splitlines()
    epochs = [event.epoch for event in map(ProgressEvent.model_validate_json, lines) if event.phase == "fit"]
    assert epochs == list(range(1, 9))
    assert "colours version 1" in outputs[0]
    assert "colours version 1" not in outputs[1]


def test_both_workers_stop_together(workshop: Workshop) -> None:
    """SIGTERM to the one that is not the chief ends the run as cancelled, and both processes."""
    workers = _start(workshop, "stopped", "--epochs", "400")
    chief, other = workers
    assert chief.stdout is not None
    for line in chief.stdout:
        if "epoch 1/400" in line:
            break
    other.send_signal(signal.SIGTERM)
    outputs = [worker.communicate(timeout=240)[0] for worker in workers]
    assert (chief.returncode, other.returncode) == (143, 143), outputs
    assert _result(workshop, "stopped").state is RunState.CANCELLED
    assert workshop.model.versions() == []
