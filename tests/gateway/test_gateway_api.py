"""The routes around the predictions, the truth of OpenAPI, and the completeness of both error tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from gateway_fakes import LABELS, FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway

from gateway import errors
from gateway.adapters.tfserving import STATUS_ERRORS
from gateway.api import problems
from gateway.api.schemas import ModelsSchema, RolloutSchema, VersionDetailSchema, VersionsSchema
from gateway.app import create_app
from gateway.settings import Settings

pytestmark = pytest.mark.anyio


async def test_models_versions_and_rollout_are_shown(
    gateway: RunningGateway, model_server: FakeModelServer
) -> None:
    """The four read routes agree with each other and with their schemas."""
    get = gateway.client.get
    [model] = ModelsSchema.model_validate((await get("/v1/models")).json()).models
    assert (model.name, model.stable, model.versions, model.labels) == ("shades", 1, [1], LABELS)
    [version] = VersionsSchema.model_validate((await get("/v1/models/shades/versions")).json()).versions
    assert (version.state, version.role) == ("available", "stable")
    assert [entry.replica for entry in version.replicas] == [model_server.address]
    detail = VersionDetailSchema.model_validate((await get("/v1/models/shades/versions/1")).json())
    assert detail.card is not None
    assert detail.card.labels == LABELS
    shown = RolloutSchema.model_validate((await get("/v1/models/shades/rollout")).json())
    assert (shown.rollout.stable, shown.loading, shown.failed) == (1, None, {})


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/models/nobody/versions", "unknown_model"),
        ("/v1/models/nobody/versions/1", "unknown_model"),
        ("/v1/models/nobody/rollout", "unknown_model"),
        ("/v1/models/shades/versions/99", "unknown_version"),
        ("/v1/models/shades/versions/99999999999999999999999", "unknown_version"),
    ],
)
async def test_unknown_names_are_404_and_say_what_there_is(
    gateway: RunningGateway, path: str, code: str
) -> None:
    """The detail lists the names that exist."""
    response = await gateway.client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, code)
    assert re.search(r"shades|it has: 1", response.json()["detail"])


async def test_probes_metrics_docs_and_the_front_door(gateway: RunningGateway) -> None:
    """Each answers, and the front door's links lead somewhere."""
    welcome = (await gateway.client.get("/")).json()
    for path in [*welcome["links"].values(), welcome["documentation"]]:
        assert (await gateway.client.get(path)).status_code == 200
    assert (await gateway.client.get("/readyz")).json()["models"] == {"shades": 1}


async def test_metrics_count_what_happened_by_bounded_labels(gateway: RunningGateway) -> None:
    """Images by model and version, requests by route template; a stranger's words appear nowhere."""
    await gateway.predict(files=[("images", picture()), ("images", picture())])
    await gateway.predict("intruder", files={"images": picture()})
    await gateway.client.get("/wp-login.php")
    await gateway.client.request("PROPFIND", "/healthz")
    text = (await gateway.client.get("/metrics")).text
    assert 'gateway_images_predicted_total{model="shades",version="1"} 2.0' in text
    route = "/v1/models/{model}/predictions"
    assert f'gateway_http_requests_total{{method="POST",route="{route}",status="200"}} 1.0' in text
    assert f'gateway_http_requests_total{{method="POST",route="{route}",status="404"}} 1.0' in text
    assert 'method="other"' in text
    assert not re.search("intruder|wp-login|PROPFIND", text)


async def test_every_problem_has_its_page(gateway: RunningGateway) -> None:
    """The `type` of a problem can be fetched from the gateway that sent it."""
    for code, kind in problems.ALL_KINDS.items():
        page = await gateway.client.get(f"/errors/{code}")
        assert (page.status_code, page.json()["status"]) == (200, kind.status)
    assert (await gateway.client.get("/errors/none")).status_code == 404


async def test_not_ready_before_a_model_and_while_draining(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """/readyz names each missing dependency; /healthz stays well."""
    gateway = await start_gateway(is_ready=False)
    response = await gateway.client.get("/readyz")
    assert (response.status_code, response.json()["missing"]) == (503, ["model", "model_server"])
    well = await start_gateway(model_server)
    well.services.lifecycle.is_draining = True
    assert (await well.client.get("/readyz")).json()["missing"] == ["process"]
    assert (await well.client.get("/healthz")).status_code == 200
    assert (await well.predict(files={"images": picture()})).status_code == 200


def _errors(kind: type[errors.GatewayError] = errors.GatewayError) -> Iterator[type[errors.GatewayError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _errors(child)


def test_every_error_has_its_own_problem() -> None:
    """The table outward is complete: no class takes its ancestor's row by accident."""
    assert set(_errors()) == set(problems.KINDS)
    codes = [kind.code for kind in problems.KINDS.values()]
    assert len(codes) == len(set(codes))
    for kind in problems.KINDS.values():
        assert kind.status in (503, 409) or kind.retry_after_seconds is None


def test_every_grpc_status_has_its_error() -> None:
    """The table inward is complete."""
    assert set(STATUS_ERRORS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """The hierarchy drawn in gateway.errors names each class once, in the order of the code."""
    drawn = re.findall(r"(\w+Error)\b", (errors.__doc__ or "").split("\n\n")[1])
    assert drawn == [kind.__name__ for kind in _errors()]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The OpenAPI of the application."""
    return create_app(Settings()).openapi()


def test_openapi_describes_the_request_bodies_of_predictions(schema: dict[str, Any]) -> None:
    """Multipart with an array of files, or raw bytes; model and top_k as parameters."""
    operation = schema["paths"]["/v1/models/{model}/predictions"]["post"]
    assert set(operation["requestBody"]["content"]) == {
        "multipart/form-data",
        "image/*",
        "application/octet-stream",
    }
    assert [(entry["name"], entry["in"]) for entry in operation["parameters"]] == [
        ("model", "path"),
        ("top_k", "query"),
        ("version", "query"),
        ("label", "query"),
        ("X-Canary-Key", "header"),
        ("Idempotency-Key", "header"),
        ("store", "query"),
        ("embedding", "query"),
    ]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/PredictionsSchema"}


def test_openapi_describes_problems_by_their_media_type(schema: dict[str, Any]) -> None:
    """Every response of 400 and above is problem+json, and no reference leads nowhere."""
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == [problems.MEDIA_TYPE], (path, status)
    names = set(schema["components"]["schemas"])
    assert "HTTPValidationError" not in names
    assert set(re.findall(r"#/components/schemas/(\w+)", str(schema))) <= names


def test_every_problem_of_the_domain_is_described_where_it_can_occur(schema: dict[str, Any]) -> None:
    """The prediction route documents the status of every error that a prediction can end with."""
    documented = set(schema["paths"]["/v1/models/{model}/predictions"]["post"]["responses"])
    of_others = {errors.ConflictError, errors.RunActiveError, errors.BaseDataMissingError}
    mine = {str(kind.status) for error, kind in problems.KINDS.items() if error not in of_others}
    assert mine <= documented
