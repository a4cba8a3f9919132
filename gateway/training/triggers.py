"""Runs that start by themselves: after enough corrections, and when drift begins.

Both ask the very service that the button asks, and take its refusal: it is noted, told once, and asked again
later. A cause is named by the run before it, and that is the run's key: a gateway that dies between the start
and the note of it, and its successor, start one run together.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.access.audit import AuditLog
from gateway.access.callers import Caller, Role
from gateway.errors import ConflictError, DatabaseError, GatewayError, RunActiveError
from gateway.metrics import Metrics
from gateway.notifications.notifier import Notifier
from gateway.ports.moments import microseconds_now
from gateway.ports.training import RunRequest, RunRow, Runs
from gateway.settings import TriggerSettings
from gateway.training.budget import DAY, Allowance
from gateway.training.runs import TrainingService

log = logging.getLogger(__name__)
Cause = Literal["corrections", "drift"]
HOUR = 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a trigger could not start a run, the last time."""

    at: int
    cause: Cause
    reason: str


@dataclass(frozen=True)
class ModelTriggers:
    """One model as it stands."""

    model: str
    corrections: int
    """Since its last run began."""
    is_drifting: bool
    allowance: Allowance
    refusal: Refusal | None
    """By this process, since it started."""


class Triggers:
    """One step looks at every model."""

    def __init__(
        self,
        training: TrainingService,
        runs: Runs,
        models: Callable[[], Sequence[str]],
        drift_since: Callable[[str], Awaitable[int | None]],
        audit: AuditLog,
        notifier: Notifier,
        metrics: Metrics,
        settings: TriggerSettings,
    ) -> None:
        """`drift_since`: when a model's drift alarm began, None while there is none."""
        self._training = training
        self._runs = runs
        self._models = models
        self._drift_since = drift_since
        self._audit = audit
        self._notifier = notifier
        self._metrics = metrics
        self._settings = settings
        self._refusals: dict[str, Refusal] = {}
        self._looked_at = float("-inf")

    async def standing(self, model: str) -> ModelTriggers:
        """Raises DatabaseError."""
        corrections = await self._runs.corrections(model, await self._last_began_at(model))
        is_drifting = await self._drift_since(model) is not None
        allowance = await self._training.allowance(model)
        return ModelTriggers(model, corrections, is_drifting, allowance, self._refusals.get(model))

    async def step(self) -> None:
        """Start what has a cause. Raises DatabaseError."""
        now = time.monotonic()
        if now - self._looked_at < self._settings.poll_seconds:
            return
        self._looked_at = now
        if self._settings.corrections or self._settings.drift:
            for model in self._models():
                await self._look(model)

    async def _look(self, model: str) -> None:
        last = await self._last_began_at(model)
        cause = await self._cause(model, last)
        if cause is None:
            self._refusals.pop(model, None)
            return
        request = RunRequest(model, preset=self._settings.preset, base=self._settings.base)
        try:
            run = await self._training.start(request, f"trigger:{cause}", key=_key(model, last))
        except DatabaseError:
            raise
        except GatewayError as error:
            self._refused(model, cause, error)
        else:
            if run.state.is_final:
                self._refused(model, cause, ConflictError(f"the run {run.id} did not start; see why there"))
            else:
                await self._started(run, cause)

    async def _cause(self, model: str, last: int) -> Cause | None:
        wanted = self._settings.corrections
        if wanted and await self._runs.corrections(model, last) >= wanted:
            return "corrections"
        since = await self._drift_since(model) if self._settings.drift else None
        return "drift" if since is not None and since >= last else None

    async def _last_began_at(self, model: str) -> int:
        """0 before the first; a run from the future, after a clock was set back, is one of now."""
        now = microseconds_now()
        moments = (await self._runs.recent(model, now - DAY)).moments
        return min(moments[0][0], now) if moments else 0

    def _refused(self, model: str, cause: Cause, error: GatewayError) -> None:
        before = self._refusals.get(model)
        reason = str(error)
        if before is None or type(error).__name__ != before.reason.partition(":")[0]:
            is_usual = isinstance(error, RunActiveError)
            outcome = "refused" if is_usual or hasattr(error, "retry_after_seconds") else "failed"
            self._metrics.runs_triggered.labels(cause, outcome).inc()
            log.warning("a trigger started no run", extra={"model": model, "cause": cause, "reason": reason})
        self._refusals[model] = Refusal(microseconds_now(), cause, f"{type(error).__name__}: {reason}")

    async def _started(self, run: RunRow, cause: Cause) -> None:
        self._refusals.pop(run.model, None)
        self._metrics.runs_triggered.labels(cause, "started").inc()
        told = {"run": run.id, "cause": cause}
        await self._audit.record(Caller(f"trigger:{cause}", Role.OPERATE), "run.start", run.model, told)
        self._notifier.tell("run.triggered", {"model": run.model} | told)


def _key(model: str, last: int) -> str:
    """One run for a cause; after one that did not start, another attempt in the next hour."""
    return f"{model}:{last}:{microseconds_now() // HOUR}"
