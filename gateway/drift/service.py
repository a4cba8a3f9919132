"""Windows, scores, alarms: one gateway folds what all have measured, under the lease of control."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from gateway.access.audit import AuditLog
from gateway.access.callers import Caller, Role
from gateway.drift.scoring import Reference, reference_of
from gateway.drift.sums import joined
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.notifications.notifier import Notifier
from gateway.ports.drift import FEATURES, Block, DriftState, DriftStore, Sums, Window
from gateway.ports.moments import microseconds_now
from gateway.ports.serving import ServedVersion
from gateway.rollouts.service import RolloutService
from gateway.settings import DriftSettings

log = logging.getLogger(__name__)

ITSELF = Caller("drift", Role.OPERATE)
FORGET_SECONDS = 3600.0
MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class LiveProfile:
    """Of some live predictions, in the reference profile's words."""

    predictions: int
    class_shares: Mapping[str, float]
    confidence_counts: Sequence[int]
    features: Mapping[str, float]
    """FEATURES: means over the pictures."""


@dataclass(frozen=True)
class Standing:
    """One model as it stands."""

    served: ServedVersion
    state: DriftState
    windows: Sequence[Window]
    reference: Reference | None
    """None: the card has no reference profile."""

    @property
    def live(self) -> LiveProfile | None:
        """The window that fills; None for an empty one."""
        sums = self.state.sums
        count = sums.predictions
        if not count:
            return None
        shares = {label: round(found / count, 6) for label, found in sorted(sums.labels.items())}
        means = {name: round(total / count, 3) for name, total in zip(FEATURES, sums.features, strict=True)}
        return LiveProfile(count, shares, sums.confidences, means)


class DriftService:
    """Reads for everybody; `step` is for the holder of the lease."""

    def __init__(
        self,
        rollouts: RolloutService,
        store: DriftStore,
        audit: AuditLog,
        notifier: Notifier,
        metrics: Metrics,
        settings: DriftSettings,
    ) -> None:
        self._rollouts = rollouts
        self._store = store
        self._audit = audit
        self._notifier = notifier
        self._metrics = metrics
        self._settings = settings
        self._references: dict[tuple[str, int], Reference | None] = {}
        self._forgotten_at = float("-inf")

    async def standing(self, model: str, limit: int) -> Standing:
        """Raises UnknownModelError, NoVersionError …, DatabaseError."""
        served = self._rollouts.served(model)
        state, windows = await self._store.standing(model, served.version, limit)
        return Standing(served, state, windows, await self._reference(served))

    async def alarmed_since(self, model: str) -> int | None:
        """When the stable version's alarm began; None while there is none. Raises what `standing` does."""
        served = self._rollouts.served(model)
        state = await self._store.state(model, served.version)
        return state.since if state.is_alarmed else None

    async def step(self) -> None:
        """Look at every model; what fails for one keeps none of the others. Raises DatabaseError."""
        if not self._settings.enabled:
            return
        for known in self._rollouts.models():
            if known.served is not None:
                try:
                    await self._look(known.served)
                except GatewayError as error:
                    log.warning("drift is not judged", extra={"model": known.name, "reason": str(error)})
        if time.monotonic() - self._forgotten_at > FORGET_SECONDS:
            age = int(self._settings.history_days * MICROSECONDS_A_DAY)
            await self._store.forget(microseconds_now() - age)
            self._forgotten_at = time.monotonic()

    async def _look(self, served: ServedVersion) -> None:
        reference = await self._reference(served)
        if reference is None:
            return
        known: list[DriftState] = []

        def fold(state: DriftState, blocks: Sequence[Block]) -> tuple[DriftState, Sequence[Window]]:
            known.append(state)
            return folded(state, blocks, reference, self._settings)

        after, windows = await self._store.take(served.model, served.version, fold)
        if windows:
            self._metrics.drift_score.labels(served.model).set(windows[-1].score)
        self._metrics.drift_alarm.labels(served.model).set(after.is_alarmed)
        if after.is_alarmed != known[-1].is_alarmed:
            await self._tell(after, windows)

    async def _tell(self, state: DriftState, windows: Sequence[Window]) -> None:
        action = "drift.alarmed" if state.is_alarmed else "drift.ended"
        worst = max(windows, key=lambda window: window.score)
        parts = {name: round(value, 4) for name, value in worst.parts.items()}
        told = {"version": state.version, "score": round(worst.score, 4), "parts": parts}
        largest = max(worst.parts, key=lambda name: worst.parts[name])
        reason = (
            f"{worst.predictions} predictions are unlike the version's reference, most in their {largest}"
            if state.is_alarmed
            else f"{state.calm_windows} windows in a row are like the version's reference again"
        )
        await self._audit.record(ITSELF, action, state.model, told, reason)
        self._notifier.tell(action, {"model": state.model, "reason": reason} | told)

    async def _reference(self, served: ServedVersion) -> Reference | None:
        """Computed once a version, in a thread."""
        key = (served.model, served.version)
        if key not in self._references:
            profile, labels = served.card.reference, served.card.labels
            made = None
            if profile is not None:
                window, rate = self._settings.window, self._settings.false_alarms
                made = await asyncio.to_thread(reference_of, profile, labels, window, rate)
            self._references[key] = made
        return self._references[key]


def folded(
    state: DriftState, blocks: Sequence[Block], reference: Reference, settings: DriftSettings
) -> tuple[DriftState, list[Window]]:
    """The state after more blocks, and the windows that they filled."""
    windows: list[Window] = []
    for block in blocks:
        state = replace(state, sums=joined(state.sums, block.sums))
        if state.sums.predictions >= settings.window:
            windows.append(_scored(state, block.at, reference))
            state = _after_window(replace(state, sums=Sums()), windows[-1], settings)
    return state, windows


def _scored(state: DriftState, at: int, reference: Reference) -> Window:
    parts = reference.parts(state.sums)
    count = state.sums.predictions
    return Window(uuid4().hex, at, state.model, state.version, count, max(parts.values()), parts)


def _after_window(state: DriftState, window: Window, settings: DriftSettings) -> DriftState:
    if window.score >= 1:
        since = state.since if state.is_alarmed else window.at
        return replace(state, is_alarmed=True, since=since, calm_windows=0)
    calm = state.calm_windows + 1
    if state.is_alarmed and calm >= settings.calm_windows:
        return replace(state, is_alarmed=False, since=None, calm_windows=calm)
    return replace(state, calm_windows=calm)
