"""`python -m trainer fetch cifar10`: the reference dataset, from its origin or from a file one has.

Downloads survive what downloads meet (broken connections, Ctrl-C, a full disk) and are checked against
the published digest before a byte is unpacked; the dataset appears by one rename. What may stand in an
archive is trainer.archives' business.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from contract.layout import walk_files
from trainer.archives import ArchiveError, is_cifar10, unpack_cifar10, unpack_class_folders

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR10_NAME = "cifar-10-python.tar.gz"
CIFAR10_MD5 = "c58f30108f718f92721af3b95e74349a"
"""As published beside the link on https://www.cs.toronto.edu/~kriz/cifar.html."""
CIFAR10_PICTURES = 60_000

_TIMEOUT = httpx.Timeout(30.0)
_RETRIABLE_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_STOPPED = 130
"""Exit status after Ctrl-C: 128 + SIGINT."""


class FetchError(Exception):
    """The dataset could not be fetched; the message says why, what was kept and the way out."""


@dataclass(frozen=True)
class Retry:
    """How often a download is tried again; an attempt that brought bytes starts the count anew."""

    attempts: int = 6
    first_wait_seconds: float = 1.0
    """Doubled after each attempt in vain."""
    longest_wait_seconds: float = 30.0

    def wait_seconds(self, failures: int) -> float:
        """Seconds to wait after this many failures, the first being 1."""
        return min(self.longest_wait_seconds, self.first_wait_seconds * 2.0 ** (failures - 1))


def fetch_cifar10(
    destination: Path,
    archive: Path | None = None,
    url: str = CIFAR10_URL,
    *,
    md5: str = CIFAR10_MD5,
    retry: Retry | None = None,
) -> Path:
    """Make `<destination>/{train,test}/<class>/<file>`, unless pictures lie there already.

    Args:
        destination: the dataset's folder, e.g. data/cifar10. The download and what is being unpacked lie
            beside it, so that the last step is a rename.
        archive: the original archive, or a tar or zip of class folders, in place of a download.
        url: where the original archive, or a mirror's copy of it, is downloaded from.
        md5: hex digest of the original archive. An archive of class folders has none.
        retry: of the download.

    Returns:
        `destination`.

    Raises:
        FetchError: no connection, another digest, an unusable archive, a full disk, …
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    with _explained(destination.parent), _only_one(destination.parent):
        if _is_there(destination, console):
            return destination
        if archive is not None:
            _unpack(_existing(archive), destination, md5, console)
        else:
            target = destination.parent / CIFAR10_NAME
            _download_once(target, url, md5, retry or Retry(), console)
            _unpack(target, destination, md5, console)
            target.unlink()
    return destination


def _is_there(destination: Path, console: Console) -> bool:
    if not destination.exists() or (destination.is_dir() and not any(destination.iterdir())):
        return False
    pictures = list(walk_files(destination)) if destination.is_dir() else []
    if not pictures:
        raise FetchError(f"{destination} exists and holds no pictures; remove it or pass another --data")
    labels = {path.parent.name for path in pictures}
    console.print(
        f"{destination} is already there: {len(pictures):,} files in {len(labels)} classes. "
        "Remove it to fetch it anew."
    )
    return True


def _existing(archive: Path) -> Path:
    if archive.is_dir():
        raise FetchError(
            f"--archive {archive} is a folder; train on it with `python -m trainer run --data …`"
        )
    if not archive.is_file():
        raise FetchError(f"--archive {archive} does not exist")
    return archive


# --- unpacking ----------------------------------------------------------------------------------


def _unpack(archive: Path, destination: Path, md5: str, console: Console) -> None:
    """Unpack beside the destination under a dotted name, then rename."""
    is_original = archive.name == CIFAR10_NAME or is_cifar10(archive)
    if is_original:
        _check_digest(archive, md5)
    else:
        console.print(
            f"{archive} is not the original archive, so there is no published digest to check it by."
        )
    staging = destination.parent / f".{destination.name}.unpacking"
    shutil.rmtree(staging, ignore_errors=True)
    unpack = unpack_cifar10 if is_original else unpack_class_folders
    try:
        with _counted("unpacking", CIFAR10_PICTURES if is_original else None, console) as advance:
            unpack(archive, staging, advance)
        os.sync()  # one call in place of 60,000: the rename must not outlive the pictures in a power cut
        staging.rename(destination)
    except ArchiveError as error:
        raise FetchError(str(error)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    console.print(f"{destination} holds {sum(1 for _ in walk_files(destination)):,} pictures.")


def _check_digest(archive: Path, expected: str) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != expected:
        raise FetchError(
            f"{archive} ({archive.stat().st_size:,} bytes) has the MD5 digest {found}, the published one is "
            f"{expected}: it is damaged or another file. Nothing was unpacked."
        )


# --- downloading --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Partial:
    """What of a download is on disk, and which file on the server it is the beginning of."""

    target: Path
    url: str

    @property
    def path(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    @property
    def _origin(self) -> Path:
        return self.target.with_name(self.target.name + ".part.origin")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def resume_headers(self) -> dict[str, str]:
        """Ask for the rest, provided that the server's file is still the one that was begun."""
        if not self.size or not self._origin.is_file():
            return {}
        url, _, validator = self._origin.read_text().partition("\n")
        return (
            {"Range": f"bytes={self.size}-", "If-Range": validator} if url == self.url and validator else {}
        )

    def begin(self, response: httpx.Response) -> None:
        """Start with nothing on disk, and note what the server calls this state of the file."""
        self.discard()
        etag = response.headers.get("ETag", "")
        # A weak ETag promises the same meaning, not the same bytes.
        validator = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
        self._origin.write_text(f"{self.url}\n{validator}")

    def finish(self) -> None:
        self.path.replace(self.target)
        self._origin.unlink(missing_ok=True)

    def mismatch(self) -> httpx.RemoteProtocolError:
        """Drop what is there, which does not fit the server's file, so that the next attempt starts anew."""
        self.discard()
        return httpx.RemoteProtocolError("the server's answer does not continue what was downloaded before")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._origin.unlink(missing_ok=True)


