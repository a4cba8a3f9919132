"""What one gateway process knows about one model: its rollout, its versions, and which of them answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contract.rollout import Rollout
from gateway.ports.serving import ServedVersion, VersionStatus

Statuses = Mapping[str, Mapping[int, VersionStatus]]
"""Replica address → version → what the replica says about it."""


@dataclass
class Loading:
    """A version on its way to be AVAILABLE everywhere."""

    version: int
    deadline: float


@dataclass
class ModelState:
    """What this process knows about one model."""

    name: str
    rollout: Rollout
    versions: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    """Versions that could not be brought to answer, and why; tried again after a restart."""
    waiting: dict[int, str] = field(default_factory=dict)
    """Versions that a person must promote, and why."""
    loading: Loading | None = None
    served: ServedVersion | None = None
    answering: dict[int, ServedVersion] = field(default_factory=dict)
    """Versions beside stable that are AVAILABLE on every replica."""
    error: str = ""
    """Why rollout.json cannot be read. The last one that could be read stays in force, if there is one."""
    card_error: str = ""
    """Why the stable version's card cannot be read."""
