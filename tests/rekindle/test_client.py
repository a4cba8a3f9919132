"""The client against a real local server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from gateway_server import Respond, failure, gateway_server, prediction, predictions, problem

from rekindle import ApiError, AsyncClient, Client, GatewayUnreachableError
from rekindle.client.calls import models
from rekindle.client.retries import passes
from rekindle.errors import Problem
from rekindle.loopback import free_ports

MODEL = {"name": "pets", "stable": 3, "versions": [1, 3], "labels": ["cat", "dog"], "error": None}
VERSION = {
    "model": "pets",
    "version": 3,
    "state": "available",
    "role": "stable",
    "error": None,
    "replicas": [],
}


@pytest.fixture
def anyio_backend() -> str:
    """asyncio is the one event loop of the project."""
    return "asyncio"


def echo(method: str, path: str, parts: list[tuple[str, bytes]]) -> tuple[int, object]:
    """Name each picture by its content."""
    return 200, predictions(*(prediction(name, (content.decode(), 0.9)) for name, content in parts))


def listing(method: str, path: str, parts: object) -> tuple[int, object]:
    """The routes about models."""
    return 200, {
        "/v1/models": {"models": [MODEL]},
        "/v1/models/pets/versions": {"model": "pets", "versions": [VERSION]},
        "/v1/models/pets/versions/3": {**VERSION, "card": {"labels": ["cat", "dog"]}, "card_error": None},
    }[path]


def test_many_pictures_go_in_one_call_and_come_back_in_order(tmp_path: Path) -> None:
    """Files and bytes, mixed: one request, answers in the order of the pictures, file names kept."""
    file = tmp_path / "tom.png"
    file.write_bytes(b"cat")
    with gateway_server(echo) as server, Client(server.url) as client:
        answer = client.predict("pets", [file, b"dog", b"bird"], top_k=2)
    assert server.requests == [("POST", "/v1/models/pets/predictions?top_k=2")]
    assert [item.best.label for item in answer.predictions if item.best] == ["cat", "dog", "bird"]
    assert answer.predictions[0].filename == "tom.png"
    assert (answer.model, answer.version, answer.timing_ms["total"]) == ("pets", 3, 2.5)


def test_an_embedding_is_asked_for_and_read() -> None:
    """By a parameter; without it there is none, and the refusal of a version says why."""
    row = {**prediction("a", ("cat", 0.7)), "embedding": [0.5, 1.25]}
    refusal = problem("no_embedding", 409)

    def respond(method: str, path: str, parts: object) -> tuple[int, object]:
        if "version=1" in path:
            return 409, refusal
        return 200, predictions(row if "embedding=true" in path else prediction("a", ("cat", 0.7)))

    with gateway_server(respond) as server, Client(server.url) as client:
        assert client.predict("pets", [b"a"], embedding=True).predictions[0].embedding == [0.5, 1.25]
        assert client.predict("pets", [b"a"]).predictions[0].embedding is None
        with pytest.raises(ApiError, match="no_embedding"):
            client.predict("pets", [b"a"], version=1, embedding=True)
    assert server.requests[0] == ("POST", "/v1/models/pets/predictions?embedding=true")


def test_a_picture_that_fails_carries_its_problem() -> None:
    """The others keep their classifications."""
    reply = predictions(prediction("a", ("cat", 0.7)), failure("b"))
    with gateway_server(lambda *request: (200, reply)) as server, Client(server.url) as client:
        good, bad = client.predict("pets", [b"a", b"b"]).predictions
    assert good.error is None
    assert bad.best is None
    assert bad.error is not None
    assert (bad.error.code, bad.error.status) == ("not_a_picture", 400)


def test_models_and_versions() -> None:
    """What there is, and what state it is in; the card only with one version."""
    with gateway_server(listing) as server, Client(server.url) as client:
        assert client.models()[0].labels == ["cat", "dog"]
        assert [version.state for version in client.versions("pets")] == ["available"]
        assert client.version("pets", 3).card == {"labels": ["cat", "dog"]}


@pytest.mark.anyio
async def test_the_asynchronous_client_does_the_same() -> None:
    """Every call of the one is a call of the other."""
    with gateway_server(listing) as server:
        async with AsyncClient(server.url) as client:
            assert (await client.models())[0].stable == 3
            assert [version.role for version in await client.versions("pets")] == ["stable"]
            assert (await client.version("pets", 3)).card == {"labels": ["cat", "dog"]}
    with gateway_server(echo) as server:
        async with AsyncClient(server.url) as client:
            (item,) = (await client.predict("pets", [b"cat"])).predictions
            assert item.best is not None
            assert item.best.label == "cat"
        with pytest.raises(GatewayUnreachableError):
            async with AsyncClient(f"http://127.0.0.1:{free_ports(1)[0]}", attempts=1) as client:
                await client.models()


@pytest.mark.parametrize("status", [400, 404, 413, 503])
def test_a_problem_becomes_an_error_that_says_it(status: int) -> None:
    """The code for programs, the sentence for people, the request's id for the log."""
    reply = (status, problem("unknown_model", status))
    with (
        gateway_server(lambda *request: reply) as server,
        Client(server.url, attempts=1) as client,
        pytest.raises(ApiError, match=f"{status} unknown_model: Unknown model: what arrived") as raised,
    ):
        client.models()
    assert raised.value.problem.request_id == "request-1"
    assert raised.value.problem.status == status


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"[1]", b'{"title": null}'])
def test_an_error_of_something_else_is_still_an_error(body: bytes) -> None:
    """A proxy's page in place of a problem keeps the status."""
    with (
        gateway_server(lambda *request: (502, body)) as server,
        Client(server.url, attempts=1) as client,
        pytest.raises(ApiError, match="502 unknown: HTTP status 502"),
    ):
        client.models()


