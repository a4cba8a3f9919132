"""The files of an upload into a dataset: looked at, hashed, deduplicated, written and indexed in batches.

It runs in a thread, knows neither the database nor HTTP, and holds one batch in memory. It may be ended
after any batch and be run again: what it has done is skipped, and what a death left half done is found by
its hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from time import monotonic
from typing import Protocol

from contract import images, layout
from gateway.datasets.members import Member, Members
from gateway.datasets.paths import Layout, Place, RefusedPathError
from gateway.errors import MalformedBodyError, RequestError
from gateway.metrics import Metrics
from gateway.ports.datasets import DatasetFiles, Example, FileReport, Outcome, Progress, Source
from gateway.ports.moments import microseconds_now
from gateway.settings import LimitSettings

BATCH_FILES = 1000
BATCH_BYTES = 16 * 1024 * 1024
BATCH_SECONDS = 2.0
"""Whichever comes first ends a batch; so progress is never older than this and one picture."""
REPORTED_FILES = 1000
"""The first; beyond them only counts."""
SHOWN_NAME = 300


class Ledger(Protocol):
    """Where a batch is written down; every method blocks and may raise DatabaseError."""

    def known(self, dataset: str, hashes: Sequence[str]) -> Mapping[str, Example]:
        """Those of the pictures that the dataset has."""

    def forget(self, dataset: str, hashes: Sequence[str]) -> None:
        """Remove examples whose files are gone."""

    def commit(
        self, examples: Sequence[Example], progress: Progress, report: Sequence[FileReport] | None
    ) -> Mapping[str, Example] | None:
        """Add the examples; as they now are, by hash. None: stop, nobody wants the rest."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported where, for whom."""

    dataset: str
    caller: str
    source: Source
    shares: layout.SplitShares
    limits: LimitSettings


@dataclass(frozen=True, slots=True)
class Result:
    """How far it came."""

    progress: Progress
    report: Sequence[FileReport]
    stopped: RequestError | None = None
    """Why the rest of the upload was not looked at."""
    is_complete: bool = True
    """False when it was told to end; it can go on from here."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A picture that may become an example."""

    name: str
    example: Example
    content: bytes


