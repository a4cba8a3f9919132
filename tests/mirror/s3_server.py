"""Versity's S3 gateway on a folder: a real S3-compatible server, one Go program, found on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from rekindle.loopback import free_ports

INSTALL = "go install github.com/versity/versitygw/cmd/versitygw@v1.8.0"
START_SECONDS = 60.0
KEY, SECRET = "tests", "tests-secret"


@dataclass(frozen=True)
class S3Server:
    """A started server with one bucket."""

    url: str
    folder: Path
    """Its buckets are folders in it, so a test may look at objects as at files."""

    @property
    def variables(self) -> dict[str, str]:
        """What a client of it needs in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Start it; skips the test where the program is missing, and fails where all tests are required."""
    program = shutil.which("versitygw")
    if program is None:
        if os.environ.get("REKINDLE_REQUIRE_ALL_TESTS") == "1" and shutil.which("go"):
            pytest.fail(f"versitygw is not installed, although Go is: {INSTALL}")
        pytest.skip(f"NO S3 SERVER, SO THIS SHOWS NOTHING: {INSTALL}")
    (folder / "buckets" / "bucket").mkdir(parents=True)
    (folder / "attributes").mkdir()
    (port,) = free_ports(1)
    command = [program, "--port", f"127.0.0.1:{port}", "--access", KEY, "--secret", SECRET, "--quiet"]
    command += ["posix", "--sidecar", str(folder / "attributes"), str(folder / "buckets")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(f"http://127.0.0.1:{port}", process, folder / "log")
            yield S3Server(f"http://127.0.0.1:{port}", folder / "buckets")
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(url, trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.02)
    raise RuntimeError(f"the S3 server did not start: {log.read_text()}")
