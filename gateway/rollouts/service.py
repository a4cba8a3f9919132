"""Which version of each model answers, and how a published version comes to answer.

The truth is `rollout.json` in the model's directory; `models.config`, which the model servers poll, is
derived from it. A new version is first named beside the old (the label `stable` still on the old), and
stable moves once every replica says AVAILABLE: so no request ever names what is not loaded. A version
that does not load leaves stable alone. Each tick reads the store and takes at most one step per model;
nothing here waits. What is decided is in the pure functions of gateway.rollouts.rules, which of several
gateways writes in gateway.rollouts.writing; the others read what it wrote.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from contract.records import Rollout, now
from gateway.errors import (
    CardError,
    NoVersionError,
    RolloutFileError,
    UnknownModelError,
    UnknownVersionError,
)
from gateway.metrics import Metrics
from gateway.ports.serving import ServedVersion
from gateway.ports.store import ModelStore, StoredModel
from gateway.rollouts import rules
from gateway.rollouts.routing import NOBODY_IN_PARTICULAR, Address, Route, as_asked, route
from gateway.rollouts.state import Loading, ModelState, Statuses
from gateway.rollouts.writing import Alone, Writing

log = logging.getLogger(__name__)


class RolloutService:
    """Follows the model store, and tells predictions which version answers."""

    def __init__(
        self,
        store: ModelStore,
        statuses: Callable[[str], Awaitable[Statuses]],
        metrics: Metrics,
        *,
        server_path: str,
        load_timeout_seconds: float,
        writing: Writing = Alone(),  # noqa: B008 (has no state)
    ) -> None:
        self._writing = writing
        self._store = store
        self._statuses = statuses
        self._metrics = metrics
        self._server_path = server_path
        self._load_timeout = load_timeout_seconds
        self._models: dict[str, ModelState] = {}
        self._tick = asyncio.Lock()

    # --- asked by predictions and the API ---

    def models(self) -> list[ModelState]:
        """Every model of the store, by name."""
        return [self._models[name] for name in sorted(self._models)]

    def model(self, name: str) -> ModelState:
        """One model. Raises UnknownModelError."""
        state = self._models.get(name)
        if state is None:
            known = ", ".join(sorted(self._models)) or "none"
            raise UnknownModelError(f"there is no model {name[:80]!r}; the models are: {known}")
        return state

    def rollout_of(self, name: str) -> Rollout | None:
        """The rollout of a model, None for one that is not there: on the hot path nothing is raised."""
        state = self._models.get(name)
        return None if state is None else state.rollout

    def served(self, name: str) -> ServedVersion:
        """The stable version of a model, which answers whoever names none.

        Raises UnknownModelError, RolloutFileError, NoVersionError, CardError.
        """
        state = self.model(name)
        if state.served is not None:
            return state.served
        if state.error:
            raise RolloutFileError(state.error)
        if state.card_error:
            raise CardError(state.card_error)
        raise NoVersionError(f"no version of the model {name!r} answers yet; try again in a moment")

    def route(self, name: str, address: Address = NOBODY_IN_PARTICULAR) -> Route:
        """Who answers a request.

        Raises what `served` does, InvalidParameterError or UnknownVersionError for a bad address, and
        NoEmbeddingError.
        """
        state = self.model(name)
        found = route(state, address, state.served) or Route(self.served(name), "stable")
        as_asked(found.served, address)
        return found

    def shadow_of(self, name: str) -> ServedVersion | None:
        """The version that answers copies, once it is AVAILABLE on every replica."""
        state = self.model(name)
        shadow = state.rollout.shadow
        return None if shadow is None else state.answering.get(shadow)

    def withdraw(self, served: ServedVersion) -> None:
        """A replica does not hold this version after all: nothing is sent to it until all do again."""
        self.model(served.model).answering.pop(served.version, None)

    async def change(self, name: str, decide: Callable[[ModelState], Rollout]) -> ModelState:
        """Replace a model's rollout by what `decide` makes of its present state, and name what it needs.

        Another gateway may have to bring about what the rollout asks for: it reads it at its next step.
        Raises UnknownModelError, RolloutFileError, StoreError, DatabaseError, or what `decide` raises.
        """
        self.model(name)
        async with self._tick:
            state = await self._update(name, decide)
            if await self._writing.follows():
                await self._advance(state)
                await self._write_config()
            return state

    async def _update(self, name: str, decide: Callable[[ModelState], Rollout]) -> ModelState:
        """Read, decide and write with nobody in between."""
        async with self._writing.change(name):
            await self._read()
            state = self.model(name)
            if state.error:
                raise RolloutFileError(state.error)
            rollout = decide(state)
            if rollout != state.rollout:
                rollout = rollout.model_copy(update={"updated_at": now()})
                await asyncio.to_thread(self._store.write_rollout, rollout)
                state.rollout = rollout
                await self._load_served(state)
            return state

    async def statuses(self, name: str) -> Statuses:
        """What each replica says about the versions of a model."""
        return await self._statuses(name)

    def check_version(self, name: str, version: int) -> None:
        """Raises UnknownModelError, UnknownVersionError."""
        versions = self.model(name).versions
        if version not in versions:
            known = ", ".join(map(str, versions))
            raise UnknownVersionError(f"the model {name!r} has no version {version}; it has: {known}")

    async def card_of(self, name: str, version: int) -> ServedVersion:
        """A version with its card. Raises UnknownModelError, UnknownVersionError, CardError."""
        self.check_version(name, version)
        return ServedVersion(name, version, await asyncio.to_thread(self._store.card, name, version))

    # --- following the store ---

    async def step(self, *, with_servers: bool = True) -> None:
        """Read the store; where this gateway follows it, take one step per model and write what changed.

        Args:
            with_servers: False before the model servers run: only names the versions, waits for none.

        Raises StoreError when a file cannot be written, DatabaseError.
        """
        async with self._tick:
            await self._read()
            if await self._writing.follows():
                for state in list(self._models.values()):
                    await self._advance(state)
                await self._write_config()
            if with_servers:
                await self._look_at_versions()

    async def begin(self) -> None:
        """Read the store; give each model that never had a rollout its newest version, and the model servers
        a configuration where there is none.

        Without asking who may write: two gateways that begin at once write the same, and a database that is
        away keeps nobody from starting. Raises StoreError.
        """
        async with self._tick:
            await self._read()
            for state in self.models():
                if state.rollout.stable is None and not state.error:
                    state.rollout = rules.moved(state.rollout, state.versions[-1], state.versions)
                    await asyncio.to_thread(self._store.write_rollout, state.rollout)
                    await self._load_served(state)
                    state.loading = self._start_loading(state.versions[-1])
            if not await asyncio.to_thread(self._store.read_config):
                await self._write_config()

    async def refresh(self) -> None:
        """Read the rollouts again now, because a replica did not know the version that was asked for."""
        async with self._tick:
            await self._read()

    async def _read(self) -> None:
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
                state.loading = self._start_loading(stored.rollout.stable)  # is it as good as it was?
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
                card = await asyncio.to_thread(self._store.card, state.name, stable)
            except CardError as error:
                if str(error) != state.card_error:
                    log.error("card cannot be read", extra={"model": state.name, "reason": str(error)})
                state.card_error, state.served = str(error), None
            else:
                state.card_error, state.served = "", ServedVersion(state.name, stable, card)
                self._metrics.stable_version.labels(state.name).set(stable)

    async def _advance(self, state: ModelState) -> None:
        """Begin to load the next version, if there is one."""
        if state.error or (state.loading and state.loading.version in state.versions):
            return
        state.loading = None
        version = self._next_version(state)
        if version is None:
            return
        if rules.has_stable(state.rollout, state.versions, set(state.failed)):
            try:
                card = await asyncio.to_thread(self._store.card, state.name, version)
            except CardError as error:
                await self._give_up(state, version, str(error))
                return
            if version != state.rollout.promoting and (reason := rules.reason_to_wait(card)):
                state.waiting[version] = reason
                log.info(
                    "version waits for a person",
                    extra={"model": state.name, "version": version, "reason": reason},
                )
                return
        else:
            await self._move_stable(state, version)  # nothing answers that could be disturbed
        state.loading = self._start_loading(version)
        log.info("version is loading", extra={"model": state.name, "version": version})

    @staticmethod
    def _next_version(state: ModelState) -> int | None:
        refused = {*state.failed, *(set(state.waiting) - {state.rollout.promoting})}
        return rules.next_version(state.rollout, state.versions, refused)

    def _start_loading(self, version: int) -> Loading:
        return Loading(version, asyncio.get_running_loop().time() + self._load_timeout)

    async def _look_at_versions(self) -> None:
        for state in list(self._models.values()):
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
                    card = await asyncio.to_thread(self._store.card, state.name, number)
                except CardError as error:
                    state.failed.setdefault(number, str(error))
                else:
                    state.answering[number] = ServedVersion(state.name, number, card)

    async def _look_at(self, state: ModelState, loading: Loading, statuses: Statuses) -> None:
        verdict = rules.judge(loading.version, statuses)
        if not statuses:  # nobody to ask: an outage is not the version's fault
            loading.deadline = self._start_loading(loading.version).deadline
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

    async def _move_stable(self, state: ModelState, version: int) -> None:
        """Unless someone has decided otherwise meanwhile."""

        def decide(state: ModelState) -> Rollout:
            is_next = self._next_version(state) == version
            return rules.moved(state.rollout, version, state.versions) if is_next else state.rollout

        await self._update(state.name, decide)
        if state.rollout.stable == version:
            log.info("stable moved", extra={"model": state.name, "version": version})

    async def _give_up(self, state: ModelState, version: int, reason: str) -> None:
        if state.rollout.promoting == version and await self._writing.follows():
            await self._update(state.name, lambda state: rules.without_promotion(state.rollout, version))
        state.failed[version] = reason
        state.loading = None
        self._metrics.versions_failed.labels(state.name).inc()
        log.error("version given up", extra={"model": state.name, "version": version, "reason": reason})

    async def _write_config(self) -> None:
        """Bring models.config and each model's own in line, also when somebody else has changed them."""
        states = self.models()
        for model, named in [(None, states), *((state.name, [state]) for state in states)]:
            current = await asyncio.to_thread(self._store.read_config, model)
            entries = [_entry(state) for state in named if not state.error]
            kept = {state.name for state in named if state.error}
            wanted = rules.config_text(entries, kept, current, self._server_path)
            if wanted != current:
                await asyncio.to_thread(self._store.write_config, wanted, model)


def _entry(state: ModelState) -> rules.ConfigEntry:
    loading = state.loading.version if state.loading else None
    named = rules.named_versions(state.rollout, state.versions, loading)
    return rules.ConfigEntry(state.name, named, state.rollout)
