"""Datasets: the files that are the truth, the index of them, and imports on their way.

The files say what an example is (dataset, split and label are its folders, its name is its hash); the
index only finds it faster, and remembers who brought it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from contract.layout import Split

Source = Literal["upload", "import", "feedback", "index"]
Outcome = Literal["added", "duplicate", "conflict", "refused"]
ImportState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled picture of a dataset."""

    dataset: str
    sha256: str
    split: Split
    label: str
    extension: str
    bytes: int
    added_at: int
    """Microseconds since 1970, UTC."""
    source: Source
    caller: str

    def under(self, label: str) -> Example:
        """The same picture with another label; its split is a function of its hash and stays."""
        return replace(self, label=label)


@dataclass(frozen=True, slots=True)
class ExampleFilter:
    """Which examples of a dataset; None matches all."""

    dataset: str
    split: Split | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How many examples a dataset has in one split with one label."""

    dataset: str
    split: Split
    label: str
    examples: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload has come. Counts are of files, `bytes` of the spooled upload."""

    files_done: int = 0
    files_total: int | None = None
    """None: not known before the end, as in a tar."""
    bytes_done: int = 0
    bytes_total: int = 0
    added: int = 0
    duplicates: int = 0
    conflicts: int = 0
    refused: int = 0

    def to_json(self) -> dict[str, Any]:
        """For a JSON column."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file."""

    name: str
    outcome: Outcome
    label: str | None = None
    split: Split | None = None
    id: str | None = None
    """The picture's SHA-256."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Import:
    """A large upload that is worked off in the background."""

    id: str
    dataset: str
    state: ImportState
    caller: str
    created_at: int
    finished_at: int | None
    progress: Progress
    error: str | None = None
    report: Sequence[FileReport] = field(default=())
    """Of the first files; empty in lists."""

    @property
    def is_final(self) -> bool:
        """True once it can change no more."""
        return self.state not in ("queued", "running")


class DatasetIndex(Protocol):
    """The database's part. Every method raises DatabaseError when it cannot be asked."""

    async def known(self, dataset: str, hashes: Sequence[str]) -> Mapping[str, Example]:
        """Those of the pictures that the dataset has."""

    async def add(self, examples: Sequence[Example]) -> Mapping[str, Example]:
        """Add what is not there; all of them by hash as they now are. All of one dataset."""

    async def put(self, examples: Sequence[Example]) -> None:
        """Add, or correct split, label, extension and size; who brought a known one stays."""

    async def relabel(self, example: Example, label: str) -> None:
        """Another label for one example."""

    async def remove(self, dataset: str, hashes: Sequence[str]) -> None:
        """Forget examples."""

    async def remove_some(self, dataset: str, limit: int) -> int:
        """Forget at most `limit` examples of a dataset; how many were left to forget."""

    async def counts(self, dataset: str | None = None) -> Sequence[LabelCount]:
        """Examples by dataset, split and label, sorted."""

    async def page(self, wanted: ExampleFilter, after: str | None, limit: int) -> Sequence[Example]:
        """The examples that match with a hash above `after`, in the order of their hashes."""

    async def everywhere(self, sha256: str) -> Sequence[Example]:
        """One picture in every dataset."""


class ImportStore(Protocol):
    """Imports in the database. Every method raises DatabaseError when it cannot be asked."""

    async def create(self, new: Import) -> None:
        """Keep a new import."""

    async def find(self, import_id: str) -> Import | None:
        """One import with its report, or None."""

    async def page(self, after: tuple[int, str] | None, limit: int) -> Sequence[Import]:
        """The newest imports behind the cursor, without their reports."""

    async def unfinished(self) -> Sequence[Import]:
        """What is queued or running, oldest first, with reports."""

    async def advance(
        self,
        import_id: str,
        examples: Sequence[Example],
        progress: Progress,
        report: Sequence[FileReport] | None,
    ) -> Mapping[str, Example] | None:
        """Add examples and say how far the import is, in one transaction; a report of None stays as it is.

        Returns as DatasetIndex.add, or None when the import has ended meanwhile: someone cancelled it. The
        examples are added nevertheless.
        """

    async def end(self, import_id: str, state: ImportState, error: str | None = None) -> bool:
        """Put an unfinished import in a final state; False when it had ended already."""


class DatasetFiles(Protocol):
    """The files. Every method blocks: call it in a thread. Raises DatasetStoreError."""

    def put(self, example: Example, content: bytes) -> None:
        """Write the picture; one that is there already is left alone."""

    def get(self, example: Example) -> bytes | None:
        """The bytes, or None."""

    def has(self, example: Example) -> bool:
        """True while the file is there."""

    def move(self, example: Example, label: str) -> None:
        """Rename below another label; done already is no error. Raises FileNotFoundError."""

    def delete(self, example: Example) -> None:
        """Remove a picture; one that is not there is none."""

    def delete_dataset(self, dataset: str) -> None:
        """Remove everything of a dataset, at once for its readers."""

    def walk(self) -> Iterator[tuple[Path, Example | None]]:
        """Every file of the store that is not hidden; None for one that is no example."""
