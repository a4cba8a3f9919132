"""`trainer watch`: a standing trainer that carries out the specs that wait in the runs folder.

One run at a time, each in a process of its own, so that a crash or a leak ends with the run; its output
goes to log.txt in the run's folder. Several watchers may share a folder: a run is carried out by the
one that claims it. When the watcher is stopped, the run's process is stopped without a result and goes
on at the next start.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic

from contract.layout import RunPaths, write_atomically
from contract.training import Problem, RunState, TrainingResult, TrainingSpec
from contract.values import now
from trainer.claim import Claim, Claims
from trainer.errors import BUSY_EXIT_CODE, TrainerError
from trainer.spec import read_spec

log = logging.getLogger(__name__)
MAX_ATTEMPTS = 3
"""Tries of a run whose process dies without a result (killed for memory, say) before it has failed."""
CANCEL_SECONDS = 60.0
"""How long a process may go on after it was asked to stop."""
LOOK_SECONDS = 0.5
COMMAND = (sys.executable, "-m", "trainer")


class Watcher:
    """Looks for waiting specs until it is stopped."""

    def __init__(
        self,
        runs: Path,
        poll_seconds: float = 1.0,
        claims: Claims | None = None,
        command: Sequence[str] = COMMAND,
        cancel_seconds: float = CANCEL_SECONDS,
    ) -> None:
        """`command` is followed by `run --spec <spec.json>`."""
        self._runs = runs
        self._poll_seconds = poll_seconds
        self._claims = claims or Claims()
        self._command = command
        self._cancel_seconds = cancel_seconds
        self._stopped = threading.Event()
        self._attempts: Counter[str] = Counter()
        self._unreadable: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the loop; a run in progress stays resumable."""
        self._stopped.set()
        self._kill()

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            process.kill()

    def run(self) -> None:
        """Carry out waiting runs, the oldest first, until `stop` is called."""
        log.info("waiting for specs in %s", self._runs)
        while not self._stopped.is_set():
            if not self._carry_one_out():
                self._stopped.wait(self._poll_seconds)

    def _carry_one_out(self) -> bool:
        """The oldest run that can be claimed; False when there is none, or it is busy elsewhere."""
        for paths, spec in self.waiting():
            claim = self._claim(paths)
            if claim is not None:
                with claim:
                    return self._carry_out(claim, paths, spec)
        return False

    def _claim(self, paths: RunPaths) -> Claim | None:
        try:
            return self._claims.take(paths.claim)
        except OSError as error:
            log.error("run %s cannot be claimed: %s", paths.run_id, error)
            return None

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

    def _carry_out(self, claim: Claim, paths: RunPaths, spec: TrainingSpec) -> bool:
        """One try. False when it should not be tried again at once."""
        if paths.result.exists():  # written between our look and our claim
            return True
        log.info("run %s starts", paths.run_id)
        started = now()
        self._attempts[paths.run_id] += 1
        code = self._run_process(claim, paths)
        if self._stopped.is_set() or not claim.is_held():
            return False
        if paths.result.exists():
            _tell(paths)
            return True
        if code == BUSY_EXIT_CODE:  # a process of a dead watcher lives on; it will end the run
            self._attempts[paths.run_id] -= 1
            return False
        log.warning("the process of run %s ended with %d and left no result", paths.run_id, code)
        if paths.cancel.exists():
            _end(paths, spec, RunState.CANCELLED, "cancelled", "the run was stopped by force", started)
        elif self._attempts[paths.run_id] >= MAX_ATTEMPTS:
            message = f"the trainer ended {MAX_ATTEMPTS} times without a result, last with code {code}"
            _end(paths, spec, RunState.FAILED, "trainer_died", message, started)
        return True

    def _run_process(self, claim: Claim, paths: RunPaths) -> int:
        """Start the process and wait for it; its exit code."""
        with paths.log.open("ab") as output:
            command = [*self._command, "run", "--spec", str(paths.spec)]
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
        self._process = process
        claim.start(on_lost=self._kill)
        if self._stopped.is_set():  # between our look and the start
            process.kill()
        asked_at: float | None = None
        while True:
            try:
                code = process.wait(LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if asked_at is None and paths.cancel.exists():
                    asked_at = monotonic()
                if asked_at is not None and monotonic() - asked_at >= self._cancel_seconds:
                    process.kill()
        self._process = None
        return code


def _end(
    paths: RunPaths, spec: TrainingSpec, state: RunState, code: str, message: str, started: datetime
) -> None:
    """Write the result of a run whose process could not."""
    error = Problem(code=code, message=message)
    result = TrainingResult(
        run_id=spec.run_id, model=spec.model, state=state, error=error, started_at=started
    )
    write_atomically(paths.result, result.to_json())


def _tell(paths: RunPaths) -> None:
    try:
        result = TrainingResult.model_validate_json(paths.result.read_bytes())
    except (OSError, ValueError) as error:
        log.error("the result of run %s cannot be read: %s", paths.run_id, error)
        return
    version = f": {result.model} version {result.version}" if result.version else ""
    reason = f": {result.error.message}" if result.error else ""
    log.info("run %s %s%s%s", paths.run_id, result.state, version, reason)


def watch(runs: Path, poll_seconds: float = 1.0) -> None:
    """Run a Watcher until SIGTERM or SIGINT."""
    watcher = Watcher(runs, poll_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: watcher.stop())
    watcher.run()
