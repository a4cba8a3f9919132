"""Model stores through a real S3 server: only finished versions are ever seen, on either side."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from s3_server import S3Server
from stores import add_version, files_of, set_stable

from contract.layout import ModelPaths
from mirror import models
from mirror.__main__ import main
from mirror.errors import MirrorError
from mirror.marker import MARKER, Marker
from mirror.remote import Remote


def push(store: Path, prefix: str) -> int:
    """Once."""
    return main(["push", "models", str(store), f"s3://bucket/{prefix}"])


def pull(prefix: str, store: Path, *options: str) -> int:
    """Once."""
    return main(["pull", "models", f"s3://bucket/{prefix}", str(store), *options])


def test_what_is_pushed_is_pulled_exactly(s3: S3Server, prefix: str, store: Path, tmp_path: Path) -> None:
    """Versions, rollout and configuration; the marker stays in the bucket."""
    assert push(store, prefix) == 0
    assert pull(prefix, tmp_path / "copy") == 0
    assert files_of(tmp_path / "copy") == files_of(store)
    assert ModelPaths(tmp_path / "copy", "shapes").versions() == [1, 2]


def test_only_what_is_new_travels(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second round says nothing; a third version and a moved rollout arrive alone."""
    push(store, prefix)
    pull(prefix, tmp_path / "copy")
    capsys.readouterr()
    assert push(store, prefix) == pull(prefix, tmp_path / "copy") == 0
    assert capsys.readouterr().out == ""
    add_version(store, 3)
    set_stable(store, 3)
    assert push(store, prefix) == pull(prefix, tmp_path / "copy") == 0
    said = capsys.readouterr().out
    assert said == "mirror: version 3 of shapes was sent\nmirror: version 3 of shapes arrived\n"
    assert files_of(tmp_path / "copy") == files_of(store)


def test_a_model_server_takes_only_what_the_rollout_names(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path
) -> None:
    """A bucket with a hundred old versions does not fill the disk of every pod."""
    push(store, prefix)
    assert pull(prefix, tmp_path / "copy", "--named-only") == 0
    assert ModelPaths(tmp_path / "copy", "shapes").versions() == [1]
    set_stable(store, 2)
    push(store, prefix)
    assert pull(prefix, tmp_path / "copy", "--named-only") == 0
    assert ModelPaths(tmp_path / "copy", "shapes").versions() == [1, 2]


def test_an_upload_that_was_broken_off_shows_nowhere(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path
) -> None:
    """Files without a marker are no version; the next push completes them."""
    push(store, prefix)
    (s3.folder / "bucket" / prefix / "shapes" / "2" / MARKER).unlink()
    (s3.folder / "bucket" / prefix / "shapes" / "2" / "saved_model.pb").write_bytes(b"half")
    assert pull(prefix, tmp_path / "copy") == 0
    assert ModelPaths(tmp_path / "copy", "shapes").versions() == [1]
    assert push(store, prefix) == pull(prefix, tmp_path / "copy") == 0
    assert files_of(tmp_path / "copy") == files_of(store)


