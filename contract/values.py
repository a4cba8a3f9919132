"""What every record is made of: the closed, frozen base, and the types of names and numbers.

The records themselves, which cross a process boundary as JSON, are in files by subject: image_spec, training,
evaluation, gate, reference, card and rollout. A misspelt key is an error where it was written.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
"""A model or dataset name: one path segment, one label value in Kubernetes and Prometheus."""

LabelName = Annotated[str, StringConstraints(pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,119}$")]
"""A class: one folder name, not hidden, without separators or control characters."""

RunId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A training run's id: one path segment and one Kubernetes object name."""

VersionNumber = Annotated[int, Field(ge=1, le=2**63 - 1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class Record(BaseModel):
    """Base of every record: immutable, closed, JSON in and out."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def to_json(self) -> bytes:
        """UTF-8 JSON with an indent, ending in a newline: these files are read by people too."""
        return self.model_dump_json(indent=2).encode() + b"\n"
