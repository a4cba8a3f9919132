"""Every request of the API: method, path, options, the kind of its answer, and whether it may be repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx
from pydantic import ValidationError

from rekindle import answers
from rekindle.answers import Answer
from rekindle.errors import ApiError, Problem

Picture = Path | bytes
"""A file, or its content."""

PIECE_BYTES = 1024 * 1024

A = TypeVar("A", covariant=True)


@dataclass(frozen=True)
class Call(Generic[A]):
    """One request."""

    kind: type[A]
    method: str
    path: str
    options: Mapping[str, Any] = field(default_factory=dict)
    is_repeatable: bool = True
    archive: Path | None = None
    """A file that is sent as the body, read while it is sent."""

    def pieces(self) -> Iterator[bytes]:
        """The archive's content."""
        assert self.archive is not None  # noqa: S101
        with self.archive.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece

    async def pieces_asynchronously(self) -> AsyncIterator[bytes]:
        """The same for asyncio; reading a piece of a local file takes a fraction of sending it."""
        for piece in self.pieces():
            yield piece

    def read(self, response: httpx.Response) -> A:
        """The answer. Raises ApiError."""
        if not response.is_success:
            problem = Problem.from_json(_json(response), response.status_code)
            raise ApiError(problem, _seconds(response.headers.get("Retry-After")))
        if self.kind is bytes:
            return response.content  # type: ignore[return-value]
        assert issubclass(self.kind, Answer)  # noqa: S101
        try:
            return self.kind.model_validate_json(response.content or b"{}")
        except ValidationError as error:
            detail = f"{self.method} {response.url} answered {response.content[:200]!r}"
            title = "Not an answer of the gateway's API"
            raise ApiError(Problem(response.status_code, "not_understood", title, detail)) from error


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None


def _parameters(**given: Any) -> dict[str, Any]:
    """Those that are not None; times in ISO 8601, truths in lower case."""
    return {name: _text(value) for name, value in given.items() if value is not None}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else value


def _path(*parts: object) -> str:
    return "/v1/" + "/".join(quote(str(part), safe="") for part in parts)


# --- predictions --------------------------------------------------------------------------------


def predict(
    model: str,
    pictures: Sequence[Picture],
    top_k: int | None = None,
    version: int | None = None,
    label: str | None = None,
    store: bool | None = None,
    embedding: bool | None = None,
) -> Call[answers.Predictions]:
    """Classify pictures; computing it twice harms nobody, so it may be repeated."""
    files = [("images", _part(number, picture)) for number, picture in enumerate(pictures)]
    params = _parameters(top_k=top_k, version=version, label=label, store=store, embedding=embedding)
    options = {"files": files, "params": params}
    return Call(answers.Predictions, "POST", _path("models", model, "predictions"), options)


def _part(number: int, picture: Picture) -> tuple[str, bytes, str]:
    if isinstance(picture, Path):
        return picture.name, picture.read_bytes(), "application/octet-stream"
    return f"picture-{number}", picture, "application/octet-stream"


def history(cursor: str | None = None, limit: int | None = None, **wanted: Any) -> Call[answers.HistoryPage]:
    """One page; `wanted`: model, version, label, caller, min_score, max_score, since, until, feedback."""
    params = _parameters(cursor=cursor, limit=limit, **wanted)
    return Call(answers.HistoryPage, "GET", "/v1/predictions", {"params": params})


def history_csv(**wanted: Any) -> Call[bytes]:
    """All that match, as CSV."""
    return Call(bytes, "GET", "/v1/predictions.csv", {"params": _parameters(**wanted)})


def remembered(prediction: str) -> Call[answers.Remembered]:
    """One prediction."""
    return Call(answers.Remembered, "GET", _path("predictions", prediction))


def picture(prediction: str) -> Call[bytes]:
    """Its kept picture."""
    return Call(bytes, "GET", _path("predictions", prediction, "image"))


def give_feedback(prediction: str, label: str) -> Call[answers.Remembered]:
    """What it truly shows."""
    body = {"json": {"label": label}}
    return Call(answers.Remembered, "PUT", _path("predictions", prediction, "feedback"), body)


def take_back_feedback(prediction: str) -> Call[answers.Remembered]:
    """As if none had been given."""
    return Call(answers.Remembered, "DELETE", _path("predictions", prediction, "feedback"))