@pytest.mark.parametrize("body", [b"", b"hello", b"{}", b'{"models": [{"nom": "pets"}]}'])
def test_a_success_that_is_not_the_api_is_an_error_that_quotes_it(body: bytes) -> None:
    """Another server on the port is noticed."""
    with (
        gateway_server(lambda *request: (200, body)) as server,
        Client(server.url) as client,
        pytest.raises(ApiError, match="not_understood: Not an answer of the gateway's API"),
    ):
        client.models()


def test_nobody_there_is_an_error_with_the_address() -> None:
    """No connection: the message names where."""
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    with (
        Client(url, attempts=1) as client,
        pytest.raises(GatewayUnreachableError, match=f"no answer from {url}"),
    ):
        client.models()


def test_a_strange_model_name_stays_one_segment() -> None:
    """A slash in a name does not reach another route."""
    with gateway_server(lambda *request: (404, problem("unknown_model", 404))) as server:
        with Client(server.url) as client, pytest.raises(ApiError):
            client.versions("a/../b?c")
        assert server.requests == [("GET", "/v1/models/a%2F..%2Fb%3Fc/versions")]


def busy(times: int) -> Respond:
    """503 that often, then the models."""
    answers = iter([(503, problem("overloaded", 503))] * times)
    return lambda *request: next(answers, (200, {"models": [MODEL]}))


@pytest.fixture
def impatient() -> Iterator[None]:
    """Repeat without waiting in between."""
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@pytest.mark.usefixtures("impatient")
def test_what_passes_by_itself_is_tried_again() -> None:
    """A read is repeated while the gateway is overloaded, to a bound."""
    with gateway_server(busy(2)) as server, Client(server.url) as client:
        assert client.models()[0].name == "pets"
        assert len(server.requests) == 3
    with gateway_server(busy(9)) as server, Client(server.url) as client:
        with pytest.raises(ApiError, match="503 overloaded"):
            client.models()
        assert len(server.requests) == 5


@pytest.mark.anyio
@pytest.mark.usefixtures("impatient")
async def test_the_asynchronous_client_tries_again_too() -> None:
    """By the same rule."""
    with gateway_server(busy(2)) as server:
        async with AsyncClient(server.url) as client:
            assert (await client.models())[0].name == "pets"
    assert len(server.requests) == 3


@pytest.mark.usefixtures("impatient")
def test_what_is_not_harmless_is_tried_once() -> None:
    """A roll-back that was carried out and whose answer was lost must not go forward again."""
    with gateway_server(lambda *request: (503, problem("database", 503))) as server:
        with Client(server.url) as client, pytest.raises(ApiError):
            client.send(models.roll_back("pets", None))
        assert len(server.requests) == 1


@pytest.mark.usefixtures("impatient")
def test_mistakes_are_not_tried_again() -> None:
    """404 stays 404."""
    with gateway_server(lambda *request: (404, problem("unknown_model", 404))) as server:
        with Client(server.url) as client, pytest.raises(ApiError):
            client.versions("pets")
        assert len(server.requests) == 1


def test_retry_after_is_kept() -> None:
    """The wait is the gateway's to say."""
    error = ApiError(Problem(503, "overloaded", "Overloaded"), retry_after_seconds=7.0)
    assert passes(models.models())(error) == 7.0
    assert passes(models.roll_back("pets", None))(error) is False


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_the_token_is_sent(kind: type[Client | AsyncClient], monkeypatch: pytest.MonkeyPatch) -> None:
    """From the argument, else from the environment."""
    monkeypatch.setenv("REKINDLE_TOKEN", "rk_environment")
    assert kind()._http.headers["authorization"] == "Bearer rk_environment"
    assert kind(token="rk_argument")._http.headers["authorization"] == "Bearer rk_argument"
