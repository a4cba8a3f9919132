"""contract.layout: names, paths, whole files and the split rule."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from cards import candidate

from contract import layout
from contract.layout import ModelPaths, RunPaths, SplitShares, is_version_name, split_of, write_atomically

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["1", "9", "10", "123456789", str(2**63 - 1)])
def test_version_names(name: str) -> None:
    """A positive integer in its shortest form, up to int64, is a version's name."""
    assert is_version_name(name)


NO_VERSION_NAMES = [
    "",
    "0",
    "01",
    "-1",
    "+1",
    "1.0",
    " 1",
    "1\n",
    "1_000",
    "١",
    "²",
    "v1",
    ".1",
    str(2**63),
    "9" * 5000,
]


@pytest.mark.parametrize("name", NO_VERSION_NAMES, ids=lambda name: repr(name)[:24])
def test_no_version_names(name: str) -> None:
    """Everything else is not, also what Python's int() would read or choke on."""
    assert not is_version_name(name)


def test_only_complete_versions_are_listed_in_the_order_of_numbers(tmp_path: Path) -> None:
    """10 comes after 9; a number without a SavedModel, a file and a staging directory are not versions."""
    pets = ModelPaths(tmp_path, "pets")
    for name in ("10", "9", "2", ".staging-run-1.0", "007", "latest"):
        candidate(pets.root / name)
    pets.version(11).mkdir()
    (pets.root / "12").write_text("a file")
    assert pets.versions() == [2, 9, 10]


@pytest.mark.parametrize("missing", ["folder", "file"])
def test_a_model_that_is_not_there_has_no_versions(tmp_path: Path, missing: str) -> None:
    """No directory, or a file in its place: an empty list, no error."""
    if missing == "file":
        (tmp_path / "pets").write_text("a file")
    assert ModelPaths(tmp_path, "pets").versions() == []


def test_models_are_the_folders_with_a_version(tmp_path: Path) -> None:
    """Hidden folders, the configuration, empty folders and files are no models."""
    for name in ("zebras/1", "ants/3", "config/1", ".trash/1"):
        candidate(tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "README.md").write_text("about")
    assert layout.model_names(tmp_path) == ["ants", "zebras"]
    assert layout.model_names(tmp_path / "nowhere") == []


def test_write_atomically_replaces_the_whole_file(tmp_path: Path) -> None:
    """The new content, readable by others, folders made, and nothing left beside it."""
    path = tmp_path / "a" / "b.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["b.json"]


FULL_DISK = """
import resource, sys
from pathlib import Path
from contract.layout import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(Path(sys.argv[1]), b"x" * 5000)
except OSError as error:
    print(type(error).__name__)
"""


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    """A real limit on the file's size: the error comes out, the old content and nothing else stays."""
    path = tmp_path / "rollout.json"
    path.write_bytes(b"old")
    answer = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    assert answer.stdout.strip() == "OSError"
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["rollout.json"]


def test_a_run_has_its_files_in_one_folder(tmp_path: Path) -> None:
    """The names that trainer and gateway agree on."""
    run = RunPaths(tmp_path, "run-1")
    paths = (run.spec, run.progress, run.result, run.cancel, run.checkpoint, run.candidate)
    names = ["spec.json", "progress.jsonl", "result.json", "cancel", "checkpoint", "candidate"]
    assert [path.relative_to(tmp_path / "run-1").as_posix() for path in paths] == names


def test_the_split_is_a_function_of_the_content() -> None:
    """10,000 pictures fall into the shares within three standard deviations, and always the same way."""
    digests = [layout.sha256_of(str(number).encode()) for number in range(10_000)]
    shares = SplitShares(validation=0.05, test=0.1)
    splits = [split_of(digest, shares) for digest in digests]
    assert splits == [split_of(digest, shares) for digest in digests]
    counts = Counter(splits)
    assert counts["test"] == pytest.approx(1000, abs=90)
    assert counts["validation"] == pytest.approx(450, abs=63)


def test_validation_does_not_depend_on_the_share_of_test() -> None:
    """Data with a test folder of its own divides the rest as data without one does."""
    digests = [layout.sha256_of(str(number).encode()) for number in range(2000)]
    with_test = {digest: split_of(digest, SplitShares(test=0.1)) for digest in digests}
    without = {digest: split_of(digest, SplitShares(test=0.0)) for digest in digests}
    assert all(without[digest] == split for digest, split in with_test.items() if split != "test")


def test_an_examples_path_is_made_of_its_label_and_content(tmp_path: Path) -> None:
    """dataset / split / label / sha256.extension."""
    path = layout.example_path(tmp_path, "pets", "train", "cat", "ab" * 32, "png")
    assert path == tmp_path / "pets" / "train" / "cat" / f"{'ab' * 32}.png"


def test_walk_files_is_sorted_and_skips_what_is_hidden(tmp_path: Path) -> None:
    """The order does not depend on the file system; dot files and what lies in dot folders is left out."""
    for name in ("b/2.png", "b/1.png", "a/3.png", ".cache/4.png", "a/.5.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [path.relative_to(tmp_path).as_posix() for path in layout.walk_files(tmp_path)]
    assert found == ["a/3.png", "b/1.png", "b/2.png"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"{'0a' * 32}.png", True),
        (f"{'0a' * 32}.jpeg", True),
        ("0001.png", False),
        (f"{'0a' * 32}", False),
        (f"{'0A' * 32}.png", False),
        (f"x{'0a' * 32}.png", False),
        (f".{'0a' * 32}.png", False),
    ],
)
def test_uploads_are_told_by_their_names(name: str, expected: bool) -> None:
    """The gateway writes a hash and an extension; every other name is base data."""
    assert layout.is_upload(name) is expected


def test_a_folder_that_may_not_be_read_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lost+found` of a fresh disk belongs to root; the store beside it is read all the same."""
    (tmp_path / "shades" / "1").mkdir(parents=True)
    (tmp_path / "shades" / "1" / layout.SAVED_MODEL).touch()
    (tmp_path / "lost+found").mkdir()
    listdir = os.listdir

    def refuse(path: Path) -> list[str]:  # as root, who runs these tests in places, nothing is refused
        if Path(path).name == "lost+found":
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert layout.model_names(tmp_path) == ["shades"]
