"""The bad-input table over a real socket: status line and body of each, and the next request unharmed."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway

from gateway.api.schemas import Problem

pytestmark = pytest.mark.anyio

PATH = "/v1/models/shades/predictions"
MEBIBYTE = 2**20


async def assert_problem(
    gateway: RunningGateway, response: httpx.Response, status: int, code: str
) -> Problem:
    """A complete problem whose body agrees with the status line, and a gateway that still answers."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(response.json())
    assert (problem.status, problem.code, problem.type) == (status, code, f"/errors/{code}")
    assert problem.request_id == response.headers["x-request-id"]
    assert problem.detail
    assert (await gateway.predict(files={"images": picture()})).status_code == 200
    return problem


def bomb(side: int = 60_000) -> bytes:
    """A small PNG whose header announces side × side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"%PDF-1.7 not a picture", 400, "not_a_picture"),
        (picture(100, 64, 64, "JPEG")[:300], 400, "not_a_picture"),
        (picture(100, 64, 64, "PNG")[:60], 400, "not_a_picture"),
        (picture(100, 300, 300, "JPEG")[:700], 400, "not_a_picture"),
        (b"", 400, "not_a_picture"),
        (bomb(), 413, "too_large"),
    ],
    ids=["not a picture", "truncated jpeg", "truncated png", "truncated, in the pool", "empty", "bomb"],
)
@pytest.mark.parametrize("form", ["multipart", "raw"])
async def test_pictures_that_cannot_be_used(
    gateway: RunningGateway, content: bytes, status: int, code: str, form: str
) -> None:
    """What cannot be decoded is the caller's fault, and named, whichever way it was sent."""
    if form == "multipart":
        response = await gateway.predict(files={"images": ("x.png", content, "image/png")})
    else:
        response = await gateway.predict(content=content, headers={"Content-Type": "image/png"})
    await assert_problem(gateway, response, status, code)


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/json", b"{}", 415, "unsupported_type"),
        ("text/plain", b"hello", 415, "unsupported_type"),
        ("", b"hello", 415, "unsupported_type"),
        ("multipart/form-data", b"--x--\r\n", 422, "malformed_body"),
        ("multipart/form-data; boundary=x", b"no boundary here", 422, "malformed_body"),
        ("multipart/form-data; boundary=x", b"", 422, "malformed_body"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422, "malformed_body"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\nhalf',
            422,
            "malformed_body",
        ),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nbroken header\r\n\r\nx\r\n--x--\r\n",
            422,
            "malformed_body",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="images"\r\nX: ' + b"y" * 10_000 + b"\r\n\r\n",
            422,
            "malformed_body",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="images"\r\n\r\nsome text\r\n--x--\r\n',
            422,
            "malformed_body",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--x--\r\n',
            422,
            "malformed_body",
        ),
    ],
    ids=[
        "json",
        "text",
        "no type",
        "no boundary parameter",
        "no boundary in the body",
        "empty form",
        "form without parts",
        "ends within a part",
        "broken header",
        "endless header",
        "text field",
        "other field",
    ],
)
async def test_bodies_of_the_wrong_form(
    gateway: RunningGateway, content_type: str, body: bytes, status: int, code: str
) -> None:
    """A wrong type is 415; a body that is not what its type says is 422."""
    headers = {"Content-Type": content_type} if content_type else {}
    response = await gateway.predict(content=body, headers=headers)
    await assert_problem(gateway, response, status, code)


