"""The shapes of the answers about datasets and their examples."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field

from contract.layout import Split
from contract.values import LabelName
from gateway.api.schemas import Schema
from gateway.ports.datasets import Example, Source


class DatasetSchema(Schema):
    """How many examples a dataset has."""

    name: str
    examples: int
    splits: dict[Split, dict[str, int]] = Field(description="Split → label → examples.")


class DatasetsSchema(Schema):
    """Every dataset."""

    datasets: list[DatasetSchema]


class ExampleSchema(Schema):
    """One labelled picture."""

    id: str = Field(description="The SHA-256 of the picture.")
    dataset: str
    split: Split = Field(description="A function of the id alone, unless the upload had a folder test/.")
    label: str
    extension: str
    bytes: int
    added_at: datetime
    source: Source = Field(description="`index`: found by `python -m gateway reindex`.")
    caller: str


class ExamplePageSchema(Schema):
    """Examples in the order of their ids."""

    examples: list[ExampleSchema]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null after the last.")


class LabelSchema(Schema):
    """What the picture truly shows."""

    label: LabelName


class DeletedDatasetSchema(Schema):
    """What is gone."""

    dataset: str
    examples: int


class DeletedPictureSchema(Schema):
    """Where the picture was deleted."""

    sha256: str
    history: bool = Field(description="It was kept with predictions; they go on without it.")
    examples: list[ExampleSchema]


def shown(example: Example) -> ExampleSchema:
    """An example as the API shows it."""
    return ExampleSchema(
        id=example.sha256,
        dataset=example.dataset,
        split=example.split,
        label=example.label,
        extension=example.extension,
        bytes=example.bytes,
        added_at=datetime.fromtimestamp(example.added_at / 1_000_000, UTC),
        source=example.source,
        caller=example.caller,
    )
