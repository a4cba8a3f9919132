"""Who may do what: every route × every role, sessions, sites, quotas, rotation, trusted proxies."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway

from gateway.access import tokens as tokens_module
from gateway.access.callers import Role
from gateway.access.quotas import Quotas
from gateway.access.tokens import NewToken, Tokens, create
from gateway.api.protection import OPEN_PATHS, OPEN_PREFIXES
from gateway.app import create_app
from gateway.errors import ConfigurationError, RateLimitedError, UnauthenticatedError
from gateway.server import listen
from gateway.settings import AccessSettings, ServerSettings, Settings

pytestmark = pytest.mark.anyio

MODEL = "/v1/models/shades"
PATHS = {"model": "shades", "version": "1", "id": "0" * 32, "code": "too_large", "name": "roc"}
PATHS |= {"dataset": "animals", "sha256": "0" * 64, "digest": "0" * 16}

NEEDS = {
    ("POST", "/v1/models/{model}/predictions"): Role.PREDICT,
    ("GET", "/v1/predictions"): Role.PREDICT,
    ("GET", "/v1/predictions.csv"): Role.PREDICT,
    ("GET", "/v1/predictions/{id}"): Role.PREDICT,
    ("GET", "/v1/predictions/{id}/image"): Role.PREDICT,
    ("PUT", "/v1/predictions/{id}/feedback"): Role.LABEL,
    ("DELETE", "/v1/predictions/{id}/feedback"): Role.LABEL,
    ("GET", "/v1/models"): Role.PREDICT,
    ("GET", "/v1/models/{model}/embeddings"): Role.PREDICT,
    ("GET", "/v1/models/{model}/versions"): Role.PREDICT,
    ("GET", "/v1/models/{model}/versions/{version}"): Role.PREDICT,
    ("GET", "/v1/models/{model}/versions/{version}/plots/{name}"): Role.PREDICT,
    ("GET", "/v1/load-tests"): Role.PREDICT,
    ("GET", "/v1/load-tests/{name}"): Role.PREDICT,
    ("GET", "/v1/models/{model}/rollout"): Role.PREDICT,
    ("GET", "/v1/models/{model}/shadow"): Role.PREDICT,
    ("PUT", "/v1/models/{model}/rollout"): Role.OPERATE,
    ("POST", "/v1/models/{model}/rollback"): Role.OPERATE,
    ("GET", "/v1/labelling-queue"): Role.LABEL,
    ("POST", "/v1/labelling-queue/{id}/skip"): Role.LABEL,
    ("DELETE", "/v1/labelling-queue/{id}/skip"): Role.LABEL,
    ("GET", "/v1/stats"): Role.PREDICT,
    ("GET", "/v1/audit"): Role.OPERATE,
    ("GET", "/v1/datasets"): Role.PREDICT,
    ("DELETE", "/v1/datasets/{dataset}"): Role.OPERATE,
    ("POST", "/v1/datasets/{dataset}/examples"): Role.LABEL,
    ("GET", "/v1/datasets/{dataset}/examples"): Role.PREDICT,
    ("GET", "/v1/datasets/{dataset}/examples/{id}"): Role.PREDICT,
    ("GET", "/v1/datasets/{dataset}/examples/{id}/image"): Role.PREDICT,
    ("PUT", "/v1/datasets/{dataset}/examples/{id}"): Role.LABEL,
    ("DELETE", "/v1/datasets/{dataset}/examples/{id}"): Role.OPERATE,
    ("DELETE", "/v1/pictures/{sha256}"): Role.OPERATE,
    ("GET", "/v1/imports"): Role.PREDICT,
    ("GET", "/v1/imports/{id}"): Role.PREDICT,
    ("DELETE", "/v1/imports/{id}"): Role.LABEL,
    ("POST", "/v1/training-runs"): Role.OPERATE,
    ("GET", "/v1/training-runs"): Role.PREDICT,
    ("GET", "/v1/training-runs/{id}"): Role.PREDICT,
    ("DELETE", "/v1/training-runs/{id}"): Role.OPERATE,
    ("GET", "/v1/training-runs/{id}/logs"): Role.PREDICT,
    ("POST", "/v1/training-runs/{id}/publication"): Role.OPERATE,
    ("GET", "/v1/triggers"): Role.PREDICT,
    ("GET", "/v1/drift"): Role.PREDICT,
    ("GET", "/v1/models/{model}/canary"): Role.PREDICT,
    ("POST", "/v1/models/{model}/versions/{version}/evaluation"): Role.OPERATE,
    ("GET", "/v1/schedules"): Role.PREDICT,
    ("POST", "/v1/schedules"): Role.OPERATE,
    ("PUT", "/v1/schedules/{id}"): Role.OPERATE,
    ("DELETE", "/v1/schedules/{id}"): Role.OPERATE,
    ("GET", "/v2"): Role.PREDICT,
    ("GET", "/v2/models/{model}"): Role.PREDICT,
    ("GET", "/v2/models/{model}/ready"): Role.PREDICT,
    ("GET", "/v2/models/{model}/versions/{version}"): Role.PREDICT,
    ("GET", "/v2/models/{model}/versions/{version}/ready"): Role.PREDICT,
    ("POST", "/v2/models/{model}/infer"): Role.PREDICT,
    ("POST", "/v2/models/{model}/versions/{version}/infer"): Role.PREDICT,
    ("GET", "/v2/health/live"): None,
    ("GET", "/v2/health/ready"): None,
    ("GET", "/v1/session"): None,
    ("POST", "/v1/session"): None,
    ("DELETE", "/v1/session"): None,
    ("GET", "/"): None,
    ("GET", "/dashboard/{digest}/{name:path}"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/metrics"): None,
    ("GET", "/errors/{code}"): None,
}
"""Every route and the least role that may use it; None: no token is needed."""

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/models/{model}/predictions"): {"files": {"images": picture()}},
    ("PUT", "/v1/models/{model}/rollout"): {"json": {"policy": "gated"}},
    ("PUT", "/v1/predictions/{id}/feedback"): {"json": {"label": "dim"}},
}


@pytest.fixture
def secrets(tmp_path: Path) -> dict[Role, NewToken]:
    """A token of each role."""
    return {role: create(f"the-{role}", role) for role in Role}


@pytest.fixture
def tokens_file(tmp_path: Path, secrets: dict[Role, NewToken]) -> Path:
    """The file that has them."""
    path = tmp_path / "tokens"
    path.write_text("# name role sha256\n\n" + "".join(f"{token.line}\n" for token in secrets.values()))
    return path


@pytest.fixture
async def guarded(
    start_gateway: StartGateway, model_server: FakeModelServer, tokens_file: Path
) -> RunningGateway:
    """A gateway that asks for tokens."""
    return await start_gateway(model_server, access={"tokens_file": tokens_file})


def bearer(secret: str) -> dict[str, str]:
    """The header."""
    return {"Authorization": f"Bearer {secret}"}


def test_every_route_is_in_the_table() -> None:
    """A new route must say here who may use it."""
    app = create_app(Settings())
    routes = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert routes == set(NEEDS)


async def test_every_route_and_every_role(guarded: RunningGateway, secrets: dict[Role, NewToken]) -> None:
    """401 without a token or with a wrong one, 403 below the role, neither at or above it."""
    for (method, template), needed in NEEDS.items():
        options = BODIES.get((method, template), {})
        path = template.replace(":path", "").format(**PATHS)

        async def status(extra: dict[str, str]) -> int:
            answer = await guarded.client.request(method, path, headers=extra, **options)  # noqa: B023
            return answer.status_code

        if needed is None:
            assert await status({}) not in (403,), template
            assert path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)
            continue
        for wrong in ({}, bearer("nonsense"), {"Authorization": "Basic eDp5"}):
            assert await status(wrong) == 401, (template, wrong)
        for role, token in secrets.items():
            found = await status(bearer(token.secret))
            assert (found == 403) == (role < needed), (template, role, found)
            assert found != 401


async def test_401_says_how_and_tells_nothing(guarded: RunningGateway) -> None:
    """WWW-Authenticate, and no echo of the secret."""
    answer = await guarded.client.get("/v1/models", headers=bearer("rk_my-secret"))
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthenticated"
    assert "my-secret" not in answer.text


async def test_the_caller_stands_in_the_history(
    guarded: RunningGateway, secrets: dict[Role, NewToken]
) -> None:
    """By name, never by token."""
    headers = bearer(secrets[Role.LABEL].secret)
    assert (await guarded.predict(files={"images": picture()}, headers=headers)).status_code == 200
    guarded.client.headers.update(headers)
    page = await guarded.becomes("/v1/predictions", lambda answer: len(answer.json()["predictions"]) == 1)
    assert page.json()["predictions"][0]["caller"] == "the-label"


async def test_a_session_is_a_cookie_that_scripts_cannot_read(
    guarded: RunningGateway, secrets: dict[Role, NewToken]
) -> None:
    """It begins with a token, serves like one, and ends."""
    assert (await guarded.client.get("/v1/session")).status_code == 401
    wrong = await guarded.client.post("/v1/session", json={"token": "nonsense"})
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    begun = await guarded.client.post("/v1/session", json={"token": secrets[Role.LABEL].secret})
    assert begun.json() == {"name": "the-label", "role": "label"}
    cookie = begun.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie  # plain HTTP
    assert (await guarded.client.get("/v1/models")).status_code == 200
    assert (await guarded.client.get("/v1/session")).json()["name"] == "the-label"
    assert (await guarded.client.delete("/v1/session")).status_code == 204
    assert (await guarded.client.get("/v1/models")).status_code == 401
    behind = {"X-Forwarded-Proto": "https"}
    again = await guarded.client.post(
        "/v1/session", json={"token": secrets[Role.LABEL].secret}, headers=behind
    )
    assert "secure" in again.headers["set-cookie"].lower()


async def test_tokens_rotate_without_restart(
    guarded: RunningGateway,
    tokens_file: Path,
    secrets: dict[Role, NewToken],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The new one works, the old one does not; a broken file leaves things as they are."""
    monkeypatch.setattr(tokens_module, "LOOK_SECONDS", 0.0)
    old, new = secrets[Role.PREDICT], create("the-predict", Role.PREDICT)
    tokens_file.write_text(new.line)  # noqa: ASYNC240
    assert (await guarded.client.get("/v1/models", headers=bearer(old.secret))).status_code == 401
    assert (await guarded.client.get("/v1/models", headers=bearer(new.secret))).status_code == 200
    for broken in ("nonsense", "", f"{new.line} more", new.line.replace("predict ", "emperor ")):
        tokens_file.write_text(broken)  # noqa: ASYNC240
        assert (await guarded.client.get("/v1/models", headers=bearer(new.secret))).status_code == 200
    tokens_file.unlink()  # noqa: ASYNC240
    assert (await guarded.client.get("/v1/models", headers=bearer(new.secret))).status_code == 200


