"""The whole OpenAPI, tried by schemathesis with a token of each role: no 5xx, nothing undescribed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer
from gateway_harness import StartGateway

from gateway.access.callers import Role
from gateway.access.tokens import create

schemathesis = pytest.importorskip("schemathesis", reason="only in the development environment")

pytestmark = pytest.mark.anyio

EXAMPLES = int(os.environ.get("REKINDLE_SCHEMA_EXAMPLES", "10"))
"""For each operation and role."""


def surprises(url: str, headers: dict[str, str]) -> tuple[int, list[str]]:
    """How many calls were made; one text for each operation that answered with what the schema lacks."""
    import hypothesis
    from schemathesis import checks
    from schemathesis.specs.openapi import checks as openapi_checks

    chosen = [
        checks.not_a_server_error,
        openapi_checks.status_code_conformance,
        openapi_checks.content_type_conformance,
        openapi_checks.response_schema_conformance,
        openapi_checks.response_headers_conformance,
    ]
    calls, found = 0, []
    for result in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
        operation = result.ok()

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def attempt(case: Any) -> None:
            nonlocal calls
            calls += 1
            case.validate_response(case.call(headers=headers, base_url=url), checks=chosen)

        try:
            attempt()
        except Exception as error:
            found.append(f"{operation.label}: {error}")
    return calls, found


@pytest.mark.parametrize("role", [*Role, None])
async def test_no_answer_is_a_surprise(
    start_gateway: StartGateway, model_server: FakeModelServer, tmp_path: Path, role: Role | None
) -> None:
    """Each role sees only what the schema describes; so does whoever has no token."""
    token = create("somebody", role or Role.PREDICT)
    tokens = tmp_path / "tokens"
    tokens.write_text(token.line)
    gateway = await start_gateway(model_server, access={"tokens_file": tokens})
    headers = {"Authorization": f"Bearer {token.secret}"} if role else {}
    calls, found = await asyncio.to_thread(surprises, gateway.url, headers)
    assert found == []
    assert calls > 100
