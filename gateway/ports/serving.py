"""The model servers: the client side of one replica, and the values that cross that seam.

No transport here: a Predictor raises gateway.errors only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from contract.card import ModelCard
from contract.tfserving_api import ModelVersionState


@dataclass(frozen=True, eq=False)
class ServedVersion:
    """A version that answers, with what must be known to ask it. Compared by identity: one object a
    version, and every batch belongs to one."""

    model: str
    version: int
    card: ModelCard
    gives_embedding: bool = False
    """Whether its batches ask for embeddings beside the scores."""

    @cached_property
    def with_embedding(self) -> ServedVersion:
        """The same version, asked for embeddings: one more object, so those batches are apart."""
        return ServedVersion(self.model, self.version, self.card, gives_embedding=True)


@dataclass(frozen=True, slots=True)
class Scores:
    """The answer to one batch: `rows[i][c]` is the score, 0–1, of class c for image i."""

    version: int
    """The version that answered, as the model server states it."""
    rows: Sequence[Sequence[float]]
    embeddings: Sequence[Sequence[float]] = ()
    """One for each image, where they were asked for."""


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
