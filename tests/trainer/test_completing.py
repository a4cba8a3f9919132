"""`trainer complete`: what newer versions are born with, for one that was made before."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import Workshop

from contract import layout
from contract.activations import MAXIMA
from trainer import completing
from trainer.dataset import loading
from trainer.errors import TrainerError
from trainer.network import model
from trainer.version import export
from trainer.version.reference_requests import REFERENCES
from trainer.version.served import SavedVersion, read_card

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
    (version / MAXIMA).unlink()
    completing.complete(version, finished.data)
    completed = read_card(version)
    assert (version / MAXIMA).read_bytes() == (finished.model.version(1) / MAXIMA).read_bytes()
    assert (version / REFERENCES).stat().st_size > 0
    assert completed.reference is not None
    assert born.reference is not None
    other = {"sample"}  # the run's seed chooses the rows
    assert completed.reference.model_dump(exclude=other) == born.reference.model_dump(exclude=other)
    assert len(completed.reference.sample.label) == len(born.reference.sample.label)
    assert completed.model_copy(update={"reference": None}) == born.model_copy(update={"reference": None})


@pytest.fixture
def older(finished: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The finished version as it would have been before there were embeddings."""
    version = tmp_path / "1"
    shutil.copytree(finished.model.version(1), version)
    card = read_card(version)
    network = keras.saving.load_model(version / "model.keras", compile=False)
    sizes = model.architecture_of(network)
    exported = export.Exported(card.model, network, sizes, card.image, card.temperature)
    with monkeypatch.context() as patch:
        patch.setattr(export, "with_embedding", lambda network: None)
        assert export.save_network(exported, model.fold(network, sizes), version) is None
    layout.write_atomically(version / layout.CARD, card.model_copy(update={"embedding": None}).to_json())
    monkeypatch.setattr(completing, "EXAMPLES", 64)
    return version


def test_an_older_version_gets_embeddings_and_the_same_answers(finished: Workshop, older: Path) -> None:
    """The signature and the card's line are there, the probabilities are the same, nothing else is left."""
    pictures = loading.load_test(finished.data, read_card(older).labels, read_card(older).image)[0].images
    before = SavedVersion(older).probabilities(pictures)
    assert SavedVersion(older).embedding_mean(pictures) is None
    completing.complete(older, finished.data)
    after = SavedVersion(older)
    np.testing.assert_allclose(after.probabilities(pictures), before, atol=1e-6)
    born = read_card(finished.model.version(1))
    assert read_card(older) == born
    assert born.reference is not None
    assert after.embedding_mean(pictures) == pytest.approx(born.reference.embedding_mean, abs=1e-4)
    assert not list(older.glob(".*"))


def test_a_version_that_would_answer_otherwise_stays_as_it_is(finished: Workshop, older: Path) -> None:
    """Its model.keras is not what is served: one sentence, and every file as before."""
    layout.write_atomically(
        older / layout.CARD, read_card(older).model_copy(update={"temperature": 3.0}).to_json()
    )
    before = {file: file.read_bytes() for file in older.rglob("*") if file.is_file()}
    with pytest.raises(TrainerError, match=r"otherwise than the network of its model\.keras"):
        completing.complete(older, finished.data)
    assert {file: file.read_bytes() for file in older.rglob("*") if file.is_file()} == before