def test_the_marker_is_written_after_everything_else(
    s3: S3Server, prefix: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that dies before it leaves files and no marker, and rollouts that name what is there."""
    push(store, prefix)
    add_version(store, 3)
    set_stable(store, 3)
    before = (s3.folder / "bucket" / prefix / "shapes" / "rollout.json").read_bytes()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Remote, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        push(store, prefix)
    there = s3.folder / "bucket" / prefix / "shapes"
    assert (there / "3" / "saved_model.pb").is_file()
    assert not (there / "3" / MARKER).exists()
    assert (there / "rollout.json").read_bytes() == before


@pytest.mark.parametrize("name", ["saved_model.pb", "assets.extra/warmup"])
def test_what_is_not_as_the_marker_says_is_left_out(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Changed or gone meanwhile: one sentence, nothing half visible, and the other versions arrive."""
    push(store, prefix)
    remote, victim = Remote(f"s3://bucket/{prefix}"), f"shapes/2/{name}"
    remote.write(victim, b"x" * len(remote.read(victim)))
    assert pull(prefix, tmp_path / "copy") == 1
    assert f"version 2 of shapes was left out: {name} is not what {MARKER} says" in capsys.readouterr().err
    remote.remove(victim)
    assert pull(prefix, tmp_path / "copy") == 1
    assert "version 2 of shapes was left out: cannot download from" in capsys.readouterr().err
    assert ModelPaths(tmp_path / "copy", "shapes").versions() == [1]
    assert [path.name for path in (tmp_path / "copy" / "shapes").iterdir()] == ["1"]


def test_a_rollout_waits_for_the_version_that_it_names(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path
) -> None:
    """While a version is left out, the model's rollout and configuration stay as they were."""
    push(store, prefix)
    pull(prefix, tmp_path / "copy")
    before = files_of(tmp_path / "copy")
    add_version(store, 3)
    set_stable(store, 3)
    push(store, prefix)
    remote, broken = Remote(f"s3://bucket/{prefix}"), "shapes/3/saved_model.pb"
    whole = remote.read(broken)
    remote.write(broken, b"half")
    assert pull(prefix, tmp_path / "copy") == 1
    assert files_of(tmp_path / "copy") == before
    remote.write(broken, whole)
    assert pull(prefix, tmp_path / "copy") == 0
    assert files_of(tmp_path / "copy") == files_of(store)


def test_a_version_that_goes_while_it_is_sent_is_left_out(
    s3: S3Server,
    prefix: str,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Retention took it: no marker, one sentence, the other version is sent."""
    put = Remote.put

    def goes(remote: Remote, files: dict[str, Path]) -> None:
        shutil.rmtree(ModelPaths(store, "shapes").version(1), ignore_errors=True)
        put(remote, files)

    monkeypatch.setattr(Remote, "put", goes)
    assert push(store, prefix) == 1
    assert "version 1 of shapes was left out: cannot upload to" in capsys.readouterr().err
    there = s3.folder / "bucket" / prefix / "shapes"
    assert not (there / "1" / MARKER).exists()
    assert (there / "2" / MARKER).is_file()


def test_a_version_that_vanished_in_the_bucket_stays(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path
) -> None:
    """A model server may be answering by it."""
    push(store, prefix)
    pull(prefix, tmp_path / "copy")
    shutil.rmtree(s3.folder / "bucket" / prefix / "shapes" / "2")
    assert pull(prefix, tmp_path / "copy") == 0
    assert ModelPaths(tmp_path / "copy", "shapes").versions() == [1, 2]


def test_one_number_for_two_versions_is_refused(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two stores that publish to one prefix: the bucket keeps the first, the second is told."""
    push(store, prefix)
    add_version(tmp_path / "other", 2, b"another")
    assert push(tmp_path / "other", prefix) == 1
    assert "has another version of this number" in capsys.readouterr().err
    assert pull(prefix, tmp_path / "copy") == 0
    assert files_of(tmp_path / "copy") == files_of(store)


def test_a_disk_without_room_is_said_before_the_download(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence has both numbers, and nothing is left."""
    push(store, prefix)
    usage = shutil.disk_usage(tmp_path)._replace(free=3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    faults = models.pull(Remote(f"s3://bucket/{prefix}"), tmp_path / "copy", print, named_only=False)
    assert len(faults) == 2
    assert "has 0 MB free, and 0 MB are needed: give the volume more room" in faults[0]
    assert files_of(tmp_path / "copy") == {}


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "/etc/passwd", "a/../../b", "a//b", ".", "", "..\\..\\windows"]
)
def test_a_marker_cannot_lead_out_of_its_version(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Who may write to the bucket may not write anywhere else."""
    push(store, prefix)
    remote, marker = Remote(f"s3://bucket/{prefix}"), f"shapes/2/{MARKER}"
    content = json.loads(remote.read(marker))
    content["files"][name] = content["files"]["saved_model.pb"]
    remote.write(marker, json.dumps(content).encode())
    assert pull(prefix, tmp_path / "copy") == 1
    assert "is no path inside of a version" in capsys.readouterr().err
    assert ModelPaths(tmp_path / "copy", "shapes").versions() == [1]


def test_a_marker_that_is_none_is_one_sentence(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a file, as an editor leaves it."""
    push(store, prefix)
    Remote(f"s3://bucket/{prefix}").write(f"shapes/2/{MARKER}", b'{"files": ')
    assert pull(prefix, tmp_path / "copy") == 1
    assert f"{MARKER} cannot be read: Invalid JSON" in capsys.readouterr().err


def test_what_a_dead_mirror_left_is_removed(s3: S3Server, prefix: str, store: Path, tmp_path: Path) -> None:
    """And is never read meanwhile."""
    push(store, prefix)
    left = tmp_path / "copy" / "shapes" / f"{models.STAGED}1.abc"
    left.mkdir(parents=True)
    (left / "saved_model.pb").write_bytes(b"half")
    assert ModelPaths(tmp_path / "copy", "shapes").versions() == []
    assert pull(prefix, tmp_path / "copy") == 0
    assert not left.exists()


def test_a_folder_with_something_in_it_is_not_restored_over(
    s3: S3Server, prefix: str, store: Path, tmp_path: Path
) -> None:
    """--if-empty: a volume that was lost is filled again, one that is there is left alone."""
    push(store, prefix)
    set_stable(store, 2)
    before = files_of(store)
    assert pull(prefix, store, "--if-empty") == 0
    assert files_of(store) == before
    (tmp_path / "fresh").mkdir()
    assert pull(prefix, tmp_path / "fresh", "--if-empty") == 0
    assert ModelPaths(tmp_path / "fresh", "shapes").versions() == [1, 2]


def test_the_marker_lists_every_file(store: Path) -> None:
    """With size and hash."""
    marker = models.marker_of(ModelPaths(store, "shapes").version(1))
    assert isinstance(marker, Marker)
    assert sorted(marker.files) == [
        "assets.extra/warmup",
        "model_card.json",
        "saved_model.pb",
        "variables/variables.index",
    ]
    assert marker.bytes == sum(len(content) for content in files_of(store / "shapes" / "1").values())


def test_a_version_without_its_graph_has_no_marker(store: Path) -> None:
    """It is going, or was never one."""
    (store / "shapes" / "1" / "saved_model.pb").unlink()
    with pytest.raises(FileNotFoundError, match="is gone"):
        models.marker_of(store / "shapes" / "1")


def test_a_mounted_folder_is_a_remote_too(store: Path, tmp_path: Path) -> None:
    """file://, as for a bucket that a driver mounts; a folder that is not there is said."""
    (tmp_path / "mounted").mkdir()
    url = f"file://{tmp_path}/mounted"
    assert main(["push", "models", str(store), url]) == 0
    assert main(["pull", "models", url, str(tmp_path / "copy")]) == 0
    assert files_of(tmp_path / "copy") == files_of(store)
    with pytest.raises(MirrorError, match=r"cannot list file:.*: it is not there"):
        Remote(f"file://{tmp_path}/nowhere").check()
