"""Dataset stores through a real S3 server: uploads, moved labels, deletions, and volumes that are empty."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import S3Server
from stores import files_of

from mirror.data import DataMirror, examples, outdated
from mirror.errors import MirrorError
from mirror.remote import Remote


def add(store: Path, label: str, content: bytes) -> Path:
    """An upload, named after its hash; label and dataset may have any letters."""
    path = store / "my shapes" / "train" / label / f"{hashlib.sha256(content).hexdigest()}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three uploads of two labels, and a picture of base data."""
    add(tmp_path / "data", "circle", b"one")
    add(tmp_path / "data", "circle", b"two")
    add(tmp_path / "data", "Dreieck – spitz", b"three")
    (tmp_path / "data" / "my shapes" / "train" / "circle" / "base.png").write_bytes(b"base")
    return tmp_path / "data"


def mirrors(prefix: str, data: Path, copy: Path) -> tuple[DataMirror, DataMirror]:
    """One that sends and one that brings."""
    remote = Remote(f"s3://bucket/{prefix}")
    return DataMirror(remote, data), DataMirror(remote, copy)


def test_pictures_arrive_under_their_labels(s3: S3Server, prefix: str, data: Path, tmp_path: Path) -> None:
    """And what is no picture of a dataset does not travel."""
    (data / "gateway.sqlite3").write_bytes(b"database")
    (data / ".spool").mkdir()
    (data / ".spool" / "a").write_bytes(b"half")
    sending, bringing = mirrors(prefix, data, tmp_path / "copy")
    said: list[str] = []
    sending.push(said.append)
    bringing.pull(said.append)
    assert said == ["4 pictures were sent, 0 deleted", "4 pictures arrived, 0 left"]
    assert files_of(tmp_path / "copy" / "my shapes") == files_of(data / "my shapes")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["my shapes"]


def test_a_picture_that_changed_its_label_has_one_everywhere(
    s3: S3Server, prefix: str, data: Path, tmp_path: Path
) -> None:
    """Also where the mirror was started anew meanwhile."""
    for mirror, act in zip(mirrors(prefix, data, tmp_path / "copy"), ("push", "pull"), strict=True):
        getattr(mirror, act)(print)
    picture = add(data, "circle", b"one")
    (data / "my shapes" / "train" / "square").mkdir()
    picture.rename(data / "my shapes" / "train" / "square" / picture.name)
    for mirror, act in zip(mirrors(prefix, data, tmp_path / "copy"), ("push", "pull"), strict=True):
        getattr(mirror, act)(print)
    assert files_of(tmp_path / "copy" / "my shapes") == files_of(data / "my shapes")


def test_a_deletion_is_mirrored_while_the_mirror_runs(
    s3: S3Server, prefix: str, data: Path, tmp_path: Path
) -> None:
    """Of an upload; a picture of base data stays, since nobody deletes it by the gateway."""
    sending, bringing = mirrors(prefix, data, tmp_path / "copy")
    sending.push(print)
    bringing.pull(print)
    add(data, "circle", b"one").unlink()
    (data / "my shapes" / "train" / "circle" / "base.png").unlink()
    sending.push(print)
    bringing.pull(print)
    left = files_of(tmp_path / "copy")
    assert b"one" not in left.values()
    assert b"base" in left.values()


def test_an_empty_volume_does_not_empty_the_bucket(
    s3: S3Server, prefix: str, data: Path, tmp_path: Path
) -> None:
    """A mirror that starts on a lost volume deletes nothing."""
    sending, _ = mirrors(prefix, data, tmp_path / "copy")
    sending.push(print)
    shutil.rmtree(data)
    data.mkdir()
    again, bringing = mirrors(prefix, data, tmp_path / "copy")
    again.push(print)
    bringing.pull(print)
    assert len(files_of(tmp_path / "copy")) == 4


def test_a_download_that_fails_leaves_nothing(
    s3: S3Server, prefix: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that went between list and download: one sentence, no half picture, no staging."""
    sending, bringing = mirrors(prefix, data, tmp_path / "copy")
    sending.push(print)
    sizes = Remote.sizes

    def one_more(remote: Remote) -> dict[str, int]:
        return {**sizes(remote), "my shapes/train/circle/gone.png": 3}

    monkeypatch.setattr(Remote, "sizes", one_more)
    with pytest.raises(MirrorError, match=r"cannot download from s3://bucket/.*: it is not there"):
        bringing.pull(print)
    assert files_of(tmp_path / "copy") == {}


def test_a_path_that_leads_out_is_refused() -> None:
    """Names in a bucket may be anything."""
    with pytest.raises(MirrorError, match="is no path inside of a dataset store"):
        examples({"a/../../b.png": 1})


def test_only_uploads_are_ever_deleted() -> None:
    """By name: a hash and an extension."""
    upload = f"{'0' * 64}.png"
    source = {f"d/train/b/{upload}": 1}
    target = {f"d/train/a/{upload}": 1, "d/train/a/base.png": 1, f"d/train/a/{'1' * 64}.png": 1}
    assert outdated(source, target, ()) == [f"d/train/a/{upload}"]
    assert outdated(source, target, set(target)) == [f"d/train/a/{upload}", f"d/train/a/{'1' * 64}.png"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB; needs root on Linux."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_sentence_and_nothing_half(
    s3: S3Server, prefix: str, tmp_path: Path, small_disk: Path
) -> None:
    """A real one: what was there stays, what did not fit shows nowhere."""
    add(tmp_path / "data", "circle", b"small")
    sending, bringing = mirrors(prefix, tmp_path / "data", small_disk)
    sending.push(print)
    bringing.pull(print)
    before = files_of(small_disk)
    for number in range(3):
        add(tmp_path / "data", "circle", bytes([number]) * 40_000)
    sending.push(print)
    with pytest.raises(MirrorError, match="the disk is full; give the volume more room"):
        bringing.pull(print)
    assert files_of(small_disk) == before
