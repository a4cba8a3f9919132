"""contract.layout.publish: whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import errno
import filecmp
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cards import candidate

from contract.layout import CARD, SAVED_MODEL, ModelPaths, publish, publishing

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(Path(__file__).with_name("dies_at_step.py"))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A candidate of the run `run-1`."""
    return candidate(tmp_path / "candidate")


@pytest.fixture
def pets(tmp_path: Path) -> ModelPaths:
    """An empty place for a model."""
    return ModelPaths(tmp_path / "models", "pets")


def assert_whole(made: Path, version: Path) -> None:
    """Every file of the candidate is there with its content."""
    names = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
    assert names == sorted(
        path.relative_to(version).as_posix() for path in version.rglob("*") if path.is_file()
    )
    assert filecmp.cmpfiles(made, version, names, shallow=False)[0] == names


def hidden(paths: ModelPaths) -> list[str]:
    """What publications left behind."""
    return [name for name in os.listdir(paths.root) if name.startswith(".")]


def run_every_step(made: Path, folder: Path, how: str) -> int:
    """Break one publication at each of its file operations; the number of operations."""
    answer = subprocess.run(
        [sys.executable, PROGRAM, str(made), str(folder), how],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(answer.stdout)


def test_a_candidate_becomes_the_next_integer(made: Path, pets: ModelPaths, tmp_path: Path) -> None:
    """The first version is 1, the next run's is 2; the candidate stays where it was."""
    assert publish(made, pets, "run-1") == 1
    assert publish(candidate(tmp_path / "next", "run-2"), pets, "run-2") == 2
    assert pets.versions() == [1, 2]
    assert_whole(made, pets.version(1))
    assert hidden(pets) == []


def test_a_killed_publication_shows_nothing_or_everything(made: Path, tmp_path: Path) -> None:
    """SIGKILL before every single file operation: no partial version, and the rerun publishes one whole."""
    steps = run_every_step(made, tmp_path / "stores", "kill")
    assert steps > 20
    visible = 0
    for step in range(1, steps + 1):
        pets = ModelPaths(tmp_path / "stores" / str(step), "pets")
        for version in pets.versions():
            assert_whole(made, pets.version(version))
            visible += 1
        assert publish(made, pets, "run-1") == 1
        assert pets.versions() == [1]
        assert_whole(made, pets.version(1))
        assert hidden(pets) == []
    assert 0 < visible < steps


def test_a_full_disk_leaves_nothing_behind(made: Path, tmp_path: Path) -> None:
    """ENOSPC at every single file operation: no staging directory stays, no partial version appears."""
    steps = run_every_step(made, tmp_path / "stores", "full")
    assert steps > 20
    for step in range(1, steps + 1):
        pets = ModelPaths(tmp_path / "stores" / str(step), "pets")
        if pets.root.exists():
            assert hidden(pets) == []
        for version in pets.versions():
            assert_whole(made, pets.version(version))
        assert publish(made, pets, "run-1") == 1


def test_the_same_run_twice_is_one_version(made: Path, pets: ModelPaths) -> None:
    """A rerun after the end finds what it published, also below newer versions."""
    assert publish(made, pets, "run-1") == 1
    newer = candidate(pets.store / "next", "run-2")
    assert publish(newer, pets, "run-2") == 2
    assert publish(made, pets, "run-1") == 1
    assert pets.versions() == [1, 2]


def test_publishers_at_once_get_numbers_of_their_own(tmp_path: Path) -> None:
    """Eight threads publish eight runs at the same time: 1 to 8, each whole."""
    runs = [f"run-{number}" for number in range(8)]
    made = [candidate(tmp_path / run, run) for run in runs]
    store = tmp_path / "models"
    pets = ModelPaths(store, "pets")
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(publish, made, [pets] * 8, runs))
    assert sorted(versions) == pets.versions() == list(range(1, 9))
    for folder, version in zip(made, versions, strict=True):
        assert_whole(folder, pets.version(version))
    assert hidden(pets) == []


