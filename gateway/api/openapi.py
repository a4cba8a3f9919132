"""OpenAPI as it truly is: problems are described where they occur, by their media type.

FastAPI would describe its own 422, which this gateway never answers, and knows no component that no
route returns; hence the one addition after its generation.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from contract.version import version
from gateway.api.schemas import Problem

TITLE = "Rekindle gateway"
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")
SUMMARY = "Pictures in, ranked classes out; and which model version answers."


def describe(app: FastAPI) -> FastAPI:
    """Give the application its title, its version and the component `Problem`."""
    app.title, app.summary, app.version = TITLE, SUMMARY, version()
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        components = schema["components"]["schemas"]
        components["Problem"] = Problem.model_json_schema()
        for name in _FASTAPIS_OWN:
            components.pop(name, None)
        for path in schema["paths"].values():
            for operation in path.values():
                _drop_fastapis_own(operation["responses"])
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _drop_fastapis_own(responses: dict[str, Any]) -> None:
    """A route that takes only texts cannot fail validation; the others document their 422 as a problem."""
    if "application/json" in responses.get("422", {}).get("content", {}):
        del responses["422"]
