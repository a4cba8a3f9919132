"""Training runs: their rows, their schedules, their folders, and who carries them out.

A run's folder is the truth about it; its row is an index of the folder, and the guard that a model has
one active run at most. Launchers differ only in the nudge that makes somebody carry a folder out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from contract.training import Preset, Problem, RunState, Start, TrainingResult, TrainingSpec
from gateway.ports.history import Cursor

Base = Literal["dataset", "none"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What somebody wants to be trained."""

    model: str
    dataset: str | None = None
    """None: the dataset that is called like the model."""
    preset: Preset = "default"
    epochs: int | None = None
    seed: int = 0
    base: Base = "dataset"
    """`dataset`: what was fetched must be there; `none`: uploaded examples alone are enough."""
    start: Start = "auto"
    """Whose weights: the stable version's, nobody's, or what the trainer's rule says."""

    @property
    def data(self) -> str:
        """The dataset's name."""
        return self.dataset or self.model


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as the database knows it. Moments are microseconds since 1970, UTC."""

    id: str
    model: str
    state: RunState
    launcher: str
    spec: TrainingSpec
    caller: str
    created_at: int
    started_at: int | None = None
    finished_at: int | None = None
    version: int | None = None
    accuracy: float | None = None
    error: Problem | None = None
    reference: str | None = None
    """The launcher's own name for it, for people: a process, a Job."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """How many runs a model may have. Zeros: as many as you like."""

    per_day: int = 0
    cooldown_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RecentRuns:
    """What the limits are about: runs that began, newest first, as (created_at, finished_at)."""

    moments: Sequence[tuple[int, int | None]] = ()


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended, for its row."""

    state: RunState
    finished_at: int
    started_at: int | None = None
    version: int | None = None
    accuracy: float | None = None
    error: Problem | None = None


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """Runs that start by the clock."""

    id: str
    model: str
    cron: str
    request: RunRequest
    enabled: bool
    caller: str
    created_at: int
    next_at: int | None
    last_at: int | None = None
    last_outcome: str | None = None


class Runs(Protocol):
    """The rows. Every method raises DatabaseError when the database cannot be asked."""

    async def insert(self, row: RunRow, limits: RunLimits = RunLimits()) -> RunRow:
        """Keep a new run, or give the one that has its id.

        Raises RunActiveError, and RunBudgetError or RunCooldownError in the same transaction.
        """

    async def recent(self, model: str, since: int) -> RecentRuns:
        """Runs of a model that began at `since` or later, and the latest one before."""

    async def corrections(self, model: str, since: int) -> int:
        """Answers that people have corrected since then."""

    async def find(self, run_id: str) -> RunRow | None:
        """One run, or None."""

    async def page(
        self, model: str | None, state: RunState | None, after: Cursor | None, limit: int
    ) -> list[RunRow]:
        """The newest runs behind the cursor."""

    async def active(self) -> list[RunRow]:
        """Every run that has not ended, oldest first."""

    async def launched(self, run_id: str, reference: str) -> None:
        """Note the launcher's name for it."""

    async def started(self, run_id: str, at: int) -> None:
        """queued → running; anything else stays."""

    async def ended(self, run_id: str, end: RunEnd) -> bool:
        """Make an active run final; False when it already was."""


class Schedules(Protocol):
    """The schedules' rows. Every method raises DatabaseError when the database cannot be asked."""

    async def all(self) -> list[ScheduleRow]:
        """Every schedule, oldest first."""

    async def find(self, schedule_id: str) -> ScheduleRow | None:
        """One schedule, or None."""

    async def put(self, row: ScheduleRow) -> None:
        """Insert, or replace what has the same id."""

    async def delete(self, schedule_id: str) -> bool:
        """False when there was none."""

    async def due(self, at: int, limit: int) -> list[ScheduleRow]:
        """Enabled schedules whose time has come, the longest overdue first."""

    async def done(self, row: ScheduleRow, next_at: int | None, at: int, outcome: str) -> None:
        """Note what became of one time, unless the schedule was changed or noted meanwhile."""


@dataclass(frozen=True, slots=True)
class ProgressPart:
    """A piece of progress.jsonl."""

    content: bytes
    """Whole lines only."""
    end: int
    """Byte offset behind it."""


class RunFolders(Protocol):
    """The runs' folders on the shared volume. Every method blocks: call it in a thread."""

    def base_fault(self, request: RunRequest) -> str | None:
        """Why the data cannot be trained on, with the way out; None when it can."""

    def spec_for(self, run_id: str, request: RunRequest) -> TrainingSpec:
        """The spec of a request, with the paths as the trainer sees them."""

    def write_spec(self, spec: TrainingSpec) -> None:
        """Make the run's folder with its spec. Raises StoreError."""

    def result(self, run_id: str) -> TrainingResult | None:
        """How the run ended, or None while it has not. Raises StoreError for an unreadable file."""

    def progress(self, run_id: str, start: int, limit: int) -> ProgressPart:
        """Up to `limit` bytes from byte `start` on; a file shorter than `start` is read anew from 0."""

    def candidate(self, run_id: str) -> Path | None:
        """The folder of the candidate that the run made; None when there is none, or no longer."""

    def has_progress(self, run_id: str) -> bool:
        """True once the trainer has told anything."""

    def ask_to_stop(self, run_id: str) -> bool:
        """Leave the file `cancel`; False when it lay there already. Raises StoreError."""

    def is_asked_to_stop(self, run_id: str) -> bool:
        """Whether it lies there."""

    def log(self, run_id: str, start: int, limit: int) -> bytes | None:
        """Up to `limit` bytes of log.txt from byte `start` on; None when there is no such file."""

    def keep_log(self, run_id: str, content: bytes) -> None:
        """Write log.txt, for a launcher whose logs go with its Job."""


class LaunchState(StrEnum):
    """What a launcher knows of a run."""

    WAITING = "waiting"
    """It will be carried out, by nobody yet."""
    RUNNING = "running"
    GONE = "gone"
    """Nobody carries it out, and nobody will."""
    UNKNOWN = "unknown"
    """It is somewhere that this launcher cannot see; its folder will tell."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A state, and a reason where there is one."""

    state: LaunchState
    detail: str = ""


class TrainingLauncher(Protocol):
    """Makes somebody carry out a run whose spec is written. Methods raise LauncherError."""

    name: str
    settle_seconds: float
    """How long a result may take to be seen here after the process that wrote it is gone."""

    async def launch(self, spec: TrainingSpec) -> str:
        """Start the run, or find that it is started; the launcher's name for it."""

    async def state(self, run_id: str) -> Launched:
        """Whether somebody carries the run out."""

    async def cancel(self, run_id: str, *, is_repeated: bool) -> None:
        """Make the run end; `is_repeated`: it was asked to before, and may be stopped by force."""

    async def logs(self, run_id: str, start: int, limit: int) -> bytes:
        """Up to `limit` bytes of its output from byte `start` on."""


def as_json(request: RunRequest) -> dict[str, Any]:
    """A request for a JSON column."""
    return {name: getattr(request, name) for name in RunRequest.__dataclass_fields__}


ACTIVE: Sequence[RunState] = (RunState.QUEUED, RunState.RUNNING)