def _download_once(target: Path, url: str, md5: str, retry: Retry, console: Console) -> None:
    """Have the whole, checked archive at `target`."""
    if target.is_file():
        return
    partial = _Partial(target, url)
    if partial.size:
        console.print(f"{partial.path} holds {partial.size:,} bytes of an earlier download.")
    with _byte_bar(target.name, console) as report:
        _download(partial, retry, report)
    try:
        _check_digest(partial.path, md5)
    except FetchError:
        partial.discard()
        raise
    partial.finish()


Report = Callable[[int, int | None], None]
"""Called with the bytes that are there, and those in all where the server says."""


def _download(partial: _Partial, retry: Retry, report: Report) -> None:
    """Attempt after attempt, each from where the last one ended, until the file is whole."""
    failures = 0
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT) as client:
        while True:
            before = partial.size
            try:
                return _attempt(client, partial, report)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                failures = 1 if partial.size > before else failures + 1
                if not _is_passing(error) or failures >= retry.attempts:
                    raise _failure(partial, error) from error
            time.sleep(retry.wait_seconds(failures))


def _attempt(client: httpx.Client, partial: _Partial, report: Report) -> None:
    # The archive is compressed already; a second compression would make its offsets meaningless.
    headers = {"Accept-Encoding": "identity", **partial.resume_headers()}
    with client.stream("GET", partial.url, headers=headers) as response:
        start, total = _content_range(response)
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if total == partial.size:
                return
            raise partial.mismatch()
        response.raise_for_status()
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            partial.begin(response)
            total = int(response.headers["Content-Length"]) if "Content-Length" in response.headers else None
        elif start != partial.size:
            raise partial.mismatch()
        with partial.path.open("ab") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                report(file.tell(), total)


def _content_range(response: httpx.Response) -> tuple[int | None, int | None]:
    """First byte and size of the whole, from `bytes 5-9/10` or `bytes */10`."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
    first, whole = match.groups() if match else (None, None)
    return int(first) if first else None, int(whole) if whole and whole != "*" else None


def _is_passing(error: httpx.HTTPError | httpx.InvalidURL) -> bool:
    """True for what may be better in a moment."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _RETRIABLE_STATUS
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def _failure(partial: _Partial, error: Exception) -> FetchError:
    kept = f"{partial.size:,} bytes are kept in {partial.path}, and the next call goes on from there. "
    return FetchError(
        f"{partial.url} could not be downloaded: {error or type(error).__name__}. "
        f"{kept if partial.resume_headers() else ''}"
        "Try again, pass a mirror with --url, or a file that you have with --archive."
    )


# --- around both --------------------------------------------------------------------------------


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep a second fetch out of the same folder; the lock ends with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise FetchError(f"another fetch into {folder} is running; wait for it, or stop it") from None
    finally:
        os.close(descriptor)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """What the operating system refuses, as a sentence; a full disk with the way out."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise FetchError(f"{error.filename or folder}: {error.strerror or error}") from error
        raise FetchError(
            f"the disk is full, {shutil.disk_usage(folder).free:,} bytes are free for {folder.absolute()}. "
            "CIFAR-10 takes 450 MB while it is fetched and 240 MB afterwards. What was downloaded is kept: "
            "make room and run the same command again."
        ) from error


@contextmanager
def _bar(task: str, total: int | None, console: Console, *columns: ProgressColumn) -> Iterator[Report]:
    shown = Progress(TextColumn("{task.description}", markup=False), BarColumn(), *columns, console=console)
    with shown as progress:
        task_id = progress.add_task(task, total=total)
        yield lambda done, whole: progress.update(task_id, completed=done, total=whole)


@contextmanager
def _byte_bar(task: str, console: Console) -> Iterator[Report]:
    columns = DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    with _bar(task, None, console, *columns) as report:
        yield report


@contextmanager
def _counted(task: str, total: int | None, console: Console) -> Iterator[Callable[[int], None]]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(done, total)

    with _bar(task, total, console, MofNCompleteColumn(), TimeRemainingColumn()) as report:
        yield advance


# --- command line -------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `python -m trainer fetch`."""
    parser.add_argument("dataset", choices=["cifar10"], help="the dataset to fetch")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data/cifar10"),
        help="folder to make (default: %(default)s)",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--archive",
        type=Path,
        metavar="FILE",
        help=f"use this file: {CIFAR10_NAME}, or a tar or zip of train/<class>/… and test/<class>/…",
    )
    source.add_argument(
        "--url", default=CIFAR10_URL, help="download the original archive from here (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Fetch as the arguments say; the exit status: 0, 1 after an error, 130 after Ctrl-C."""
    try:
        fetch_cifar10(arguments.data, arguments.archive, arguments.url)
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what was downloaded is kept, the same command goes on from there", file=sys.stderr)
        return _STOPPED
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point for the arguments alone, without the trainer's other commands."""
    parser = argparse.ArgumentParser(prog="python -m trainer fetch", description=__doc__.partition("\n\n")[0])
    add_arguments(parser)
    return run(parser.parse_args(argv))
