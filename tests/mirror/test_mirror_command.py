"""The command as init container and as sidecar, and what it says where something is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from s3_server import S3Server
from stores import add_version, files_of, set_stable

from mirror.__main__ import main
from mirror.errors import MirrorError
from mirror.remote import Remote

ROOT = Path(__file__).resolve().parents[2]


def test_no_credentials_is_one_sentence(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says where credentials come from."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert main(["pull", "models", "s3://bucket/models", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("mirror: cannot list s3://bucket/models: no credentials were found: set AWS_ACC")
    assert len(said.splitlines()) == 1


def test_wrong_credentials_are_one_sentence(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the server's own words."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert main(["pull", "models", "s3://bucket/models", str(tmp_path)]) == 1
    assert "mirror: cannot list s3://bucket/models: it is not allowed (" in capsys.readouterr().err


@pytest.mark.parametrize("direction", ["pull", "push"])
def test_a_bucket_that_is_not_there_is_one_sentence(
    s3: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], direction: str
) -> None:
    """It is not made: its place, rights and lifetime are somebody's decision."""
    add_version(tmp_path / "store", 1)
    ends = ["s3://nowhere/models", str(tmp_path / "store")]
    assert main([direction, "models", *(ends if direction == "pull" else reversed(ends))]) == 1
    said = capsys.readouterr().err
    assert "mirror: cannot list s3://nowhere/models: it is not there" in said
    assert "make the bucket, or correct the address" in said


def test_an_empty_prefix_is_nothing_wrong(s3: S3Server, prefix: str, tmp_path: Path) -> None:
    """The first start of all."""
    assert main(["pull", "models", f"s3://bucket/{prefix}", str(tmp_path / "copy")]) == 0
    assert main(["pull", "data", f"s3://bucket/{prefix}", str(tmp_path / "copy")]) == 0


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("bucket/models", "names no bucket; give an address such as s3://bucket/models"),
        ("s3://", "names no bucket"),
        ("ftps3://bucket/x", "Protocol not known"),
    ],
)
def test_an_address_that_is_none_is_one_sentence(url: str, says: str) -> None:
    """It quotes what was given."""
    with pytest.raises(MirrorError, match=says):
        Remote(url)


def test_a_server_that_is_away_is_one_sentence(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a traceback."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert main(["pull", "models", "s3://bucket/models", str(tmp_path)]) == 1
    assert "mirror: cannot list s3://bucket/models: " in capsys.readouterr().err


@contextmanager
def sidecar(*arguments: str) -> Iterator[Callable[[str], None]]:
    """The command as a process; yields a function that waits for a line of it."""
    command = [sys.executable, "-m", "mirror", *arguments, "--every", "0.1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: list[str] = []
    changed = threading.Condition()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                with changed:
                    lines.append(line)
                    changed.notify_all()

    reader = threading.Thread(target=read)
    reader.start()

    def wait_for(words: str) -> None:
        with changed:
            assert changed.wait_for(lambda: any(words in line for line in lines), 60), lines

    try:
        yield wait_for
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        reader.join()


def test_versions_go_from_store_to_store_while_sidecars_run(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path
) -> None:
    """Published here, served there; both end by SIGTERM with status 0."""
    url = f"s3://bucket/{prefix}"
    with (
        sidecar("push", "models", str(store), url) as pushing,
        sidecar("pull", "models", url, str(tmp_path / "copy"), "--named-only") as pulling,
    ):
        pushing("version 2 of shapes was sent")
        pulling("version 1 of shapes arrived")
        add_version(store, 3)
        set_stable(store, 3)
        pulling("version 3 of shapes arrived")
    assert files_of(tmp_path / "copy" / "shapes" / "3") == files_of(store / "shapes" / "3")


def test_a_sidecar_outlives_a_fault_and_says_it_once(s3: S3Server, tmp_path: Path) -> None:
    """The bucket is made later."""
    add_version(tmp_path / "store", 1)
    with sidecar("push", "models", str(tmp_path / "store"), "s3://later/models") as wait_for:
        wait_for("cannot list s3://later/models: it is not there")
        (s3.folder / "later").mkdir()
        wait_for("version 1 of shapes was sent")
        wait_for("all is mirrored again")
