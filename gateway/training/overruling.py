"""A person publishes the candidate that the promotion gate refused.

The run stays `rejected` and the card keeps the gate's decision: what is published this way is a version like
any other, but nothing brings it to answer by itself (gateway.rollouts.rules.reason_to_wait).
"""

from __future__ import annotations

import asyncio

from contract.training import RunState
from gateway.errors import ConflictError
from gateway.ports.store import ModelStore
from gateway.ports.training import RunFolders, RunRow
from gateway.training.runs import TrainingService


class Overruling:
    """Publishes against the gate's word."""

    def __init__(self, training: TrainingService, folders: RunFolders, store: ModelStore) -> None:
        self._training = training
        self._folders = folders
        self._store = store

    async def publish(self, run_id: str) -> tuple[RunRow, int]:
        """The run and the version that its candidate became; asked again, the same one.

        Raises UnknownNameError, ConflictError, StoreError, DatabaseError.
        """
        row = await self._training.find(run_id)
        if row.state is not RunState.REJECTED:
            raise ConflictError(
                f"the training run {row.id} is {row.state}; only what the gate refused waits to be published"
            )
        candidate = await asyncio.to_thread(self._folders.candidate, row.id)
        if candidate is None:
            raise ConflictError(f"the candidate of the training run {row.id} is gone; train again")
        version = await asyncio.to_thread(self._store.publish, candidate, row.model, row.id)
        return row, version
