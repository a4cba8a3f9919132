"""`trainer watch`: a standing trainer that carries out the specs that wait in the runs folder.

One run at a time, each in a process of its own, so that a crash or a leak ends with the run. When the
watcher is stopped, the run's process is stopped without a result and goes on at the next start.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from contract.layout import RunPaths, write_atomically
from contract.records import Problem, RunState, TrainingResult, TrainingSpec, now
from trainer.errors import TrainerError
from trainer.spec import read_spec

log = logging.getLogger(__name__)
MAX_ATTEMPTS = 3
"""Tries of a run whose process dies without a result (killed for memory, say) before it has failed."""


class Watcher:
    """Looks for waiting specs until it is stopped."""

    def __init__(self, runs: Path, poll_seconds: float = 1.0) -> None:
        self._runs = runs
        self._poll_seconds = poll_seconds
        self._stopped = threading.Event()
        self._attempts: Counter[str] = Counter()
        self._unreadable: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the loop; a run in progress stays resumable."""
        self._stopped.set()
        if self._process is not None:
            self._process.kill()

    def run(self) -> None:
        """Carry out waiting runs, the oldest first, until `stop` is called."""
        log.info("waiting for specs in %s", self._runs)
        while not self._stopped.is_set():
            waiting = self.waiting()
            if not waiting:
                self._stopped.wait(self._poll_seconds)
                continue
            self._carry_out(*waiting[0])

    def waiting(self) -> list[tuple[RunPaths, TrainingSpec]]:
        """Runs with a spec and no result, oldest first."""
        found = []
        for path in self._runs.glob("*/spec.json"):
            paths = RunPaths(self._runs, path.parent.name)
            if paths.run_id in self._unreadable or paths.result.exists():
                continue
            try:
                found.append((paths, read_spec(paths)))
            except TrainerError as error:
                self._unreadable.add(paths.run_id)
                log.error("%s", error)
        return sorted(found, key=lambda item: item[1].created_at)

    def _carry_out(self, paths: RunPaths, spec: TrainingSpec) -> None:
        log.info("run %s starts", paths.run_id)
        started = now()
        self._attempts[paths.run_id] += 1
        command = [sys.executable, "-m", "trainer", "run", "--spec", str(paths.spec)]
        self._process = subprocess.Popen(command)  # noqa: S603
        code = self._process.wait()
        self._process = None
        if self._stopped.is_set() or paths.result.exists():
            return
        log.warning("the process of run %s ended with %d and left no result", paths.run_id, code)
        if self._attempts[paths.run_id] >= MAX_ATTEMPTS:
            message = f"the trainer ended {MAX_ATTEMPTS} times without a result, last with code {code}"
            error = Problem(code="trainer_died", message=message)
            result = TrainingResult(
                run_id=spec.run_id, model=spec.model, state=RunState.FAILED, error=error, started_at=started
            )
            write_atomically(paths.result, result.to_json())


def watch(runs: Path, poll_seconds: float = 1.0) -> None:
    """Run a Watcher until SIGTERM or SIGINT."""
    watcher = Watcher(runs, poll_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: watcher.stop())
    watcher.run()
