"""POST /v1/models/{model}/versions/{version}/evaluation: how good versions are on uploaded pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from gateway.api import problems
from gateway.api.access import OperateCaller
from gateway.api.datasets import UPLOAD, Lingering
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.errors import TooLargeError
from gateway.evaluation.measures import Difference, Measures
from gateway.evaluation.service import Refusal, Report

router = APIRouter(tags=["models"])

Version = Annotated[int, Path(ge=1, lt=10**18)]


class ClassMeasuresSchema(Schema):
    """One class; null where nothing shows it, or nothing was said to."""

    label: str
    pictures: int
    precision: float | None
    recall: float | None
    f1: float | None


class MeasuresSchema(Schema):
    """One version."""

    version: int
    pictures: int
    right: int
    accuracy: float
    accuracy_low: float = Field(description="95 % interval (Wilson).")
    accuracy_high: float
    macro_f1: float = Field(description="Over the classes that the pictures show.")
    labels: list[str]
    classes: list[ClassMeasuresSchema]
    confusion_matrix: list[list[int]] = Field(description="[true label][predicted label], as in `labels`.")


class DifferenceSchema(Schema):
    """The version minus the one it is compared with, on the same pictures."""

    against: int
    only_version_right: int
    only_against_right: int
    difference: float
    low: float = Field(description="95 % interval of the paired difference (Agresti and Min).")
    high: float
    p_value: float = Field(description="Exact two-sided sign test: both equally often right.")


class RefusedFileSchema(Schema):
    """A file that was not used."""

    name: str
    reason: str


class EvaluationSchema(Schema):
    """What the pictures say."""

    model: str
    versions: list[MeasuresSchema] = Field(description="The version, and the one it is compared with.")
    difference: DifferenceSchema | None
    refused: int
    refusals: list[RefusedFileSchema] = Field(description="The first hundred.")


@router.post(
    "/v1/models/{model}/versions/{version}/evaluation",
    summary="Evaluate a version on labelled pictures",
    response_model=EvaluationSchema,
    responses=guarded_responses(404, 408, 409, 413, 415, 422, 502, 503, 504),
    openapi_extra=UPLOAD,
)
async def evaluate_version(
    model: str,
    version: Version,
    request: Request,
    services: ControlDependency,
    caller: OperateCaller,
    against: Annotated[
        int | None, Query(ge=1, lt=10**18, description="Another version, on the same pictures.")
    ] = None,
) -> Any:
    """Nothing of the pictures is kept. A version that is not loaded is loaded for as long as it takes."""
    versions = [version] if against is None else [version, against]
    served = await services.evaluation.check(model, versions)
    async with services.evaluation.place():
        spool = services.intake.begin()
        try:
            await services.spooling.receive(spool, request.scope, request.receive)
            with spool.members(services.settings.datasets, services.settings.limits.image_bytes) as members:
                report = await services.evaluation.evaluate(served, members)
        except TooLargeError as error:
            return Lingering(problems.from_error(request.scope, error))
        finally:
            await services.intake.end(spool, None)
    detail = {"versions": versions, "accuracy": [round(one.accuracy, 6) for one in report.measures]}
    await services.audit.record(caller, "version.evaluate", model, detail)
    return shown(model, versions, report)


def shown(model: str, versions: Sequence[int], report: Report) -> EvaluationSchema:
    """A report as the API shows it."""
    measured = [_measures(version, one) for version, one in zip(versions, report.measures, strict=True)]
    difference = _difference(versions[1], report.difference) if report.difference else None
    return EvaluationSchema(
        model=model,
        versions=measured,
        difference=difference,
        refused=report.refused,
        refusals=[_refusal(one) for one in report.refusals],
    )


def _refusal(one: Refusal) -> RefusedFileSchema:
    return RefusedFileSchema(name=one.name, reason=one.reason)


def _measures(version: int, one: Measures) -> MeasuresSchema:
    low, high = one.interval
    return MeasuresSchema(
        version=version,
        pictures=one.pictures,
        right=one.right,
        accuracy=round(one.accuracy, 6),
        accuracy_low=round(low, 6),
        accuracy_high=round(high, 6),
        macro_f1=round(one.macro_f1, 6),
        labels=list(one.labels),
        classes=[
            ClassMeasuresSchema(
                label=each.label,
                pictures=each.pictures,
                precision=_rounded(each.precision),
                recall=_rounded(each.recall),
                f1=_rounded(each.f1),
            )
            for each in one.classes
        ],
        confusion_matrix=[list(row) for row in one.confusion],
    )


def _difference(against: int, one: Difference) -> DifferenceSchema:
    low, high = one.interval
    return DifferenceSchema(
        against=against,
        only_version_right=one.only_first_right,
        only_against_right=one.only_second_right,
        difference=round(one.difference, 6),
        low=round(low, 6),
        high=round(high, 6),
        p_value=round(one.p_value, 6),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
