"""What became of pictures: of one call, in the history, and in the labelling queue."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import field_validator

from rekindle.answers.base import Answer
from rekindle.errors import Problem


class Classification(Answer):
    """A label and its score, 0–1."""

    label: str
    score: float


class Prediction(Answer):
    """What became of one picture: classifications, best first, or the problem why there are none."""

    id: str = ""
    filename: str | None = None
    classifications: list[Classification] = []
    embedding: list[float] | None = None
    """Where it was asked for."""
    error: Problem | None = None

    @field_validator("error", mode="before")
    @classmethod
    def _problem(cls, document: Any) -> Problem | None:
        return None if document is None else Problem.from_json(document, status=400)

    @property
    def best(self) -> Classification | None:
        """The classification with the highest score; None when the picture failed."""
        return self.classifications[0] if self.classifications else None


class Predictions(Answer):
    """The answer to one call, in the order of the pictures."""

    model: str
    version: int
    predictions: list[Prediction]
    timing_ms: dict[str, float] = {}


class Remembered(Answer):
    """One prediction of the history."""

    id: str
    at: datetime
    model: str
    version: int
    role: str = ""
    classifications: list[Classification] = []
    margin: float | None = None
    entropy: float | None = None
    filename: str | None = None
    caller: str = ""
    milliseconds: float | None = None
    picture: str | None = None
    feedback: str | None = None
    uncertainty: float | None = None
    """Only in the labelling queue."""


class HistoryPage(Answer):
    """Predictions, newest first."""

    predictions: list[Remembered]
    next_cursor: str | None = None


class Queue(Answer):
    """What to label next."""

    model: str
    predictions: list[Remembered]
    waiting: int
    corrections: int
