"""`trainer watch` with a stand-in for the trainer: claims, two watchers, deaths, cancelling."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.layout import RunPaths
from contract.training import RunState, TrainingResult, TrainingSpec
from trainer.claim import Claims
from trainer.errors import BUSY_EXIT_CODE
from trainer.spec import write_spec
from trainer.watch import MAX_ATTEMPTS, Watcher

SCRIPT = f"""
import json, os, sys, time
from pathlib import Path
folder = Path(sys.argv[-1]).parent
spec = json.loads((folder / "spec.json").read_text())
with (folder / "starts").open("a") as file:
    file.write(f"{{os.getpid()}}\\n")
print("here", flush=True)
kind = spec["model"]
if kind == "dies" or (kind == "dies-once" and len((folder / "starts").read_text().split()) == 1):
    os._exit(9)
if kind == "busy" and not (folder / "free").exists():
    os._exit({BUSY_EXIT_CODE})
while kind in ("hangs", "waits") and not (folder / "go").exists():
    time.sleep(0.01)
result = {{"run_id": spec["run_id"], "model": kind, "state": "succeeded", "version": 1, "accuracy": 0.5}}
moment = spec["created_at"]
(folder / ".result").write_text(json.dumps(result | {{"started_at": moment, "finished_at": moment}}))
(folder / ".result").rename(folder / "result.json")
"""


@pytest.fixture
def command(tmp_path: Path) -> tuple[str, ...]:
    """The stand-in's command."""
    script = tmp_path / "stand_in.py"
    script.write_text(SCRIPT)
    return (sys.executable, "-S", str(script))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The runs folder."""
    return tmp_path / "runs"


def put(runs: Path, run_id: str, model: str = "well") -> RunPaths:
    """A waiting run."""
    paths = RunPaths(runs, run_id)
    write_spec(paths, TrainingSpec(run_id=run_id, model=model, data="data"))
    return paths


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Until it is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state_of(paths: RunPaths) -> RunState:
    """How a run ended, once it has."""
    wait_for(paths.result.exists)
    return TrainingResult.model_validate_json(paths.result.read_bytes()).state


def starts(paths: RunPaths) -> int:
    """How many processes have begun it."""
    file = paths.root / "starts"
    return len(file.read_text().split()) if file.exists() else 0


@contextmanager
def watching(watcher: Watcher) -> Iterator[Watcher]:
    """A watcher in a thread."""
    thread = threading.Thread(target=watcher.run)
    thread.start()
    try:
        yield watcher
    finally:
        watcher.stop()
        thread.join(20)
        assert not thread.is_alive()


def test_runs_one_after_the_other(runs: Path, command: tuple[str, ...]) -> None:
    """The oldest first; output goes to log.txt, and no claim is left."""
    all_paths = [put(runs, f"run-{number}") for number in range(3)]
    with watching(Watcher(runs, 0.01, command=command)):
        assert {state_of(paths) for paths in all_paths} == {RunState.SUCCEEDED}
        wait_for(lambda: not any(paths.claim.exists() for paths in all_paths))
    assert all(paths.log.read_text() == "here\n" for paths in all_paths)
    times = [paths.result.stat().st_mtime_ns for paths in all_paths]
    assert times == sorted(times)


def test_two_watchers_share_the_runs(runs: Path, command: tuple[str, ...]) -> None:
    """Each run is begun once."""
    all_paths = [put(runs, f"run-{number}") for number in range(8)]
    with (
        watching(Watcher(runs, 0.005, command=command)),
        watching(Watcher(runs, 0.005, command=command)),
    ):
        assert {state_of(paths) for paths in all_paths} == {RunState.SUCCEEDED}
    assert [starts(paths) for paths in all_paths] == [1] * 8


def test_a_claim_is_exclusive_and_ends(runs: Path) -> None:
    """As long as it beats, however long that is; then it is free."""
    path = put(runs, "one").claim
    first, second = Claims(), Claims(dead_seconds=0.0)
    claim = first.take(path)
    assert claim is not None
    with claim:
        for _ in range(5):
            assert second.take(path) is None  # sees a new content each time
            claim.beat()
    taken = second.take(path)
    assert taken is not None
    with taken:
        assert first.take(path) is None


def test_a_dead_holders_claim_is_taken_over_and_it_notices(runs: Path) -> None:
    """Should it live after all, its late beats do not reach the claim of its successor."""
    path = put(runs, "one").claim
    lost = threading.Event()
    old = Claims(beat_seconds=0.01).take(path)
    assert old is not None
    successor = Claims(dead_seconds=0.0)
    with old:
        assert successor.take(path) is None  # the first look only remembers
        new = successor.take(path)
        assert new is not None
        with new:
            content = path.read_bytes()
            old.beat()
            assert path.read_bytes() == content
            assert (old.is_held(), new.is_held()) == (False, True)
            old.start(lost.set)
            assert lost.wait(20)
    assert not path.exists()


def test_a_watcher_that_was_killed_leaves_its_run_to_the_next(runs: Path, command: tuple[str, ...]) -> None:
    """A claim that nobody beats is in nobody's way for long."""
    paths = put(runs, "one")
    paths.claim.write_bytes(b"of one that is no more\n")
    with watching(Watcher(runs, 0.01, Claims(dead_seconds=0.05), command)):
        assert state_of(paths) is RunState.SUCCEEDED


@pytest.mark.parametrize(
    ("model", "state", "processes"),
    [("dies", RunState.FAILED, MAX_ATTEMPTS), ("dies-once", RunState.SUCCEEDED, 2)],
)
def test_a_process_that_dies_is_tried_again(
    runs: Path, command: tuple[str, ...], model: str, state: RunState, processes: int
) -> None:
    """Three times."""
    paths = put(runs, "one", model)
    with watching(Watcher(runs, 0.01, command=command)):
        assert state_of(paths) is state
    assert starts(paths) == processes


def test_a_run_that_another_process_works_on_is_no_failure(runs: Path, command: tuple[str, ...]) -> None:
    """However often it is found busy."""
    paths = put(runs, "one", "busy")
    with watching(Watcher(runs, 0.01, command=command)):
        wait_for(lambda: starts(paths) > MAX_ATTEMPTS)
        (paths.root / "free").touch()
        assert state_of(paths) is RunState.SUCCEEDED


def test_a_process_that_does_not_stop_is_stopped(runs: Path, command: tuple[str, ...]) -> None:
    """Some time after `cancel`."""
    paths = put(runs, "one", "hangs")
    with watching(Watcher(runs, 0.01, command=command, cancel_seconds=0.0)):
        wait_for(lambda: starts(paths))
        paths.cancel.touch()
        assert state_of(paths) is RunState.CANCELLED


def test_a_stopped_watcher_leaves_its_run_waiting(runs: Path, command: tuple[str, ...]) -> None:
    """Without result and claim, for the next start."""
    paths = put(runs, "one", "waits")
    with watching(Watcher(runs, 0.01, command=command)):
        wait_for(lambda: starts(paths))
    assert not paths.result.exists()
    assert not paths.claim.exists()
    (paths.root / "go").touch()
    with watching(Watcher(runs, 0.01, command=command)):
        assert state_of(paths) is RunState.SUCCEEDED
    assert json.loads(paths.spec.read_bytes())["run_id"] == "one"