async def test_an_epilogue_after_the_last_boundary_is_no_fault(gateway: RunningGateway) -> None:
    """RFC 2046 allows bytes after the closing boundary, also when they come in a chunk of their own."""
    part = b'--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'

    async def body() -> AsyncIterator[bytes]:
        yield part + picture(200) + b"\r\n--x--\r\n"
        await asyncio.sleep(0.05)
        yield b"epilogue"

    response = await gateway.predict(
        content=body(), headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert response.status_code == 200


async def test_ten_thousand_parts_are_refused_by_the_limit(gateway: RunningGateway) -> None:
    """Parts beyond limits.images_per_request end the request with 413."""
    part = b'--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\nx\r\n'
    body = part * 10_000 + b"--x--\r\n"
    response = await gateway.predict(
        content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    problem = await assert_problem(gateway, response, 413, "too_large")
    assert "256" in problem.detail


async def test_an_announced_body_above_the_limit_is_not_read(gateway: RunningGateway) -> None:
    """50 MB by Content-Length: 413 before a byte of the body is sent, and the connection is closed."""
    status, headers, body = await exchange(gateway, f"Content-Length: {50 * MEBIBYTE}", b"")
    assert (status, json.loads(body)["status"]) == ("HTTP/1.1 413", 413)
    assert headers["connection"] == "close"
    assert (await gateway.predict(files={"images": picture()})).status_code == 200


async def test_a_body_without_length_is_answered_at_the_limit(gateway: RunningGateway) -> None:
    """A chunked body just above the limit and without an end: 413 at once, the end is not awaited."""
    chunk = b"%x\r\n" % MEBIBYTE + bytes(MEBIBYTE) + b"\r\n"
    status, _, body = await exchange(gateway, "Transfer-Encoding: chunked", chunk * 33)
    assert (status, json.loads(body)["code"]) == ("HTTP/1.1 413", "too_large")
    assert (await gateway.predict(files={"images": picture()})).status_code == 200


async def test_the_whole_50_megabyte_upload_of_a_simple_client_gets_its_answer(
    gateway: RunningGateway,
) -> None:
    """A client that sends everything before it reads still sees 413 and the problem."""
    response = await gateway.predict(
        content=bytes(50 * MEBIBYTE), headers={"Content-Type": "application/octet-stream"}
    )
    await assert_problem(gateway, response, 413, "too_large")


async def test_one_picture_above_its_own_limit(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """limits.image_bytes holds for each part and for a raw body."""
    gateway = await start_gateway(model_server, limits={"image_bytes": 2000})
    large = bytes(3000)
    raw = await gateway.predict(content=large, headers={"Content-Type": "image/png"})
    await assert_problem(gateway, raw, 413, "too_large")
    part = await gateway.predict(files=[("images", picture()), ("images", large)])
    await assert_problem(gateway, part, 413, "too_large")


async def test_a_slow_client_is_told_so_and_others_are_served_meanwhile(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """A body that does not arrive within limits.body_seconds ends with 408; nobody else waits for it."""
    gateway = await start_gateway(model_server, limits={"body_seconds": 0.5})
    slow = asyncio.create_task(exchange(gateway, "Content-Length: 1000", b"x"))
    assert (await gateway.predict(files={"images": picture()})).status_code == 200
    status, headers, body = await slow
    assert (status, json.loads(body)["code"]) == ("HTTP/1.1 408", "slow_body")
    assert headers["connection"] == "close"
    assert (await gateway.predict(files={"images": picture()})).status_code == 200


async def test_bodies_together_are_bounded(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """Beyond limits.bodies_bytes a body is refused with 503, and what left is free again."""
    gateway = await start_gateway(model_server, limits={"bodies_bytes": 100_000})
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(_head("Content-Length: 90001") + bytes(90_000))
    await writer.drain()
    await gateway.becomes("/metrics", lambda response: "gateway_body_bytes 90000.0" in response.text)
    refused = await gateway.predict(content=bytes(20_000), headers={"Content-Type": "image/png"})
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"]
    writer.close()
    await gateway.becomes("/metrics", lambda response: "gateway_body_bytes 0.0" in response.text)
    assert (
        await gateway.predict(content=bytes(20_000), headers={"Content-Type": "image/png"})
    ).status_code == 400
    assert await reader.read() == b""


@pytest.mark.parametrize("model", ["nobody", "config", "%2e%2e", "a" * 300, "shades%00"])
async def test_unknown_models(gateway: RunningGateway, model: str) -> None:
    """Names that are no model are 404, whatever they look like, and never become a metric's label."""
    response = await gateway.client.post(f"/v1/models/{model}/predictions", files={"images": picture()})
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert model not in (await gateway.client.get("/metrics")).text.replace("gateway_config", "")


async def test_no_route_and_no_method_are_problems_too(gateway: RunningGateway) -> None:
    """FastAPI's own 404, 405 and 422 come as problems."""
    assert (await gateway.client.get("/nowhere")).json()["code"] == "not_found"
    refused = await gateway.client.get(PATH)
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert refused.headers["allow"] == "POST"
    assert (await gateway.client.delete("/v1/models")).json()["status"] == 405
    invalid = await gateway.client.get("/v1/models/shades/versions/zero")
    assert (invalid.status_code, invalid.json()["code"]) == (422, "invalid_parameter")
    assert invalid.json()["errors"][0]["parameter"] == "path.version"


async def test_an_unexpected_error_is_a_problem_with_a_request_id(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake of ours is 500 without its inner words; the log has them under the request's id."""

    async def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(gateway.services.prediction, "predict", fail)
    response = await gateway.predict(files={"images": picture()})
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "secret" not in response.text
    assert "a secret" in caplog.text


async def exchange(gateway: RunningGateway, framing: str, body: bytes) -> tuple[str, dict[str, str], bytes]:
    """Speak HTTP/1.1 by hand: version and status, headers and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(_head(framing))
    writer.write(body)
    await writer.drain()
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    status, *lines = answer.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    content = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    return status[:12], headers, content


def _head(framing: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: localhost", "Content-Type: application/octet-stream", framing]
    return "\r\n".join([*lines, "", ""]).encode()
