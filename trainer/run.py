"""One training run, from its spec to its result.

Every step can be repeated: a run that was killed at any moment is started again with the same command
and goes on from its last checkpoint, its finished candidate or its published version. What ends a run
is written to result.json, once.
"""

from __future__ import annotations

import errno
import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from contract import layout
from contract.card import ModelCard
from contract.training import Problem, ProgressEvent, RunState, TrainingResult, TrainingSpec
from contract.values import now
from trainer import networks
from trainer.candidate import Fitted, make_candidate
from trainer.config import recipe_for
from trainer.dataset import loading
from trainer.errors import BusyError, CancelledError, TrainerError
from trainer.fitting.fit import EpochReport, Fit, Hooks, StepReport
from trainer.hardware import begin, training_devices
from trainer.network import model
from trainer.planning import Plan, plan_of
from trainer.progress import Reporter
from trainer.spec import read_spec
from trainer.tuning import fine_tune

log = logging.getLogger(__name__)


def execute(paths: layout.RunPaths) -> TrainingResult:
    """Carry out the run whose spec lies in `paths`, or say how it ended if it already has.

    Raises:
        TrainerError: the spec cannot be read, or another process works on this run.
        OSError: the result itself could not be written (a full disk); run it again to go on.
    """
    spec = read_spec(paths)
    with _sole_process(paths):
        if (known := finished(paths)) is not None:
            return known
        reporter, started = Reporter(paths), now()
        with reporter.running():
            result = _result(spec, paths, reporter, started)
        layout.write_atomically(paths.result, result.to_json())
    return result


def finished(paths: layout.RunPaths) -> TrainingResult | None:
    """How the run ended, if it did for good: failed and cancelled runs may be started again."""
    try:
        result = TrainingResult.model_validate_json(paths.result.read_bytes())
    except FileNotFoundError:
        return None
    is_cancelled = result.state is RunState.CANCELLED and paths.cancel.exists()
    return result if is_cancelled or result.state in (RunState.SUCCEEDED, RunState.REJECTED) else None


@contextmanager
def _sole_process(paths: layout.RunPaths) -> Iterator[None]:
    """Keep a second trainer out of this run; the kernel lets go when the process dies."""
    with (paths.root / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"another process is working on run {paths.run_id}") from error
        yield


def _result(
    spec: TrainingSpec, paths: layout.RunPaths, reporter: Reporter, started: datetime
) -> TrainingResult:
    def ended(state: RunState, error: Problem | None = None) -> TrainingResult:
        return TrainingResult(
            run_id=spec.run_id, model=spec.model, state=state, error=error, started_at=started
        )

    try:
        version, card = _train(spec, paths, reporter)
        if version is None:
            return _rejected(ended(RunState.REJECTED), card)
    except CancelledError as error:
        return ended(RunState.CANCELLED, Problem(code=error.code, message=str(error)))
    except TrainerError as error:
        return ended(RunState.FAILED, Problem(code=error.code, message=str(error)))
    except OSError as error:
        code = "disk_full" if error.errno == errno.ENOSPC else "storage_failed"
        message = f"{error}; nothing is lost: make room and run the same command again"
        return ended(RunState.FAILED, Problem(code=code, message=message))
    except Exception as error:
        log.exception("run %s failed", spec.run_id)
        return ended(RunState.FAILED, Problem(code="unexpected", message=f"{type(error).__name__}: {error}"))
    accuracy = (card.test or card.validation).accuracy
    return ended(RunState.SUCCEEDED).model_copy(
        update={"version": version, "accuracy": accuracy, "gate": card.gate}
    )


def _rejected(result: TrainingResult, card: ModelCard) -> TrainingResult:
    """A normal end: the candidate stays in the run's folder."""
    failed = card.gate.failed if card.gate else []
    error = Problem(code="gate_refused", message="; ".join(check.sentence for check in failed))
    accuracy = (card.test or card.validation).accuracy
    return result.model_copy(update={"accuracy": accuracy, "gate": card.gate, "error": error})


