"""The requests about models: their versions, rollouts, canaries and shadows, drift, and evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rekindle.answers.models import (
    CanaryTrials,
    Drift,
    Models,
    RolloutState,
    ShadowComparison,
    Version,
    VersionEvaluation,
    Versions,
)
from rekindle.client.calls.call import Call, given, media_type, url_path


def models() -> Call[Models]:
    """Every model."""
    return Call(Models, "GET", "/v1/models")


def versions(model: str) -> Call[Versions]:
    """Every version, newest first."""
    return Call(Versions, "GET", url_path("models", model, "versions"))


def version(model: str, number: int) -> Call[Version]:
    """One version with its card."""
    return Call(Version, "GET", url_path("models", model, "versions", number))


def plot(model: str, number: int, name: str) -> Call[bytes]:
    """A plot of a version, PNG."""
    return Call(bytes, "GET", url_path("models", model, "versions", number, "plots", name))


def rollout(model: str) -> Call[RolloutState]:
    """Which version answers."""
    return Call(RolloutState, "GET", url_path("models", model, "rollout"))


def shadow(model: str, since: str | None) -> Call[ShadowComparison]:
    """The shadow beside stable; a 404 while there is none."""
    parameters = {"params": given(since=since)}
    return Call(ShadowComparison, "GET", url_path("models", model, "shadow"), parameters)


def canary(model: str, limit: int | None) -> Call[CanaryTrials]:
    """How the canary stands against stable, and how earlier ones ended."""
    parameters = {"params": given(limit=limit)}
    return Call(CanaryTrials, "GET", url_path("models", model, "canary"), parameters)


def drift(model: str | None, limit: int | None) -> Call[Drift]:
    """Whether live pictures and answers are like the version's reference."""
    return Call(Drift, "GET", "/v1/drift", {"params": given(model=model, limit=limit)})


def evaluate(model: str, version: int, archive: bytes | Path, against: int | None) -> Call[VersionEvaluation]:
    """On a zip of class folders; nothing of it is kept, so it may be repeated."""
    path = url_path("models", model, "versions", version, "evaluation")
    parameters = given(against=against)
    if isinstance(archive, Path):
        headers = {"Content-Type": media_type(archive), "Content-Length": str(archive.stat().st_size)}
        options = {"headers": headers, "params": parameters}
        return Call(VersionEvaluation, "POST", path, options, archive=archive)
    zipped = {"content": archive, "headers": {"Content-Type": "application/zip"}, "params": parameters}
    return Call(VersionEvaluation, "POST", path, zipped)


def change_rollout(model: str, changes: Mapping[str, Any]) -> Call[RolloutState]:
    """What the body names becomes so; doing it twice changes nothing."""
    return Call(RolloutState, "PUT", url_path("models", model, "rollout"), {"json": dict(changes)})


def roll_back(model: str, reason: str | None) -> Call[RolloutState]:
    """Stable back on its predecessor; a second time would go forward again."""
    body = {"json": given(reason=reason)}
    path = url_path("models", model, "rollback")
    return Call(RolloutState, "POST", path, body, is_repeatable=False)
