"""Training runs as people use them: start, look, follow the log, cancel.

The row comes first, because its index is the guard that a model has one active run; then the spec, then
the launch. Whatever fails on the way ends the row, so that the model is free again. What happens to a
run later is gateway.training.recovery's business.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar
from uuid import uuid4

from contract.gate import GateDecision
from contract.layout import RESERVED_MODEL_NAMES
from contract.training import Problem, RunState
from contract.values import now
from gateway.errors import (
    BaseDataMissingError,
    ConflictError,
    DatabaseError,
    InvalidParameterError,
    LauncherError,
    StoreError,
    UnknownNameError,
)
from gateway.ports.history import Cursor
from gateway.ports.training import (
    RunEnd,
    RunFolders,
    RunLimits,
    RunRequest,
    RunRow,
    Runs,
    TrainingLauncher,
)
from gateway.training.budget import DAY, Allowance, allowance_of
from gateway.training.progress import Progress, ProgressReader

T = TypeVar("T")


class TrainingService:
    """Every method raises DatabaseError when the database cannot be asked."""

    def __init__(
        self,
        runs: Runs,
        folders: RunFolders,
        launcher: TrainingLauncher,
        limits: RunLimits = RunLimits(),  # noqa: B008 (is frozen)
    ) -> None:
        self._runs = runs
        self._limits = limits
        self._folders = folders
        self._launcher = launcher
        self._reader = ProgressReader(folders)

    async def start(self, request: RunRequest, caller: str, key: str | None = None) -> RunRow:
        """Start a run; with a key, once: a repetition gives the run of the first time.

        Raises:
            RunActiveError: the model has an active run.
            RunBudgetError, RunCooldownError: it has had enough runs, or one too short a time ago.
            BaseDataMissingError: the data is not there.
            ConflictError: the key was used for another request.
            InvalidParameterError: the model's name is reserved.
            LauncherError: the run could not be started; its row says so, too.
        """
        run_id = run_id_of(caller, key) if key is not None else uuid4().hex
        if key is not None and (known := await self._runs.find(run_id)) is not None:
            return self._repeated(known, request)
        if request.model in RESERVED_MODEL_NAMES:
            raise InvalidParameterError(f"a model cannot be called {request.model!r}; choose another name")
        fault = await asyncio.to_thread(self._folders.base_fault, request)
        if fault is not None:
            raise BaseDataMissingError(fault)
        spec = self._folders.spec_for(run_id, request)
        new = RunRow(
            id=run_id,
            model=request.model,
            state=RunState.QUEUED,
            launcher=self._launcher.name,
            spec=spec,
            caller=caller,
            created_at=microseconds_now(),
        )
        row = await self._runs.insert(new, self._limits)
        if row is not new:
            return self._repeated(row, request)
        # The caller may leave now; a run that is half started must not be left behind.
        return await asyncio.shield(asyncio.ensure_future(self._launch(row)))

    def _repeated(self, known: RunRow, request: RunRequest) -> RunRow:
        """The run of an earlier request with the same key, if it asked for the same."""
        ignored = {"created_at", "gate"}  # the rule is the settings', not the caller's
        wanted = self._folders.spec_for(known.id, request)
        if known.spec.model_dump(exclude=ignored) != wanted.model_dump(exclude=ignored):
            raise ConflictError(
                f"this Idempotency-Key began the run {known.id} with other settings; use a new key"
            )
        return known

    async def _launch(self, row: RunRow) -> RunRow:
        try:
            await asyncio.to_thread(self._folders.write_spec, row.spec)
            reference = await self._launcher.launch(row.spec)
        except (LauncherError, StoreError) as error:
            problem = Problem(code="not_launched", message=str(error))
            await self._runs.ended(row.id, RunEnd(RunState.FAILED, microseconds_now(), error=problem))
            raise LauncherError(f"the run {row.id} could not be started: {error}") from error
        try:
            await self._runs.launched(row.id, reference)
        except DatabaseError:  # the run goes on; its reference is for people only
            return row
        return await self._runs.find(row.id) or row

    async def allowance(self, model: str) -> Allowance:
        """How many runs a model may have now."""
        at = microseconds_now()
        return allowance_of(await self._runs.recent(model, at - DAY), self._limits, at)

    async def find(self, run_id: str) -> RunRow:
        """One run. Raises UnknownNameError."""
        row = await self._runs.find(run_id)
        if row is None:
            raise UnknownNameError(
                f"there is no training run {run_id[:80]!r}; GET /v1/training-runs lists them"
            )
        return row

    async def page(
        self, model: str | None, state: RunState | None, after: Cursor | None, limit: int
    ) -> tuple[Sequence[RunRow], Cursor | None]:
        """One page, newest first, and the cursor of the next; None after the last."""
        rows = await self._runs.page(model, state, after, limit + 1)
        shown = rows[:limit]
        return shown, (shown[-1].created_at, shown[-1].id) if len(rows) > limit else None

    async def progress(self, run_id: str) -> Progress:
        """What the trainer has told so far."""
        return await self._reader.read(run_id)

    async def decision(self, row: RunRow) -> GateDecision | None:
        """What the gate found; None while the run has not come to it, or when its folder is gone."""
        if not row.state.is_final:
            return None
        try:
            result = await asyncio.to_thread(self._folders.result, row.id)
        except StoreError:
            return None
        return result.gate if result else None

    async def log(self, run_id: str, start: int, limit: int) -> bytes:
        """Up to `limit` bytes of the run's output from byte `start` on. Raises LauncherError, StoreError."""
        row = await self.find(run_id)
        if row.launcher != self._launcher.name or row.state.is_final:
            kept = await asyncio.to_thread(self._folders.log, run_id, start, limit)
            if kept is not None or row.launcher != self._launcher.name:
                return kept or b""
        return await self._launcher.logs(run_id, start, limit)

    async def cancel(self, run_id: str) -> RunRow:
        """Ask a run to stop; asked again, it may be stopped by force.

        Raises UnknownNameError, ConflictError for a run that has ended, LauncherError.
        """
        row = await self.find(run_id)
        if row.state.is_final:
            raise ConflictError(f"the training run {row.id} has ended: {row.state}")
        is_first = await asyncio.to_thread(self._folders.ask_to_stop, run_id)
        if row.launcher == self._launcher.name:
            await self._launcher.cancel(run_id, is_repeated=not is_first)
        return row


def run_id_of(caller: str, key: str) -> str:
    """The run that a caller's key begins: 32 hex digits."""
    return hashlib.sha256(f"{caller}\0{key}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def microseconds_now() -> int:
    """Microseconds since 1970, UTC."""
    return math.floor(now().timestamp() * 1_000_000)
