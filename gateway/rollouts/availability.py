"""Counts for the metrics which replicas hold the stable version, and what share its canary has.

The rollout asks the replicas only while a version is on its way; this asks all the time, so that a replica
that lost a version, or a store that vanished under it, is seen although nobody predicts. Decides nothing.
"""

from __future__ import annotations

from contract.tfserving_api import ModelVersionState
from gateway.metrics import Metrics
from gateway.rollouts.service import RolloutService
from gateway.rollouts.state import ModelState


class Availability:
    """One step looks at every model."""

    def __init__(self, rollouts: RolloutService, metrics: Metrics) -> None:
        self._rollouts = rollouts
        self._metrics = metrics

    async def step(self) -> None:
        """Ask each replica that is up about each model."""
        for state in self._rollouts.models():
            count = await self._available(state)
            self._metrics.available_replicas.labels(state.name).set(count)
            share = state.rollout.canary_share if state.rollout.canary is not None else 0.0
            self._metrics.canary_share.labels(state.name).set(share)

    async def _available(self, state: ModelState) -> int:
        stable = state.rollout.stable
        if stable is None:
            return 0
        statuses = await self._rollouts.statuses(state.name)
        known = (versions.get(stable) for versions in statuses.values())
        return sum(status is not None and status.state is ModelVersionState.AVAILABLE for status in known)
