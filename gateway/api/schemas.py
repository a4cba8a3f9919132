"""The shapes of the answers, for OpenAPI and for the routes that are not hot.

The prediction route writes its JSON without pydantic; a test validates real answers against these.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from contract.card import ModelCard
from contract.rollout import Rollout


class Schema(BaseModel):
    """Base of every answer: closed, so that the tests notice a field that OpenAPI does not tell of."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(BaseModel):
    """An error, RFC 9457. Members beyond these may follow, e.g. `errors` or `missing`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = Field(examples=["/errors/not_a_picture"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str
    code: str
    request_id: str


class ClassificationSchema(Schema):
    """A label and its score."""

    label: str
    score: float = Field(ge=0, le=1)


class PredictionSchema(Schema):
    """What became of one picture: classifications, best first, or the problem why there are none."""

    id: str
    filename: str | None
    classifications: list[ClassificationSchema]
    embedding: list[float] | None = Field(
        default=None,
        description="Only present when it was asked for: what the network's last layer sees, in float32.",
    )
    error: Problem | None = Field(default=None, description="Only present when the picture failed.")


class TimingSchema(Schema):
    """Milliseconds. `queue` and `predict` are those of the images' batches."""

    decode: float
    queue: float
    predict: float
    total: float


class PredictionsSchema(Schema):
    """The answer to one call, in the order of the pictures."""

    model: str
    version: int = Field(description="The version that answered.")
    predictions: list[PredictionSchema]
    timing_ms: TimingSchema


class ModelSchema(Schema):
    """One model."""

    name: str
    stable: int | None
    versions: list[int]
    labels: list[str] | None = Field(description="Of the stable version, in the order of its outputs.")
    error: str | None = Field(description="Why the model cannot answer, or cannot be followed.")


class ModelsSchema(Schema):
    """Every model of the store."""

    models: list[ModelSchema]


VersionState = Literal["available", "partly available", "loading", "failed", "not loaded", "unknown"]
Role = Literal["stable", "previous_stable", "canary", "shadow"]


class ReplicaVersionSchema(Schema):
    """What one replica says about one version."""

    replica: str
    state: str = Field(examples=["AVAILABLE"])
    error: str | None


class VersionSchema(Schema):
    """One version of a model."""

    model: str
    version: int
    state: VersionState = Field(description="`unknown` when no model server can be asked.")
    role: Role | None
    is_pinned: bool = Field(description="It stays loaded, and is never deleted.")
    error: str | None = Field(description="Why it could not be brought to answer.")
    replicas: list[ReplicaVersionSchema]
    created_at: datetime | None
    run_id: str | None
    parent_version: int | None = Field(description="The version that it was made from.")
    examples: dict[str, int] | None = Field(description="Of its dataset, by split.")
    dataset_digest: str | None
    accuracy: float | None = Field(description="On the test split, or the validation split without one.")
    expected_calibration_error: float | None


class VersionsSchema(Schema):
    """Every version of a model, newest first."""

    model: str
    versions: list[VersionSchema]


class VersionDetailSchema(VersionSchema):
    """One version with its model card."""

    plots: list[str] = Field(description="Names for …/plots/{name}.")
    card: ModelCard | None
    card_error: str | None = Field(description="Why there is no card.")


class RolloutSchema(Schema):
    """Which version answers, and which is on its way."""

    rollout: Rollout
    loading: int | None = Field(description="The version that must be AVAILABLE before stable moves.")
    answering: list[int] = Field(description="Versions beside stable that are AVAILABLE on every replica.")
    failed: dict[int, str] = Field(description="Versions that were given up, and why.")
    waiting: dict[int, str] = Field(description="Versions that wait for a person to promote them, and why.")
    error: str | None = Field(description="Why rollout.json cannot be read.")


class ReadySchema(Schema):
    """The gateway can answer predictions."""

    status: Literal["ready"] = "ready"
    replicas: dict[str, bool] = Field(description="Model server replica → takes batches.")
    models: dict[str, int] = Field(description="Model → the version that answers.")


class HealthSchema(Schema):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class WelcomeSchema(Schema):
    """Where to go from here."""

    name: str
    documentation: str
    links: dict[str, str]


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the problems that a route may answer with."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _DESCRIPTIONS[status], "content": content} for status in statuses}


def guarded_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for a route behind the guard, which may also answer 401, 403 and 429."""
    return problem_responses(*sorted({401, 403, 429, 500, *statuses}))


_DESCRIPTIONS = {
    400: "Not one picture could be decoded",
    401: "A valid token is needed",
    403: "The role does not suffice, or the request comes from another site",
    404: "There is nothing of that name",
    408: "The body did not arrive in time",
    409: "The request contradicts the present state",
    413: "More bytes, pixels or parts than the limits allow",
    415: "The Content-Type is not accepted",
    422: "The body or a parameter is not valid",
    429: "Too many requests; Retry-After says when to try again",
    500: "An unexpected error",
    502: "The model server refused the request",
    503: "Overloaded, or nothing can answer now; Retry-After says when to try again",
    504: "The answer did not come in time",
}
