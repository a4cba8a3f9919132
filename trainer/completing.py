"""`trainer complete`: an older version gets what newer ones are born with, without being trained again.

Reference requests, by which a model server may compute in bfloat16, and a reference profile, from which the
gateway measures drift. Neither changes what the version answers.
"""

from __future__ import annotations

from pathlib import Path

import keras

from contract import layout
from trainer import data
from trainer.reference import embedding_mean, profile_of
from trainer.reference_requests import EXAMPLES, REFERENCES, write_references
from trainer.served import SavedVersion, read_card


def complete(version: Path, folder: Path) -> None:
    """Write what is missing into the directory `version`.

    `folder`: the data that it was trained on. The requests are drawn after its validation split, the profile
    is of its test split, or of validation where there is none, as in a training run.
    Raises OSError, pydantic.ValidationError, DataError.
    """
    card = read_card(version)
    served = SavedVersion(version, card.output_name)
    training = data.load_training(folder, card.image)
    if not (version / REFERENCES).is_file():
        said = served.probabilities(training.validation.images)
        write_references(card.model, card.image, served, said, version / REFERENCES, EXAMPLES)
    if card.reference is None:
        test, _ = data.load_test(folder, card.labels, card.image, seen=training.digests)
        split, examples = ("test", test) if len(test) else ("validation", training.validation)
        network = keras.saving.load_model(version / "model.keras", compile=False)
        mean = embedding_mean(network, examples.images)
        said = served.probabilities(examples.images)
        profile = profile_of(split, card.labels, examples, said, mean)
        layout.write_atomically(
            version / layout.CARD, card.model_copy(update={"reference": profile}).to_json()
        )
