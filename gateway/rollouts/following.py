"""How a published version comes to answer: one gateway takes the steps, and every gateway watches them.

A new version is first named beside the old in `models.config` (the label `stable` still on the old), and
stable moves once every replica says AVAILABLE: so no request ever names what is not loaded. A version that
does not load leaves stable alone. What is decided is in the pure functions of gateway.rollouts.rules; when
a step is due, and that no two are taken at once, is gateway.rollouts.service's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from contract.rollout import Rollout
from gateway.errors import CardError
from gateway.metrics import Metrics
from gateway.ports.serving import ServedVersion
from gateway.ports.store import ModelStore
from gateway.rollouts import rules
from gateway.rollouts.known import KnownModels
from gateway.rollouts.state import Loading, ModelState, Statuses
from gateway.rollouts.writing import Writing

log = logging.getLogger(__name__)


class Following:
    """Brings what the rollouts ask for about, and keeps each ModelState to what the replicas say."""

    def __init__(
        self,
        known: KnownModels,
        store: ModelStore,
        statuses: Callable[[str], Awaitable[Statuses]],
        metrics: Metrics,
        writing: Writing,
        *,
        server_path: str,
        load_timeout_seconds: float,
    ) -> None:
        self._known = known
        self._store = store
        self._statuses = statuses
        self._metrics = metrics
        self._writing = writing
        self._server_path = server_path
        self._load_timeout = load_timeout_seconds

    # --- what the one gateway does that follows the store ---

    async def begin(self) -> None:
        """Give each model that never had a rollout its newest version, and the model servers a first file."""
        for state in self._known.all():
            if state.rollout.stable is None and not state.error:
                newest = state.versions[-1]
                await self._known.write(state, rules.moved(state.rollout, newest, state.versions))
                state.loading = self._known.start_loading(newest)
        if not await asyncio.to_thread(self._store.read_config):
            await self._write_config()

    async def advance(self, states: list[ModelState]) -> None:
        """Where this gateway follows the store: a step for each of these models, and models.config."""
        if await self._writing.follows():
            for state in states:
                await self._advance(state)
            await self._write_config()

    async def _advance(self, state: ModelState) -> None:
        """Begin to load the next version, if there is one."""
        if state.error or (state.loading and state.loading.version in state.versions):
            return
        state.loading = None
        version = self._next_version(state)
        if version is None:
            return
        if not rules.has_stable(state.rollout, state.versions, set(state.failed)):
            await self._move_stable(state, version)  # nothing answers that could be disturbed
        elif not await self._may_load(state, version):
            return
        state.loading = self._known.start_loading(version)
        log.info("version is loading", extra={"model": state.name, "version": version})

    async def _may_load(self, state: ModelState, version: int) -> bool:
        """Whether its card can be read, and nothing on it says that a person must promote it."""
        try:
            card = await self._known.card(state.name, version)
        except CardError as error:
            await self._give_up(state, version, str(error))
            return False
        if version != state.rollout.promoting and (reason := rules.reason_to_wait(card)):
            state.waiting[version] = reason
            log.info(
                "version waits for a person",
                extra={"model": state.name, "version": version, "reason": reason},
            )
            return False
        return True

    @staticmethod
    def _next_version(state: ModelState) -> int | None:
        refused = {*state.failed, *(set(state.waiting) - {state.rollout.promoting})}
        return rules.next_version(state.rollout, state.versions, refused)

    async def _move_stable(self, state: ModelState, version: int) -> None:
        """Unless someone has decided otherwise meanwhile."""

        def decide(state: ModelState) -> Rollout:
            is_next = self._next_version(state) == version
            return rules.moved(state.rollout, version, state.versions) if is_next else state.rollout

        await self._known.update(state.name, decide)
        if state.rollout.stable == version:
            log.info("stable moved", extra={"model": state.name, "version": version})

    async def _write_config(self) -> None:
        """Bring models.config and each model's own in line, also when somebody else has changed them."""
        states = self._known.all()
        for model, named in [(None, states), *((state.name, [state]) for state in states)]:
            current = await asyncio.to_thread(self._store.read_config, model)
            entries = [_entry(state) for state in named if not state.error]
            kept = {state.name for state in named if state.error}
            wanted = rules.config_text(entries, kept, current, self._server_path)
            if wanted != current:
                await asyncio.to_thread(self._store.write_config, wanted, model)

    # --- what every gateway looks at ---

    async def look_at_versions(self) -> None:
        """Ask the replicas for the versions that load, or are to answer beside stable."""
        for state in self._known.all():
            beside = (set(state.rollout.loaded) & set(state.versions)) - {state.rollout.stable}
            state.answering = {number: known for number, known in state.answering.items() if number in beside}
            if state.loading is not None or beside:
                statuses = await self._statuses(state.name)
                if state.loading is not None:
                    await self._look_at(state, state.loading, statuses)
                if statuses:  # nobody to ask: what answered a moment ago still counts
                    await self._look_beside(state, beside, statuses)

    async def _look_beside(self, state: ModelState, beside: set[int], statuses: Statuses) -> None:
        """Keep `answering` to what every replica says is AVAILABLE."""
        for number in beside:
            if not rules.judge(number, statuses).is_available:
                state.answering.pop(number, None)
            elif number not in state.answering and number != state.rollout.stable:
                try:
                    card = await self._known.card(state.name, number)
                except CardError as error:
                    state.failed.setdefault(number, str(error))
                else:
                    state.answering[number] = ServedVersion(state.name, number, card)

    async def _look_at(self, state: ModelState, loading: Loading, statuses: Statuses) -> None:
        verdict = rules.judge(loading.version, statuses)
        if not statuses:  # nobody to ask: an outage is not the version's fault
            loading.deadline = self._known.start_loading(loading.version).deadline
        elif verdict.is_available:
            await self._finish(state, loading.version)
        elif verdict.error:
            await self._give_up(state, loading.version, verdict.error)
        elif asyncio.get_running_loop().time() > loading.deadline:
            reason = f"not AVAILABLE on every replica within {self._load_timeout:g} s"
            await self._give_up(state, loading.version, reason)

    async def _finish(self, state: ModelState, version: int) -> None:
        if state.rollout.stable != version and await self._writing.follows():
            await self._move_stable(state, version)
            await self._write_config()
        state.loading = None

    async def _give_up(self, state: ModelState, version: int, reason: str) -> None:
        if state.rollout.promoting == version and await self._writing.follows():
            await self._known.update(
                state.name, lambda state: rules.without_promotion(state.rollout, version)
            )
        state.failed[version] = reason
        state.loading = None
        self._metrics.versions_failed.labels(state.name).inc()
        log.error("version given up", extra={"model": state.name, "version": version, "reason": reason})


def _entry(state: ModelState) -> rules.ConfigEntry:
    loading = state.loading.version if state.loading else None
    named = rules.named_versions(state.rollout, state.versions, loading)
    return rules.ConfigEntry(state.name, named, state.rollout)
