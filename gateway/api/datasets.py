"""/v1/datasets and below: uploading labelled pictures, finding, moving and deleting them.

And DELETE /v1/pictures/{sha256}, which deletes one picture everywhere.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contract.layout import Split
from contract.values import LabelName, Name
from gateway.api import problems
from gateway.api.access import LabelCaller, OperateCaller, PredictCaller
from gateway.api.dataset_schemas import (
    DatasetSchema,
    DatasetsSchema,
    DeletedDatasetSchema,
    DeletedPictureSchema,
    ExamplePageSchema,
    ExampleSchema,
    LabelSchema,
    shown,
)
from gateway.api.headers import header
from gateway.api.imports import ReportSchema, import_schema, report_schema
from gateway.api.linger import answer_and_linger
from gateway.api.pictures import PICTURE_RESPONSES, WantedSide, picture_answer
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.datasets.ingest import Result
from gateway.errors import InvalidParameterError, TooLargeError, UnknownNameError
from gateway.ports.datasets import ExampleFilter, Import

router = APIRouter(tags=["datasets"])

MAX_PAGE = 500
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$", examples=["0" * 64])]


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {
            "images": _FILES,
            "label": {"type": "string", "description": "For all pictures."},
            "labels": {"type": "array", "items": {"type": "string"}, "description": "One each."},
            "archive": {"type": "string", "format": "binary", "description": "Class folders; stands alone."},
        },
        "additionalProperties": False,
    }
}
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Pictures with labels, or an archive of class folders.",
        "content": {
            "multipart/form-data": _FORM,
            "application/zip": _BINARY,
            "application/x-tar": _BINARY,
            "application/gzip": _BINARY,
        },
    },
}


@router.get("/v1/datasets", summary="List datasets", responses=guarded_responses(503))
async def list_datasets(services: ControlDependency, _: PredictCaller) -> DatasetsSchema:
    """Every dataset with the number of its examples by split and label."""
    datasets: dict[str, dict[Split, dict[str, int]]] = {}
    for row in await services.datasets.counts():
        datasets.setdefault(row.dataset, {}).setdefault(row.split, {})[row.label] = row.examples
    return DatasetsSchema(
        datasets=[
            DatasetSchema(name=name, splits=splits, examples=sum(sum(by.values()) for by in splits.values()))
            for name, splits in datasets.items()
        ]
    )


@router.delete(
    "/v1/datasets/{dataset}", summary="Delete a dataset", responses=guarded_responses(404, 409, 422, 503)
)
async def delete_dataset(
    dataset: Name,
    services: ControlDependency,
    caller: OperateCaller,
    confirm: Annotated[str, Query(max_length=63, description="The dataset's name again.")],
) -> DeletedDatasetSchema:
    """All its pictures and its index. It cannot be undone, hence `confirm`."""
    if confirm != dataset:
        raise InvalidParameterError(f"confirm is {confirm!r}; to delete the dataset, pass confirm={dataset}")
    await services.imports.check_idle(dataset)
    count = await services.datasets.delete_dataset(dataset)
    await services.audit.record(caller, "dataset.delete", dataset, {"examples": count})
    return DeletedDatasetSchema(dataset=dataset, examples=count)


@router.post(
    "/v1/datasets/{dataset}/examples",
    summary="Add labelled pictures",
    status_code=201,
    response_model=ReportSchema,
    responses={
        202: {"description": "Imported in the background; Location is the import to ask about."},
        **guarded_responses(408, 413, 415, 422, 503),
    },
    openapi_extra=UPLOAD,
)
async def add_examples(
    dataset: Name, request: Request, services: ControlDependency, caller: LabelCaller
) -> Response:
    """Pictures with labels, or an archive of class folders; a picture is known by its content.

    One that the dataset has is a duplicate; under another label it is a conflict, and stays where it is.
    """
    spool = services.intake.begin()
    taken: Import | Result | None = None
    try:
        await services.spooling.receive(spool, request.scope, request.receive)
        taken = await services.intake.take(spool, dataset, caller.name)
    except TooLargeError as error:
        return Lingering(problems.from_error(request.scope, error))
    finally:
        await services.intake.end(spool, taken)
    if isinstance(taken, Import):
        await services.audit.record(caller, "examples.import", dataset, {"import": taken.id})
        headers = {"Location": f"/v1/imports/{taken.id}"}
        return _json(import_schema(taken), 202, headers)
    counts = {name: getattr(taken.progress, name) for name in ("added", "duplicates", "conflicts", "refused")}
    await services.audit.record(caller, "examples.add", dataset, counts)
    stopped = str(taken.stopped) if taken.stopped else None
    return _json(report_schema(taken.progress, taken.report, stopped), 201)


@router.get(
    "/v1/datasets/{dataset}/examples", summary="List examples", responses=guarded_responses(404, 422, 503)
)
async def list_examples(
    dataset: Name,
    services: ControlDependency,
    _: PredictCaller,
    split: Split | None = None,
    label: LabelName | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
) -> ExamplePageSchema:
    """The examples of a dataset that match, in the order of their ids."""
    rows, after = await services.datasets.page(ExampleFilter(dataset, split, label), cursor, limit)
    return ExamplePageSchema(examples=[shown(row) for row in rows], next_cursor=after)


@router.get(
    "/v1/datasets/{dataset}/examples/{id}",
    summary="Show an example",
    responses=guarded_responses(404, 422, 503),
)
async def show_example(
    dataset: Name, id: Sha256, services: ControlDependency, _: PredictCaller
) -> ExampleSchema:
    """One example."""
    return shown(await services.datasets.find(dataset, id))


@router.get(
    "/v1/datasets/{dataset}/examples/{id}/image",
    summary="Show the picture of an example",
    response_class=Response,
    responses=PICTURE_RESPONSES,
)
async def show_image(
    dataset: Name,
    id: Sha256,
    request: Request,
    services: ControlDependency,
    _: PredictCaller,
    side: WantedSide = None,
) -> Response:
    """The picture as it was uploaded; with `side`, a small version."""
    await services.datasets.find(dataset, id)
    read = partial(services.datasets.picture, dataset, id)
    return await picture_answer(request, services.thumbnails, id, side, read)


@router.put(
    "/v1/datasets/{dataset}/examples/{id}",
    summary="Give an example another label",
    responses=guarded_responses(404, 422, 503),
)
async def relabel_example(
    dataset: Name, id: Sha256, body: LabelSchema, services: ControlDependency, caller: LabelCaller
) -> ExampleSchema:
    """The picture moves below the label; its split stays."""
    example, before = await services.datasets.relabel(dataset, id, body.label)
    if before != body.label:
        detail = {"example": id, "before": before, "after": body.label}
        await services.audit.record(caller, "example.relabel", dataset, detail)
    return shown(example)


@router.delete(
    "/v1/datasets/{dataset}/examples/{id}",
    summary="Delete an example",
    responses=guarded_responses(404, 422, 503),
)
async def delete_example(
    dataset: Name, id: Sha256, services: ControlDependency, caller: OperateCaller
) -> ExampleSchema:
    """The example that is gone."""
    example = await services.datasets.find(dataset, id)
    await services.datasets.delete(example)
    await services.audit.record(caller, "example.delete", dataset, {"example": id, "label": example.label})
    return shown(example)


@router.delete(
    "/v1/pictures/{sha256}", summary="Delete a picture everywhere", responses=guarded_responses(404, 422, 503)
)
async def delete_picture(
    sha256: Sha256, services: ControlDependency, caller: OperateCaller
) -> DeletedPictureSchema:
    """From every dataset and from the history, whose predictions go on without it.

    The history keeps pictures without their metadata: one that had any is known there by another hash.
    """
    examples = await services.datasets.delete_picture(sha256)
    was_remembered = await services.history.delete_picture(sha256)
    if not examples and not was_remembered:
        raise UnknownNameError(f"no dataset and no prediction has the picture {sha256}")
    detail = {"history": was_remembered, "datasets": [example.dataset for example in examples]}
    await services.audit.record(caller, "picture.delete", sha256, detail)
    return DeletedPictureSchema(
        sha256=sha256, history=was_remembered, examples=[shown(example) for example in examples]
    )


class Lingering(Response):
    """An answer that the caller sees although its body is still on its way."""

    def __init__(self, answer: Response) -> None:
        super().__init__(status_code=answer.status_code)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if header(scope, b"expect") is not None:  # it sends the body only when told to
            await self._answer(scope, receive, send)
        else:
            await answer_and_linger(self._answer, scope, receive, send)


def _json(content: Schema, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(content.model_dump_json(), status, headers, media_type="application/json")
