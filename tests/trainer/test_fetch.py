"""Fetching from a real server on loopback, and archives that are whole, broken, or hostile."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import http.server
import io
import os
import pickle
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from contract.image_spec import ImageSpec
from contract.images import decode, encode_png
from trainer import fetch
from trainer.archives import ArchiveError, Limits, unpack_class_folders
from trainer.fetch import CIFAR10_NAME, FetchError, Retry, fetch_cifar10

LABELS = ["airplane", "cat"]
PER_BATCH = 6
AT_ONCE = Retry(attempts=3, first_wait_seconds=0.0)
ROOT = Path(__file__).parents[2]


# --- archives of the original layout ------------------------------------------------------------


def _python2_string(content: bytes) -> bytes:
    """The opcode that Python 2 wrote for a `str`."""
    return (
        b"U" + bytes([len(content)]) + content
        if len(content) < 256
        else b"T" + struct.pack("<I", len(content)) + content
    )


def _python2_batch(pixels: np.ndarray, classes: list[int]) -> bytes:
    """A batch as cPickle of Python 2 wrote the real ones: protocol 2, numpy arrays by `_reconstruct`."""
    count = struct.pack("<H", len(pixels))
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        + b"(K\x01M" + count + b"M" + struct.pack("<H", 3072) + b"\x86"
        + b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + b"\x89" + _python2_string(pixels.tobytes()) + b"tb"
    )  # fmt: skip
    labels = b"](" + b"".join(b"K" + bytes([class_]) for class_ in classes) + b"e"
    return b"\x80\x02}(" + _python2_string(b"data") + array + _python2_string(b"labels") + labels + b"u."


def _tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return content.getvalue()


@dataclass(frozen=True)
class Original:
    """A small archive of the layout of cifar-10-python.tar.gz, and what it was made from."""

    members: dict[str, bytes]
    pixels: dict[str, np.ndarray]
    content: bytes
    md5: str


def _original(**replaced: bytes) -> Original:
    generator = np.random.default_rng(0)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    pixels = {name: generator.integers(0, 256, (PER_BATCH, 3072), np.uint8) for name in names}
    classes = [0, 1] * (PER_BATCH // 2)
    members = {f"cifar-10-batches-py/{name}": _python2_batch(pixels[name], classes) for name in names}
    meta = b"\x80\x02}(" + _python2_string(b"label_names") + b"]("
    meta += b"".join(_python2_string(label.encode()) for label in LABELS) + b"eu."
    members["cifar-10-batches-py/batches.meta"] = meta
    members["cifar-10-batches-py/readme.html"] = b"<html></html>"
    members |= {f"cifar-10-batches-py/{name}": content for name, content in replaced.items()}
    content = _tar(members)
    return Original(members, pixels, content, hashlib.md5(content).hexdigest())


@pytest.fixture(scope="module")
def original() -> Original:
    """Six batches of six pictures in two classes."""
    return _original()


# --- the server ---------------------------------------------------------------------------------


@dataclass
class Script:
    """What the server has, and how it misbehaves."""

    content: bytes
    etag: str | None = '"one"'
    has_ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    """Sent in place of an answer, first to last."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off, first to last."""
    requests: list[dict[str, str]] = field(default_factory=list)
    on_request: Callable[[], None] = lambda: None

    def starts(self) -> list[str | None]:
        """The Range header of each request."""
        return [request.get("Range") for request in self.requests]


class _Handler(http.server.BaseHTTPRequestHandler):
    script: Script

    def do_GET(self) -> None:
        script = self.script
        script.requests.append(dict(self.headers))
        script.on_request()
        if script.statuses:
            self.send_error(script.statuses.pop(0))
            return
        start = self._start()
        whole = len(script.content)
        if start is not None and start >= whole:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{whole}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = script.content[start or 0 :]
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if script.etag:
            self.send_header("ETag", script.etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: script.cuts.pop(0)] if script.cuts else body)

    def _start(self) -> int | None:
        asked = self.headers.get("Range")
        if not asked or not self.script.has_ranges or self.headers.get("If-Range") != self.script.etag:
            return None
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server(original: Original) -> Iterator[tuple[Script, str]]:
    """A server of the small archive, and its address."""
    script = Script(original.content)
    handler = type("Handler", (_Handler,), {"script": script})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield script, f"http://127.0.0.1:{listening.server_port}/{CIFAR10_NAME}"
        listening.shutdown()
        thread.join()


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# --- the original archive -----------------------------------------------------------------------


