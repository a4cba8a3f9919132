"""`trainer complete`: an older version gets what newer ones are born with, without being trained again.

A signature that answers with the embedding, reference requests and the largest activations, by which a model
server may compute in less than float32, and a reference profile, from which the gateway measures drift. None
of them changes what the version answers; for the signature, whose graph is written anew, that is checked.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np

from contract import layout
from contract.activations import MAXIMA
from contract.card import Embedding, ModelCard
from trainer.arrays import FloatArray
from trainer.dataset import loading
from trainer.errors import TrainerError
from trainer.network import model
from trainer.version.activations import write_maxima
from trainer.version.export import Exported, save_network
from trainer.version.reference import profile_of
from trainer.version.reference_requests import EXAMPLES, REFERENCES, write_references
from trainer.version.served import SavedVersion, read_card
from trainer.version.stable import WEIGHTS

TOLERANCE = 1e-6
"""By which a probability may differ: another TensorFlow may add in another order."""
NAMES = ("images", "probabilities")
"""Of input and output, as we export them."""


def complete(version: Path, folder: Path) -> None:
    """Write what is missing into the directory `version`.

    `folder`: the data that it was trained on. The requests are drawn after its validation split, the profile
    is of its test split, or of validation where there is none, as in a training run.
    Raises OSError, pydantic.ValidationError, TrainerError.
    """
    card = read_card(version)
    served = SavedVersion(version, card.output_name)
    training = loading.load_training(folder, card.image)
    said = served.probabilities(training.validation.images)
    is_ours = (card.input_name, card.output_name) == NAMES and (version / WEIGHTS).is_file()
    if card.embedding is None and is_ours:
        embedding = _write_embedding(version, card, training.validation, said)
        card = _kept(version, card.model_copy(update={"embedding": embedding}))
        served = SavedVersion(version, card.output_name)
    if not (version / REFERENCES).is_file():
        write_references(card.model, card.image, served, said, version / REFERENCES, EXAMPLES)
    if not (version / MAXIMA).is_file():
        write_maxima(served, training.validation.images, version)
    if card.reference is None:
        test, _ = loading.load_test(folder, card.labels, card.image, seen=training.digests)
        split, examples = ("test", test) if len(test) else ("validation", training.validation)
        said, mean = served.probabilities(examples.images), served.embedding_mean(examples.images)
        profile = profile_of(split, card.labels, examples, said, mean)
        _kept(version, card.model_copy(update={"reference": profile}))


def _kept(version: Path, card: ModelCard) -> ModelCard:
    layout.write_atomically(version / layout.CARD, card.to_json())
    return card


def _write_embedding(
    version: Path, card: ModelCard, examples: loading.Examples, said: FloatArray
) -> Embedding | None:
    """Export the network of `model.keras` again, and put the graph in the old one's place.

    The graph comes last: with weights beside it, both have the same ones under the same names.
    Raises TrainerError where its answers would be others.
    """
    network = keras.saving.load_model(version / WEIGHTS, compile=False)
    architecture = model.architecture_of(network)
    exported = Exported(card.model, network, architecture, card.image, card.temperature)
    staging = version / ".embedding"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        embedding = save_network(exported, model.fold(network, architecture), staging)
        if embedding is not None:
            _check(version, SavedVersion(staging).probabilities(examples.images), said)
            for name in (*_files(staging / "variables"), "fingerprint.pb", layout.SAVED_MODEL):
                (staging / name).replace(version / name)
        return embedding
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _files(variables: Path) -> list[str]:
    return sorted(f"{variables.name}/{file.name}" for file in variables.iterdir())


def _check(version: Path, found: FloatArray, said: FloatArray) -> None:
    apart = float(np.abs(found - said).max())
    if not apart <= TOLERANCE:
        raise TrainerError(
            f"{version} answers up to {apart:.2g} otherwise than the network of its {WEIGHTS}; "
            "it stays as it is, train a new version for one with embeddings"
        )
