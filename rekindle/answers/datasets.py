"""Labelled pictures: datasets, their examples, and what became of an upload."""

from __future__ import annotations

from rekindle.answers.base import Answer


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
