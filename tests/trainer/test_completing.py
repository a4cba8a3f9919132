"""`trainer complete`: what newer versions are born with, for one that was made before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import Workshop

from contract import layout
from trainer import completing
from trainer.reference_requests import REFERENCES
from trainer.served import read_card

pytestmark = pytest.mark.tensorflow


def test_an_older_version_gets_the_profile_of_a_training_run(
    finished: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile is the one that the run itself would have written; the rest of the card stays."""
    monkeypatch.setattr(completing, "EXAMPLES", 64)  # enough to see that they are written
    version = tmp_path / "1"
    shutil.copytree(finished.model.version(1), version)
    born = read_card(version)
    layout.write_atomically(version / layout.CARD, born.model_copy(update={"reference": None}).to_json())
    completing.complete(version, finished.data)
    completed = read_card(version)
    assert (version / REFERENCES).stat().st_size > 0
    assert completed.reference is not None
    assert born.reference is not None
    other = {"sample", "embedding_mean"}  # the run's seed chooses the rows, and it computes in bfloat16
    assert completed.reference.model_dump(exclude=other) == born.reference.model_dump(exclude=other)
    assert completed.reference.embedding_mean == pytest.approx(born.reference.embedding_mean, rel=0.05)
    assert len(completed.reference.sample.label) == len(born.reference.sample.label)
    assert completed.model_copy(update={"reference": None}) == born.model_copy(update={"reference": None})
