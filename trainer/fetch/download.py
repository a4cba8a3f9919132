"""A download that survives broken connections and goes on where it ended."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from trainer.fetch.bars import Report, byte_bar
from trainer.fetch.failures import FetchError
from trainer.fetch.partial import Partial

_TIMEOUT = httpx.Timeout(30.0)
_RETRIABLE_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


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


def download_once(target: Path, url: str, md5: str, retry: Retry, console: Console) -> None:
    """Have the whole, checked archive at `target`."""
    if target.is_file():
        return
    partial = Partial(target, url)
    if partial.size:
        console.print(f"{partial.path} holds {partial.size:,} bytes of an earlier download.")
    with byte_bar(target.name, console) as report:
        _download(partial, retry, report)
    try:
        check_digest(partial.path, md5)
    except FetchError:
        partial.discard()
        raise
    partial.finish()


def check_digest(archive: Path, expected: str) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != expected:
        raise FetchError(
            f"{archive} ({archive.stat().st_size:,} bytes) has the MD5 digest {found}, the published one is "
            f"{expected}: it is damaged or another file. Nothing was unpacked."
        )


def _download(partial: Partial, retry: Retry, report: Report) -> None:
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


def _attempt(client: httpx.Client, partial: Partial, report: Report) -> None:
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


def _failure(partial: Partial, error: Exception) -> FetchError:
    kept = f"{partial.size:,} bytes are kept in {partial.path}, and the next call goes on from there. "
    return FetchError(
        f"{partial.url} could not be downloaded: {error or type(error).__name__}. "
        f"{kept if partial.resume_headers() else ''}"
        "Try again, pass a mirror with --url, or a file that you have with --archive."
    )
