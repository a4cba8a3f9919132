"""/v1/imports: how far large uploads are, what became of their files, and cancelling them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from contract.layout import Split
from gateway.api.access import LabelCaller, PredictCaller
from gateway.api.cursors import decoded, encoded
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.ports.datasets import FileReport, Import, ImportState, Outcome, Progress

router = APIRouter(tags=["datasets"])

ImportId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", examples=["0" * 32])]


class FileReportSchema(Schema):
    """What became of one file."""

    name: str
    outcome: Outcome
    label: str | None
    split: Split | None
    id: str | None = Field(description="The SHA-256 of the picture.")
    reason: str | None


class ReportSchema(Schema):
    """What became of an upload."""

    added: int
    duplicates: int
    conflicts: int = Field(description="Pictures that the dataset has under another label; they stay there.")
    refused: int
    stopped: str | None = Field(description="Why the rest was not looked at; what was added stays.")
    files: list[FileReportSchema] = Field(description="The first 1,000 files.")


class ProgressSchema(Schema):
    """How far an import is."""

    files_done: int
    files_total: int | None = Field(description="null: not known before the end, as in a tar.")
    bytes_done: int
    bytes_total: int


class ImportSchema(Schema):
    """One large upload."""

    id: str
    dataset: str
    state: ImportState
    caller: str
    created_at: datetime
    finished_at: datetime | None
    progress: ProgressSchema
    report: ReportSchema


class ImportPageSchema(Schema):
    """Imports, newest first. Their reports name no files."""

    imports: list[ImportSchema]
    next_cursor: str | None


@router.get("/v1/imports", summary="List imports", responses=guarded_responses(422, 503))
async def list_imports(
    services: ControlDependency,
    _: PredictCaller,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> ImportPageSchema:
    """Large uploads, newest first."""
    rows, after = await services.imports.page(decoded(cursor) if cursor else None, limit)
    return ImportPageSchema(
        imports=[import_schema(row) for row in rows], next_cursor=encoded(after) if after else None
    )


@router.get("/v1/imports/{id}", summary="Show an import", responses=guarded_responses(404, 422, 503))
async def show_import(id: ImportId, services: ControlDependency, _: PredictCaller) -> ImportSchema:
    """State, progress and report of a large upload."""
    return import_schema(await services.imports.find(id))


@router.delete(
    "/v1/imports/{id}", summary="Cancel an import", responses=guarded_responses(404, 409, 422, 503)
)
async def cancel_import(id: ImportId, services: ControlDependency, caller: LabelCaller) -> ImportSchema:
    """It ends within seconds; what was imported stays."""
    cancelled = await services.imports.cancel(id)
    await services.audit.record(caller, "import.cancel", cancelled.dataset, {"import": id})
    return import_schema(cancelled)


def import_schema(one: Import) -> ImportSchema:
    """An import as the API shows it."""
    progress = one.progress
    return ImportSchema(
        id=one.id,
        dataset=one.dataset,
        state=one.state,
        caller=one.caller,
        created_at=_datetime(one.created_at),
        finished_at=None if one.finished_at is None else _datetime(one.finished_at),
        progress=ProgressSchema(
            files_done=progress.files_done,
            files_total=progress.files_total,
            bytes_done=progress.bytes_done,
            bytes_total=progress.bytes_total,
        ),
        report=report_schema(progress, one.report, one.error),
    )


def report_schema(progress: Progress, files: Sequence[FileReport], stopped: str | None) -> ReportSchema:
    """A report as the API shows it."""
    return ReportSchema(
        added=progress.added,
        duplicates=progress.duplicates,
        conflicts=progress.conflicts,
        refused=progress.refused,
        stopped=stopped,
        files=[
            FileReportSchema(
                name=file.name,
                outcome=file.outcome,
                label=file.label,
                split=file.split,
                id=file.id,
                reason=file.reason,
            )
            for file in files
        ],
    )


def _datetime(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
