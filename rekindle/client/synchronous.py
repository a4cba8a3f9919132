"""The gateway for programs that wait for each answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import stamina

from rekindle.answers.base import Answer
from rekindle.answers.datasets import Dataset, Example, Import, Upload
from rekindle.answers.models import (
    CanaryTrials,
    Drift,
    Model,
    RolloutState,
    ShadowComparison,
    Version,
    VersionEvaluation,
)
from rekindle.answers.operation import Stats
from rekindle.answers.predictions import Predictions, Queue, Remembered
from rekindle.answers.training import Publication, Run, Triggers
from rekindle.client.calls import datasets, models, operation, predictions, training
from rekindle.client.calls.call import Call, Picture
from rekindle.client.connection import DEFAULT_TIMEOUT_SECONDS, Connection, unreachable
from rekindle.client.retries import ATTEMPTS, TIMEOUT_SECONDS, passes

A = TypeVar("A")


class Client:
    """One connection pool. Use as a context, or call `close`.

    Every method raises GatewayUnreachableError when nothing answers, and ApiError for a problem.
    """

    def __init__(
        self,
        url: str | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        token: str | None = None,
        *,
        attempts: int = ATTEMPTS,
    ) -> None:
        """Without `url` and `token`, REKINDLE_URL (else this machine) and REKINDLE_TOKEN count."""
        self._http = httpx.Client(**Connection.of(url, timeout_seconds, token).options)
        self._attempts = attempts

    def predict(
        self,
        model: str,
        pictures: Sequence[Picture],
        top_k: int | None = None,
        *,
        version: int | None = None,
        label: str | None = None,
        store: bool | None = None,
        embedding: bool | None = None,
    ) -> Predictions:
        """Classify pictures in one call; a picture that fails carries its own `error`.

        `version` or `label` name who answers, `store=False` keeps it out of the history, `embedding=True`
        also asks for what the network's last layer sees (ApiError 409 from a version that gives none).
        Raises OSError for a file that cannot be read; ApiError also when every picture failed.
        """
        return self.send(predictions.predict(model, pictures, top_k, version, label, store, embedding))

    def remembered(self, prediction: str) -> Remembered:
        """One prediction of the history."""
        return self.send(predictions.remembered(prediction))

    def picture(self, prediction: str) -> bytes:
        """The kept picture of a prediction."""
        return self.send(predictions.picture(prediction))

    def history_csv(self, **wanted: Any) -> bytes:
        """The predictions that match (as for `history`) as CSV."""
        return self.send(predictions.history_csv(**wanted))

    def give_feedback(self, prediction: str, label: str) -> Remembered:
        """Say what a picture truly shows."""
        return self.send(predictions.give_feedback(prediction, label))

    def take_back_feedback(self, prediction: str) -> Remembered:
        """As if no feedback had been given."""
        return self.send(predictions.take_back_feedback(prediction))

    def labelling_queue(self, model: str, by: str | None = None, limit: int | None = None) -> Queue:
        """What to label next; `by`: entropy or margin."""
        return self.send(predictions.labelling_queue(model, by, limit))

    def skip(self, prediction: str) -> Answer:
        """Put a prediction of the queue aside."""
        return self.send(predictions.skip(prediction))

    def unskip(self, prediction: str) -> Answer:
        """Back into the queue."""
        return self.send(predictions.unskip(prediction))

    def models(self) -> list[Model]:
        """Every model."""
        return self.send(models.models()).models

    def versions(self, model: str) -> list[Version]:
        """Every version of a model, newest first."""
        return self.send(models.versions(model)).versions

    def version(self, model: str, version: int) -> Version:
        """One version with its card."""
        return self.send(models.version(model, version))

    def plot(self, model: str, version: int, name: str) -> bytes:
        """A plot of a version, as PNG."""
        return self.send(models.plot(model, version, name))

    def rollout(self, model: str) -> RolloutState:
        """Which version answers."""
        return self.send(models.rollout(model))

    def shadow(self, model: str, *, since: str | None = None) -> ShadowComparison:
        """What the shadow answered beside stable, since a time in ISO 8601 or for a week."""
        return self.send(models.shadow(model, since))

    def canary(self, model: str, *, limit: int | None = None) -> CanaryTrials:
        """How the canary stands against stable, and how earlier ones ended."""
        return self.send(models.canary(model, limit))

    def drift(self, *, model: str | None = None, limit: int | None = None) -> Drift:
        """Whether live pictures and answers are like those that the stable version was made with."""
        return self.send(models.drift(model, limit))

    def evaluate(
        self, model: str, version: int, archive: bytes | Path, *, against: int | None = None
    ) -> VersionEvaluation:
        """How good a version is on a zip of class folders, beside another one if `against` names it."""
        return self.send(models.evaluate(model, version, archive, against))

    def change_rollout(self, model: str, **changes: Any) -> RolloutState:
        """Change stable, canary, canary_share, shadow, shadow_share, pinned or policy; None ends either.

        None ends canary or shadow; `reason` goes into the audit log.
        """
        return self.send(models.change_rollout(model, changes))

    def roll_back(self, model: str, reason: str | None = None) -> RolloutState:
        """Stable back on its predecessor."""
        return self.send(models.roll_back(model, reason))

    def datasets(self) -> list[Dataset]:
        """Every dataset with its counts."""
        return self.send(datasets.datasets()).datasets

    def upload_archive(self, dataset: str, archive: bytes | Path) -> Upload:
        """Add the pictures of a zip (or, by its path, a tar) of class folders.

        A large one is imported in the background: `id` then names the import to ask about.
        """
        return self.send(datasets.upload_archive(dataset, archive))

    def relabel(self, dataset: str, example: str, label: str) -> Example:
        """Move an example to another label."""
        return self.send(datasets.relabel(dataset, example, label))

    def delete_example(self, dataset: str, example: str) -> Example:
        """Delete an example."""
        return self.send(datasets.delete_example(dataset, example))

    def delete_dataset(self, dataset: str) -> Answer:
        """Delete a dataset with all its pictures."""
        return self.send(datasets.delete_dataset(dataset))

    def delete_picture(self, sha256: str) -> Answer:
        """Delete a picture from the history and every dataset."""
        return self.send(datasets.delete_picture(sha256))

    def running_import(self, name: str) -> Import:
        """How far a large upload is."""
        return self.send(datasets.running_import(name))

    def cancel_import(self, name: str) -> Import:
        """End an import; what was imported stays."""
        return self.send(datasets.cancel_import(name))

    def start_run(self, model: str, **wanted: Any) -> Run:
        """Start a training run; `wanted`: dataset, preset, epochs, seed, base, start."""
        return self.send(training.start_run(model, **wanted))

    def run(self, name: str) -> Run:
        """One run with its progress."""
        return self.send(training.run(name))

    def run_log(self, name: str) -> bytes:
        """What a run has printed so far."""
        return self.send(training.run_log(name))

    def cancel_run(self, name: str) -> Run:
        """Ask a run to end."""
        return self.send(training.cancel_run(name))

    def publish_refused(self, name: str, reason: str) -> Publication:
        """Publish the candidate that the gate refused; it answers only when somebody promotes it."""
        return self.send(training.publish_refused(name, reason))

    def triggers(self) -> Triggers:
        """What would start a run by itself, and whether one may start now."""
        return self.send(training.triggers())

    def schedules(self) -> list[dict[str, Any]]:
        """Every schedule."""
        return self.send(training.schedules()).schedules

    def stats(
        self, since: datetime | None = None, until: datetime | None = None, model: str | None = None
    ) -> Stats:
        """Availability, latency and versions; by default of the last hour."""
        return self.send(operation.stats(since, until, model))

    def history(self, **wanted: Any) -> Iterator[Remembered]:
        """Remembered predictions, newest first, page by page as they are asked for.

        `wanted`: model, version, label, caller, min_score, max_score, since, until, feedback.
        """
        cursor: str | None = None
        while True:
            page = self.send(predictions.history(cursor=cursor, **wanted))
            yield from page.predictions
            cursor = page.next_cursor
            if cursor is None:
                return

    def examples(self, dataset: str, **wanted: Any) -> Iterator[Example]:
        """The examples of a dataset; `wanted`: split, label."""
        cursor: str | None = None
        while True:
            page = self.send(datasets.examples(dataset, cursor=cursor, **wanted))
            yield from page.examples
            cursor = page.next_cursor
            if cursor is None:
                return

    def runs(self, **wanted: Any) -> Iterator[Run]:
        """Training runs, newest first; `wanted`: model, state."""
        cursor: str | None = None
        while True:
            page = self.send(training.runs(cursor=cursor, **wanted))
            yield from page.runs
            cursor = page.next_cursor
            if cursor is None:
                return

    def audit(self, **wanted: Any) -> Iterator[dict[str, Any]]:
        """Who did what, newest first; `wanted`: target."""
        cursor: str | None = None
        while True:
            page = self.send(operation.audit(cursor=cursor, **wanted))
            yield from page.entries
            cursor = page.next_cursor
            if cursor is None:
                return

    def send(self, call: Call[A]) -> A:
        """Send a request, again where that is harmless and may help."""
        retrying = stamina.retry_context(on=passes(call), attempts=self._attempts, timeout=TIMEOUT_SECONDS)
        for attempt in retrying:
            with attempt:
                return self._once(call)
        raise AssertionError("unreachable")

    def _once(self, call: Call[A]) -> A:
        options = dict(call.options)
        if call.archive is not None:
            options["content"] = call.pieces()
        try:
            response = self._http.request(call.method, call.path, **options)
        except httpx.TransportError as error:
            raise unreachable(error, self._http.base_url) from error
        return call.read(response)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
