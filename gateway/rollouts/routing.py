"""Which version answers one request: named by the caller, or stable, or the canary by its share.

A caller with a key always gets the same side of a share, and stays on the canary's side when the share
grows; without a key each request is drawn by itself.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Literal

from gateway.errors import InvalidParameterError, NoEmbeddingError, NoVersionError, UnknownVersionError
from gateway.ports.serving import ServedVersion
from gateway.rollouts.state import ModelState

AnswerRole = Literal["stable", "canary", "named"]
LABELS = ("stable", "previous_stable", "canary", "shadow")
_DRAWS = 2**64


@dataclass(frozen=True, slots=True)
class Address:
    """What a request says about who shall answer it."""

    label: str | None = None
    version: int | None = None
    key: str | None = None
    """Whoever sends the same key gets the same side of the canary's share."""
    wants_embedding: bool = False
    """A canary that gives none has no part in these requests."""


NOBODY_IN_PARTICULAR = Address()


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers, and why it."""

    served: ServedVersion
    role: AnswerRole


def route(state: ModelState, address: Address, stable: ServedVersion | None) -> Route | None:
    """The version for a request; None stands for stable when that cannot answer now.

    Raises InvalidParameterError, UnknownVersionError, NoVersionError for a name that cannot be had.
    """
    if address.version is not None or address.label is not None:
        return Route(_named(state, address, stable), "named")
    canary = state.answering.get(state.rollout.canary or 0)
    if canary is not None and address.wants_embedding and canary.card.embedding is None:
        canary = None
    if canary is not None and _draw(state.name, canary.version, address.key) < state.rollout.canary_share:
        return Route(canary, "canary")
    return Route(stable, "stable") if stable is not None else None


def as_asked(served: ServedVersion, address: Address) -> ServedVersion:
    """The version as its batches know it: with embeddings where the address wants them.

    Raises NoEmbeddingError.
    """
    if not address.wants_embedding:
        return served
    if served.card.embedding is None:
        raise NoEmbeddingError(
            f"version {served.version} of the model {served.model!r} gives no embedding; ask without "
            "`embedding`, or name a version whose card has one (`python -m trainer complete` adds it to a "
            "version that has its model.keras)"
        )
    return served.with_embedding


def _named(state: ModelState, address: Address, stable: ServedVersion | None) -> ServedVersion:
    if address.version is not None and address.label is not None:
        raise InvalidParameterError("name a version or a label, not both")
    version = address.version if address.version is not None else _labelled(state, address.label or "")
    if version not in state.versions:
        known = ", ".join(map(str, state.versions))
        raise UnknownVersionError(f"the model {state.name!r} has no version {version}; it has: {known}")
    is_stable = stable is not None and stable.version == version
    served = stable if is_stable else state.answering.get(version)
    if served is None:
        raise NoVersionError(
            f"version {version} of the model {state.name!r} is not AVAILABLE on every replica; "
            "stable, its predecessor, canary, shadow and pinned versions are loaded"
        )
    return served


def _labelled(state: ModelState, label: str) -> int:
    if label not in LABELS:
        raise InvalidParameterError(f"label is {label[:80]!r}; expected one of: {', '.join(LABELS)}")
    version: int | None = getattr(state.rollout, label)
    if version is None:
        raise UnknownVersionError(f"no version of the model {state.name!r} is {label} now")
    return version


def _draw(model: str, version: int, key: str | None) -> float:
    """Uniform in [0, 1): a function of the key, or chance."""
    if key is None:
        return random.random()  # noqa: S311
    digest = hashlib.blake2b(f"{model}/{version}/{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / _DRAWS
