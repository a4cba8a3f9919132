"""From a fitted network to a candidate: a version directory that nobody serves yet.

The order is the point. Temperature and metrics on validation come first, then the SavedModel is written
and frozen, and only then are the test pictures opened, to be judged by that very SavedModel.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from pathlib import Path

import keras
import numpy as np

from contract import layout
from contract.card import Lineage, ModelCard, SkippedFile
from contract.evaluation import Evaluation
from contract.training import ProgressEvent, TrainingSpec
from trainer import plots
from trainer.arrays import FloatArray
from trainer.config import Recipe
from trainer.dataset import loading, uploads
from trainer.errors import DivergedError
from trainer.evaluation.encoded import agreement_event, compare_decoders
from trainer.evaluation.evaluate import evaluate, fit_temperature
from trainer.fitting.fit import Fit
from trainer.gate.judgement import Candidate, judge
from trainer.network.model import Architecture
from trainer.planning import Plan
from trainer.progress import Reporter, read_events
from trainer.version.activations import write_maxima
from trainer.version.export import ALLOWED_BATCH_SIZES, Exported, export
from trainer.version.reference import profile_of
from trainer.version.reference_requests import REFERENCES, read_references, write_references
from trainer.version.served import SavedVersion

PLOTS = "plots"


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves: the network with its best weights, and all it was made from."""

    spec: TrainingSpec
    plan: Plan
    recipe: Recipe
    data: loading.TrainingData
    architecture: Architecture
    fit: Fit
    new: int = 0
    """How many of the training examples a fine-tune's parent had not seen; the others are replayed."""
    notes: Mapping[str, str | int | float] = field(default_factory=dict)
    """More for the card's hyper-parameters."""

    @property
    def network(self) -> keras.Model:
        """The unfolded network."""
        return self.fit.network


@dataclass(frozen=True)
class _Judged:
    """One split as the SavedModel sees it."""

    examples: loading.Examples
    probabilities: FloatArray
    evaluation: Evaluation
    served: SavedVersion


def make_candidate(fitted: Fitted, run: layout.RunPaths, reporter: Reporter) -> ModelCard:
    """Write the candidate into the run's directory, visible by one rename, and return its card."""
    staging = run.root / ".candidate"
    shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(run.candidate, ignore_errors=True)
    temperature = _calibrate(fitted, reporter)
    reporter.event(ProgressEvent(phase="export", message="writing the SavedModel"))
    exported = Exported(
        fitted.spec.model, fitted.network, fitted.architecture, fitted.data.image, temperature
    )
    embedding = export(exported, staging)
    reporter.check()
    card, judged = _judge(fitted, temperature, staging, run, reporter)
    card = card.model_copy(update={"embedding": embedding})
    uploads.write(staging, fitted.plan.uploads)
    layout.write_atomically(staging / layout.CARD, card.to_json())
    card = _decided(card, fitted, judged, staging, reporter)
    layout.write_atomically(staging / layout.CARD, card.to_json())
    reporter.check()
    staging.rename(run.candidate)
    return card


def _calibrate(fitted: Fitted, reporter: Reporter) -> float:
    validation = fitted.data.validation
    logits = fitted.fit.logits(validation.images)
    if not np.isfinite(logits).all():
        raise DivergedError("the network's answers are no numbers after training; nothing was published")
    temperature = fit_temperature(logits, validation.truth)
    reporter.event(
        ProgressEvent(
            phase="evaluate", message=f"temperature {temperature:.3f}", values={"temperature": temperature}
        )
    )
    return temperature


