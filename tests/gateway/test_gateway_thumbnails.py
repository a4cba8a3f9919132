"""Small versions of kept pictures: size, caching, authorisation, and that they go with the picture."""

from __future__ import annotations

import io
from typing import Any

import pytest
from dataset_uploads import send, zipped
from gateway_fakes import FakeModelServer, eventually, picture
from gateway_harness import RunningGateway, StartGateway
from PIL import Image

from contract.images import NotAnImageError, smaller
from contract.layout import sha256_of
from gateway.errors import UnknownNameError
from gateway.history.thumbnails import Thumbnails

pytestmark = pytest.mark.anyio

LARGE = picture(200, 600, 300)


@pytest.fixture
async def gateway(
    start_gateway: StartGateway, model_server: FakeModelServer, database: dict[str, Any]
) -> RunningGateway:
    """A gateway on the database whose schema is there."""
    gateway = await start_gateway(model_server, database=database)
    await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    return gateway


async def remembered(gateway: RunningGateway, content: bytes) -> str:
    """The address of the picture of a prediction, once it is there."""
    answer = (await gateway.predict(files={"images": content})).json()
    path = f"/v1/predictions/{answer['predictions'][0]['id']}"
    await gateway.becomes(path, lambda found: found.status_code == 200)
    return f"{path}/image"


def size_of(content: bytes) -> tuple[str | None, tuple[int, int]]:
    """Format and size."""
    image = Image.open(io.BytesIO(content))
    return image.format, image.size


async def test_a_picture_comes_in_the_side_that_was_asked_for(gateway: RunningGateway) -> None:
    """Whole, never enlarged, as WebP; browsers keep it and need not ask for its bytes again."""
    path = await remembered(gateway, LARGE)
    small = await gateway.client.get(path, params={"side": 128})
    assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
    assert size_of(small.content) == ("WEBP", (128, 64))
    assert small.headers["cache-control"] == "private, max-age=86400, immutable"
    tag = {"If-None-Match": small.headers["etag"]}
    again = await gateway.client.get(path, params={"side": 128}, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    other = await gateway.client.get(path, params={"side": 64}, headers=tag)
    assert size_of(other.content) == ("WEBP", (64, 32))
    tiny = await gateway.client.get(await remembered(gateway, picture(7, 9, 5)), params={"side": 256})
    assert size_of(tiny.content) == ("WEBP", (9, 5))
    assert (await gateway.client.get(path)).content == LARGE


@pytest.mark.parametrize("side", ["0", "100", "4096", "-64", "64.5", "large"])
async def test_few_sizes_are_offered(gateway: RunningGateway, side: str) -> None:
    """Whoever could name any side could fill the memory with one picture."""
    answer = await gateway.client.get(f"/v1/predictions/{'0' * 32}/image", params={"side": side})
    assert answer.status_code == 422
    assert "32, 64, 128 or 256" in answer.text


async def test_a_small_version_goes_with_its_picture(gateway: RunningGateway) -> None:
    """Of a prediction and of an example, at once, although it was made before."""
    await send(gateway, zipped({"cat/1.png": LARGE}))
    example = f"/v1/datasets/animals/examples/{sha256_of(LARGE)}/image"
    paths = [await remembered(gateway, LARGE), example]
    for path in paths:
        assert (await gateway.client.get(path, params={"side": 64})).status_code == 200
    deleted = await gateway.client.delete(f"/v1/pictures/{sha256_of(LARGE)}")
    assert deleted.status_code == 200
    for path in paths:
        gone = await gateway.client.get(path, params={"side": 64})
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_name")


async def test_what_is_remembered_is_bounded_and_leaves_the_memory() -> None:
    """The oldest go first, and all of them after a while, also when nobody asks any more."""
    thumbnails = Thumbnails(10**6, kept_bytes=len(smaller(LARGE, 64)) + 10, kept_seconds=0.2)
    reads: list[str] = []

    async def read(name: str) -> tuple[bytes, str]:
        reads.append(name)
        return LARGE, "image/png"

    for name in ("one", "one", "two", "one"):
        assert size_of(await thumbnails.of(name, 64, lambda name=name: read(name))) == ("WEBP", (64, 32))
    assert reads == ["one", "two", "one"]
    await eventually(lambda: not thumbnails.bytes)


async def test_a_file_that_is_no_picture_any_more_is_told() -> None:
    """A kept file may have been damaged since."""

    async def read() -> tuple[bytes, str]:
        return LARGE[:80], "image/png"

    with pytest.raises(UnknownNameError, match="cannot be read any more"):
        await Thumbnails(10**6).of("0" * 64, 64, read)


def test_small_versions_are_upright_on_white_and_bare() -> None:
    """As people see them; nothing that a camera wrote beside the pixels stays."""
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right
    exif[0x010F] = "a camera"
    Image.new("RGBA", (300, 200), (0, 0, 0, 0)).save(file, "PNG", exif=exif)
    small = Image.open(io.BytesIO(smaller(file.getvalue(), 150)))
    assert small.size == (100, 150)
    assert small.convert("RGB").getpixel((50, 75)) == (255, 255, 255)
    assert not small.getexif()
    with pytest.raises(NotAnImageError):
        smaller(b"no picture", 64)
