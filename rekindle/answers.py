"""The gateway's answers as values. Fields that a newer gateway adds are ignored."""

from __future__ import annotations

from datetime import datetime
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
    is_pinned: bool = False
    error: str | None = None
    created_at: datetime | None = None
    run_id: str | None = None
    parent_version: int | None = None
    accuracy: float | None = None
    card: dict[str, Any] | None = None
    """The model card; only where one version was asked for."""
    plots: list[str] = []


class Versions(Answer):
    """Every version of a model, newest first."""

    model: str
    versions: list[Version]


class Publication(Answer):
    """What became of a candidate that the gate refused."""

    model: str
    version: int
    refused_by: list[str] = []


class RolloutState(Answer):
    """Which version of a model answers, and which is on its way."""

    rollout: dict[str, Any]
    loading: int | None = None
    answering: list[int] = []
    failed: dict[int, str] = {}
    waiting: dict[int, str] = {}
    error: str | None = None


class ShadowComparison(Answer):
    """What the shadow answered beside stable."""

    model: str
    stable: int | None
    shadow: int
    share: float
    since: datetime
    comparisons: int
    failures: int
    agreement: dict[str, float | None]
    """share, low, high: of predictions with the same label, with its 95 % interval."""
    mean_difference: float | None = None
    stable_ms: float | None = None
    shadow_ms: float | None = None
    pairs: list[dict[str, Any]] = []
    disagreements: list[dict[str, Any]] = []
    feedback: dict[str, float] = {}


class CanaryTrial(Answer):
    """One canary against one stable version."""

    id: str
    stable: int
    canary: int
    began_at: datetime
    ended_at: datetime | None = None
    watched_seconds: float = 0.0
    outcome: str
    """running, promoted, rolled_back, or ended by somebody."""
    sentence: str = ""
    missing: list[str] = []
    signals: list[dict[str, Any]] = []
    """errors, latency, accuracy: counts, bounds and evidence; at 1 the canary is rolled back."""
    course: list[dict[str, float]] = []


class CanaryTrials(Answer):
    """Newest first; one that runs is the first."""

    model: str
    trials: list[CanaryTrial] = []


class ModelDrift(Answer):
    """One model's stable version."""

    model: str
    version: int | None = None
    state: str
    """normal, drifting, waiting or unknown."""
    reason: str | None = None
    score: float | None = None
    threshold: float = 1.0
    window: int = 0
    alarmed_since: datetime | None = None
    live: dict[str, Any] | None = None
    reference: dict[str, Any] | None = None
    history: list[dict[str, Any]] = []


class Drift(Answer):
    """Every model, by name."""

    models: list[ModelDrift] = []


class VersionEvaluation(Answer):
    """How good versions are on labelled pictures."""

    model: str
    versions: list[dict[str, Any]] = []
    difference: dict[str, float] | None = None
    refused: int = 0
    refusals: list[dict[str, str]] = []


class Triggers(Answer):
    """What starts training runs by itself, and whether one may start now, for each model."""

    models: list[dict[str, Any]] = []


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


class Dataset(Answer):
    """How many examples a dataset has."""

    name: str
    examples: int
    splits: dict[str, dict[str, int]] = {}


class Datasets(Answer):
    """Every dataset."""

    datasets: list[Dataset]


class Example(Answer):
    """One labelled picture."""

    id: str
    dataset: str
    split: str
    label: str
    source: str = ""


class ExamplePage(Answer):
    """Examples in the order of their ids."""

    examples: list[Example]
    next_cursor: str | None = None


class FileReport(Answer):
    """What became of one file of an upload."""

    name: str
    outcome: str
    label: str | None = None
    id: str | None = None
    reason: str | None = None


class Report(Answer):
    """What became of an upload."""

    added: int = 0
    duplicates: int = 0
    conflicts: int = 0
    refused: int = 0
    stopped: str | None = None
    files: list[FileReport] = []


class ImportProgress(Answer):
    """How far an import is."""

    files_done: int = 0
    files_total: int | None = None


class Import(Answer):
    """A large upload, which is imported in the background."""

    id: str
    dataset: str
    state: str
    progress: ImportProgress = ImportProgress()
    report: Report = Report()

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen."""
        return self.state in ("succeeded", "failed", "cancelled")


class Upload(Report):
    """The answer to an upload: the report, or the import that will have one."""

    id: str | None = None
    """Of the import; None when the report is complete."""


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


class Schedules(Answer):
    """Every schedule."""

    schedules: list[dict[str, Any]]


class Stats(Answer):
    """How the gateways fare."""

    uptime_seconds: float
    requests: dict[str, Any]
    windows: dict[str, dict[str, Any]]
    series: dict[str, Any] = {}
    models: list[dict[str, Any]] = []


class AuditPage(Answer):
    """Who did what, newest first."""

    entries: list[dict[str, Any]]
    next_cursor: str | None = None
