"""Large uploads: 202 and an import, progress, cancelling, going on after a restart, memory; reindexing."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from gateway_fakes import FakeModelServer, eventually, picture
from gateway_harness import RunningGateway, StartGateway, running_gateway

from contract import layout
from gateway.adapters.datasets import FileDatasets
from gateway.ports.datasets import Example
from gateway.settings import Settings

pytestmark = pytest.mark.anyio

EXAMPLES = "/v1/datasets/animals/examples"
SMALL = {"synchronous_files": 2}


def zipped(count: int, label: str = "cat") -> bytes:
    """A zip of `count` different pictures."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for value in range(count):
            archive.writestr(f"{label}/{value}.png", picture(value % 256, 1 + value // 256))
    return file.getvalue()


def tarred(count: int) -> bytes:
    """The same as a packed tar."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for value in range(count):
            content = picture(value % 256, 1 + value // 256)
            info = tarfile.TarInfo(f"cat/{value}.png")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(file.getvalue())


async def send(gateway: RunningGateway, body: bytes, kind: str = "application/zip") -> httpx.Response:
    """POST an archive as the whole body."""
    return await gateway.client.post(EXAMPLES, content=body, headers={"Content-Type": kind})


def is_over(answer: httpx.Response) -> bool:
    """The import can change no more."""
    return answer.json()["state"] not in ("queued", "running")


@pytest.fixture
def data(store: Path) -> Path:
    """The dataset store of the gateways of this test."""
    return store.parent / "data"


class Gate:
    """Lets so many pictures be written, and holds the import then until told otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
        self._free = free
        self._opened = threading.Event()
        self.reached = threading.Event()
        self.written = 0
        put = FileDatasets.put

        def gated(files: FileDatasets, example: Example, content: bytes) -> None:
            if self.written >= self._free:
                self.reached.set()
                self._opened.wait(20)
            self.written += 1
            put(files, example, content)

        monkeypatch.setattr(FileDatasets, "put", gated)
        monkeypatch.setattr("gateway.datasets.ingest.BATCH_FILES", 4)

    def open(self) -> None:
        """Go on."""
        self._opened.set()


@pytest.mark.parametrize("kind", ["zip", "gz", "form"])
async def test_an_import_runs_in_the_background(
    start_gateway: StartGateway,
    model_server: FakeModelServer,
    database: dict[str, Any],
    data: Path,
    kind: str,
) -> None:
    """202 with Location; it ends with the whole report, and its spool is gone."""
    gateway = await start_gateway(model_server, database=database, datasets=SMALL)
    await gateway.becomes("/v1/datasets", lambda answer: answer.status_code == 200)
    if kind == "form":
        form = [("images", (f"{value}.png", picture(value))) for value in range(10)]
        answer = await gateway.client.post(EXAMPLES, files=form, data={"label": "cat"})
    elif kind == "zip":
        answer = await send(gateway, zipped(10))
    else:
        answer = await send(gateway, tarred(10), "application/gzip")
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/imports/{answer.json()['id']}"
    ended = (await gateway.becomes(answer.headers["location"], is_over)).json()
    assert ended["state"] == "succeeded", ended
    assert ended["report"]["added"] == len(ended["report"]["files"]) == 10
    assert ended["progress"]["files_done"] == 10
    assert ended["progress"]["files_total"] == (None if kind == "gz" else 10)
    assert ended["progress"]["bytes_done"] == ended["progress"]["bytes_total"] > 0
    await eventually(lambda: not list((data / ".spool").iterdir()))
    [listed] = (await gateway.client.get("/v1/imports")).json()["imports"]
    assert (listed["id"], listed["report"]["files"]) == (ended["id"], [])
    example = (await gateway.client.get(EXAMPLES)).json()["examples"][0]
    assert example["source"] == "import"
    refused = await gateway.client.delete(answer.headers["location"])
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


async def test_an_import_that_breaks_off_keeps_what_it_has(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """`failed`, with the reason and the counts."""
    gateway = await start_gateway(model_server, datasets=SMALL)
    answer = await send(gateway, tarred(40)[:-300], "application/gzip")
    ended = (await gateway.becomes(answer.headers["location"], is_over)).json()
    assert ended["state"] == "failed"
    assert 0 < ended["report"]["added"] < 40
    assert "damaged" in ended["report"]["stopped"]


async def test_cancelling(
    start_gateway: StartGateway, model_server: FakeModelServer, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends after the batch in hand; what was imported stays; the next import runs."""
    gate = Gate(monkeypatch, free=5)
    gateway = await start_gateway(model_server, datasets=SMALL)
    first = (await send(gateway, zipped(20))).headers["location"]
    await eventually(gate.reached.is_set)
    running = (await gateway.client.get(first)).json()
    assert (running["state"], running["report"]["added"], running["progress"]["files_done"]) == (
        "running",
        4,
        4,
    )
    busy = await gateway.client.delete("/v1/datasets/animals", params={"confirm": "animals"})
    assert busy.status_code == 409
    cancelled = await gateway.client.delete(first)
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    second = (await send(gateway, zipped(3, "dog"))).headers["location"]
    gate.open()
    assert (await gateway.becomes(second, is_over)).json()["state"] == "succeeded"
    counted = (await gateway.client.get("/v1/datasets")).json()["datasets"][0]["examples"]
    assert counted == gate.written == 8
    assert (await gateway.client.get(first)).json()["state"] == "cancelled"
    assert (await gateway.client.delete("/v1/imports/" + "0" * 32)).status_code == 404


@pytest.mark.parametrize("kind", ["zip", "gz", "form"])
async def test_an_import_goes_on_after_a_restart(
    store: Path,
    model_server: FakeModelServer,
    fresh_database: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """Behind the last batch that was written down, so that the report counts each file once."""
    data = store.parent / "data"
    settings = Settings(
        predictor={"targets": [model_server.address]},
        stores={"models": store, "data": data, "pictures": data / ".history"},
        database={"url": fresh_database(data)},
        datasets=SMALL,
    )
    gate = Gate(monkeypatch, free=6)
    async with contextlib.AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running_gateway(settings))
        if kind == "form":
            form = [("images", (f"{value}.png", picture(value))) for value in range(20)]
            fields = {"labels": [f"l{value % 2}" for value in range(20)]}
            answer = await gateway.client.post(EXAMPLES, files=form, data=fields)
        else:
            body = zipped(20) if kind == "zip" else tarred(20)
            answer = await send(gateway, body, "application/zip" if kind == "zip" else "application/gzip")
        path = answer.headers["location"]
        await eventually(gate.reached.is_set)
        gateway.services.imports._ending.set()  # as the end of the process does, before its thread is free
        gate.open()
    async with running_gateway(settings) as gateway:
        ended = (await gateway.becomes(path, is_over)).json()
        assert (ended["state"], ended["report"]["added"], ended["report"]["duplicates"]) == (
            "succeeded",
            20,
            0,
        )
        assert [file["outcome"] for file in ended["report"]["files"]] == ["added"] * 20
        assert ended["progress"]["files_done"] == 20
    assert gate.written == 20


async def test_a_spool_that_is_gone_fails_the_import(
    start_gateway: StartGateway, model_server: FakeModelServer, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the way out, and without holding up the next."""
    gate = Gate(monkeypatch, free=0)
    gateway = await start_gateway(model_server, datasets=SMALL)
    first = (await send(gateway, zipped(3))).headers["location"]
    second = (await send(gateway, zipped(4, "dog"))).headers["location"]
    await eventually(gate.reached.is_set)
    shutil.rmtree(data / ".spool" / second.rpartition("/")[2])
    gate.open()
    assert (await gateway.becomes(first, is_over)).json()["state"] == "succeeded"
    lost = (await gateway.becomes(second, is_over)).json()
    assert lost["state"] == "failed"
    assert "send it again" in lost["report"]["stopped"]


async def test_reindex_makes_the_index_again_from_the_files(
    start_gateway: StartGateway,
    model_server: FakeModelServer,
    data: Path,
    database: dict[str, Any],
) -> None:
    """Found, moved, lost, copied and foreign files; who brought a known one stays."""
    gateway = await start_gateway(model_server, database=database)
    await gateway.becomes("/v1/datasets", lambda answer: answer.status_code == 200)
    await send(gateway, zipped(4))
    files = sorted(path for path in (data / "animals").rglob("*.png"))
    files[0].unlink()
    dog = files[1].parent.parent / "dog"
    dog.mkdir()
    files[1].rename(dog / files[1].name)
    copied = files[2].parent.parent / "copy"
    copied.mkdir()
    shutil.copyfile(files[2], copied / files[2].name)
    new = picture(200)
    digest = layout.sha256_of(new)
    place = layout.example_path(data, "shades", "train", "bright", digest, "png")
    place.parent.mkdir(parents=True)
    place.write_bytes(new)
    (place.parent / "holiday.png").write_bytes(new)
    (place.parent / f".{digest}.png").write_bytes(new)
    url = database.get("url") or f"sqlite:///{data / 'gateway.sqlite3'}"
    settings = {"GATEWAY_STORES__DATA": str(data), "GATEWAY_DATABASE__URL": url}
    ran = await anyio.run_process(
        [sys.executable, "-m", "gateway", "reindex"], env={**os.environ, **settings}
    )
    said = ran.stdout.decode()
    assert "4 examples indexed; " in said
    assert "1 are copies" in said
    assert "1 rows had lost their file" in said
    found = {row["id"]: row for row in (await gateway.client.get(EXAMPLES)).json()["examples"]}
    assert files[0].stem not in found
    assert (found[files[1].stem]["label"], found[files[1].stem]["source"]) == ("dog", "upload")
    assert found[files[2].stem]["label"] == "cat"
    [added] = (await gateway.client.get("/v1/datasets/shades/examples")).json()["examples"]
    assert (added["id"], added["label"], added["source"]) == (digest, "bright", "index")


_FLAT = """
import resource, sys
from pathlib import Path
from contract.layout import SplitShares
from gateway.datasets.ingest import Ingest, Order
from gateway.datasets.spool import Spool
from gateway.metrics import Metrics
from gateway.ports.datasets import Progress
from gateway.settings import DatasetSettings, LimitSettings

class Files:
    def put(self, example, content): pass
    def has(self, example): return True

class Ledger:
    def known(self, dataset, hashes): return {}
    def forget(self, dataset, hashes): pass
    def commit(self, examples, progress, report): return {}

order = Order("d", "c", "import", SplitShares(), LimitSettings())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Spool(Path(sys.argv[1])).members(DatasetSettings(), 1 << 24) as members:
    result = Ingest(order, Files(), Ledger(), Metrics()).run(members, Progress())
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(result.progress.refused, after - before)
"""


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_memory_stays_flat(tmp_path: Path, kind: str) -> None:
    """40,000 files take no more than the first thousand: neither entries nor report pile up."""
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "content", "w") as archive:
            for value in range(40_000):
                archive.writestr(f"wrapper/train/label-{value % 10}/a-picture-{value}.png", b"x")
    else:
        with tarfile.open(tmp_path / "content", "w") as packed:
            for value in range(40_000):
                info = tarfile.TarInfo(f"wrapper/train/label-{value % 10}/a-picture-{value}.png")
                info.size = 1
                packed.addfile(info, io.BytesIO(b"x"))
    ran = subprocess.run(
        [sys.executable, "-c", _FLAT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    refused, kibibytes = map(int, ran.stdout.split())
    assert refused == 40_000
    assert kibibytes < 12 * 1024
