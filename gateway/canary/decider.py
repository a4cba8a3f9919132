"""Begins trials, judges them, and does what follows: one gateway does, under the lease of control.

A decision is kept in the trial before it is carried out, and carried out by a change that changes nothing the
second time: a gateway that dies in between, or two that both believe to hold the lease, roll back once. While
the database is away nothing is decided; evidence waits in the gateways.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from contract.training import RunState
from gateway.access.audit import AuditLog
from gateway.access.callers import Caller, Role
from gateway.canary.judging import Verdict, folded, verdict_of
from gateway.canary.tally import arms_of
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.notifications.notifier import Notifier
from gateway.ports.canary import SIGNALS, Arms, Outcome, Trial, Trials
from gateway.ports.moments import microseconds_now
from gateway.ports.training import Runs
from gateway.rollouts import rules
from gateway.rollouts.operations import RolloutChange, changed, promoted_by_itself, without_canary
from gateway.rollouts.service import RolloutService
from gateway.rollouts.state import ModelState
from gateway.settings import CanarySettings

log = logging.getLogger(__name__)

ITSELF = Caller("canary", Role.OPERATE)
LONGEST_STEP_SECONDS = 10.0
"""More at once does not count as watched: the gateway was away, or the machine slept."""
FORGET_MICROSECONDS = 86_400_000_000
FORGET_SECONDS = 3600.0


class Decider:
    """One step looks at every model."""

    def __init__(
        self,
        rollouts: RolloutService,
        trials: Trials,
        runs: Runs,
        audit: AuditLog,
        notifier: Notifier,
        metrics: Metrics,
        settings: CanarySettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rollouts = rollouts
        self._trials = trials
        self._runs = runs
        self._audit = audit
        self._notifier = notifier
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._looked_at: dict[str, float] = {}
        self._forgotten_at = float("-inf")

    async def step(self) -> None:
        """Look at every model; what fails for one keeps none of the others. Raises DatabaseError."""
        for state in self._rollouts.models():
            try:
                await self._look(state)
            except GatewayError as error:
                log.warning("a canary is not judged", extra={"model": state.name, "reason": str(error)})
        if self._clock() - self._forgotten_at > FORGET_SECONDS:
            await self._trials.forget(microseconds_now() - FORGET_MICROSECONDS)
            self._forgotten_at = self._clock()

    async def _look(self, state: ModelState) -> None:
        arms = arms_of(state.rollout)
        trial = await self._trials.running(state.name)
        if trial is not None and trial.decision is not None:
            await self._carry_out(trial)
            return
        if trial is not None and trial.arms != arms:
            await self._ended_by_others(trial, state)
            trial = None
        if arms is None:
            self._looked_at.pop(state.name, None)
            await self._introduce(state)
            return
        trial = trial or await self._begin(arms)
        await self._judge(trial)

    async def _begin(self, arms: Arms) -> Trial:
        self._looked_at[arms.model] = self._clock()
        new = Trial(uuid4().hex, arms, microseconds_now())
        trial = await self._trials.begin(new)
        if trial is new:
            await self._tell("canary.began", trial, {}, f"version {arms.canary} is watched")
        return trial

    async def _judge(self, trial: Trial) -> None:
        seconds = self._seconds_since(trial.arms.model)
        settings, verdicts, were_told = self._settings, list[Verdict](), list[bool]()

        def fold(kept: Trial, rows: Any) -> Trial:
            were_told.append(is_told(kept))
            after = folded(kept, rows, seconds, settings)
            verdicts.append(verdict_of(after, settings))
            return decided(after, verdicts[-1], settings)

        after = await self._trials.take(trial.id, fold)
        if after is None:  # another gateway was faster
            return
        self._show(after.arms, verdicts[-1])
        if after.decision is not None:
            await self._carry_out(after)
        elif is_told(after) and not were_told[-1]:
            await self._tell_undecided(after, verdicts[-1])

    def _seconds_since(self, model: str) -> float:
        now = self._clock()
        before = self._looked_at.get(model, now)
        self._looked_at[model] = now
        return min(max(0.0, now - before), LONGEST_STEP_SECONDS)

    async def _tell_undecided(self, trial: Trial, verdict: Verdict) -> None:
        told = verdict.detail | {"missing": list(verdict.missing)}
        await self._tell("canary.undecided", trial, told, verdict.sentence)

    async def _carry_out(self, trial: Trial) -> None:
        """Do what was decided; a second time changes nothing."""
        decision = dict(trial.decision or {})
        arms = trial.arms
        if decision["step"] == "rollback":
            await self._rollouts.change(arms.model, without_canary(arms.canary))
            await self._finish(trial, "rolled_back", "canary.rolled_back", decision)
        else:
            state = await self._rollouts.change(arms.model, promoted_by_itself(arms.stable, arms.canary))
            if arms.canary in (state.rollout.stable, state.rollout.promoting):
                await self._finish(trial, "promoted", "canary.promoted", decision)
            else:  # somebody was faster
                await self._ended_by_others(trial, state)

    async def _finish(self, trial: Trial, outcome: Outcome, action: str, decision: dict[str, Any]) -> None:
        if await self._trials.end(trial.id, outcome, microseconds_now()):
            await self._tell(action, trial, decision, decision["sentence"])
        self._clear(trial.arms)

    async def _ended_by_others(self, trial: Trial, state: ModelState) -> None:
        rollout = state.rollout
        is_promoted = trial.arms.canary in (rollout.stable, rollout.promoting)
        outcome: Outcome = "promoted" if is_promoted else "ended"
        if await self._trials.end(trial.id, outcome, microseconds_now()):
            what = "it was promoted" if is_promoted else "the rollout was changed"
            await self._tell("canary.ended", trial, {"outcome": outcome}, f"by somebody else: {what}")
        self._clear(trial.arms)

    async def _introduce(self, state: ModelState) -> None:
        """Make what a run has published the canary, if the settings say so and it never was one."""
        rollout = state.rollout
        if self._settings.on_publish != "canary" or rollout.policy != "gated" or rollout.canary is not None:
            return
        if rollout.stable is None or rollout.promoting is not None:
            return
        newest = await self._runs.page(state.name, RunState.SUCCEEDED, None, 1)
        version = newest[0].version if newest else None
        if version is None or version not in state.versions or version in state.failed:
            return
        if version <= rollout.stable or version == rollout.previous_stable:
            return
        if rules.reason_to_wait((await self._rollouts.card_of(state.name, version)).card):
            return
        if not await self._trials.tried(state.name, version):
            change = RolloutChange(canary=version, canary_share=self._settings.share)
            await self._rollouts.change(state.name, changed(change))
            log.info(
                "a published version becomes the canary", extra={"model": state.name, "version": version}
            )

    def _show(self, arms: Arms, verdict: Verdict) -> None:
        for found in verdict.findings:
            self._metrics.canary_evidence.labels(arms.model, found.signal).set(found.evidence)

    def _clear(self, arms: Arms) -> None:
        self._looked_at.pop(arms.model, None)
        for signal in SIGNALS:
            self._metrics.canary_evidence.labels(arms.model, signal).set(0)

    async def _tell(self, action: str, trial: Trial, detail: dict[str, Any], reason: str) -> None:
        arms = trial.arms
        who = {"trial": trial.id, "canary": arms.canary, "stable": arms.stable}
        told = who | {"watched_seconds": round(trial.watched_seconds, 1)} | detail
        await self._audit.record(ITSELF, action, arms.model, told, reason)
        self._metrics.canary_steps.labels(arms.model, action.removeprefix("canary.")).inc()
        self._notifier.tell(action, {"model": arms.model, "reason": reason} | told)


def is_told(trial: Trial) -> bool:
    """Whether people were told that it is undecided, or of a verdict that they must carry out."""
    return bool((trial.state or {}).get("told"))


def decided(trial: Trial, verdict: Verdict, settings: CanarySettings) -> Trial:
    """The trial with what shall be done, or with the note that people were told of it."""
    wanted = {"rollback": settings.rollback, "promote": settings.promote, "wait": False}
    if wanted[verdict.step]:
        return replace(trial, decision={"step": verdict.step} | verdict.detail)
    is_overdue = trial.watched_seconds >= settings.patience_hours * 3600
    if verdict.step != "wait" or is_overdue:
        return replace(trial, state={**(trial.state or {}), "told": True})
    return trial
