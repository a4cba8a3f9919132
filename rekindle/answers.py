"""The gateway's answers as values. Fields that a newer gateway adds are ignored."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from rekindle.errors import Problem


class Answer(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Classification(Answer):
    """A label and its score, 0–1."""

    label: str
    score: float


class Prediction(Answer):
    """What became of one picture: classifications, best first, or the problem why there are none."""

    id: str = ""
    filename: str | None = None
    classifications: list[Classification] = []
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


class Model(Answer):
    """One model of the store."""

    name: str
    stable: int | None = None
    versions: list[int] = []
    labels: list[str] | None = None
    error: str | None = None


class Models(Answer):
    """Every model of the store."""

    models: list[Model]


class Version(Answer):
    """One version of a model, with its state on the model servers."""

    model: str
    version: int
    state: str
    role: str | None = None
    error: str | None = None
    card: dict[str, Any] | None = None
    """The model card; only where one version was asked for."""


class Versions(Answer):
    """Every version of a model, newest first."""

    model: str
    versions: list[Version]
