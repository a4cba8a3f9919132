"""Which version of a model answers, as it is written in the model store."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from contract.values import Name, Record, Share, VersionNumber, now


class Rollout(Record):
    """models/<model>/rollout.json: which version answers. One writer: the gateway's rollout service."""

    schema_version: Literal[1] = 1
    model: Name
    policy: Literal["follow-latest", "gated"] = "follow-latest"
    stable: VersionNumber | None = None
    previous_stable: VersionNumber | None = None
    promoting: VersionNumber | None = None
    """Becomes stable as soon as it is AVAILABLE on every replica."""
    canary: VersionNumber | None = None
    canary_share: Share = 0.0
    """Of the requests that name no version."""
    shadow: VersionNumber | None = None
    """Answers copies of requests; its answers are compared with stable's and never returned."""
    shadow_share: Share = 1.0
    pinned: list[VersionNumber] = Field(default_factory=list, max_length=16)
    """Stay loaded, and are never deleted."""
    updated_at: AwareDatetime = Field(default_factory=now)

    @property
    def loaded(self) -> list[int]:
        """The versions that every model server must hold, ascending."""
        named = [self.stable, self.previous_stable, self.promoting, self.canary, self.shadow, *self.pinned]
        return sorted({version for version in named if version is not None})
