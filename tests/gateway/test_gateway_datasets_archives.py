"""Archives of class folders: how they are read, every file that is refused by itself, damage, bombs."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from dataset_uploads import EXAMPLES, counts, files_below, reasons, send, tarred, zipped
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway

from contract import layout

pytestmark = pytest.mark.anyio


@pytest.fixture
def data(store: Path) -> Path:
    """The dataset store of the gateways of this test."""
    return store.parent / "data"


@pytest.mark.parametrize("wrapper", ["", "./", "all of them/"])
@pytest.mark.parametrize("kind", ["zip", "tar", "gz", "form"])
async def test_archives_of_class_folders(
    start_gateway: StartGateway, model_server: FakeModelServer, kind: str, wrapper: str
) -> None:
    """Below train/ and test/, in one wrapping folder or not; test/ is the split test."""
    gateway = await start_gateway(model_server)
    files = {
        f"{wrapper}README.txt": b"hello",
        f"{wrapper}train/cat/1.png": picture(1),
        f"{wrapper}train/dog/2.png": picture(2),
        f"{wrapper}test/cat/3.png": picture(3),
        f"{wrapper}test/__MACOSX/._3.png": b"x",
    }
    if kind == "form":
        parts = {"archive": ("data.zip", zipped(files))}
        answer = await gateway.client.post(EXAMPLES, files=parts)
    elif kind == "zip":
        answer = await send(gateway, zipped(files))
    else:
        body = tarred(files) if kind == "tar" else gzip.compress(tarred(files))
        answer = await send(gateway, body, {"tar": "application/x-tar", "gz": "application/gzip"}[kind])
    assert answer.status_code == 201, answer.text
    assert counts(answer.json()) == (3, 0, 0, 2)
    third = answer.json()["files"][3]
    assert (third["label"], third["split"]) == ("cat", "test")
    first = answer.json()["files"][1]
    assert first["split"] == layout.split_of(first["id"], layout.SplitShares())


async def test_every_bad_file_of_a_zip_is_refused_by_itself(gateway: RunningGateway, data: Path) -> None:
    """With its reason, while the good ones come in; nothing is written outside."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cats/", b"")
        archive.writestr("cats/good.png", picture(1))
        link = zipfile.ZipInfo("cats/link.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        fifo = zipfile.ZipInfo("cats/fifo.png")
        fifo.create_system, fifo.external_attr = 3, 0o010644 << 16
        archive.writestr(fifo, "")
        archive.writestr("/etc/absolute.png", picture(2))
        archive.writestr("C:/cats/drive.png", picture(2))
        archive.writestr("cats/../../escape.png", picture(3))
        archive.writestr("cats/.hidden.png", picture(4))
        archive.writestr("__MACOSX/cats/._good.png", picture(4))
        archive.writestr("cats/more.zip", zipped({"a/b.png": picture(5)}))
        archive.writestr("cats/not-a-picture.png", b"hello")
        archive.writestr("cats/truncated.png", picture(6, 64, 64)[:90])
        archive.writestr("cats/large.png", bytes(17 * 1024 * 1024))
        archive.writestr("a\\b/backslash.png", picture(7))
        archive.writestr("x" * 121 + "/long.png", picture(8))
        archive.writestr("a/b/c/d.png", picture(9))
        archive.writestr("top.png", picture(9))
        archive.writestr("cats/lzma.png", picture(10), zipfile.ZIP_LZMA)
        archive.writestr("cats/AA.png", picture(11))
        archive.writestr("Süß/good.png", picture(12))
    body = file.getvalue().replace(b"cats/AA.png", b"cats/\xff\xfe.png")
    body = _with_flag(body, b"cats/\xff\xfe.png", 0x800)
    answer = await send(gateway, body)
    assert answer.status_code == 201, answer.text
    assert counts(answer.json()) == (2, 0, 0, 17)
    found = reasons(answer.json())
    for name, said in {
        "cats/link.png": "symbolic link",
        "cats/fifo.png": "special file",
        "/etc/absolute.png": "absolute",
        "C:/cats/drive.png": "absolute",
        "cats/../../escape.png": "..",
        "cats/.hidden.png": "hidden",
        "__MACOSX/cats/._good.png": "hidden",
        "cats/more.zip": "archive inside",
        "cats/not-a-picture.png": "not a picture",
        "cats/truncated.png": "truncated",
        "cats/large.png": "at most 16,777,216",
        "a\\b/backslash.png": "no label",
        "x" * 121 + "/long.png": "no label",
        "a/b/c/d.png": "expected <label>/<file>",
        "top.png": "no folder",
        "cats/lzma.png": "method 14",
        "cats/\\xff\\xfe.png": "UTF-8",
    }.items():
        assert said in found.pop(name), name
    assert not found
    below = {path.split("/")[1] for path in files_below(data)}
    assert below == {"cats", "Süß"}
    assert not (data.parent / "escape.png").exists()


def _with_flag(body: bytes, name: bytes, flag: int) -> bytes:
    """Set a flag in the local header and in the directory entry of a file."""
    changed = bytearray(body)
    for signature, flags_at, name_at in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        at = body.index(signature)
        while body[at + name_at : at + name_at + len(name)] != name:
            at = body.index(signature, at + 1)
        old = int.from_bytes(changed[at + flags_at : at + flags_at + 2], "little")
        changed[at + flags_at : at + flags_at + 2] = (old | flag).to_bytes(2, "little")
    return bytes(changed)


async def test_an_encrypted_member(gateway: RunningGateway) -> None:
    """Is refused by its flag; nobody asks for a password."""
    body = _with_flag(zipped({"cats/1.png": picture(1), "cats/2.png": picture(2)}), b"cats/1.png", 0x1)
    report = (await send(gateway, body)).json()
    assert counts(report) == (1, 0, 0, 1)
    assert "encrypted" in reasons(report)["cats/1.png"]


async def test_names_of_macos_and_dos(gateway: RunningGateway) -> None:
    """UTF-8 without the flag is UTF-8; what cannot be UTF-8 is CP437."""
    body = zipped({"AAAA/1.png": picture(1), "BBBB/2.png": picture(2)})
    body = body.replace(b"AAAA", "ÄÖ".encode()).replace(b"BBBB", b"S\x81\xe1e")
    report = (await send(gateway, body)).json()
    assert {file["label"] for file in report["files"]} == {"ÄÖ", "Süße"}


async def test_every_bad_member_of_a_tar_is_refused_by_itself(gateway: RunningGateway) -> None:
    """Links, devices and names that lead out."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, kind in {
            "cats/symbolic.png": tarfile.SYMTYPE,
            "cats/hard.png": tarfile.LNKTYPE,
            "cats/device.png": tarfile.CHRTYPE,
            "cats/fifo.png": tarfile.FIFOTYPE,
        }.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name in ("/etc/passwd.png", "../up.png", "cats/\udcff.png", "cats/good.png"):
            info = tarfile.TarInfo(name)
            info.size = len(picture(1))
            archive.addfile(info, io.BytesIO(picture(1)))
    report = (await send(gateway, file.getvalue(), "application/gzip")).json()
    assert counts(report) == (1, 0, 0, 7), report
    said = list(reasons(report).values())
    for word in ("symbolic link", "hard link", "special file", "absolute", "..", "UTF-8"):
        assert any(word in reason for reason in said), (word, said)


@pytest.mark.parametrize("kind", ["zip", "tar", "gz"])
async def test_damaged_archives(gateway: RunningGateway, kind: str) -> None:
    """Either a 422, or what came before the damage with the reason; never a 500, never silence."""
    files = {f"cats/{value}.png": picture(value, 40, 40) for value in range(40)}
    whole = {"zip": zipped(files), "tar": tarred(files), "gz": gzip.compress(tarred(files))}[kind]
    media = {"zip": "application/zip", "tar": "application/x-tar", "gz": "application/gzip"}[kind]
    for body in (b"", b"hello", whole[: len(whole) // 2], whole[:-700], bytes(2000)):
        answer = await send(gateway, body, media)
        assert answer.status_code in (201, 422), answer.text
        if answer.status_code == 201:
            assert answer.json()["stopped"] or counts(answer.json())[0] + counts(answer.json())[1] == 40
    flipped = bytearray(whole)
    for at in range(30, len(whole), 977):
        flipped[at] ^= 0x55
    assert (await send(gateway, bytes(flipped), media)).status_code in (201, 422)


async def test_bombs(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """By count, by bytes, by ratio: it stops, says so, and keeps what came before."""
    small = {"archive_files": 3, "archive_bytes": 1 << 20}
    gateway = await start_gateway(model_server, datasets=small)
    many = {f"cats/{value}.png": picture(value) for value in range(5)}
    answer = await send(gateway, zipped(many))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "ARCHIVE_FILES" in answer.json()["detail"]
    for body, kind in (
        (tarred(many), "application/x-tar"),
        (gzip.compress(tarred(many)), "application/gzip"),
    ):
        report = (await send(gateway, body, kind)).json()
        assert report["added"] + report["duplicates"] == 3
        assert "ARCHIVE_FILES" in report["stopped"]
    large = {"cats/1.png": picture(1), "cats/2.png": bytes(2 << 20), "cats/3.png": picture(30)}
    for body, kind in (
        (zipped(large), "application/zip"),
        (gzip.compress(tarred(large)), "application/gzip"),
    ):
        report = (await send(gateway, body, kind)).json()
        assert "ARCHIVE_BYTES" in report["stopped"], kind


@pytest.mark.parametrize("kind", ["zip", "gz"])
async def test_a_bomb_by_ratio(start_gateway: StartGateway, model_server: FakeModelServer, kind: str) -> None:
    """Beyond 64 MiB, a hundred to one is no archive of pictures; the good one before it stays."""
    gateway = await start_gateway(model_server)
    files = {"cats/1.png": picture(1)} | {f"cats/z{index}.png": bytes(16 << 20) for index in range(5)}
    body = zipped(files) if kind == "zip" else gzip.compress(tarred(files))
    answer = await send(gateway, body, "application/zip" if kind == "zip" else "application/gzip")
    assert answer.status_code in (201, 202)
    if answer.status_code == 202:
        ended = await gateway.becomes(
            answer.headers["location"], lambda now: now.json()["state"] in ("failed", "succeeded")
        )
        assert ended.json()["state"] == "failed"
        report = ended.json()["report"]
    else:
        report = answer.json()
    assert report["added"] == 1
    assert "ARCHIVE_RATIO" in report["stopped"]


async def test_a_tar_header_as_long_as_the_memory(gateway: RunningGateway) -> None:
    """A name of many megabytes is not read."""
    long_name = tarfile.TarInfo("././@LongLink")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 8 << 20
    body = long_name.tobuf(tarfile.GNU_FORMAT) + bytes(8 << 20) + tarred({"cats/1.png": picture(1)})
    answer = await send(gateway, gzip.compress(body), "application/gzip")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), answer.text


async def test_pictures_with_too_many_pixels(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """By the limit of predictions, from the header."""
    gateway = await start_gateway(model_server, limits={"image_pixels": 100})
    report = (await send(gateway, zipped({"c/1.png": picture(1, 20, 20), "c/2.png": picture(1)}))).json()
    assert counts(report) == (1, 0, 0, 1)
    assert "20 × 20" in reasons(report)["c/1.png"]