def test_a_number_that_is_taken_meanwhile_is_left_alone(
    made: Path, pets: ModelPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A version that appears between listing and renaming keeps its number and its content."""
    other = candidate(tmp_path / "other", "other")
    listed = os.listdir

    def listdir(path: Path) -> list[str]:
        names = listed(path)
        if path == pets.root and not pets.version(1).exists():
            other.rename(pets.version(1))
        return names

    pets.root.mkdir(parents=True)
    monkeypatch.setattr(publishing, "published_version", lambda *arguments: None)
    monkeypatch.setattr(os, "listdir", listdir)
    assert publish(made, pets, "run-1") == 2
    assert b'"other"' in pets.card(1).read_bytes()


def test_a_second_publisher_of_a_run_never_makes_a_half_visible(
    made: Path, pets: ModelPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a run is published again while its first publisher still copies, that one fails instead."""
    sync = publishing.fsync_tree
    again: list[int] = []

    def interrupted(staging: Path) -> None:
        monkeypatch.setattr(publishing, "fsync_tree", sync)
        again.append(publish(made, pets, "run-1"))
        sync(staging)

    monkeypatch.setattr(publishing, "fsync_tree", interrupted)
    with pytest.raises(FileNotFoundError):
        # The walk finds nothing to sync, and the rename no directory.
        publish(made, pets, "run-1")
    assert again == [1] == pets.versions()
    assert_whole(made, pets.version(1))


def test_leftovers_of_another_run_are_not_touched(made: Path, pets: ModelPaths) -> None:
    """A run's id that begins another run's id does not claim its staging directory."""
    other = pets.root / ".staging-run-1-b.0123"
    other.mkdir(parents=True)
    dead = pets.root / ".staging-run-1.0123"
    dead.mkdir()
    publish(made, pets, "run-1")
    assert other.is_dir()
    assert not dead.exists()


@pytest.mark.parametrize(
    "junk", ["007", "1.5", "latest", "-3", "v9", ".hidden", "²", "1 ", "99999999999999999999"]
)
def test_junk_names_do_not_count(made: Path, pets: ModelPaths, junk: str) -> None:
    """What is no version's name has no say in the next number, and is left where it is."""
    (pets.root / junk).mkdir(parents=True)
    assert publish(made, pets, "run-1") == 1
    assert (pets.root / junk).is_dir()


@pytest.mark.parametrize("kind", ["empty folder", "file", "folder without a model"])
def test_a_number_in_use_is_never_overwritten(made: Path, pets: ModelPaths, kind: str) -> None:
    """A version's name that holds no complete version still takes its number."""
    pets.root.mkdir(parents=True)
    taken = pets.version(4)
    if kind == "file":
        taken.write_text("mine")
    else:
        taken.mkdir()
        if kind == "folder without a model":
            (taken / "notes.txt").write_text("mine")
    assert publish(made, pets, "run-1") == 5
    assert pets.versions() == [5]
    assert taken.exists()


def test_no_number_left_is_an_error_and_not_an_invisible_version(made: Path, pets: ModelPaths) -> None:
    """Above the largest int64 no reader would see a version."""
    pets.version(2**63 - 1).mkdir(parents=True)
    with pytest.raises(OSError, match="no version number is left") as raised:
        publish(made, pets, "run-1")
    assert raised.value.errno == errno.EOVERFLOW
    assert hidden(pets) == []


def test_a_version_with_an_unreadable_card_does_not_hinder(made: Path, pets: ModelPaths) -> None:
    """Somebody's plain SavedModel, or a card of another time, is no run's version."""
    for version, content in ((1, None), (2, b"{"), (3, b'{"run_id": "run-1"}')):
        folder = pets.version(version)
        folder.mkdir(parents=True)
        (folder / SAVED_MODEL).write_bytes(b"graph")
        if content is not None:
            (folder / CARD).write_bytes(content)
    assert publish(made, pets, "run-1") == 4
