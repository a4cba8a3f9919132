"""One S3 server for these tests, a prefix of its own for each, and stores to mirror."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import S3Server, s3_server
from stores import add_version, set_stable


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Started once."""
    with s3_server(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.fixture
def s3(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """With its credentials in the environment, and nothing of the machine's own."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test writes to."""
    return f"{uuid.uuid4().hex}/models"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A model store with two versions, the first of them stable."""
    add_version(tmp_path / "store", 1)
    add_version(tmp_path / "store", 2)
    set_stable(tmp_path / "store", 1)
    return tmp_path / "store"