def test_only_hashes_are_at_rest(tokens_file: Path, secrets: dict[Role, NewToken]) -> None:
    """The file does not hold what it admits."""
    assert not any(token.secret in tokens_file.read_text() for token in secrets.values())
    tokens = Tokens(tokens_file)
    assert tokens.authenticate(secrets[Role.OPERATE].secret).role is Role.OPERATE
    with pytest.raises(UnauthenticatedError):
        tokens.authenticate(secrets[Role.OPERATE].line.split()[2])  # the hash is no token


@pytest.mark.parametrize(
    "text", ["", "a predict", "a predict 12", "a ruler " + "0" * 64, "a/b predict " + "0" * 64]
)
def test_a_tokens_file_that_cannot_be_used_keeps_the_gateway_from_starting(tmp_path: Path, text: str) -> None:
    """With the line, and without what stands there."""
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=str(path)):
        create_app(Settings(access=AccessSettings(tokens_file=path)))


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "{own}"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "{own}.evil.example"}, False),
        ({"Host": "evil.example"}, False),
        ({"Host": "localhost.evil.example"}, False),
        ({"Host": "localhost:1"}, True),
        ({"Host": "[::1]:8000"}, True),
        ({"Host": "LOCALHOST"}, True),
    ],
)
async def test_a_page_of_another_site_can_write_nothing(
    gateway: RunningGateway, headers: dict[str, str], allowed: bool
) -> None:
    """On loopback too, where no token is asked for."""
    sent = {name: value.format(own=gateway.url) for name, value in headers.items()}
    answer = await gateway.predict(files={"images": picture()}, headers=sent)
    assert answer.status_code == (200 if allowed else 403)
    if not allowed:
        assert answer.json()["code"] == "foreign_origin"


