"""`rekindle train` and `rekindle runs`."""

from __future__ import annotations

import argparse
import sys
import time

from rekindle.answers.training import Run
from rekindle.client import Client
from rekindle.commands.common import Subparsers, add, only_model, positive, print_json, print_table, progress

POLL_SECONDS = 1.0
SHOWN = 20
EXIT = {"succeeded": 0, "rejected": 3}
"""By the end of a run; any other end is 1."""


def declare(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """The commands about training runs."""
    train = add(
        commands,
        common,
        "train",
        run_train,
        "start a training run and follow it; ends with 0 (published), 3 (refused by the gate) or 1",
    )
    train.add_argument("--model", help="default: the only one there is")
    train.add_argument("--dataset", help="default: the one called like the model")
    train.add_argument("--preset", choices=("tiny", "default", "best"), default="default")
    train.add_argument("--epochs", type=positive)
    train.add_argument("--seed", type=int)
    train.add_argument("--base", choices=("dataset", "none"), help="none: uploads are enough")
    train.add_argument("--start", choices=("auto", "stable", "none"), help="whose weights; none: all anew")
    train.add_argument("--no-follow", action="store_true", help="only start it")
    runs = add(commands, common, "runs", run_runs, "list training runs, or show, print or cancel one")
    runs.add_argument("run", nargs="?", help="the run's id")
    runs.add_argument("--logs", action="store_true", help="print what it has printed")
    runs.add_argument("--cancel", action="store_true")


def run_train(client: Client, options: argparse.Namespace) -> int:
    """Start, then follow. Ctrl-C stops following, not the run."""
    names = ("dataset", "preset", "epochs", "seed", "base", "start")
    wanted = {name: getattr(options, name) for name in names}
    run = client.start_run(only_model(client, options.model), **wanted)
    if not options.json:
        print(f"run {run.id} is {run.state}", file=sys.stderr)
    if not options.no_follow:
        run = follow(client, run)
    if options.json:
        print_json(run)
    else:
        print(_sentence(run))
    return 0 if options.no_follow else EXIT.get(run.state, 1)


def follow(client: Client, run: Run) -> Run:
    """Wait for the end with a bar for each phase."""
    with progress("{task.description}") as bar:
        task = bar.add_task("queued", total=None)
        while not run.is_final:
            time.sleep(POLL_SECONDS)
            run = client.run(run.id)
            told = run.progress
            phase = str(told.get("phase") or run.state)
            bar.update(
                task, description=phase, completed=told.get("done", 0), total=told.get("total") or None
            )
    return run


def _sentence(run: Run) -> str:
    facts = [f"run {run.id} of {run.model}: {run.state}"]
    if run.version is not None:
        facts.append(f"version {run.version}")
    if run.accuracy is not None:
        facts.append(f"accuracy {run.accuracy:.4f}")
    if run.error is not None:
        facts.append(str(run.error))
    return ", ".join(facts)


def run_runs(client: Client, options: argparse.Namespace) -> int:
    """Without an id, the newest ones."""
    if options.run is None:
        return _list(client, as_json=options.json)
    if options.logs:
        sys.stdout.write(client.run_log(options.run).decode(errors="replace"))
        return 0
    run = client.cancel_run(options.run) if options.cancel else client.run(options.run)
    if options.json:
        print_json(run)
    else:
        print(_sentence(run))
    return 0


def _list(client: Client, *, as_json: bool) -> int:
    newest = [run for run, _ in zip(client.runs(), range(SHOWN), strict=False)]
    if as_json:
        print_json(newest)
        return 0
    rows: list[list[object]] = [
        [run.id, run.model, run.state, run.version, run.accuracy, run.created_at.astimezone()]
        for run in newest
    ]
    print_table(["run", "model", "state", "version", "accuracy", "created"], rows)
    return 0
