"""Training runs, what starts them by itself, and a candidate that was published after all."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import field_validator

from rekindle.answers.base import Answer
from rekindle.errors import Problem


class Run(Answer):
    """One training run."""

    id: str
    model: str
    state: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    version: int | None = None
    accuracy: float | None = None
    error: Problem | None = None
    spec: dict[str, Any] = {}
    progress: dict[str, Any] = {}
    gate: dict[str, Any] | None = None
    """Why the candidate was published or refused; only where one run was asked for."""

    @field_validator("error", mode="before")
    @classmethod
    def _problem(cls, document: Any) -> Problem | None:
        return None if document is None else Problem.from_json(document, status=500)

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen."""
        return self.state in ("succeeded", "rejected", "failed", "cancelled")


class RunPage(Answer):
    """Training runs, newest first."""

    runs: list[Run]
    next_cursor: str | None = None


class Publication(Answer):
    """What became of a candidate that the gate refused."""

    model: str
    version: int
    refused_by: list[str] = []


class Triggers(Answer):
    """What starts training runs by itself, and whether one may start now, for each model."""

    models: list[dict[str, Any]] = []


class Schedules(Answer):
    """Every schedule."""

    schedules: list[dict[str, Any]]
