"""Which version of each model answers.

The truth is `rollout.json` in the model's directory; `models.config`, which the model servers poll, is
derived from it. Each tick reads the store (gateway.rollouts.known) and takes at most one step per model
(gateway.rollouts.following); nothing here waits. Which of several gateways writes is in
gateway.rollouts.writing; the others read what it wrote.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from contract.rollout import Rollout
from gateway.errors import CardError, NoVersionError, RolloutFileError, UnknownVersionError
from gateway.metrics import Metrics
from gateway.ports.serving import ServedVersion
from gateway.ports.store import ModelStore
from gateway.rollouts.following import Following
from gateway.rollouts.known import KnownModels
from gateway.rollouts.routing import NOBODY_IN_PARTICULAR, Address, Route, as_asked, route
from gateway.rollouts.state import ModelState, Statuses
from gateway.rollouts.writing import Alone, Writing


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
        self.writing = writing
        """Whether this gateway is the one that follows the store."""
        self._statuses = statuses
        self._known = KnownModels(store, metrics, writing, load_timeout_seconds)
        self._following = Following(
            self._known,
            store,
            statuses,
            metrics,
            writing,
            server_path=server_path,
            load_timeout_seconds=load_timeout_seconds,
        )
        self._tick = asyncio.Lock()

    # --- asked by predictions and the API ---

    def models(self) -> list[ModelState]:
        """Every model of the store, by name."""
        return self._known.all()

    def model(self, name: str) -> ModelState:
        """One model. Raises UnknownModelError."""
        return self._known.model(name)

    def rollout_of(self, name: str) -> Rollout | None:
        """The rollout of a model, None for one that is not there: on the hot path nothing is raised."""
        state = self._known.find(name)
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
        return ServedVersion(name, version, await self._known.card(name, version))

    # --- one at a time: changes, and the steps that follow the store ---

    async def change(self, name: str, decide: Callable[[ModelState], Rollout]) -> ModelState:
        """Replace a model's rollout by what `decide` makes of its present state, and name what it needs.

        Another gateway may have to bring about what the rollout asks for: it reads it at its next step.
        Raises UnknownModelError, RolloutFileError, StoreError, DatabaseError, or what `decide` raises.
        """
        self.model(name)
        async with self._tick:
            state = await self._known.update(name, decide)
            await self._following.advance([state])
            return state

    async def step(self, *, with_servers: bool = True) -> None:
        """Read the store; where this gateway follows it, take one step per model and write what changed.

        Args:
            with_servers: False before the model servers run: only names the versions, waits for none.

        Raises StoreError when a file cannot be written, DatabaseError.
        """
        async with self._tick:
            await self._known.read()
            await self._following.advance(self._known.all())
            if with_servers:
                await self._following.look_at_versions()

    async def begin(self) -> None:
        """Read the store; give each model that never had a rollout its newest version, and the model servers
        a configuration where there is none.

        Without asking who may write: two gateways that begin at once write the same, and a database that is
        away keeps nobody from starting. Raises StoreError.
        """
        async with self._tick:
            await self._known.read()
            await self._following.begin()

    async def refresh(self) -> None:
        """Read the rollouts again now, because a replica did not know the version that was asked for."""
        async with self._tick:
            await self._known.read()