class Ingest:
    """One run over one upload."""

    def __init__(
        self,
        order: Order,
        files: DatasetFiles,
        ledger: Ledger,
        metrics: Metrics,
        should_end: Callable[[], bool] = lambda: False,
        rest: Callable[[], object] = lambda: None,
    ) -> None:
        """`rest` is called behind each file, and takes its time where predictions go first."""
        self._order = order
        self._files = files
        self._ledger = ledger
        self._metrics = metrics
        self._should_end = should_end
        self._rest = rest
        self._layout = Layout()
        self._batch: list[_Candidate | FileReport] = []
        self._batch_bytes = 0
        self._began = monotonic()

    def run(self, members: Members, done: Progress, report: Sequence[FileReport] = ()) -> Result:
        """Import everything behind what is `done`. Raises RequestError when not one file could be found."""
        self._progress = replace(done, files_total=members.total)
        self._report = list(report)
        stopped: RequestError | None = None
        is_complete = True
        try:
            is_complete = self._take(members)
        except RequestError as error:
            stopped = error
        is_complete = self._flush(members) and is_complete
        if not self._progress.files_done and is_complete:
            raise stopped or MalformedBodyError("the upload holds no file; expected pictures")
        return Result(self._progress, self._report, stopped, is_complete)

    def _take(self, members: Members) -> bool:
        behind = self._skipped(members)
        for member in behind:
            if self._should_end():
                return False
            self._look_at(member)
            is_full = len(self._batch) >= BATCH_FILES or self._batch_bytes >= BATCH_BYTES
            if (is_full or monotonic() - self._began >= BATCH_SECONDS) and not self._flush(members):
                return False
            self._rest()
        return True

    def _skipped(self, members: Members) -> Iterator[Member]:
        """What is behind the files that are done; their paths still say how the archive is laid out."""
        iterator = iter(members)
        for _ in range(self._progress.files_done):
            member = next(iterator, None)
            if member is not None and member.label is None and member.refusal is None:
                self._place_quietly(member.name)
            if monotonic() - self._began >= BATCH_SECONDS:
                self._flush(members)  # nothing, but a sign of life
        return chain(iterator)

    def _place_quietly(self, name: str) -> None:
        with suppress(RefusedPathError):
            self._layout.place(name)

    def _look_at(self, member: Member) -> None:
        name = member.name[:SHOWN_NAME].encode(errors="backslashreplace").decode()
        place: Place | None = None
        try:
            place = self._place(member)
            content = member.read()
            extension = images.check(content, self._order.limits.image_pixels)
        except (images.ImageError, ValueError) as error:
            label = place.label if place else None
            self._batch.append(FileReport(name, "refused", label=label, reason=str(error)))
            return
        self._batch.append(_Candidate(name, self._example(content, extension, place), content))
        self._batch_bytes += len(content)

    def _place(self, member: Member) -> Place:
        """Raises RefusedPathError for everything that shows without reading the file."""
        if member.refusal is not None:
            raise RefusedPathError(member.refusal)
        place = Place(member.label, False) if member.label is not None else self._layout.place(member.name)
        limit = self._order.limits.image_bytes
        if member.size > limit:
            raise RefusedPathError(f"{member.size:,} bytes; at most {limit:,} are accepted")
        return place

    def _example(self, content: bytes, extension: str, place: Place) -> Example:
        digest = layout.sha256_of(content)
        return Example(
            dataset=self._order.dataset,
            sha256=digest,
            split="test" if place.is_test else layout.split_of(digest, self._order.shares),
            label=place.label,
            extension=extension,
            bytes=len(content),
            added_at=microseconds_now(),
            source=self._order.source,
            caller=self._order.caller,
        )

    # --- one batch ------------------------------------------------------------------------------

    def _flush(self, members: Members) -> bool:
        """Write the batch, files before rows; False when nobody wants the rest."""
        batch, self._batch, self._batch_bytes, self._began = self._batch, [], 0, monotonic()
        there = self._known([item.example.sha256 for item in batch if isinstance(item, _Candidate)])
        new: dict[str, Example] = {}
        entries: list[FileReport] = []
        for item in batch:
            if isinstance(item, FileReport):
                entries.append(item)
                continue
            before = there.get(item.example.sha256) or new.get(item.example.sha256)
            if before is None:
                self._files.put(item.example, item.content)
                new[item.example.sha256] = item.example
            entries.append(_entry(item, before))
        self._count(entries, members.bytes_done)
        is_reported = bool(entries) and len(self._report) < REPORTED_FILES
        if is_reported:
            self._report += entries[: REPORTED_FILES - len(self._report)]
        added = list(new.values())
        stored = self._ledger.commit(added, self._progress, self._report if is_reported else None)
        self._withdraw(added, stored or {})
        return stored is not None

    def _known(self, hashes: Sequence[str]) -> dict[str, Example]:
        """What the dataset has; a row whose file is gone is forgotten, so that the picture comes back."""
        rows = self._ledger.known(self._order.dataset, hashes) if hashes else {}
        gone = [digest for digest, example in rows.items() if not self._files.has(example)]
        if gone:
            self._ledger.forget(self._order.dataset, gone)
        return {digest: example for digest, example in rows.items() if digest not in gone}

    def _withdraw(self, added: Sequence[Example], stored: Mapping[str, Example]) -> None:
        """Another brought the same picture at the same moment and was first: ours is the copy."""
        for example in added:
            first = stored.get(example.sha256, example)
            if (first.split, first.label, first.extension) != (
                example.split,
                example.label,
                example.extension,
            ):
                self._files.delete(example)

    def _count(self, entries: Sequence[FileReport], bytes_done: int) -> None:
        counts: dict[Outcome, int] = {"added": 0, "duplicate": 0, "conflict": 0, "refused": 0}
        for entry in entries:
            counts[entry.outcome] += 1
        for outcome, count in counts.items():
            self._metrics.dataset_files.labels(outcome).inc(count)
        now = self._progress
        self._progress = replace(
            now,
            files_done=now.files_done + len(entries),
            bytes_done=bytes_done,
            added=now.added + counts["added"],
            duplicates=now.duplicates + counts["duplicate"],
            conflicts=now.conflicts + counts["conflict"],
            refused=now.refused + counts["refused"],
        )


def _entry(item: _Candidate, before: Example | None) -> FileReport:
    example, reason = item.example, None
    outcome: Outcome = "added"
    if before is not None and before.label == example.label:
        outcome, example = "duplicate", before
    elif before is not None:
        outcome, example = "conflict", before
        reason = (
            f"the dataset has this picture as {before.label!r}, not {item.example.label!r}; it stays there"
        )
    return FileReport(item.name, outcome, example.label, example.split, example.sha256, reason)
