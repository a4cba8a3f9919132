"""What the services need from the outside world, as Protocols; gateway.adapters fulfils them.

Also the values that cross these seams. No transport here: a Predictor raises gateway.errors only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from contract.records import ModelCard, Rollout
from contract.tfserving_api import ModelVersionState


@dataclass(frozen=True, eq=False)
class ServedVersion:
    """A version that answers, with what must be known to ask it. Compared by identity: one object a
    version, and every batch belongs to one."""

    model: str
    version: int
    card: ModelCard


@dataclass(frozen=True, slots=True)
class Scores:
    """The answer to one batch: `rows[i][c]` is the score, 0–1, of class c for image i."""

    version: int
    """The version that answered, as the model server states it."""
    rows: Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """What one replica says about one version."""

    state: ModelVersionState
    error: str = ""
    """Empty, or why it could not be loaded."""


class Predictor(Protocol):
    """The client side of ONE model server replica."""

    @property
    def address(self) -> str:
        """`host:port`, unique among the replicas."""

    async def predict(self, served: ServedVersion, images: Sequence[bytes], timeout_seconds: float) -> Scores:
        """Score images: each uint8, [height, width, 3], RGB, row-major.

        Raises ReplicaError: ReplicaLostError, ReplicaSlowError, VersionNotServedError, ReplicaRejectedError.
        """

    async def versions(self, model: str, timeout_seconds: float) -> Mapping[int, VersionStatus]:
        """The versions that the replica knows; empty for a model that it does not know.

        Raises ReplicaError.
        """

    async def check(self, timeout_seconds: float) -> None:
        """Return when the replica answers. Raises ReplicaLostError or ReplicaSlowError."""

    async def aclose(self) -> None:
        """Close the connection; calls that run are cut off."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """What lies in the directory of one model."""

    name: str
    versions: Sequence[int]
    """Complete versions, ascending; never empty."""
    rollout: Rollout | None = None
    """None when there is no rollout.json, or it cannot be read."""
    error: str = field(default="")
    """Why rollout.json cannot be read."""


class ModelStore(Protocol):
    """The model store. Every method blocks on the file system: call them in a thread."""

    def scan(self) -> Sequence[StoredModel]:
        """Every model that has a complete version, sorted by name. Junk is ignored."""

    def card(self, model: str, version: int) -> ModelCard:
        """The card of a version. Raises CardError."""

    def write_rollout(self, rollout: Rollout) -> None:
        """Replace the model's rollout.json. Raises StoreError."""

    def read_config(self) -> str:
        """The text of models.config; empty when there is none."""

    def write_config(self, text: str) -> None:
        """Replace models.config. Raises StoreError."""