def test_download_becomes_class_folders(
    tmp_path: Path, original: Original, server: tuple[Script, str]
) -> None:
    """A fetch gives train/ and test/ with lossless PNGs in the archive's order, and leaves nothing else."""
    data = tmp_path / "data" / "cifar10"
    assert fetch_cifar10(data, url=server[1], md5=original.md5, retry=AT_ONCE) == data
    assert len(_files(data / "train")) == 5 * PER_BATCH
    assert _files(data / "test") == [f"{label}/{n:04}.png" for label in LABELS for n in range(PER_BATCH // 2)]
    assert [path.name for path in data.parent.iterdir()] == ["cifar10"]
    second_cat = decode((data / "test/cat/0001.png").read_bytes(), ImageSpec(height=32, width=32))
    expected = original.pixels["test_batch"][3].reshape(3, 32, 32).transpose(1, 2, 0)
    assert second_cat == expected.tobytes()
    first_of_batch_2 = decode((data / "train/airplane/0003.png").read_bytes(), ImageSpec(height=32, width=32))
    assert (
        first_of_batch_2 == original.pixels["data_batch_2"][0].reshape(3, 32, 32).transpose(1, 2, 0).tobytes()
    )


def test_second_fetch_says_that_it_is_there(
    tmp_path: Path, original: Original, server: tuple[Script, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A dataset that is there is left alone, without a request."""
    script, url = server
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5)
    before = len(script.requests)
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5)
    assert len(script.requests) == before == 1
    assert "is already there: 36 files in 2 classes" in capsys.readouterr().err


def test_original_archive_from_a_file(tmp_path: Path, original: Original) -> None:
    """--archive takes the original under any name, checks its digest, and keeps the file."""
    archive = tmp_path / "copy.tgz"
    archive.write_bytes(original.content)
    fetch_cifar10(tmp_path / "cifar10", archive, md5=original.md5)
    assert len(_files(tmp_path / "cifar10")) == 6 * PER_BATCH
    assert archive.is_file()


@pytest.mark.parametrize("name", [CIFAR10_NAME, "renamed.tar.gz"])
def test_original_archive_with_another_digest(tmp_path: Path, original: Original, name: str) -> None:
    """A file that is, or calls itself, the original must have the published digest."""
    archive = tmp_path / name
    archive.write_bytes(original.content)
    with pytest.raises(
        FetchError, match=f"{original.md5}, the published one is c58f30108f718f92721af3b95e74349a"
    ):
        fetch_cifar10(tmp_path / "cifar10", archive)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"data_batch_3": b"cposix\nsystem\n(S'touch owned'\ntR."}, "asks for posix.system"),
        ({"data_batch_3": pickle.dumps(Path("x"))}, r"asks for pathlib\S*\.PosixPath"),
        ({"batches.meta": b"cbuiltins\neval\n(S'1'\ntR."}, "asks for builtins.eval"),
        ({"data_batch_3": b"\x80\x02}."}, "data_batch_3 is missing, or does not hold"),
        ({"data_batch_3": b"not a pickle"}, "no pickle of CIFAR-10"),
        ({"data_batch_3": _python2_batch(np.zeros((2, 3072), np.uint8), [0])}, "with 1 labels"),
        ({"data_batch_3": _python2_batch(np.zeros((2, 3072), np.uint8), [0, 2])}, "label outside 0 to 1"),
        ({"data_batch_3": _python2_batch(np.zeros((1, 3072), np.uint8)[:, :99], [0])}, "data_batch_3"),
        (
            {"batches.meta": pickle.dumps({b"label_names": [b"../../x", b"b"]}, 2)},
            "holds more|cannot be a folder",
        ),
        ({"batches.meta": b"\x80\x02}(U\x0blabel_names](U\x04../xU\x01beu."}, "cannot be a folder's name"),
        ({"batches.meta": b"\x80\x02}."}, "names no labels"),
    ],
)
def test_hostile_or_broken_batches(tmp_path: Path, replaced: dict[str, bytes], message: str) -> None:
    """A pickle that asks for more than arrays, or holds something else, ends the fetch and leaves nothing."""
    archive = _original(**replaced)
    path = tmp_path / CIFAR10_NAME
    path.write_bytes(archive.content)
    with pytest.raises(FetchError, match=message):
        fetch_cifar10(tmp_path / "data" / "cifar10", path, md5=archive.md5)
    assert _files(tmp_path) == [CIFAR10_NAME]
    assert not Path("owned").exists()


def test_arrays_as_later_pythons_pickle_them(tmp_path: Path) -> None:
    """A batch that numpy 2 pickled is read as well as one of Python 2."""
    pixels = np.arange(2 * 3072, dtype=np.uint8).reshape(2, 3072)
    archive = _original(test_batch=pickle.dumps({b"data": pixels, b"labels": [1, 1]}, protocol=4))
    path = tmp_path / CIFAR10_NAME
    path.write_bytes(archive.content)
    data = fetch_cifar10(tmp_path / "cifar10", path, md5=archive.md5)
    assert _files(data / "test") == ["cat/0000.png", "cat/0001.png"]


# --- the download -------------------------------------------------------------------------------


def test_broken_connection_goes_on_where_it_ended(
    tmp_path: Path, original: Original, server: tuple[Script, str]
) -> None:
    """Each attempt asks for the rest of the file that was begun, and the whole has the right digest."""
    script, url = server
    script.cuts = [1000, 2000]
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert script.starts() == [None, "bytes=1000-", "bytes=3000-"]
    assert script.requests[1]["If-Range"] == '"one"'


def test_interrupted_download_is_kept_for_the_next_call(
    tmp_path: Path, original: Original, server: tuple[Script, str]
) -> None:
    """Attempts that bring nothing end with an error that names the part; the next call uses it."""
    script, url = server
    script.cuts = [1000, 0, 0, 0]
    with pytest.raises(FetchError, match=r"1,000 bytes are kept in .*gz\.part"):
        fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    script.cuts.clear()
    assert (tmp_path / f"{CIFAR10_NAME}.part").stat().st_size == 1000
    script.requests.clear()
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert script.starts() == ["bytes=1000-"]


def test_server_without_ranges_starts_again(
    tmp_path: Path, original: Original, server: tuple[Script, str]
) -> None:
    """A 200 in answer to a Range replaces what was there instead of being appended to it."""
    script, url = server
    script.has_ranges, script.cuts = False, [1000]
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert script.starts() == [None, "bytes=1000-"]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_no_resuming_without_a_strong_validator(
    tmp_path: Path, original: Original, server: tuple[Script, str], etag: str | None
) -> None:
    """Where the server cannot say that the file is the same, nothing is resumed."""
    script, url = server
    script.etag, script.cuts = etag, [1000]
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert script.starts() == [None, None]


def test_file_that_changed_starts_again(
    tmp_path: Path, original: Original, server: tuple[Script, str]
) -> None:
    """The beginning of one file is never continued with the end of another."""
    script, url = server
    script.content, script.etag, script.cuts = b"x" * 5000, '"old"', [1000, 0, 0, 0]
    with pytest.raises(FetchError):
        fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    script.content, script.etag, script.cuts = original.content, '"new"', []
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert script.requests[-1]["If-Range"] == '"old"'


def test_part_of_another_address_starts_again(
    tmp_path: Path, original: Original, server: tuple[Script, str]
) -> None:
    """A mirror does not continue what another address began."""
    script, url = server
    script.cuts = [1000, 0, 0, 0]
    with pytest.raises(FetchError):
        fetch_cifar10(tmp_path / "cifar10", url=f"{url}?mirror=1", md5=original.md5, retry=AT_ONCE)
    script.cuts = []
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert script.starts()[-1] is None


def test_whole_part_is_not_downloaded_again(
    tmp_path: Path, original: Original, server: tuple[Script, str]
) -> None:
    """A part that is the whole file, left by a process that died before the rename, is used (416)."""
    script, url = server
    (tmp_path / f"{CIFAR10_NAME}.part").write_bytes(original.content)
    (tmp_path / f"{CIFAR10_NAME}.part.origin").write_text(f'{url}\n"one"')
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert script.starts() == [f"bytes={len(original.content)}-"]


def test_part_longer_than_the_file_starts_again(
    tmp_path: Path, original: Original, server: tuple[Script, str]
) -> None:
    """A part that cannot be the file's beginning is dropped."""
    script, url = server
    (tmp_path / f"{CIFAR10_NAME}.part").write_bytes(original.content + b"more")
    (tmp_path / f"{CIFAR10_NAME}.part.origin").write_text(f'{url}\n"one"')
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert script.starts() == [f"bytes={len(original.content) + 4}-", None]


def test_wrong_digest_unpacks_nothing(tmp_path: Path, original: Original, server: tuple[Script, str]) -> None:
    """A file that is not the published one is removed, so that the next call starts anew."""
    script, url = server
    script.content = b"<html>Please log in</html>"
    with pytest.raises(FetchError, match=r"\(26 bytes\) has the MD5 digest .* Nothing was unpacked"):
        fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert list(tmp_path.iterdir()) == []


def test_busy_server_is_asked_again(tmp_path: Path, original: Original, server: tuple[Script, str]) -> None:
    """503 and 429 pass; the attempt after them succeeds."""
    script, url = server
    script.statuses = [503, 429]
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert len(script.requests) == 3


def test_missing_file_is_not_asked_for_again(
    tmp_path: Path, original: Original, server: tuple[Script, str]
) -> None:
    """404 will not get better: one request, and the way out in the message."""
    script, url = server
    script.statuses = [404, 404]
    with pytest.raises(FetchError, match=r"404.*--archive"):
        fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert len(script.requests) == 1


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "http://[", "nonsense", "http://127.0.0.1:1/x"])
def test_addresses_that_cannot_work(tmp_path: Path, url: str) -> None:
    """A wrong scheme, a malformed address and a closed port are one sentence each."""
    with pytest.raises(FetchError, match="could not be downloaded"):
        fetch_cifar10(tmp_path / "cifar10", url=url, retry=AT_ONCE)


def test_waits_double_up_to_a_limit() -> None:
    """1, 2, 4, … seconds, and never more than the longest."""
    assert [Retry().wait_seconds(failures) for failures in (1, 2, 3, 6, 60)] == [1, 2, 4, 30, 30]


def test_interrupt_leaves_the_part(tmp_path: Path, server: tuple[Script, str]) -> None:
    """Ctrl-C ends the process with status 130 and a sentence; what came is kept, the lock is not."""
    script, url = server
    is_asked, may_answer = threading.Event(), threading.Event()
    script.content = b"x" * 300_000
    script.cuts = [200_000]

    def hold_the_second() -> None:
        if len(script.requests) == 2:
            is_asked.set()
            may_answer.wait(60)

    script.on_request = hold_the_second
    # A shell that runs tests in the background makes its children ignore Ctrl-C.
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{hears}; import sys; from trainer.fetch import main; sys.exit(main())"
    command = [sys.executable, "-c", program]
    arguments = ["cifar10", "--data", str(tmp_path / "cifar10"), "--url", url]
    process = subprocess.Popen([*command, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert is_asked.wait(60)
        process.send_signal(signal.SIGINT)
        _, output = process.communicate(timeout=60)
    finally:
        may_answer.set()
        process.kill()
    assert process.returncode == 130
    assert "stopped; what was downloaded is kept" in output
    assert "Traceback" not in output
    assert (tmp_path / f"{CIFAR10_NAME}.part").stat().st_size == 200_000


# --- a full disk, a second process --------------------------------------------------------------


@dataclass
class SmallDisk:
    """Bytes that can still be written; as on a real disk, the last write that fits is a partial one."""

    free: int

    def take(self, size: int) -> int:
        """How many of `size` bytes fit."""
        if not self.free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(size, self.free)
        self.free -= taken
        return taken


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SmallDisk:
    """A disk without end that a test may shrink; every file that is opened for writing lies on it."""
    small = SmallDisk(free=2**40)

    class Raw(io.FileIO):
        def write(self, content: bytes) -> int:  # type: ignore[override]
            return super().write(memoryview(content)[: small.take(len(content))])

    opened = Path.open

    def open_(path: Path, mode: str = "r", *arguments: object, **keywords: object) -> object:
        if mode in ("ab", "xb", "wb"):
            return io.BufferedWriter(Raw(path, mode.removesuffix("b")))
        return opened(path, mode, *arguments, **keywords)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", open_)
    return small


def test_full_disk_while_downloading_keeps_the_part(
    tmp_path: Path, original: Original, server: tuple[Script, str], disk: SmallDisk
) -> None:
    """A disk that fills is one sentence; after room was made, the next call goes on from the part."""
    script, url = server
    disk.free = 5000
    with pytest.raises(FetchError, match=r"the disk is full.*make room and run the same command again"):
        fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert len(script.requests) == 1
    assert (tmp_path / f"{CIFAR10_NAME}.part").stat().st_size == 5000
    disk.free = 2**40
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert script.starts() == [None, "bytes=5000-"]


def test_full_disk_while_unpacking_keeps_the_archive(
    tmp_path: Path, original: Original, server: tuple[Script, str], disk: SmallDisk
) -> None:
    """Half a dataset is removed, the checked archive stays, and the next call needs no download."""
    script, url = server
    disk.free = len(original.content) + 10_000
    with pytest.raises(FetchError, match="the disk is full"):
        fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert _files(tmp_path) == [CIFAR10_NAME]
    disk.free = 2**40
    fetch_cifar10(tmp_path / "cifar10", url=url, md5=original.md5, retry=AT_ONCE)
    assert len(script.requests) == 1
    assert len(_files(tmp_path / "cifar10")) == 6 * PER_BATCH


def test_leftovers_of_a_killed_fetch_are_replaced(tmp_path: Path, original: Original) -> None:
    """What a killed process had unpacked does not end up in the dataset."""
    leftover = tmp_path / ".cifar10.unpacking" / "train" / "cat" / "stray.png"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"stray")
    archive = tmp_path / CIFAR10_NAME
    archive.write_bytes(original.content)
    fetch_cifar10(tmp_path / "cifar10", archive, md5=original.md5)
    assert not leftover.exists()
    assert "train/cat/stray.png" not in _files(tmp_path / "cifar10")


def test_two_fetches_at_once(tmp_path: Path) -> None:
    """The second is told of the first and touches nothing."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(FetchError, match=r"another fetch into .* is running"):
            fetch_cifar10(tmp_path / "cifar10")
    finally:
        os.close(descriptor)


def test_destination_with_something_else(tmp_path: Path, original: Original) -> None:
    """A file, or a folder without pictures, is not overwritten; an empty folder is used."""
    archive = tmp_path / CIFAR10_NAME
    archive.write_bytes(original.content)
    for name, make in (("file", Path.touch), ("folder", lambda path: (path / "sub").mkdir(parents=True))):
        make(tmp_path / name)
        with pytest.raises(FetchError, match="exists and holds no pictures"):
            fetch_cifar10(tmp_path / name, archive, md5=original.md5)
    (tmp_path / "empty").mkdir()
    fetch_cifar10(tmp_path / "empty", archive, md5=original.md5)
    assert len(_files(tmp_path / "empty")) == 6 * PER_BATCH


# --- archives of class folders ------------------------------------------------------------------

PICTURE = encode_png(bytes(range(192)), 8, 8)


def _zip(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return content.getvalue()


def _fetched(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return fetch_cifar10(folder / "data" / "pets", folder / name)


@pytest.mark.parametrize("root", ["", "./", "pets/", "a/b/"])
@pytest.mark.parametrize(
    ("name", "pack"),
    [("p.tar", lambda m: _tar(m, "w:")), ("p.txz", lambda m: _tar(m, "w:xz")), ("p.zip", _zip)],
)
def test_class_folders(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    root: str,
    name: str,
    pack: Callable[[dict[str, bytes]], bytes],
) -> None:
    """Splits and classes are taken from wherever they lie; what is no picture or hidden is left out."""
    members = {
        f"{root}README.md": b"text",
        f"{root}train/cat/1.png": PICTURE,
        f"{root}train/cat/.hidden.png": PICTURE,
        f"{root}__MACOSX/train/cat/1.png": PICTURE,
        f"{root}train/dog/1.JPG": PICTURE,
        f"{root}train/dog/notes.txt": b"text",
        f"{root}test/cat/1.png": PICTURE,
    }
    data = _fetched(tmp_path, name, pack(members))
    assert _files(data) == ["test/cat/1.png", "train/cat/1.png", "train/dog/1.JPG"]
    assert (data / "train/cat/1.png").read_bytes() == PICTURE
    assert "no published digest" in capsys.readouterr().err


def test_class_folders_without_splits(tmp_path: Path) -> None:
    """<class>/<file> is kept as it is; the split is made by whoever trains."""
    data = _fetched(tmp_path, "p.zip", _zip({"pets/cat/1.png": PICTURE, "pets/dog/1.png": PICTURE}))
    assert _files(data) == ["cat/1.png", "dog/1.png"]


@pytest.mark.parametrize("pack", [_tar, _zip])
@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"train/cat/1.png": PICTURE, "../../outside.png": PICTURE}, "no plain path"),
        ({"/train/cat/1.png": PICTURE}, "no plain path"),
        ({"train/../../cat/1.png": PICTURE}, "no plain path"),
        ({"train\\cat\\1.png": PICTURE}, "no plain path"),
        ({"train/c\nat/1.png": PICTURE}, "no plain path"),
        (
            {"train/cat/1.png": PICTURE, "valid/cat/2.png": PICTURE},
            "'valid/cat/2.png': some pictures lie below",
        ),
        (
            {"a/train/cat/1.png": PICTURE, "b/train/cat/1.png": PICTURE},
            "two pictures would both be cat/1.png",
        ),
        ({"README.md": b"text", "1.png": PICTURE}, "holds no pictures in class folders"),
    ],
)
def test_hostile_or_useless_members(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes], members: dict[str, bytes], message: str
) -> None:
    """A member that would leave the folder, or that has no one place, ends the fetch and leaves nothing."""
    folder = tmp_path / "deep" / "deeper"
    folder.mkdir(parents=True)
    with pytest.raises(FetchError, match=message):
        _fetched(folder, "pets.tgz", pack(members))
    assert _files(tmp_path) == ["deep/deeper/pets.tgz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_tar_with_links_or_devices(tmp_path: Path, kind: bytes) -> None:
    """Only files and folders are taken."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        entry = tarfile.TarInfo("train/cat/1.png")
        entry.type, entry.linkname = kind, "/etc/hostname"
        tar.addfile(entry)
    with pytest.raises(FetchError, match=r"'train/cat/1.png' is a link or device"):
        _fetched(tmp_path, "pets.tar", content.getvalue())


def test_zip_with_a_link_or_a_password(tmp_path: Path) -> None:
    """A symbolic link by its mode, an encrypted member by its flag."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        entry = zipfile.ZipInfo("train/cat/1.png")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(entry, "/etc/hostname")
    with pytest.raises(FetchError, match="is a link or device"):
        _fetched(tmp_path, "link.zip", content.getvalue())
    encrypted = bytearray(_zip({"train/cat/1.png": PICTURE}))
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(FetchError, match="is encrypted"):
        _fetched(tmp_path, "encrypted.zip", bytes(encrypted))


@pytest.mark.parametrize("pack", [_tar, _zip])
def test_damaged_archives(tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    """Cut off or overwritten in the middle: a sentence, and nothing unpacked."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 3072), np.uint8)
    whole = pack(
        {f"train/cat/{n}.png": encode_png(pixels.tobytes(), 32, 32) for n, pixels in enumerate(noise)}
    )
    middle = len(whole) // 2
    overwritten = whole[:middle] + b"\0" * 500 + whole[middle + 500 :]
    for number, damaged in enumerate((whole[:middle], overwritten, b"", b"no archive")):
        with pytest.raises(FetchError, match="cannot be read as a tar or zip"):
            _fetched(tmp_path, f"damaged{number}", damaged)
    assert not (tmp_path / "data" / "pets").exists()
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("pack", [_tar, _zip])
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(members=2), "more than 2 files"),
        (Limits(bytes_per_file=999), "holds 1,000,000 bytes; at most 999"),
        (Limits(bytes_in_all=1_500_000), "more than 1,500,000 bytes unpacked"),
        (Limits(bytes_without_ratio=0), "pictures do not pack so well"),
    ],
)
def test_limits_hold_before_anything_is_unpacked(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes], limits: Limits, message: str
) -> None:
    """Count, size of one, size of all, and ratio are taken from the headers."""
    archive = tmp_path / "bomb"
    archive.write_bytes(pack({f"train/cat/{number}.png": b"\0" * 1_000_000 for number in range(3)}))
    with pytest.raises(ArchiveError, match=message):
        unpack_class_folders(archive, tmp_path / "out", lambda count: None, limits)


def test_archive_that_is_not_there(tmp_path: Path) -> None:
    """A missing file and a folder are told apart."""
    with pytest.raises(FetchError, match=r"nothing.zip does not exist"):
        fetch_cifar10(tmp_path / "cifar10", tmp_path / "nothing.zip")
    with pytest.raises(FetchError, match="is a folder; train on it"):
        fetch_cifar10(tmp_path / "cifar10", tmp_path)


# --- command line -------------------------------------------------------------------------------


def test_command_line(tmp_path: Path, server: tuple[Script, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1 and one line on stderr for an error, 0 for success."""
    arguments = ["cifar10", "--data", str(tmp_path / "pets")]
    assert fetch.main([*arguments, "--url", server[1]]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines()[-1].startswith("error: ")
    archive = tmp_path / "pets.zip"
    archive.write_bytes(_zip({"cat/1.png": PICTURE, "dog/1.png": PICTURE}))
    assert fetch.main([*arguments, "--archive", str(archive)]) == 0
    assert _files(tmp_path / "pets") == ["cat/1.png", "dog/1.png"]
