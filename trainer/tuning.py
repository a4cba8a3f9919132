"""A fine-tune: the stable version's weights, trained on new examples beside replayed ones.

The same steps as a full training (trainer.fit) with a smaller rate and each new example shown several
times. What is seen is trainer.replay's business, the network's growth trainer.growing's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contract import layout
from contract.records import ProgressEvent, TrainingSpec
from trainer import growing, stable
from trainer.config import Recipe, recipe_for
from trainer.errors import ParentError
from trainer.fit import Fit, Hooks
from trainer.hardware import training_precision
from trainer.model import Architecture
from trainer.planning import Plan
from trainer.progress import Reporter
from trainer.replay import Mixture, load_mixture

EPOCHS = 6
RATE_SHARE = 0.1
"""Of the preset's learning rate."""
SHOWN = 3
"""How often an epoch shows each new example."""


def recipe_of(spec: TrainingSpec) -> Recipe:
    """The preset's recipe, made gentle; the spec's epochs and batch size count here too."""
    recipe = recipe_for(spec)
    return replace(
        recipe,
        epochs=spec.epochs or EPOCHS,
        learning_rate=RATE_SHARE * recipe.learning_rate,
        whitening_bias_epochs=0,
        patience=spec.epochs or EPOCHS,
    )


def load(spec: TrainingSpec, plan: Plan, reporter: Reporter) -> Mixture:
    """The new examples and the replay sample. Raises DataError, ParentError."""
    image = _parent(spec, plan).card.image
    counter = reporter.counter("reading pictures")
    mixture = load_mixture(Path(spec.data), plan, image, spec.replay, spec.seed, counter)
    message = (
        f"{mixture.new} new and {len(mixture.data.train) - mixture.new} replayed training pictures, "
        f"{len(mixture.data.validation)} for validation, {len(plan.labels)} classes"
    )
    if mixture.data.skipped:
        first = mixture.data.skipped[0]
        message += f"; {len(mixture.data.skipped)} skipped, first {first.path}: {first.reason}"
    reporter.event(ProgressEvent(phase="load", message=message))
    return mixture


def fit(
    spec: TrainingSpec, plan: Plan, mixture: Mixture, paths: layout.RunPaths, hooks: Hooks
) -> tuple[Fit, Architecture]:
    """Train. Raises ParentError when the parent is not what it was when the plan was made."""
    parent, recipe = _parent(spec, plan), recipe_of(spec)
    image = mixture.data.image
    architecture = Architecture(image.height, image.width, len(plan.labels), recipe.widths)
    network = growing.grown(parent, architecture, spec.seed, training_precision())
    shown = mixture.data.train.at(_repeated(mixture.is_new))
    result = Fit(network, recipe, shown, mixture.data.validation, spec.seed, paths.checkpoint, hooks)
    result.run()
    return result, architecture


def _repeated(is_new: Sequence[bool]) -> list[int]:
    return [index for index, new in enumerate(is_new) for _ in range(SHOWN if new else 1)]


def _parent(spec: TrainingSpec, plan: Plan) -> stable.Parent:
    store = layout.ModelPaths(Path(spec.models), spec.model)
    parent = stable.read_parent(store, plan.parent or 0)
    if parent.fingerprint() != plan.fingerprint:
        raise ParentError(f"{parent.weights} is not what it was when the run began; start another run")
    return parent
