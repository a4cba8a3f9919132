"""The gateway for asyncio: the same methods as the other client's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
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


class AsyncClient:
    """One connection pool. Use as an asynchronous context, or call `aclose`.

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
        self._http = httpx.AsyncClient(**Connection.of(url, timeout_seconds, token).options)
        self._attempts = attempts

    async def predict(
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
        return await self.send(predictions.predict(model, pictures, top_k, version, label, store, embedding))

    async def remembered(self, prediction: str) -> Remembered:
        """One prediction of the history."""
        return await self.send(predictions.remembered(prediction))

    async def picture(self, prediction: str) -> bytes:
        """The kept picture of a prediction."""
        return await self.send(predictions.picture(prediction))

    async def history_csv(self, **wanted: Any) -> bytes:
        """The predictions that match (as for `history`) as CSV."""
        return await self.send(predictions.history_csv(**wanted))

    async def give_feedback(self, prediction: str, label: str) -> Remembered:
        """Say what a picture truly shows."""
        return await self.send(predictions.give_feedback(prediction, label))

    async def take_back_feedback(self, prediction: str) -> Remembered:
        """As if no feedback had been given."""
        return await self.send(predictions.take_back_feedback(prediction))

    async def labelling_queue(self, model: str, by: str | None = None, limit: int | None = None) -> Queue:
        """What to label next; `by`: entropy or margin."""
        return await self.send(predictions.labelling_queue(model, by, limit))

    async def skip(self, prediction: str) -> Answer:
        """Put a prediction of the queue aside."""
        return await self.send(predictions.skip(prediction))

    async def unskip(self, prediction: str) -> Answer:
        """Back into the queue."""
        return await self.send(predictions.unskip(prediction))

    async def models(self) -> list[Model]:
        """Every model."""
        return (await self.send(models.models())).models

    async def versions(self, model: str) -> list[Version]:
        """Every version of a model, newest first."""
        return (await self.send(models.versions(model))).versions

    async def version(self, model: str, version: int) -> Version:
        """One version with its card."""
        return await self.send(models.version(model, version))

    async def plot(self, model: str, version: int, name: str) -> bytes:
        """A plot of a version, as PNG."""
        return await self.send(models.plot(model, version, name))

    async def rollout(self, model: str) -> RolloutState:
        """Which version answers."""
        return await self.send(models.rollout(model))

    async def shadow(self, model: str, *, since: str | None = None) -> ShadowComparison:
        """What the shadow answered beside stable, since a time in ISO 8601 or for a week."""
        return await self.send(models.shadow(model, since))

    async def canary(self, model: str, *, limit: int | None = None) -> CanaryTrials:
        """How the canary stands against stable, and how earlier ones ended."""
        return await self.send(models.canary(model, limit))

    async def drift(self, *, model: str | None = None, limit: int | None = None) -> Drift:
        """Whether live pictures and answers are like those that the stable version was made with."""
        return await self.send(models.drift(model, limit))

    async def evaluate(
        self, model: str, version: int, archive: bytes | Path, *, against: int | None = None
    ) -> VersionEvaluation:
        """How good a version is on a zip of class folders, beside another one if `against` names it."""
        return await self.send(models.evaluate(model, version, archive, against))

    async def change_rollout(self, model: str, **changes: Any) -> RolloutState:
        """Change stable, canary, canary_share, shadow, shadow_share, pinned or policy; None ends either.

        None ends canary or shadow; `reason` goes into the audit log.
        """
        return await self.send(models.change_rollout(model, changes))

    async def roll_back(self, model: str, reason: str | None = None) -> RolloutState:
        """Stable back on its predecessor."""
        return await self.send(models.roll_back(model, reason))

    async def datasets(self) -> list[Dataset]:
        """Every dataset with its counts."""
        return (await self.send(datasets.datasets())).datasets

    async def upload_archive(self, dataset: str, archive: bytes | Path) -> Upload:
        """Add the pictures of a zip (or, by its path, a tar) of class folders.

        A large one is imported in the background: `id` then names the import to ask about.
        """
        return await self.send(datasets.upload_archive(dataset, archive))

    async def relabel(self, dataset: str, example: str, label: str) -> Example:
        """Move an example to another label."""
        return await self.send(datasets.relabel(dataset, example, label))

    async def delete_example(self, dataset: str, example: str) -> Example:
        """Delete an example."""
        return await self.send(datasets.delete_example(dataset, example))

    async def delete_dataset(self, dataset: str) -> Answer:
        """Delete a dataset with all its pictures."""
        return await self.send(datasets.delete_dataset(dataset))

    async def delete_picture(self, sha256: str) -> Answer:
        """Delete a picture from the history and every dataset."""
        return await self.send(datasets.delete_picture(sha256))

    async def running_import(self, name: str) -> Import:
        """How far a large upload is."""
        return await self.send(datasets.running_import(name))

    async def cancel_import(self, name: str) -> Import:
        """End an import; what was imported stays."""
        return await self.send(datasets.cancel_import(name))

    async def start_run(self, model: str, **wanted: Any) -> Run:
        """Start a training run; `wanted`: dataset, preset, epochs, seed, base, start."""
        return await self.send(training.start_run(model, **wanted))

    async def run(self, name: str) -> Run:
        """One run with its progress."""
        return await self.send(training.run(name))

    async def run_log(self, name: str) -> bytes:
        """What a run has printed so far."""
        return await self.send(training.run_log(name))

    async def cancel_run(self, name: str) -> Run:
        """Ask a run to end."""
        return await self.send(training.cancel_run(name))

    async def publish_refused(self, name: str, reason: str) -> Publication:
        """Publish the candidate that the gate refused; it answers only when somebody promotes it."""
        return await self.send(training.publish_refused(name, reason))

    async def triggers(self) -> Triggers:
        """What would start a run by itself, and whether one may start now."""
        return await self.send(training.triggers())

    async def schedules(self) -> list[dict[str, Any]]:
        """Every schedule."""
        return (await self.send(training.schedules())).schedules

    async def stats(
        self, since: datetime | None = None, until: datetime | None = None, model: str | None = None
    ) -> Stats:
        """Availability, latency and versions; by default of the last hour."""
        return await self.send(operation.stats(since, until, model))

    async def history(self, **wanted: Any) -> AsyncIterator[Remembered]:
        """Remembered predictions, newest first, page by page as they are asked for.

        `wanted`: model, version, label, caller, min_score, max_score, since, until, feedback.
        """
        cursor: str | None = None
        while True:
            page = await self.send(predictions.history(cursor=cursor, **wanted))
            for one in page.predictions:
                yield one
            cursor = page.next_cursor
            if cursor is None:
                return

    async def examples(self, dataset: str, **wanted: Any) -> AsyncIterator[Example]:
        """The examples of a dataset; `wanted`: split, label."""
        cursor: str | None = None
        while True:
            page = await self.send(datasets.examples(dataset, cursor=cursor, **wanted))
            for one in page.examples:
                yield one
            cursor = page.next_cursor
            if cursor is None:
                return

    async def runs(self, **wanted: Any) -> AsyncIterator[Run]:
        """Training runs, newest first; `wanted`: model, state."""
        cursor: str | None = None
        while True:
            page = await self.send(training.runs(cursor=cursor, **wanted))
            for one in page.runs:
                yield one
            cursor = page.next_cursor
            if cursor is None:
                return

    async def audit(self, **wanted: Any) -> AsyncIterator[dict[str, Any]]:
        """Who did what, newest first; `wanted`: target."""
        cursor: str | None = None
        while True:
            page = await self.send(operation.audit(cursor=cursor, **wanted))
            for one in page.entries:
                yield one
            cursor = page.next_cursor
            if cursor is None:
                return

    async def send(self, call: Call[A]) -> A:
        """Send a request, again where that is harmless and may help."""
        retrying = stamina.retry_context(on=passes(call), attempts=self._attempts, timeout=TIMEOUT_SECONDS)
        async for attempt in retrying:
            with attempt:
                return await self._once(call)
        raise AssertionError("unreachable")

    async def _once(self, call: Call[A]) -> A:
        options = dict(call.options)
        if call.archive is not None:
            options["content"] = call.pieces_asynchronously()
        try:
            response = await self._http.request(call.method, call.path, **options)
        except httpx.TransportError as error:
            raise unreachable(error, self._http.base_url) from error
        return call.read(response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