def _judge(
    fitted: Fitted, temperature: float, folder: Path, run: layout.RunPaths, reporter: Reporter
) -> tuple[ModelCard, _Judged]:
    """Evaluate the frozen SavedModel and describe it."""
    served = SavedVersion(folder)
    validation = _evaluate("validation", fitted.data.validation, fitted, served)
    _bring_references(fitted, served, validation.probabilities, folder, reporter)
    write_maxima(served, validation.examples.images, folder)
    test, skipped = _load_test(fitted, reporter)
    judged = _evaluate("test", test, fitted, served) if test else validation
    reporter.event(_metrics_event(judged.evaluation))
    plots.write_plots(
        folder / PLOTS, judged.evaluation, judged.examples.truth, judged.probabilities, read_events(run)
    )
    encoded = compare_decoders(served, fitted.data.root, judged.examples.paths, judged.probabilities)
    if encoded:
        reporter.event(agreement_event(encoded))
    card = ModelCard(
        model=fitted.spec.model,
        run_id=fitted.spec.run_id,
        parent_version=fitted.plan.parent,
        labels=fitted.data.labels,
        image=fitted.data.image,
        allowed_batch_sizes=list(ALLOWED_BATCH_SIZES),
        temperature=temperature,
        dataset=loading.profile(fitted.data, test, fitted.data.skipped + skipped),
        hyper_parameters={
            **fitted.recipe.as_card_entries(),
            "preset": fitted.spec.preset,
            "backbone": Path(fitted.spec.backbone.path).name if fitted.spec.backbone else "",
            "seed": fitted.spec.seed,
            "batch_size": fitted.fit.batch_size,
            **fitted.notes,
        },
        validation=validation.evaluation,
        test=judged.evaluation if test else None,
        encoded_images=encoded,
        parameters=fitted.network.count_params(),
        software=software(),
        lineage=_lineage(fitted),
        reference=profile_of(
            judged.evaluation.split,
            fitted.data.labels,
            judged.examples,
            judged.probabilities,
            served.embedding_mean(judged.examples.images),
            fitted.spec.seed,
        ),
    )
    return card, judged


def _bring_references(
    fitted: Fitted, served: SavedVersion, validation: FloatArray, folder: Path, reporter: Reporter
) -> None:
    if count := fitted.recipe.reference_requests:
        reporter.event(ProgressEvent(phase="export", message="drawing reference requests"))
        write_references(
            fitted.spec.model,
            fitted.data.image,
            served,
            validation,
            folder / REFERENCES,
            count,
            _parents_references(fitted),
        )
        reporter.check()


def _parents_references(fitted: Fitted) -> list[bytes]:
    plan, spec = fitted.plan, fitted.spec
    if plan.method == "full" or plan.parent is None:
        return []
    store = layout.ModelPaths(Path(spec.models), spec.model)
    return read_references(store.version(plan.parent) / REFERENCES)


def _lineage(fitted: Fitted) -> Lineage:
    plan, is_full = fitted.plan, fitted.plan.method == "full"
    return Lineage(
        spec=fitted.spec,
        method=plan.method,
        reason=plan.reason,
        parent_fingerprint=None if is_full else plan.fingerprint,
        base_examples=plan.base_examples,
        new_examples=fitted.new,
        replayed_examples=0 if is_full else len(fitted.data.train) - fitted.new,
        new_labels=plan.new_labels,
    )


def _decided(card: ModelCard, fitted: Fitted, judged: _Judged, folder: Path, reporter: Reporter) -> ModelCard:
    """The card with the gate's decision."""
    test = judged.examples if card.test else judged.examples.at([])
    decision = judge(Candidate(folder, judged.served, fitted.data, test), fitted.plan, fitted.spec)
    for check in decision.checks:
        verdict = "passed" if check.passed else "FAILED"
        reporter.event(ProgressEvent(phase="gate", message=f"{check.name} {verdict}: {check.sentence}"))
    return card.model_copy(update={"gate": decision})


def _load_test(fitted: Fitted, reporter: Reporter) -> tuple[loading.Examples | None, list[SkippedFile]]:
    reporter.event(
        ProgressEvent(phase="evaluate", message="the candidate is frozen; opening the test pictures")
    )
    examples, skipped = loading.load_test(
        fitted.data.root,
        fitted.data.labels,
        fitted.data.image,
        seen=fitted.data.digests,
        progress=reporter.counter("reading test pictures"),
        keep=fitted.plan.keeps,
    )
    return examples if len(examples) else None, skipped


def _evaluate(split: str, examples: loading.Examples, fitted: Fitted, served: SavedVersion) -> _Judged:
    probabilities = served.probabilities(examples.images)
    if not np.isfinite(probabilities).all():
        raise DivergedError("the candidate's answers are no numbers; nothing was published")
    evaluation = evaluate(split, fitted.data.labels, examples.truth, probabilities)
    return _Judged(examples, probabilities, evaluation, served)


def _metrics_event(evaluation: Evaluation) -> ProgressEvent:
    return ProgressEvent(
        phase="evaluate",
        message=(
            f"{evaluation.split}: accuracy {evaluation.accuracy:.4f}, macro F1 {evaluation.macro.f1:.4f}, "
            f"calibration error {evaluation.expected_calibration_error:.4f} on {evaluation.examples} pictures"
        ),
        values={f"{evaluation.split}_accuracy": evaluation.accuracy},
    )


def software() -> dict[str, str]:
    """The versions that make a difference, as the card records them."""
    packages = ("tensorflow", "keras", "numpy", "pillow")
    return {"python": platform.python_version(), **{name: installed_version(name) for name in packages}}