def _train(spec: TrainingSpec, paths: layout.RunPaths, reporter: Reporter) -> tuple[int | None, ModelCard]:
    """plan → load → fit → export → evaluate → gate → publish, skipping what an earlier try finished.

    The version is None where the gate refused the candidate.
    """
    try:
        card = ModelCard.model_validate_json((paths.candidate / layout.CARD).read_bytes())
    except (OSError, ValueError):
        card = make_candidate(fitted_candidate(spec, paths, reporter), paths, reporter)
    if card.gate is not None and not card.gate.passed:
        return None, card
    store = layout.ModelPaths(Path(spec.models), spec.model)
    version = layout.publish(paths.candidate, store, spec.run_id)
    reporter.event(ProgressEvent(phase="publish", message=f"published {spec.model} version {version}"))
    return version, card


def fitted_candidate(spec: TrainingSpec, paths: layout.RunPaths, reporter: Reporter) -> Fitted:
    """Plan, load and fit, with the other workers if there are any. Raises TrainerError, OSError."""
    devices = training_devices()
    reporter.take_signals()
    plan = devices.record_from_chief(Plan, lambda: plan_of(paths, spec))
    begin(spec.seed, is_deterministic=spec.is_deterministic)
    reporter.event(ProgressEvent(phase="load", message=plan.reason))
    if plan.method == "full":
        return _fit(spec, plan, _load(spec, plan, reporter), paths, reporter)
    mixture = fine_tune.load(spec, plan, reporter)
    tuned = fine_tune.fit(spec, plan, mixture, paths, partial(_hooks, reporter))
    return Fitted(
        spec,
        plan,
        tuned.recipe,
        mixture.data,
        tuned.architecture,
        tuned.fit,
        new=mixture.new,
        notes=tuned.notes,
    )


def _load(spec: TrainingSpec, plan: Plan, reporter: Reporter) -> loading.TrainingData:
    counter, image = reporter.counter("reading pictures"), networks.image_for(spec)
    loaded = loading.load_training(Path(spec.data), image, progress=counter, keep=plan.keeps)
    message = (
        f"{len(loaded.train)} training and {len(loaded.validation)} validation pictures, "
        f"{len(loaded.labels)} classes, {loaded.image.width}×{loaded.image.height}"
    )
    if loaded.skipped:
        first = loaded.skipped[0]
        message += f"; {len(loaded.skipped)} skipped, first {first.path}: {first.reason}"
    reporter.event(ProgressEvent(phase="load", message=message))
    return loaded


def _fit(
    spec: TrainingSpec, plan: Plan, loaded: loading.TrainingData, paths: layout.RunPaths, reporter: Reporter
) -> Fitted:
    recipe = recipe_for(spec)
    architecture = model.Architecture(
        loaded.image.height, loaded.image.width, len(loaded.labels), recipe.widths
    )
    devices = training_devices()
    with devices.strategy.scope():
        network = networks.build(spec, architecture, loaded)
    hooks = _hooks(reporter, recipe.epochs)
    fit = Fit(network, recipe, loaded.train, loaded.validation, spec.seed, paths.checkpoint, hooks, devices)
    fit.run()
    return Fitted(spec, plan, recipe, loaded, architecture, fit)


def _hooks(reporter: Reporter, epochs: int) -> Hooks:
    def on_step(report: StepReport) -> None:
        note = f"epoch {report.epoch}/{epochs}, loss {report.loss:.3f}"
        reporter.tick("training", report.step, report.steps, note)

    def on_epoch(report: EpochReport) -> None:
        message = (
            f"epoch {report.epoch}/{epochs}: loss {report.loss:.3f}, accuracy {report.accuracy:.3f}, "
            f"validation {report.validation_accuracy:.4f}{' (best)' if report.is_best else ''}, "
            f"{report.images_per_second:.0f} images/s"
        )
        values = {
            "loss": report.loss,
            "accuracy": report.accuracy,
            "validation_loss": report.validation_loss,
            "validation_accuracy": report.validation_accuracy,
            "learning_rate": report.learning_rate,
            "images_per_second": report.images_per_second,
        }
        event = ProgressEvent(
            phase="fit", message=message, done=report.epoch, total=epochs, epoch=report.epoch, values=values
        )
        reporter.event(event)

    return Hooks(on_step, on_epoch)
