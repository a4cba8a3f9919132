"""POST and GET /v1/training-runs and below: start, look, cancel. The log is gateway.api.run_logs'."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import Field

from contract.gate import GateDecision
from contract.training import Preset, Problem, RunState, Start, TrainingSpec
from contract.values import Name
from gateway.api.access import OperateCaller, PredictCaller
from gateway.api.cursors import decoded, encoded
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.ports.training import RunRequest, RunRow
from gateway.training.progress import Progress

router = APIRouter(tags=["training runs"])

RunPath = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{0,62}$", examples=["0" * 32])]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="A repetition with the same key answers with the run of the first time.",
    ),
]


class RunRequestSchema(Schema):
    """What shall be trained."""

    model: Name
    dataset: Name | None = Field(
        default=None, description="By default the one that is called like the model."
    )
    preset: Preset = "default"
    epochs: int | None = Field(default=None, ge=1, le=10_000, description="Instead of the preset's.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    base: Literal["dataset", "none"] = Field(
        default="dataset",
        description="`dataset`: the data that the trainer fetches must be there; `none`: uploads are enough.",
    )

    start: Start = Field(
        default="auto",
        description="Whose weights it starts from. `stable`: the stable version's; `none`: nobody's, a full "
        "training; `auto`: stable's where there are new examples, and not too many of them.",
    )

    def request(self) -> RunRequest:
        """The same in the domain's words."""
        settings = self.preset, self.epochs, self.seed, self.base, self.start
        return RunRequest(self.model, self.dataset, *settings)


class RunSchema(Schema):
    """One training run."""

    id: str
    model: str
    state: RunState = Field(description="`rejected`: trained, but the gate refused it.")
    launcher: str
    reference: str | None = Field(description="The launcher's own name for it.")
    caller: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    version: int | None = Field(description="The version that it published.")
    accuracy: float | None
    error: Problem | None
    spec: TrainingSpec


class CurvePointSchema(Schema):
    """A value at the end of an epoch."""

    epoch: int
    value: float


class ProgressSchema(Schema):
    """What the trainer has told so far."""

    phase: str | None
    message: str
    done: int
    total: int = Field(description="0 while the phase does not count.")
    curves: dict[str, list[CurvePointSchema]] = Field(description="By name; at most about 500 points each.")


class RunDetailSchema(RunSchema):
    """One training run with its progress, and what the gate found."""

    progress: ProgressSchema
    gate: GateDecision | None = Field(
        description="Why its candidate was published or refused, check by check; null before that."
    )


class RunsPageSchema(Schema):
    """Training runs, newest first."""

    runs: list[RunSchema]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null after the last.")


@router.post(
    "/v1/training-runs",
    status_code=202,
    summary="Start a training run",
    responses=guarded_responses(409, 422, 503),
)
async def start_run(
    body: RunRequestSchema,
    response: Response,
    services: ControlDependency,
    caller: OperateCaller,
    key: Key = None,
) -> RunSchema:
    """One active run a model; its folder, its row and its process are begun when this answers."""
    row = await services.training.start(body.request(), caller.name, key)
    await services.audit.record(caller, "run.start", row.model, {"run": row.id} | body.model_dump())
    response.headers["Location"] = f"/v1/training-runs/{row.id}"
    return shown(row)


@router.get("/v1/training-runs", summary="List training runs", responses=guarded_responses(422, 503))
async def list_runs(
    services: ControlDependency,
    _: PredictCaller,
    model: Annotated[Name | None, Query()] = None,
    state: RunState | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> RunsPageSchema:
    """Runs that match, newest first."""
    rows, after = await services.training.page(model, state, decoded(cursor) if cursor else None, limit)
    return RunsPageSchema(runs=[shown(row) for row in rows], next_cursor=encoded(after) if after else None)


@router.get(
    "/v1/training-runs/{id}", summary="Show a training run", responses=guarded_responses(404, 422, 503)
)
async def show_run(id: RunPath, services: ControlDependency, _: PredictCaller) -> RunDetailSchema:
    """State, spec and progress; the curves grow with each epoch."""
    row = await services.training.find(id)
    progress = await services.training.progress(row.id)
    gate = await services.training.decision(row)
    return RunDetailSchema(**dict(shown(row)), progress=_progress(progress), gate=gate)


class PublicationRequestSchema(Schema):
    """Why the gate's word does not count."""

    reason: str = Field(min_length=1, max_length=2000, description="Goes into the audit log.")


class PublicationSchema(Schema):
    """What became of a candidate."""

    model: str
    version: int
    refused_by: list[str] = Field(description="The checks of the gate that it did not pass.")


@router.post(
    "/v1/training-runs/{id}/publication",
    status_code=201,
    summary="Publish a candidate that the gate refused",
    responses=guarded_responses(404, 409, 422, 503),
)
async def publish_refused(
    id: RunPath,
    body: PublicationRequestSchema,
    response: Response,
    services: ControlDependency,
    caller: OperateCaller,
) -> PublicationSchema:
    """It becomes a version that answers only when somebody promotes it. Asked again: the same version."""
    row, version = await services.overruling.publish(id)
    gate = await services.training.decision(row)
    refused_by = [str(check.name) for check in gate.failed] if gate else []
    detail = {"run": row.id, "version": version, "refused_by": refused_by}
    await services.audit.record(caller, "run.publish", row.model, detail, body.reason)
    response.headers["Location"] = f"/v1/models/{row.model}/versions/{version}"
    return PublicationSchema(model=row.model, version=version, refused_by=refused_by)


@router.delete(
    "/v1/training-runs/{id}",
    status_code=202,
    summary="Cancel a training run",
    responses=guarded_responses(404, 409, 422, 503),
)
async def cancel_run(id: RunPath, services: ControlDependency, caller: OperateCaller) -> RunSchema:
    """Ask it to stop; the run shows `cancelled` once it has. Asked a second time, it is stopped by force."""
    row = await services.training.cancel(id)
    await services.audit.record(caller, "run.cancel", row.model, {"run": row.id})
    return shown(row)


def shown(row: RunRow) -> RunSchema:
    """A row as the API shows it."""
    return RunSchema(
        id=row.id,
        model=row.model,
        state=row.state,
        launcher=row.launcher,
        reference=row.reference,
        caller=row.caller,
        created_at=moment(row.created_at),
        started_at=None if row.started_at is None else moment(row.started_at),
        finished_at=None if row.finished_at is None else moment(row.finished_at),
        version=row.version,
        accuracy=row.accuracy,
        error=row.error,
        spec=row.spec,
    )


def _progress(progress: Progress) -> ProgressSchema:
    curves = {
        name: [CurvePointSchema(epoch=epoch, value=value) for epoch, value in points]
        for name, points in progress.curves.items()
    }
    return ProgressSchema(
        phase=progress.phase,
        message=progress.message,
        done=progress.done,
        total=progress.total,
        curves=curves,
    )


def moment(microseconds: int) -> datetime:
    """A database's moment."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
