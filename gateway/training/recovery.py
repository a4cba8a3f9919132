"""Brings rows in line with what truly happens: the runs' folders, and the launcher.

There is no other way by which a run's row changes after its launch, so a gateway that was restarted, or
took over, goes on without a word of its predecessor. Every change is conditional on the row being
active: should two gateways do this at once, the second changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from time import monotonic

from contract.training import Problem, RunState, TrainingResult
from gateway.errors import LauncherError, StoreError
from gateway.metrics import Metrics
from gateway.ports.training import Launched, LaunchState, RunEnd, RunFolders, RunRow, Runs, TrainingLauncher
from gateway.training.runs import microseconds_now

log = logging.getLogger(__name__)
LAUNCHING_SECONDS = 60.0
"""A row without a reference may belong to a gateway that is just launching it."""
WAITS = " waits: "
REFERENCE_CHARACTERS = 1000
LAST_LINES, LAST_BYTES = 20, 4000
KEPT_LOG_BYTES = 4 * 2**20


class Recovery:
    """One step looks at every active run."""

    def __init__(self, runs: Runs, folders: RunFolders, launcher: TrainingLauncher, metrics: Metrics) -> None:
        self._runs = runs
        self._folders = folders
        self._launcher = launcher
        self._metrics = metrics
        self._gone_since: dict[str, float] = {}

    async def step(self) -> None:
        """Look at every active run; one that cannot be looked at keeps none of the others."""
        active = await self._runs.active()
        self._count(active)
        self._gone_since = {row.id: self._gone_since[row.id] for row in active if row.id in self._gone_since}
        for row in active:
            try:
                await self._follow(row)
            except (LauncherError, StoreError) as error:
                log.warning("a run cannot be followed", extra={"run": row.id, "reason": str(error)})

    def _count(self, active: Sequence[RunRow]) -> None:
        for state in (RunState.QUEUED, RunState.RUNNING):
            count = sum(row.state is state for row in active)
            self._metrics.runs_unfinished.labels(state.value).set(count)

    def rest(self) -> None:
        """Somebody else follows the runs now, and counts them."""
        self._count(())

    async def _follow(self, row: RunRow) -> None:
        launched = await self._state(row)  # before the result: who is gone then has written all it will
        if (end := await self._end(row, launched)) is not None:
            await self._finish(row, end)
        elif row.state is RunState.QUEUED and await asyncio.to_thread(self._folders.has_progress, row.id):
            await self._runs.started(row.id, microseconds_now())
        elif launched.state is LaunchState.WAITING and row.reference:
            await self._tell_why(row, row.reference.partition(WAITS)[0], launched.detail)

    async def _tell_why(self, row: RunRow, reference: str, reason: str) -> None:
        """What keeps a run from starting stands beside its name, for whoever looks at it."""
        told = f"{reference}{WAITS}{reason}"[:REFERENCE_CHARACTERS] if reason else reference
        if told != row.reference:
            log.warning("a run waits", extra={"run": row.id, "reason": reason})
            await self._runs.launched(row.id, told)

    async def _state(self, row: RunRow) -> Launched:
        if row.launcher != self._launcher.name:
            return Launched(LaunchState.UNKNOWN, f"it was started by the launcher {row.launcher!r}")
        return await self._launcher.state(row.id)

    async def _end(self, row: RunRow, launched: Launched) -> RunEnd | None:
        """How the run ended, or None while it has not."""
        try:
            result = await asyncio.to_thread(self._folders.result, row.id)
        except StoreError as error:
            if launched.state is not LaunchState.GONE:
                raise
            return _failed("result_unreadable", str(error))
        if result is not None:
            return _from_result(result)
        if launched.state in (LaunchState.WAITING, LaunchState.RUNNING):
            self._gone_since.pop(row.id, None)
            return None
        if await asyncio.to_thread(self._folders.is_asked_to_stop, row.id):
            problem = Problem(code="cancelled", message="the run was cancelled")
            return RunEnd(RunState.CANCELLED, microseconds_now(), error=problem)
        if launched.state is LaunchState.UNKNOWN or not self._is_settled(row):
            return None
        return _failed("trainer_died", await self._last_words(row, launched))

    def _is_settled(self, row: RunRow) -> bool:
        """Whether a run without a process has had the time to be launched, or its result to be seen."""
        since = self._gone_since.setdefault(row.id, monotonic())
        patience = LAUNCHING_SECONDS if row.reference is None else self._launcher.settle_seconds
        return monotonic() - since >= patience

    async def _last_words(self, row: RunRow, launched: Launched) -> str:
        said = f"the trainer ended without a result ({launched.detail or 'no reason is known'})"
        try:
            content = await self._launcher.logs(row.id, 0, KEPT_LOG_BYTES)
        except (LauncherError, StoreError):
            content = b""
        lines = content[-LAST_BYTES:].decode("utf-8", "replace").replace("\0", "").split("\n")
        last = "\n".join(line for line in lines if line.strip()).split("\n")[-LAST_LINES:]
        return said + ("; its last lines:\n" + "\n".join(last) if any(last) else "; it printed nothing")

    async def _finish(self, row: RunRow, end: RunEnd) -> None:
        await self._keep_log(row)
        if await self._runs.ended(row.id, end):
            self._metrics.runs_ended.labels(end.state.value).inc()
            if (started_at := end.started_at or row.started_at) is not None:
                seconds = max(end.finished_at - started_at, 0) / 1_000_000
                self._metrics.run_seconds.labels(end.state.value).observe(seconds)
            reason = end.error.message if end.error else ""
            log.info("run ended", extra={"run": row.id, "state": end.state.value, "reason": reason})

    async def _keep_log(self, row: RunRow) -> None:
        """A Job's log goes with its pod; what is in a file already stays there."""
        try:
            if await asyncio.to_thread(self._folders.log, row.id, 0, 1) is None:
                content = await self._launcher.logs(row.id, 0, KEPT_LOG_BYTES)
                if content:
                    await asyncio.to_thread(self._folders.keep_log, row.id, content)
        except (LauncherError, StoreError) as error:
            log.warning("a run's log is lost", extra={"run": row.id, "reason": str(error)})


def _failed(code: str, message: str) -> RunEnd:
    return RunEnd(RunState.FAILED, microseconds_now(), error=Problem(code=code, message=message))


def _from_result(result: TrainingResult) -> RunEnd:
    return RunEnd(
        state=result.state,
        finished_at=_microseconds(result.finished_at),
        started_at=_microseconds(result.started_at),
        version=result.version,
        accuracy=result.accuracy,
        error=result.error,
    )


def _microseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
