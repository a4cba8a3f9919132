"""`python -m mirror pull|push models|data FROM TO`: an object store on one side, a folder on the other.

Once, as an init container does, or with --every as a sidecar, until SIGTERM. Exit status: 0 all is there, 1
something is not (a sentence on stderr says what), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from contract.layout import model_names, walk_files
from mirror import data, models
from mirror.errors import MirrorError
from mirror.remote import Remote

Round = Callable[[], list[str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Mirror once or until a signal; returns the exit status."""
    options = _parser().parse_args(arguments)
    is_push = options.direction == "push"
    folder, url = (options.source, options.target) if is_push else (options.target, options.source)
    store = Path(folder)
    is_there = model_names(store) if options.store == "models" else next(walk_files(store), None)
    if options.if_empty and is_there:
        _say(f"{store} has {options.store} in it, so nothing is brought")
        return 0
    try:
        one_round = _rounds(options, Remote(url), store)
    except MirrorError as error:
        return _complain([str(error)])
    if options.every is None:
        return _complain(_faults(one_round))
    return _repeat(one_round, options.every)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mirror", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("direction", choices=("pull", "push"), help="pull: to the folder; push: from it")
    parser.add_argument("store", choices=("models", "data"), help="what kind of store it is")
    parser.add_argument("source", metavar="FROM", help="s3://bucket/models; push: the folder")
    parser.add_argument("target", metavar="TO", help="the folder; push: the address")
    parser.add_argument("--every", type=_seconds, metavar="SECONDS", help="go on, and look this often")
    parser.add_argument(
        "--named-only", action="store_true", help="pull models: only versions that the rollout names"
    )
    parser.add_argument("--if-empty", action="store_true", help="pull: only into an empty folder")
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds above 0")
    return value


def _rounds(options: argparse.Namespace, remote: Remote, store: Path) -> Round:
    """What one round does; returns what could not be mirrored."""
    is_push, of_data = options.direction == "push", data.DataMirror(remote, store)
    pushing = models.Pushing(store, remote)

    def copy() -> list[str]:
        if options.store == "models" and is_push:
            return pushing.push(_say)
        if options.store == "models":
            return models.pull(remote, store, _say, named_only=options.named_only)
        (of_data.push if is_push else of_data.pull)(_say)
        return []

    def one_round() -> list[str]:
        remote.check()
        if not is_push:
            (models if options.store == "models" else data).clean(store)
        return copy()

    return one_round


def _faults(one_round: Round) -> list[str]:
    try:
        return one_round()
    except MirrorError as error:
        return [str(error)]


def _repeat(one_round: Round, seconds: float) -> int:
    """A fault is said when it comes and when it goes, not in every round."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    before: list[str] = []
    while not stop.is_set():
        faults = _faults(one_round)
        if faults and faults != before:
            _complain(faults)
        if before and not faults:
            _say("all is mirrored again")
        before = faults
        stop.wait(seconds)
    return 0


def _complain(faults: list[str]) -> int:
    for fault in faults:
        print(f"mirror: {fault}", file=sys.stderr, flush=True)
    return int(bool(faults))


def _say(sentence: str) -> None:
    print(f"mirror: {sentence}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
