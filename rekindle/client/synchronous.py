"""The gateway for programs that wait for each answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import stamina

from rekindle import answers
from rekindle.client import calls
from rekindle.client.calls import Call, Picture
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
    ) -> answers.Predictions:
        """Classify pictures in one call; a picture that fails carries its own `error`.

        `version` or `label` name who answers, `store=False` keeps it out of the history, `embedding=True`
        also asks for what the network's last layer sees (ApiError 409 from a version that gives none).
        Raises OSError for a file that cannot be read; ApiError also when every picture failed.
        """
        return self.send(calls.predict(model, pictures, top_k, version, label, store, embedding))

    def remembered(self, prediction: str) -> answers.Remembered:
        """One prediction of the history."""
        return self.send(calls.remembered(prediction))

    def picture(self, prediction: str) -> bytes:
        """The kept picture of a prediction."""
        return self.send(calls.picture(prediction))

    def history_csv(self, **wanted: Any) -> bytes:
        """The predictions that match (as for `history`) as CSV."""
        return self.send(calls.history_csv(**wanted))

    def give_feedback(self, prediction: str, label: str) -> answers.Remembered:
        """Say what a picture truly shows."""
        return self.send(calls.give_feedback(prediction, label))

    def take_back_feedback(self, prediction: str) -> answers.Remembered:
        """As if no feedback had been given."""
        return self.send(calls.take_back_feedback(prediction))

    def labelling_queue(self, model: str, by: str | None = None, limit: int | None = None) -> answers.Queue:
        """What to label next; `by`: entropy or margin."""
        return self.send(calls.labelling_queue(model, by, limit))

    def skip(self, prediction: str) -> answers.Answer:
        """Put a prediction of the queue aside."""
        return self.send(calls.skip(prediction))

    def unskip(self, prediction: str) -> answers.Answer:
        """Back into the queue."""
        return self.send(calls.unskip(prediction))

    def models(self) -> list[answers.Model]:
        """Every model."""
        return self.send(calls.models()).models

    def versions(self, model: str) -> list[answers.Version]:
        """Every version of a model, newest first."""
        return self.send(calls.versions(model)).versions

    def version(self, model: str, version: int) -> answers.Version:
        """One version with its card."""
        return self.send(calls.version(model, version))

    def plot(self, model: str, version: int, name: str) -> bytes:
        """A plot of a version, as PNG."""
        return self.send(calls.plot(model, version, name))

    def rollout(self, model: str) -> answers.RolloutState:
        """Which version answers."""
        return self.send(calls.rollout(model))

    def shadow(self, model: str, *, since: str | None = None) -> answers.ShadowComparison:
        """What the shadow answered beside stable, since a time in ISO 8601 or for a week."""
        return self.send(calls.shadow(model, since))

    def canary(self, model: str, *, limit: int | None = None) -> answers.CanaryTrials:
        """How the canary stands against stable, and how earlier ones ended."""
        return self.send(calls.canary(model, limit))

    def drift(self, *, model: str | None = None, limit: int | None = None) -> answers.Drift:
        """Whether live pictures and answers are like those that the stable version was made with."""
        return self.send(calls.drift(model, limit))

    def evaluate(
        self, model: str, version: int, archive: bytes | Path, *, against: int | None = None
    ) -> answers.VersionEvaluation:
        """How good a version is on a zip of class folders, beside another one if `against` names it."""
        return self.send(calls.evaluate(model, version, archive, against))

    def change_rollout(self, model: str, **changes: Any) -> answers.RolloutState:
        """Change stable, canary, canary_share, shadow, shadow_share, pinned or policy; None ends either.

        None ends canary or shadow; `reason` goes into the audit log.
        """
        return self.send(calls.change_rollout(model, changes))

    def roll_back(self, model: str, reason: str | None = None) -> answers.RolloutState:
        """Stable back on its predecessor."""
        return self.send(calls.roll_back(model, reason))

    def datasets(self) -> list[answers.Dataset]:
        """Every dataset with its counts."""
        return self.send(calls.datasets()).datasets

    def upload_archive(self, dataset: str, archive: bytes | Path) -> answers.Upload:
        """Add the pictures of a zip (or, by its path, a tar) of class folders.

        A large one is imported in the background: `id` then names the import to ask about.
        """
        return self.send(calls.upload_archive(dataset, archive))

    def relabel(self, dataset: str, example: str, label: str) -> answers.Example:
        """Move an example to another label."""
        return self.send(calls.relabel(dataset, example, label))

    def delete_example(self, dataset: str, example: str) -> answers.Example:
        """Delete an example."""
        return self.send(calls.delete_example(dataset, example))

    def delete_dataset(self, dataset: str) -> answers.Answer:
        """Delete a dataset with all its pictures."""
        return self.send(calls.delete_dataset(dataset))

    def delete_picture(self, sha256: str) -> answers.Answer:
        """Delete a picture from the history and every dataset."""
        return self.send(calls.delete_picture(sha256))

    def running_import(self, name: str) -> answers.Import:
        """How far a large upload is."""
        return self.send(calls.running_import(name))

    def cancel_import(self, name: str) -> answers.Import:
        """End an import; what was imported stays."""
        return self.send(calls.cancel_import(name))

    def start_run(self, model: str, **wanted: Any) -> answers.Run:
        """Start a training run; `wanted`: dataset, preset, epochs, seed, base, start."""
        return self.send(calls.start_run(model, **wanted))

    def run(self, name: str) -> answers.Run:
        """One run with its progress."""
        return self.send(calls.run(name))

    def run_log(self, name: str) -> bytes:
        """What a run has printed so far."""
        return self.send(calls.run_log(name))

    def cancel_run(self, name: str) -> answers.Run:
        """Ask a run to end."""
        return self.send(calls.cancel_run(name))

    def publish_refused(self, name: str, reason: str) -> answers.Publication:
        """Publish the candidate that the gate refused; it answers only when somebody promotes it."""
        return self.send(calls.publish_refused(name, reason))

    def triggers(self) -> answers.Triggers:
        """What would start a run by itself, and whether one may start now."""
        return self.send(calls.triggers())

    def schedules(self) -> list[dict[str, Any]]:
        """Every schedule."""
        return self.send(calls.schedules()).schedules

    def stats(
        self, since: datetime | None = None, until: datetime | None = None, model: str | None = None
    ) -> answers.Stats:
        """Availability, latency and versions; by default of the last hour."""
        return self.send(calls.stats(since, until, model))

    def history(self, **wanted: Any) -> Iterator[answers.Remembered]:
        """Remembered predictions, newest first, page by page as they are asked for.

        `wanted`: model, version, label, caller, min_score, max_score, since, until, feedback.
        """
        cursor: str | None = None
        while True:
            page = self.send(calls.history(cursor=cursor, **wanted))
            yield from page.predictions
            cursor = page.next_cursor
            if cursor is None:
                return

    def examples(self, dataset: str, **wanted: Any) -> Iterator[answers.Example]:
        """The examples of a dataset; `wanted`: split, label."""
        cursor: str | None = None
        while True:
            page = self.send(calls.examples(dataset, cursor=cursor, **wanted))
            yield from page.examples
            cursor = page.next_cursor
            if cursor is None:
                return

    def runs(self, **wanted: Any) -> Iterator[answers.Run]:
        """Training runs, newest first; `wanted`: model, state."""
        cursor: str | None = None
        while True:
            page = self.send(calls.runs(cursor=cursor, **wanted))
            yield from page.runs
            cursor = page.next_cursor
            if cursor is None:
                return

    def audit(self, **wanted: Any) -> Iterator[dict[str, Any]]:
        """Who did what, newest first; `wanted`: target."""
        cursor: str | None = None
        while True:
            page = self.send(calls.audit(cursor=cursor, **wanted))
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
