"""GET /v1/load-tests: the results of load tests that lie in a folder, as they were written."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from gateway.api.access import PredictCaller
from gateway.api.files import file_in, names_in
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency

router = APIRouter(tags=["load tests"])


class LoadTestsSchema(Schema):
    """The names of the results."""

    results: list[str]


@router.get("/v1/load-tests", summary="List load test results", responses=guarded_responses())
async def list_load_tests(services: ControlDependency, _: PredictCaller) -> LoadTestsSchema:
    """Those that were shipped with the gateway, and those that were put beside them."""
    return LoadTestsSchema(results=list(await names_in(services.stores.load_tests, ".json")))


@router.get(
    "/v1/load-tests/{name}",
    summary="Show a load test's result",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {"schema": {"type": "object"}}}},
        **guarded_responses(404),
    },
)
async def show_load_test(name: str, services: ControlDependency, _: PredictCaller) -> Response:
    """The file as it is: hardware, versions, and every run."""
    return await file_in(services.stores.load_tests, name, ".json")
