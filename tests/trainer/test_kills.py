"""SIGKILL at exact moments of a run: nobody ever sees half a version, and every rerun goes on."""

from __future__ import annotations

import filecmp
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import Workshop

from contract.card import ModelCard
from contract.layout import CARD, ModelPaths
from contract.training import RunState, TrainingResult

pytestmark = [pytest.mark.tensorflow, pytest.mark.timeout(1800)]

DIES_AT = Path(__file__).with_name("dies_at.py")

MOMENTS = [
    # (audit event, pattern of a path, occurrence): in the order in which a run comes to them
    ("open", "*/killed/.spec.json*", 1),
    ("os.rename", "*/killed/spec.json", 1),
    ("open", "*/train/green/*", 3),
    ("open", "*/progress.jsonl", 2),
    ("os.rename", "*/best.npz", 1),
    ("os.rename", "*/last.npz", 2),
    ("open", "*/.last.npz*", 2),
    ("os.rename", "*/last.npz", 3),
    ("open", "*/model.keras", 1),
    ("open", "*/test/red/*", 5),
    ("open", "*/reliability.png", 1),
    ("os.rename", "*/model_card.json", 1),
    ("os.rename", "*/candidate", 1),
    ("shutil.copytree", "*/.staging-*", 1),
    ("open", "*/.staging-*/saved_model.pb", 1),
    ("os.rename", "*/.trash-*", 1),  # what the death before left behind
    ("open", "*/.staging-*/model.keras", 2),
    ("os.rename", "*/models/colours/1", 1),
    ("open", "*/progress.jsonl", 1),  # the first line after the rename to the version
    ("os.rename", "*/result.json", 1),
]


def _is_complete(model: ModelPaths, version: int) -> bool:
    folder = model.version(version)
    return all((folder / name).is_file() for name in (CARD, "model.h5", "variables/variables.index"))


@contextmanager
def _watched(model: ModelPaths) -> Iterator[list[str]]:
    """Look at the model store all the time; the list collects versions that were seen incomplete."""
    partial: list[str] = []
    stopped = threading.Event()

    def look() -> None:
        while not stopped.wait(0.002):
            partial.extend(str(version) for version in model.versions() if not _is_complete(model, version))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield partial
    finally:
        stopped.set()
        thread.join()


def test_a_run_survives_a_kill_at_each_of_twenty_moments(workshop: Workshop) -> None:
    """One run id, killed twenty times and started again, ends as one complete version."""
    arguments = workshop.run_arguments("killed")
    killed = []
    with _watched(workshop.model) as partial:
        for event, text, occurrence in MOMENTS:
            code, output = workshop.call(event, text, str(occurrence), *arguments, script=DIES_AT)
            assert code == -9, f"{event} {text}: ended with {code}\n{output}"
            killed.append((event, text))
            assert len(workshop.model.versions()) <= 1
        code, output = workshop.call(*arguments)
    assert code == 0, output
    assert partial == []
    assert len(killed) == 20
    assert workshop.model.versions() == [1]
    assert [entry.name for entry in workshop.model.root.iterdir()] == ["1"]
    _assert_equal_trees(workshop.run_paths("killed").candidate, workshop.model.version(1))
    card = ModelCard.model_validate_json(workshop.model.card(1).read_bytes())
    result = TrainingResult.model_validate_json(workshop.run_paths("killed").result.read_bytes())
    assert (card.run_id, result.state, result.version) == ("killed", RunState.SUCCEEDED, 1)


def _assert_equal_trees(ours: Path, theirs: Path) -> None:
    comparison = filecmp.dircmp(ours, theirs, ignore=[])
    assert comparison.left_only == comparison.right_only == comparison.diff_files == []
    assert CARD in comparison.same_files
    assert filecmp.cmp(
        ours / "variables/variables.index", theirs / "variables/variables.index", shallow=False
    )
