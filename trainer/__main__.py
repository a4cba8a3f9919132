"""Command line of the trainer: run, watch, fetch, evaluate, adopt, complete, reproduce.

TensorFlow is imported by the commands that need it, so that `--help` and a wrong flag answer at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from contract.gate import GateRule
from contract.layout import RunPaths
from contract.training import BackboneSpec, Base, Preset, RunState, Start, TrainingResult, TrainingSpec
from trainer import cluster, fetch
from trainer.adopt import arguments as adopt
from trainer.errors import BUSY_EXIT_CODE, BusyError, TrainerError
from trainer.network.scaling import SCALING_HELP, scaling_of
from trainer.spec import new_run_id, write_spec

_EXIT_CODES = {RunState.SUCCEEDED: 0, RunState.REJECTED: 0, RunState.CANCELLED: 143}
"""A refused candidate is a normal end; 143 is what a process ended by SIGTERM answers; the rest is 1."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("absl").setLevel(logging.ERROR)  # Keras on .h5: meant for users of that format
    logging.getLogger("tensorflow").setLevel(logging.WARNING)  # it names every collective
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        print(f"error: {where}: {first['msg']} (got {first['input']!r})", file=sys.stderr)
    except TrainerError as error:
        print(f"error: {error}", file=sys.stderr)
        return BUSY_EXIT_CODE if isinstance(error, BusyError) else 1
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__.partition("\n\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="train a version and publish it"))
    watch = commands.add_parser("watch", help="carry out the specs that wait in the runs folder")
    watch.add_argument("--runs", type=Path, default=Path("runs"), help="default: %(default)s")
    watch.add_argument("--poll-seconds", type=float, default=1.0, help="default: %(default)s")
    watch.set_defaults(command=_watch)
    fetching = commands.add_parser("fetch", help="get a reference dataset")
    fetch.add_arguments(fetching)
    fetching.set_defaults(command=fetch.run)
    _add_evaluate(commands.add_parser("evaluate", help="judge a version on labelled pictures"))
    adopt.add_arguments(commands.add_parser("adopt", help="publish a model that someone else trained"))
    told = "give an older version its embeddings, reference requests and profile"
    completing = commands.add_parser("complete", help=told)
    completing.add_argument("--version", type=Path, required=True, metavar="DIR", help="a version directory")
    completing.add_argument("--data", type=Path, required=True, metavar="DIR", help="what it was trained on")
    completing.set_defaults(command=_complete)
    _add_reproduce(commands.add_parser("reproduce", help="train a version again from its card, and compare"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spec", type=Path, help="carry out this runs/<id>/spec.json; no other flag counts")
    parser.add_argument("--data", help="folder of class folders, or of train/ and test/")
    parser.add_argument("--models", default="models", help="model store (default: %(default)s)")
    parser.add_argument("--model", help="name of the model, e.g. cifar10")
    parser.add_argument("--preset", choices=get_args(Preset), default="default", help="default: %(default)s")
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    parser.add_argument("--batch-size", type=int, help="instead of the preset's")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--nondeterministic", action="store_true", help="allow kernels whose results vary in the last bits"
    )
    parser.add_argument("--backbone", metavar="FILE", help="train a head on this frozen .keras network")
    parser.add_argument("--backbone-scaling", default="pixels", help=f"{SCALING_HELP} (default: %(default)s)")
    parser.add_argument("--backbone-layer", help="whose outputs are the features (default: the last)")
    parser.add_argument(
        "--start", choices=get_args(Start), default="auto", help="whose weights (default: %(default)s)"
    )
    parser.add_argument("--base", choices=get_args(Base), default="dataset", help="none: uploads are enough")
    parser.add_argument("--no-gate", action="store_true", help="publish whatever the gate says")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="runs folder (default: %(default)s)")
    parser.add_argument("--run-id", help="the same id resumes its run (default: made from model and time)")
    parser.set_defaults(command=_run)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", type=Path, required=True, metavar="DIR", help="a version directory")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="its test/ where there is one, else all of it",
    )
    parser.add_argument("--predictions", type=Path, metavar="CSV", help="write the two best labels of each")
    parser.add_argument("--json", action="store_true", help="print the evaluation as JSON")
    parser.set_defaults(command=_evaluate)


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", type=Path, help="a version directory, e.g. models/cifar10/2")
    parser.add_argument("--data", help="where the data lies now (default: where it lay)")
    parser.add_argument("--models", help="the store that has the parent (default: the version's own)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="runs folder (default: %(default)s)")
    parser.set_defaults(command=_reproduce)


def _run(arguments: argparse.Namespace) -> int:
    paths = _paths_of(arguments.spec) if arguments.spec else _described(arguments)
    cluster.prepare(os.environ, socket.gethostname())
    if cluster.worker_of(os.environ)[0] > 0:
        from trainer.workers import assist

        return assist(paths)
    from trainer.run import execute

    try:
        result = execute(paths)
    except OSError as error:
        raise TrainerError(f"the result could not be written: {error}; make room and run again") from error
    _say(result, paths)
    return _EXIT_CODES.get(result.state, 1)


def _paths_of(spec: Path) -> RunPaths:
    folder = spec.absolute().parent
    return RunPaths(folder.parent, folder.name)


def _described(arguments: argparse.Namespace) -> RunPaths:
    if not arguments.data or not arguments.model:
        raise TrainerError("--data and --model are needed (or --spec)")
    run_id = arguments.run_id or new_run_id(arguments.model)
    spec = TrainingSpec(
        run_id=run_id,
        model=arguments.model,
        data=arguments.data,
        models=arguments.models,
        preset=arguments.preset,
        backbone=_backbone(arguments),
        seed=arguments.seed,
        is_deterministic=not arguments.nondeterministic,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        start=arguments.start,
        base=arguments.base,
        gate=GateRule(enabled=not arguments.no_gate),
    )
    paths = RunPaths(arguments.runs, run_id)
    write_spec(paths, spec)
    return paths


def _backbone(arguments: argparse.Namespace) -> BackboneSpec | None:
    if not arguments.backbone:
        return None
    scaling_of(arguments.backbone_scaling)
    return BackboneSpec(
        path=arguments.backbone, scaling=arguments.backbone_scaling, layer=arguments.backbone_layer
    )


def _say(result: TrainingResult, paths: RunPaths) -> None:
    if result.state is RunState.SUCCEEDED:
        print(
            f"{result.model} version {result.version}, accuracy {result.accuracy:.4f} (run {result.run_id})"
        )
    else:
        reason = f": {result.error.message}" if result.error else ""
        print(f"{result.state} (run {result.run_id}){reason}", file=sys.stderr)
        if result.state is RunState.REJECTED:
            print(f"the candidate stays in {paths.candidate}", file=sys.stderr)
            return
        print(f"the same run again: python -m trainer run --spec {paths.spec}", file=sys.stderr)


def _watch(arguments: argparse.Namespace) -> int:
    from trainer.watch import watch

    watch(arguments.runs, arguments.poll_seconds)
    return 0


def _reproduce(arguments: argparse.Namespace) -> int:
    from trainer import reproduce

    return reproduce.run(arguments)


def _evaluate(arguments: argparse.Namespace) -> int:
    from trainer.evaluation import judge

    return judge.run(arguments)


def _complete(arguments: argparse.Namespace) -> int:
    from trainer.completing import complete

    complete(arguments.version, arguments.data)
    print(f"{arguments.version} has what its model.keras and the data give: see model_card.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
