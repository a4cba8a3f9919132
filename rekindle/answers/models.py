"""Models and their versions: which answers, how good they are, and how they stand beside one another."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rekindle.answers.base import Answer


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