def labelling_queue(model: str, by: str | None = None, limit: int | None = None) -> Call[answers.Queue]:
    """What to label next."""
    params = _parameters(model=model, by=by, limit=limit)
    return Call(answers.Queue, "GET", "/v1/labelling-queue", {"params": params})


def skip(prediction: str) -> Call[Answer]:
    """Put aside in the queue."""
    return Call(Answer, "POST", _path("labelling-queue", prediction, "skip"))


def unskip(prediction: str) -> Call[Answer]:
    """Back into the queue."""
    return Call(Answer, "DELETE", _path("labelling-queue", prediction, "skip"))


# --- models -------------------------------------------------------------------------------------


def models() -> Call[answers.Models]:
    """Every model."""
    return Call(answers.Models, "GET", "/v1/models")


def versions(model: str) -> Call[answers.Versions]:
    """Every version, newest first."""
    return Call(answers.Versions, "GET", _path("models", model, "versions"))


def version(model: str, number: int) -> Call[answers.Version]:
    """One version with its card."""
    return Call(answers.Version, "GET", _path("models", model, "versions", number))


def plot(model: str, number: int, name: str) -> Call[bytes]:
    """A plot of a version, PNG."""
    return Call(bytes, "GET", _path("models", model, "versions", number, "plots", name))


def rollout(model: str) -> Call[answers.RolloutState]:
    """Which version answers."""
    return Call(answers.RolloutState, "GET", _path("models", model, "rollout"))


def shadow(model: str, since: str | None) -> Call[answers.ShadowComparison]:
    """The shadow beside stable; a 404 while there is none."""
    parameters = {"params": _parameters(since=since)}
    return Call(answers.ShadowComparison, "GET", _path("models", model, "shadow"), parameters)


def canary(model: str, limit: int | None) -> Call[answers.CanaryTrials]:
    """How the canary stands against stable, and how earlier ones ended."""
    parameters = {"params": _parameters(limit=limit)}
    return Call(answers.CanaryTrials, "GET", _path("models", model, "canary"), parameters)


def drift(model: str | None, limit: int | None) -> Call[answers.Drift]:
    """Whether live pictures and answers are like the version's reference."""
    return Call(answers.Drift, "GET", "/v1/drift", {"params": _parameters(model=model, limit=limit)})


def evaluate(
    model: str, version: int, archive: bytes | Path, against: int | None
) -> Call[answers.VersionEvaluation]:
    """On a zip of class folders; nothing of it is kept, so it may be repeated."""
    path = _path("models", model, "versions", version, "evaluation")
    parameters = _parameters(against=against)
    if isinstance(archive, Path):
        headers = {"Content-Type": _media_type(archive), "Content-Length": str(archive.stat().st_size)}
        options = {"headers": headers, "params": parameters}
        return Call(answers.VersionEvaluation, "POST", path, options, archive=archive)
    zipped = {"content": archive, "headers": {"Content-Type": "application/zip"}, "params": parameters}
    return Call(answers.VersionEvaluation, "POST", path, zipped)


def change_rollout(model: str, changes: Mapping[str, Any]) -> Call[answers.RolloutState]:
    """What the body names becomes so; doing it twice changes nothing."""
    return Call(answers.RolloutState, "PUT", _path("models", model, "rollout"), {"json": dict(changes)})


def roll_back(model: str, reason: str | None) -> Call[answers.RolloutState]:
    """Stable back on its predecessor; a second time would go forward again."""
    body = {"json": _parameters(reason=reason)}
    path = _path("models", model, "rollback")
    return Call(answers.RolloutState, "POST", path, body, is_repeatable=False)


# --- datasets -----------------------------------------------------------------------------------


def datasets() -> Call[answers.Datasets]:
    """Every dataset with its counts."""
    return Call(answers.Datasets, "GET", "/v1/datasets")


def upload_archive(dataset: str, archive: bytes | Path) -> Call[answers.Upload]:
    """A zip of class folders. What is there already is a duplicate, so it may be repeated."""
    path = _path("datasets", dataset, "examples")
    if isinstance(archive, Path):
        size = str(archive.stat().st_size)
        headers = {"Content-Type": _media_type(archive), "Content-Length": size}
        return Call(answers.Upload, "POST", path, {"headers": headers}, archive=archive)
    headers = {"Content-Type": "application/zip"}
    return Call(answers.Upload, "POST", path, {"content": archive, "headers": headers})


