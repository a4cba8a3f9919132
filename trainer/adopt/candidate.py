"""The version around a foreign model: signatures, warm-up, metrics, plots and card.

As for versions of our own, the SavedModel is written first and judged afterwards, on pictures that
decided nothing about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from contract import layout
from contract.card import DatasetProfile, ModelCard, SkippedFile
from contract.evaluation import Evaluation
from trainer import plots
from trainer.adopt.answers import Answers, Kind, answers_of, check_scaling, outputs_of
from trainer.adopt.pictures import Pictures
from trainer.arrays import FloatArray
from trainer.candidate import PLOTS, software
from trainer.dataset import loading
from trainer.errors import DataError
from trainer.evaluation.encoded import agreement_event, compare_decoders
from trainer.evaluation.evaluate import evaluate, fit_temperature
from trainer.network.scaling import SCALINGS, Scaling
from trainer.network.source import Source
from trainer.version.export import ALLOWED_BATCH_SIZES, WARMUP, save_signatures, write_warmup
from trainer.version.reference import profile_of
from trainer.version.served import SavedVersion

CALIBRATION_SHARE = 0.2
"""Of the labelled pictures; the others give the metrics."""
MIN_EXAMPLES = 20
"""Below this no figure in the card would mean anything."""
SCALING_EXAMPLES = 256
"""Pictures on which the stated scaling is compared with the usual ones."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Adoption:
    """One model with everything that is known about it."""

    model: str
    run_id: str
    digest: str
    source: Source
    labels: list[str]
    pictures: Pictures
    scaling: Scaling
    outputs: Kind | None
    """As stated; None: seen from the numbers."""
    is_calibrated: bool

    @property
    def call(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """uint8 [N, H, W, 3] → float32 [N, outputs]."""
        return self.pictures.outputs(self.source, self.scaling)


@dataclass(frozen=True)
class Labelled:
    """The pictures that it is judged by."""

    root: Path
    calibration: loading.Examples
    test: loading.Examples
    skipped: list[SkippedFile]


def load_labelled(root: Path, adoption: Adoption) -> Labelled:
    """The folder's `test/` where there is one, else all of it, divided by content hash. Raises DataError."""
    labels = adoption.labels
    folder = root / "test" if (root / "test").is_dir() and "test" not in labels else root
    found = {entry.name for entry in folder.iterdir() if entry.is_dir()} if folder.is_dir() else set()
    strange = sorted(name for name in found - set(labels) if not name.startswith(".") and name != "train")
    if strange:
        raise DataError(
            f"{folder}: the folders {strange[:5]} are none of the {len(labels)} labels; rename them"
        )
    everything = layout.SplitShares(validation=0.0, test=1.0)
    examples, skipped = loading.load_test(root, labels, adoption.pictures.image, shares=everything)
    shares = layout.SplitShares(validation=CALIBRATION_SHARE, test=0.0)
    is_calibration = np.array([layout.split_of(d, shares) == "validation" for d in examples.digests], bool)
    parts = _chosen(examples, is_calibration), _chosen(examples, ~is_calibration)
    if len(examples) < MIN_EXAMPLES or not all(len(part) for part in parts):
        raise DataError(
            f"{folder} holds {len(examples)} usable pictures of the labels, fewer than {MIN_EXAMPLES}"
        )
    return Labelled(root, *parts, skipped)


def _chosen(examples: loading.Examples, mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> loading.Examples:
    rows = np.flatnonzero(mask).tolist()
    return loading.Examples(
        images=examples.images[mask],
        truth=examples.truth[mask],
        paths=[examples.paths[row] for row in rows],
        digests=[examples.digests[row] for row in rows],
    )


def write_candidate(adoption: Adoption, labelled: Labelled, folder: Path, say: Say) -> ModelCard:
    """Write the version into `folder`; its card. Raises TrainerError where the model contradicts itself."""
    calibration = labelled.calibration
    outputs = outputs_of(adoption.call, calibration.images)
    answers = answers_of(outputs, len(adoption.labels), adoption.outputs)
    say(f"the outputs are {answers.kind}")
    _check_scaling(adoption, answers, calibration)
    logits = answers.logits(tf.constant(outputs)).numpy()
    temperature = fit_temperature(logits, calibration.truth) if adoption.is_calibrated else 1.0
    say(f"temperature {temperature:.3f}, from {len(calibration)} pictures")

    both = adoption.pictures.both(adoption.source, adoption.scaling)

    def served(images: tf.Tensor) -> tuple[tf.Tensor, ...]:
        outputs, *embedding = both(images)
        return tf.nn.softmax(answers.logits(outputs) * (1 / temperature)), *embedding

    image = adoption.pictures.image
    embedding = save_signatures(served, image, folder, adoption.source.trackable)
    write_warmup(adoption.model, image, folder / WARMUP)
    card = _judge(adoption, labelled, answers, temperature, folder, say)
    card = card.model_copy(update={"embedding": embedding})
    layout.write_atomically(folder / layout.CARD, card.to_json())
    return card


def _check_scaling(adoption: Adoption, answers: Answers, examples: loading.Examples) -> None:
    if adoption.pictures.dtype.is_integer:
        return
    images, truth = examples.images[:SCALING_EXAMPLES], examples.truth[:SCALING_EXAMPLES]

    def hits(scaling: Scaling) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        outputs = outputs_of(replace(adoption, scaling=scaling).call, images)
        return np.asarray(answers.logits(tf.constant(outputs)).numpy().argmax(axis=1) == truth)

    usual = {**SCALINGS, adoption.scaling.name: adoption.scaling}
    check_scaling(adoption.scaling.name, {name: hits(scaling) for name, scaling in usual.items()})


def _judge(
    adoption: Adoption, labelled: Labelled, answers: Answers, temperature: float, folder: Path, say: Say
) -> ModelCard:
    served = SavedVersion(folder)
    validation, _ = _evaluate("validation", labelled.calibration, adoption, served)
    test, probabilities = _evaluate("test", labelled.test, adoption, served)
    say(f"accuracy {test.accuracy:.4f} on {test.examples} other pictures")
    plots.write_plots(folder / PLOTS, test, labelled.test.truth, probabilities)
    encoded = compare_decoders(served, labelled.root, labelled.test.paths, probabilities)
    if encoded:
        say(agreement_event(encoded).message)
    return ModelCard(
        model=adoption.model,
        run_id=adoption.run_id,
        labels=adoption.labels,
        image=adoption.pictures.image,
        allowed_batch_sizes=list(ALLOWED_BATCH_SIZES),
        temperature=temperature,
        dataset=_profile(adoption, labelled),
        hyper_parameters={
            "adopted": adoption.source.name,
            "adopted_sha256": adoption.digest,
            "scaling": adoption.scaling.name,
            "outputs": answers.kind,
        },
        validation=validation,
        test=test,
        encoded_images=encoded,
        parameters=adoption.source.parameters,
        software=software(),
        reference=profile_of(
            "test",
            adoption.labels,
            labelled.test,
            probabilities,
            served.embedding_mean(labelled.test.images),
        ),
    )


def _evaluate(
    split: str, examples: loading.Examples, adoption: Adoption, served: SavedVersion
) -> tuple[Evaluation, FloatArray]:
    probabilities = served.probabilities(examples.images)
    return evaluate(split, adoption.labels, examples.truth, probabilities), probabilities


def _profile(adoption: Adoption, labelled: Labelled) -> DatasetProfile:
    """Nothing was trained here, so the split `train` is empty."""
    nothing = _chosen(labelled.test, np.zeros(len(labelled.test), bool))
    seen = loading.TrainingData(
        labelled.root, adoption.labels, adoption.pictures.image, nothing, labelled.calibration
    )
    return loading.profile(seen, labelled.test, labelled.skipped)
