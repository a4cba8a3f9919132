"""The dashboard's files: negotiated, packed, kept by browsers, and behind a strict policy."""

from __future__ import annotations

import gzip
import re

import httpx
import pytest
from gateway_fakes import FakeModelServer
from gateway_harness import RunningGateway, StartGateway

from gateway.access.callers import Role
from gateway.access.tokens import create
from gateway.api.pages import FOLDER, release

pytestmark = pytest.mark.anyio

HTML = {"Accept": "text/html,application/xhtml+xml"}


async def page(gateway: RunningGateway) -> httpx.Response:
    """The front door as a browser opens it."""
    response = await gateway.client.get("/", headers=HTML)
    assert response.status_code == 200
    return response


async def test_the_front_door_serves_browsers_a_page_and_others_json(gateway: RunningGateway) -> None:
    """By what is accepted; caches are told."""
    html = await page(gateway)
    assert html.headers["content-type"] == "text/html; charset=utf-8"
    json = await gateway.client.get("/")
    assert json.json()["documentation"] == "/docs"
    assert "Accept" in json.headers["vary"]
    assert "Accept" in html.headers["vary"]


async def test_everything_that_the_page_names_is_there(gateway: RunningGateway) -> None:
    """Each address in the page, and each module that one imports, answers with its type."""
    names = re.findall(r'(?:href|src)="(dashboard/[^"]+)"', (await page(gateway)).text)
    assert len(names) > 8
    for name in names:
        assert (await gateway.client.get(f"/{name}")).status_code == 200, name
    known = set(release().files)
    for script in FOLDER.rglob("*.js"):
        for target in re.findall(r'from "(\.[^"]+)"', script.read_text()):
            assert (script.parent / target).resolve().relative_to(FOLDER).as_posix() in known, (
                script,
                target,
            )


async def test_files_are_packed_and_kept_for_ever(gateway: RunningGateway) -> None:
    """gzip where it is accepted; the digest in the address lets browsers keep a file."""
    digest = release().digest
    path = f"/dashboard/{digest}/core/dom.js"
    packed = await gateway.client.get(path, headers={"Accept-Encoding": "gzip"})
    plain = await gateway.client.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content == (FOLDER / "core" / "dom.js").read_bytes()
    assert int(packed.headers["content-length"]) == len(release().files["core/dom.js"].packed)
    assert gzip.decompress(release().files["core/dom.js"].packed) == plain.content
    assert "immutable" in plain.headers["cache-control"]


async def test_a_file_that_a_browser_has_is_not_sent_again(gateway: RunningGateway) -> None:
    """304 without a body, for the page too."""
    first = await page(gateway)
    again = await gateway.client.get("/", headers={**HTML, "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_a_page_of_an_older_release_gets_files_it_must_not_keep(gateway: RunningGateway) -> None:
    """So that an open page goes on after an update; what is unknown is a problem that says what to do."""
    old = await gateway.client.get("/dashboard/0123456789abcdef/main.js")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
    gone = await gateway.client.get(f"/dashboard/{release().digest}/pages/nowhere.js")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_name")
    outside = await gateway.client.get(f"/dashboard/{release().digest}/..%2f..%2fsettings%2f__init__.py")
    assert outside.status_code == 404


async def test_the_policy_forbids_inline_scripts_and_markup_from_text(gateway: RunningGateway) -> None:
    """No unsafe word, no other origin; and the page has no inline script, style or handler to begin with."""
    html = await page(gateway)
    (policy,) = [value for name, value in html.headers.multi_items() if name == "content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    for rule in (
        "default-src 'none'",
        "script-src 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ):
        assert rule in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", html.text)


async def test_the_files_need_no_token(
    start_gateway: StartGateway, model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """They hold no data; what they ask for does."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text(create("somebody", Role.PREDICT).line)
    gateway = await start_gateway(model_server, access={"tokens_file": tokens})
    await page(gateway)
    assert (await gateway.client.get(f"/dashboard/{release().digest}/main.js")).status_code == 200
    assert (await gateway.client.get("/v1/models")).status_code == 401


async def test_a_predicting_process_has_no_pages(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """Pages need the routes of the controlling role, so only that serves them."""
    gateway = await start_gateway(model_server, server={"role": "predict"}, is_ready=False)
    assert (await gateway.client.get("/", headers=HTML)).json()["documentation"] == "/docs"
    assert (await gateway.client.get(f"/dashboard/{release().digest}/main.js")).json()["code"] == "other_role"
