"""What an operator may do to a rollout: promote, roll back, set canary, shadow and pins.

Each is one pure function from the present state to the next rollout; who waits until a version is
AVAILABLE before stable moves is gateway.rollouts.following, and who writes, gateway.rollouts.writing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from contract.rollout import Rollout
from gateway.errors import ConflictError, UnknownVersionError
from gateway.rollouts import rules
from gateway.rollouts.state import ModelState

UNCHANGED: Literal["unchanged"] = "unchanged"
"""Where None means "no version", a field that is not to be changed needs a word of its own."""

MOST_PINNED = 16

Version = int | None | Literal["unchanged"]


@dataclass(frozen=True, slots=True)
class RolloutChange:
    """What shall become different."""

    stable: Version = UNCHANGED
    canary: Version = UNCHANGED
    canary_share: float | None = None
    shadow: Version = UNCHANGED
    shadow_share: float | None = None
    pinned: tuple[int, ...] | None = None
    policy: Literal["follow-latest", "gated"] | None = None


def changed(change: RolloutChange) -> Callable[[ModelState], Rollout]:
    """The rollout after a change. Raises UnknownVersionError, ConflictError."""

    def decide(state: ModelState) -> Rollout:
        rollout = state.rollout
        named = (change.stable, change.canary, change.shadow, *(change.pinned or ()))
        for version in named:
            if isinstance(version, int):
                _require(state, version)
        update = _beside(rollout, change)
        if isinstance(change.stable, int):
            update |= _promotion(state, change.stable)
        if change.policy is not None:
            update["policy"] = change.policy
        after = rollout.model_copy(update=update)
        if isinstance(change.stable, int) and after.promoting == change.stable in state.answering:
            after = rules.moved(after, change.stable, state.versions)  # it is loaded: at once
        return _consistent(after)

    return decide


def rolled_back(state: ModelState) -> Rollout:
    """Stable back on its predecessor, which stayed loaded; and no more following by itself.

    Raises ConflictError without a predecessor.
    """
    previous = state.rollout.previous_stable
    if previous is None or previous not in state.versions:
        raise ConflictError(
            f"the model {state.name!r} has no version to go back to; name one: PUT …/rollout {{'stable': N}}"
        )
    update: dict[str, object] = {"policy": "gated", "promoting": None, "canary": None, "canary_share": 0.0}
    return rules.moved(state.rollout.model_copy(update=update), previous, state.versions)


def changed_pins(add: Sequence[int] = (), remove: Sequence[int] = ()) -> Callable[[ModelState], Rollout]:
    """Versions that stay loaded, more or fewer. Raises UnknownVersionError, ConflictError."""

    def decide(state: ModelState) -> Rollout:
        for version in add:
            _require(state, version)
        pinned = sorted((set(state.rollout.pinned) | set(add)) - set(remove))
        if len(pinned) > MOST_PINNED:
            raise ConflictError(f"{MOST_PINNED} versions are pinned already; unpin one first")
        return state.rollout.model_copy(update={"pinned": pinned})

    return decide


def without_canary(version: int) -> Callable[[ModelState], Rollout]:
    """No more canary, if it is still this version; nor may the model follow to a newer one that failed."""

    def decide(state: ModelState) -> Rollout:
        rollout = state.rollout
        if rollout.canary != version:
            return rollout
        update: dict[str, object] = {"canary": None, "canary_share": 0.0}
        if version > (rollout.stable or 0):
            update["policy"] = "gated"
        return rollout.model_copy(update=update)

    return decide


def promoted_by_itself(stable: int, canary: int) -> Callable[[ModelState], Rollout]:
    """The canary as stable, if both still are what they were when it was compared; the policy stays."""

    def decide(state: ModelState) -> Rollout:
        rollout = state.rollout
        if (rollout.stable, rollout.canary) != (stable, canary):
            return rollout
        if canary in state.answering:
            return rules.moved(rollout, canary, state.versions)
        return rollout.model_copy(update={"promoting": canary})

    return decide


def _beside(rollout: Rollout, change: RolloutChange) -> dict[str, object]:
    update: dict[str, object] = {}
    if change.canary != UNCHANGED:
        update["canary"] = change.canary
        if change.canary is None or change.canary != rollout.canary:
            update["canary_share"] = 0.0  # a new canary begins without traffic unless a share comes with it
    if change.canary_share is not None:
        update["canary_share"] = change.canary_share
    if change.shadow != UNCHANGED:
        update["shadow"] = change.shadow
    if change.shadow_share is not None:
        update["shadow_share"] = change.shadow_share
    if change.pinned is not None:
        update["pinned"] = sorted(set(change.pinned))
    return update


def _promotion(state: ModelState, version: int) -> dict[str, object]:
    """Name it; it becomes stable when it is AVAILABLE. Choosing by hand ends following by itself."""
    state.failed.pop(version, None)  # an operator may try again
    if version == state.rollout.stable:
        return {"promoting": None}
    return {"promoting": version, "policy": "gated"}


def _consistent(rollout: Rollout) -> Rollout:
    """Refuse what contradicts itself."""
    if rollout.canary is not None and rollout.canary == rollout.stable:
        raise ConflictError(f"version {rollout.canary} is stable already, so it cannot be the canary")
    if rollout.shadow is not None and rollout.shadow == rollout.stable:
        raise ConflictError(f"version {rollout.shadow} is stable already, so it cannot be the shadow")
    if rollout.canary is None and rollout.canary_share:
        raise ConflictError("there is no canary that could have a share; name one with `canary`")
    return rollout


def _require(state: ModelState, version: int) -> None:
    if version not in state.versions:
        known = ", ".join(map(str, state.versions))
        raise UnknownVersionError(f"the model {state.name!r} has no version {version}; it has: {known}")
