"""What this gateway knows of the models: read from the store, and changed there with nobody in between.

Each model has one ModelState, which lives as long as the model is in the store. What becomes of its versions
is gateway.rollouts.following's business; that both never run at once, gateway.rollouts.service's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from contract.card import ModelCard
from contract.rollout import Rollout
from contract.values import now
from gateway.errors import CardError, RolloutFileError, UnknownModelError
from gateway.metrics import Metrics
from gateway.ports.serving import ServedVersion
from gateway.ports.store import ModelStore, StoredModel
from gateway.rollouts.state import Loading, ModelState
from gateway.rollouts.writing import Writing

log = logging.getLogger(__name__)


class KnownModels:
    """The models of the store, as they were when it was last read."""

    def __init__(
        self, store: ModelStore, metrics: Metrics, writing: Writing, load_timeout_seconds: float
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._writing = writing
        self._load_timeout = load_timeout_seconds
        self._models: dict[str, ModelState] = {}

    def all(self) -> list[ModelState]:
        """Every model, by name."""
        return [self._models[name] for name in sorted(self._models)]

    def find(self, name: str) -> ModelState | None:
        """One model, None for one that is not there."""
        return self._models.get(name)

    def model(self, name: str) -> ModelState:
        """One model. Raises UnknownModelError."""
        state = self._models.get(name)
        if state is None:
            known = ", ".join(sorted(self._models)) or "none"
            raise UnknownModelError(f"there is no model {name[:80]!r}; the models are: {known}")
        return state

    async def card(self, name: str, version: int) -> ModelCard:
        """The card of a version. Raises CardError."""
        return await asyncio.to_thread(self._store.card, name, version)

    def start_loading(self, version: int) -> Loading:
        """A version that has its whole time before it."""
        return Loading(version, asyncio.get_running_loop().time() + self._load_timeout)

    async def read(self) -> None:
        """Take in what the store has now."""
        found = await asyncio.to_thread(self._store.scan)
        for gone in self._models.keys() - {stored.name for stored in found}:
            log.info("model left the store", extra={"model": gone})
            del self._models[gone]
            self._metrics.forget_model(gone)
        for stored in found:
            await self._take_in(stored)

    async def _take_in(self, stored: StoredModel) -> None:
        state = self._models.get(stored.name)
        if state is None:
            state = self._models[stored.name] = ModelState(stored.name, Rollout(model=stored.name))
            if stored.rollout is not None and stored.rollout.stable is not None:
                state.loading = self.start_loading(stored.rollout.stable)  # is it as good as it was?
        state.versions = list(stored.versions)
        state.failed = {version: why for version, why in state.failed.items() if version in stored.versions}
        state.waiting = {version: why for version, why in state.waiting.items() if version in stored.versions}
        if stored.error and stored.error != state.error:
            log.error("rollout cannot be read", extra={"model": state.name, "reason": stored.error})
        state.error = stored.error
        if stored.rollout is not None and stored.rollout != state.rollout:
            state.rollout = stored.rollout
        await self._load_served(state)

    async def _load_served(self, state: ModelState) -> None:
        """Have the card of the stable version at hand; each fault is logged once."""
        stable = state.rollout.stable
        if stable is None:
            state.served = None
        elif state.served is None or state.served.version != stable:
            try:
                card = await self.card(state.name, stable)
            except CardError as error:
                if str(error) != state.card_error:
                    log.error("card cannot be read", extra={"model": state.name, "reason": str(error)})
                state.card_error, state.served = str(error), None
            else:
                state.card_error, state.served = "", ServedVersion(state.name, stable, card)
                self._metrics.stable_version.labels(state.name).set(stable)

    async def update(self, name: str, decide: Callable[[ModelState], Rollout]) -> ModelState:
        """Read, decide and write with nobody in between. Raises RolloutFileError, or what `decide` raises."""
        async with self._writing.change(name):
            await self.read()
            state = self.model(name)
            if state.error:
                raise RolloutFileError(state.error)
            rollout = decide(state)
            if rollout != state.rollout:
                await self.write(state, rollout.model_copy(update={"updated_at": now()}))
            return state

    async def write(self, state: ModelState, rollout: Rollout) -> None:
        """Make it the model's rollout, in the file first. Raises StoreError."""
        await asyncio.to_thread(self._store.write_rollout, rollout)
        state.rollout = rollout
        await self._load_served(state)
