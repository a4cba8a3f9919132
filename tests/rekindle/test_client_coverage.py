"""The client has every operation that the gateway's schema describes, and no other."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from gateway.app import create_app
from gateway.settings import Settings
from rekindle import AsyncClient, Client
from rekindle.client import calls
from rekindle.client.calls.call import Call

LEFT_OUT = {
    ("GET", "/v1/datasets/{dataset}/examples/{id}"): "a page of examples has all of it",
    ("GET", "/v1/datasets/{dataset}/examples/{id}/image"): "for browsers",
    ("GET", "/v1/models/{model}/embeddings"): "for the dashboard's map; programs predict with `embedding`",
    ("GET", "/v1/imports"): "an upload names its import",
    ("POST", "/v1/schedules"): "made by operators, by the API or the dashboard",
    ("PUT", "/v1/schedules/{id}"): "as above",
    ("DELETE", "/v1/schedules/{id}"): "as above",
    ("GET", "/v1/load-tests"): "files of the repository",
    ("GET", "/v1/load-tests/{name}"): "as above",
}
"""And sessions, probes, and the Open Inference Protocol, which has clients of its own."""
ELSEWHERE = re.compile(r"/v2.*|/v1/session|/healthz|/readyz|/metrics|/errors/.*|/")


def every_call() -> list[Call[Any]]:
    """Each function of the calls, called with something for each argument that it needs."""
    found = []
    for function in functions():
        needed = [
            one
            for one in inspect.signature(function).parameters.values()
            if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
        ]
        found.append(function(*(argument(one) for one in needed)))
    return found


def functions() -> Iterator[Callable[..., Call[Any]]]:
    """Those that make a request, of every file of the calls."""
    for subject in iter_modules(calls.__path__, f"{calls.__name__}."):
        for function in vars(import_module(subject.name)).values():
            if inspect.isfunction(function) and "Call[" in str(function.__annotations__.get("return")):
                yield function


def argument(parameter: inspect.Parameter) -> Any:
    """Something of the kind that its annotation names."""
    kind = str(parameter.annotation)
    if kind.startswith("Sequence"):
        return [b"picture"]
    if kind.startswith("Mapping"):
        return {}
    if kind.startswith("bytes"):
        return b"archive"
    return None if "None" in kind else 7 if kind == "int" else "x"


def test_every_operation_is_there() -> None:
    """Or left out for a reason that is stated."""
    paths = create_app(Settings()).openapi()["paths"]
    operations = {
        (method.upper(), path)
        for path, methods in paths.items()
        if not ELSEWHERE.fullmatch(path)
        for method in methods
    }
    made = [(call.method, call.path) for call in every_call()]
    assert len(made) > 30
    covered = set()
    for method, path in made:
        fitting = [
            (known, template)
            for known, template in operations
            if known == method
            and re.fullmatch(
                re.sub(r"\{\w+\}", "[^/]+", re.escape(template).replace("\\{", "{").replace("\\}", "}")), path
            )
        ]
        assert fitting, (method, path)
        covered.update(fitting)
    assert operations - covered == set(LEFT_OUT)


def test_both_clients_have_the_same_methods() -> None:
    """With the same arguments."""

    def methods(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(one).parameters)
            for name, one in vars(kind).items()
            if inspect.isfunction(one) and not name.startswith("_") and name not in ("close", "aclose")
        }

    assert methods(Client) == methods(AsyncClient)