async def test_dns_rebinding_cannot_read_either_but_probes_are_answered(gateway: RunningGateway) -> None:
    """A name of another's that resolves to loopback."""
    foreign = {"Host": "rebound.example"}
    assert (await gateway.client.get("/v1/predictions", headers=foreign)).status_code == 403
    assert (await gateway.client.get("/readyz", headers=foreign)).status_code == 200


async def test_other_names_and_other_sites_can_be_allowed(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """Then CORS answers for that site, and for no other."""
    access = {"allowed_hosts": ["api.example", "127.0.0.1"], "cors_origins": ["https://app.example"]}
    gateway = await start_gateway(model_server, access=access)
    site = {"Origin": "https://app.example", "Host": "api.example"}
    answer = await gateway.predict(files={"images": picture()}, headers=site)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://app.example")
    ask = site | {"Access-Control-Request-Method": "PUT"}
    assert (await gateway.client.options("/v1/predictions", headers=ask)).status_code == 200
    other = await gateway.predict(
        files={"images": picture()}, headers=site | {"Origin": "https://evil.example"}
    )
    assert (other.status_code, "access-control-allow-origin" in other.headers) == (403, False)


async def test_cors_is_off_by_default(gateway: RunningGateway) -> None:
    """No header for any origin."""
    answer = await gateway.client.get("/v1/models", headers={"Origin": "https://app.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_browser_headers(gateway: RunningGateway) -> None:
    """On answers and on problems."""
    for path in ("/v1/models", "/v1/nothing"):
        headers = (await gateway.client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'self'" in headers["content-security-policy"]


async def test_requests_a_minute(
    start_gateway: StartGateway,
    model_server: FakeModelServer,
    tokens_file: Path,
    secrets: dict[Role, NewToken],
) -> None:
    """Of each caller by itself; 429 says when to come back; probes do not count."""
    gateway = await start_gateway(model_server, access={"tokens_file": tokens_file, "requests_per_minute": 5})
    first, second = (bearer(secrets[role].secret) for role in (Role.PREDICT, Role.LABEL))
    statuses = [(await gateway.client.get("/v1/models", headers=first)).status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    refused = await gateway.client.get("/v1/models", headers=first)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["code"] == "rate_limited"
    assert (await gateway.client.get("/v1/models", headers=second)).status_code == 200
    assert (await gateway.client.get("/healthz", headers=first)).status_code == 200


def admitted(quotas: Quotas, caller: str) -> int:
    """Requests, one after the other, until one is refused."""
    for number in itertools.count():
        try:
            quotas.enter(caller)
        except RateLimitedError:
            return number
        quotas.leave(caller)
    raise AssertionError


@pytest.mark.parametrize("per_minute", [7, 250, 6450])
def test_what_is_counted_ahead_is_a_hundredth_at_most(per_minute: int) -> None:
    """Never more than the quota, and no more than one part in a hundred fewer; each caller has its own."""
    quotas = Quotas(AccessSettings(requests_per_minute=per_minute))
    for caller in ("one", "other"):
        assert per_minute * 0.99 < admitted(quotas, caller) <= per_minute


async def test_requests_at_once(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """The second of a caller is refused while the first runs, and let in afterwards."""
    import asyncio

    gateway = await start_gateway(model_server, access={"requests_at_once": 1})
    model_server.flowing.clear()
    running = asyncio.create_task(gateway.predict(files={"images": picture()}))
    async with asyncio.timeout(20):
        while not model_server.calls:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    refused = await gateway.predict(files={"images": picture()})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    model_server.flowing.set()
    assert (await running).status_code == 200
    assert (await gateway.predict(files={"images": picture()})).status_code == 200


async def test_a_trusted_proxy_names_people_and_their_groups(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """The highest role of the groups counts; who is in none is refused."""
    access = {"trusted_proxies": ["127.0.0.0/8"], "group_roles": ["ml=operate", "staff=predict"]}
    gateway = await start_gateway(model_server, access=access)
    ann = {"X-Forwarded-User": "ann@example", "X-Forwarded-Groups": "staff, ml"}
    assert (await gateway.client.get("/v1/session", headers=ann)).json() == {
        "name": "ann@example",
        "role": "operate",
    }
    bob = {"X-Forwarded-User": "bob", "X-Forwarded-Groups": "guests"}
    assert (await gateway.client.get("/v1/models", headers=bob)).status_code == 401
    assert (await gateway.client.get("/v1/models")).status_code == 401


async def test_a_stranger_who_sends_a_proxys_headers_is_not_believed(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """Only the proxy's address may."""
    access = {"trusted_proxies": ["192.0.2.7"], "group_roles": ["*=operate"]}
    gateway = await start_gateway(model_server, access=access)
    forged = {"X-Forwarded-User": "ann", "X-Forwarded-Groups": "ml"}
    assert (await gateway.client.get("/v1/models", headers=forged)).status_code == 401


@pytest.mark.parametrize("access", [{"trusted_proxies": ["nonsense"]}, {"group_roles": ["ml=emperor"]}])
def test_proxies_that_cannot_be_keep_the_gateway_from_starting(access: dict[str, Any]) -> None:
    """With the setting's name."""
    with pytest.raises(ConfigurationError, match="GATEWAY_ACCESS__"):
        create_app(Settings(access=AccessSettings(**access)))


def test_beyond_loopback_tokens_are_required() -> None:
    """Or a word that says it is meant."""
    with pytest.raises(ConfigurationError, match="GATEWAY_ACCESS__TOKENS_FILE"):
        listen(ServerSettings(host="0.0.0.0", port=0))
    listen(ServerSettings(host="0.0.0.0", port=0), is_protected=True).close()


def test_no_environment_leaks_into_this_file() -> None:
    """The tables above are about defaults."""
    assert not [name for name in os.environ if name.startswith("GATEWAY_")]