def _media_type(path: Path) -> str:
    names = {".zip": "application/zip", ".tar": "application/x-tar"}
    return names.get(path.suffix.lower(), "application/gzip")


def examples(dataset: str, cursor: str | None = None, **wanted: Any) -> Call[answers.ExamplePage]:
    """One page; `wanted`: split, label, limit."""
    params = _parameters(cursor=cursor, **wanted)
    return Call(answers.ExamplePage, "GET", _path("datasets", dataset, "examples"), {"params": params})


def relabel(dataset: str, example: str, label: str) -> Call[answers.Example]:
    """Move an example to another label."""
    body = {"json": {"label": label}}
    return Call(answers.Example, "PUT", _path("datasets", dataset, "examples", example), body)


def delete_example(dataset: str, example: str) -> Call[answers.Example]:
    """Delete an example."""
    return Call(answers.Example, "DELETE", _path("datasets", dataset, "examples", example))


def delete_dataset(dataset: str) -> Call[Answer]:
    """Delete all of it."""
    return Call(Answer, "DELETE", _path("datasets", dataset), {"params": {"confirm": dataset}})


def delete_picture(sha256: str) -> Call[Answer]:
    """Delete a picture from history and datasets."""
    return Call(Answer, "DELETE", _path("pictures", sha256))


def running_import(name: str) -> Call[answers.Import]:
    """How far a large upload is."""
    return Call(answers.Import, "GET", _path("imports", name))


def cancel_import(name: str) -> Call[answers.Import]:
    """End it; what was imported stays."""
    return Call(answers.Import, "DELETE", _path("imports", name), is_repeatable=False)


# --- training -----------------------------------------------------------------------------------


def start_run(model: str, **wanted: Any) -> Call[answers.Run]:
    """`wanted`: dataset, preset, epochs, seed, base, start. The key makes repeating it safe."""
    options = {"json": {"model": model, **_parameters(**wanted)}, "headers": {"Idempotency-Key": uuid4().hex}}
    return Call(answers.Run, "POST", "/v1/training-runs", options)


def runs(cursor: str | None = None, **wanted: Any) -> Call[answers.RunPage]:
    """One page; `wanted`: model, state, limit."""
    return Call(answers.RunPage, "GET", "/v1/training-runs", {"params": _parameters(cursor=cursor, **wanted)})


def run(name: str) -> Call[answers.Run]:
    """One run with its progress."""
    return Call(answers.Run, "GET", _path("training-runs", name))


def run_log(name: str) -> Call[bytes]:
    """What it has printed so far."""
    return Call(bytes, "GET", _path("training-runs", name, "logs"), {"params": {"follow": "false"}})


def cancel_run(name: str) -> Call[answers.Run]:
    """Ask it to end."""
    return Call(answers.Run, "DELETE", _path("training-runs", name), is_repeatable=False)


def publish_refused(name: str, reason: str) -> Call[answers.Publication]:
    """A second time gives the same version."""
    path = _path("training-runs", name, "publication")
    return Call(answers.Publication, "POST", path, {"json": {"reason": reason}})


def triggers() -> Call[answers.Triggers]:
    """What would start a run by itself, and whether one may start now."""
    return Call(answers.Triggers, "GET", "/v1/triggers")


def schedules() -> Call[answers.Schedules]:
    """Every schedule."""
    return Call(answers.Schedules, "GET", "/v1/schedules")


# --- operation ----------------------------------------------------------------------------------


def stats(since: datetime | None, until: datetime | None, model: str | None) -> Call[answers.Stats]:
    """Availability, latency, versions."""
    params = _parameters(since=since, until=until, model=model)
    return Call(answers.Stats, "GET", "/v1/stats", {"params": params})


def audit(cursor: str | None = None, **wanted: Any) -> Call[answers.AuditPage]:
    """One page; `wanted`: target, limit."""
    return Call(answers.AuditPage, "GET", "/v1/audit", {"params": _parameters(cursor=cursor, **wanted)})
