"""`python -m gateway bootstrap`: name the versions before the model servers start.

A model server needs a models.config to start from, and opens its port only once something is loaded.
This takes the same step as the running gateway, without waiting for servers that are not there yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.adapters.filesystem import FileModelStore
from gateway.metrics import Metrics
from gateway.ports.serving import VersionStatus
from gateway.rollouts.service import RolloutService
from gateway.rollouts.state import ModelState
from gateway.settings import Settings


async def bootstrap(settings: Settings) -> Sequence[str]:
    """Write what is missing; return a line for each model. Raises StoreError."""
    service = RolloutService(
        FileModelStore(settings.stores.models),
        _nobody,
        Metrics(),
        server_path=settings.stores.server_path,
        load_timeout_seconds=settings.rollout.load_timeout_seconds,
    )
    await service.step(with_servers=False)
    lines = [_line(state) for state in service.models()]
    return lines or [f"{settings.stores.models}: no model with a complete version yet"]


async def _nobody(model: str) -> Mapping[str, Mapping[int, VersionStatus]]:
    return {}


def _line(state: ModelState) -> str:
    return f"{state.name}: {state.error or f'stable is version {state.rollout.stable}'}"
