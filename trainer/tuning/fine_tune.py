"""A fine-tune: the stable version's weights, trained on new examples beside replayed ones.

The same steps as a full training (trainer.fitting) with a smaller rate. What is read is replay's business,
what is shown lessons', the network's growth growing's; all stand beside this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from contract import layout
from contract.training import ProgressEvent, TrainingSpec
from trainer.config import Recipe, recipe_for
from trainer.errors import ParentError
from trainer.fitting.fit import Fit, Hooks
from trainer.hardware import training_devices, training_precision
from trainer.network.model import Architecture
from trainer.planning import Plan
from trainer.progress import Reporter
from trainer.tuning import growing
from trainer.tuning.blending import blend
from trainer.tuning.lessons import prepare
from trainer.tuning.need import farthest
from trainer.tuning.replay import Mixture, load_mixture
from trainer.tuning.smoothed import smoothed_accuracy
from trainer.version import stable

EPOCHS = 2
MINIMUM_SHOWN = 20_000
"""Pictures of all epochs together; with little data there are more epochs."""
RATE_SHARE = 0.03
"""Of the preset's learning rate and weight decay, where FULL_SHOWN pictures are shown or more. With fewer the
rate is higher, so that the weights can go as far, up to MAXIMUM_RATE_SHARE."""
FULL_SHOWN = 100_000
MAXIMUM_RATE_SHARE = 0.3
SHIFTED_RATE_FACTOR = 3.0
"""Where all pictures have changed there is more to learn, and more pictures show it."""
MAY_LOSE = 0.25
"""Of the gate's tolerance, on old validation pictures."""
BATCH_SIZE = 256
"""At most; a small batch makes more of few epochs."""


def recipe_of(spec: TrainingSpec, examples: int, is_shifted: bool = False) -> Recipe:
    """The preset's recipe made gentle, for epochs of so many examples; the spec's overrides count."""
    recipe = recipe_for(spec)
    recipe = replace(recipe, batch_size=spec.batch_size or min(BATCH_SIZE, recipe.batch_size))
    epochs = spec.epochs or max(EPOCHS, -(-MINIMUM_SHOWN // examples))
    wanted = RATE_SHARE * (SHIFTED_RATE_FACTOR if is_shifted else 1.0)
    share = min(MAXIMUM_RATE_SHARE, wanted * max(1.0, FULL_SHOWN / (epochs * examples)))
    return replace(
        recipe,
        epochs=epochs,
        learning_rate=share * recipe.learning_rate,
        weight_decay=share * recipe.weight_decay,
        whitening_bias_epochs=0,
        patience=epochs,
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


@dataclass(frozen=True)
class Tuned:
    """A fine-tune that has ended."""

    fit: Fit
    recipe: Recipe
    architecture: Architecture
    notes: dict[str, str | int | float]
    """For the card's hyper-parameters."""


def fit(
    spec: TrainingSpec,
    plan: Plan,
    mixture: Mixture,
    paths: layout.RunPaths,
    hooks: Callable[[int], Hooks],
) -> Tuned:
    """Train; `hooks` is given the number of epochs. Raises ParentError when the parent has changed since."""
    parent, image = _parent(spec, plan), mixture.data.image
    classes, preset = len(plan.labels), recipe_for(spec)
    architecture = Architecture(image.height, image.width, classes, preset.widths)
    devices = training_devices()
    known, precision = growing.load(parent), training_precision()
    taught = replace(architecture, classes=classes - len(plan.new_labels))
    with devices.strategy.scope():
        teacher = growing.grown(known, taught, spec.seed, precision)
        network = growing.grown(known, architecture, spec.seed, precision)
    start = network.get_weights()
    lessons = prepare(mixture, teacher, taught.classes, preset.label_smoothing)
    recipe = recipe_of(spec, len(lessons.examples), lessons.shift is not None)
    result = Fit(
        network,
        recipe,
        lessons.examples,
        mixture.data.validation,
        spec.seed,
        paths.checkpoint,
        hooks(recipe.epochs),
        devices,
        teaching=lessons.teaching,
        keeps_best=False,
    )
    result.run()
    accuracy, may_lose = _accuracy_on_old(result, mixture), MAY_LOSE * spec.gate.tolerance
    share = blend(network, start, accuracy, may_lose, farthest(lessons.need))
    notes: dict[str, str | int | float] = {
        "examples_an_epoch": len(lessons.examples),
        "need": round(lessons.need, 4),
        "tuned_share": round(share, 4),
    }
    if lessons.shift:
        notes["estimated_shift"] = str(lessons.shift)
    return Tuned(result, recipe, architecture, notes)


def _accuracy_on_old(fit: Fit, mixture: Mixture) -> Callable[[], float]:
    """Of the network as it then is, on validation pictures that the parent may know, and mirrored ones."""
    old = mixture.old_validation
    if not len(old):
        return lambda: 1.0
    views = (old.images, old.images[:, :, ::-1])
    return lambda: fmean(smoothed_accuracy(fit.logits(view), old.truth) for view in views)


def _parent(spec: TrainingSpec, plan: Plan) -> stable.Parent:
    store = layout.ModelPaths(Path(spec.models), spec.model)
    parent = stable.read_parent(store, plan.parent or 0)
    if parent.fingerprint() != plan.fingerprint:
        raise ParentError(f"{parent.weights} is not what it was when the run began; start another run")
    return parent
