"""Our stack beside its peers, on one machine, in one run: `python -m load_tests.peers.bench`.

Starts every contender, checks that all name the same label, drives them (driving.py), prints medians and
ratios, and adds every run to a file: some peers now, others later, each sitting beside ours. Who takes
part is load_tests.peers.contenders' business; what is said, that of report.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console as RichConsole

from contract.layout import ModelPaths, write_atomically
from load_tests.peers import environments, exports, report
from load_tests.peers.contenders import CONTENDERS, PEERS, Setting
from load_tests.peers.driving import Bench, BenchError, Plan, run
from load_tests.peers.report import as_document, as_table, summarise
from load_tests.processes.machine import hardware
from rekindle.console import Console
from rekindle.stack import PICTURE
from rekindle.supervisor import ChildFailedError, StopRequestedError, Supervisor

TABLE_WIDTH = 120
"""Columns that the result needs; also where the terminal is narrower, or the output is a file."""


class _Terminal(Console):
    """Keeps the contenders' own lines out of the way: those that matter are in the error of a dead child."""

    def child_line(self, name: str, line: str) -> None:
        """Not shown."""


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument(
        "--models", type=Path, default=Path("models"), help="model store (default: %(default)s)"
    )
    parser.add_argument("--model", default="cifar10", help="(default: %(default)s)")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="a JPEG (default: %(default)s)")
    peers = list(CONTENDERS)[1:]
    parser.add_argument("--peers", nargs="+", choices=peers, default=peers, help="beside ours")
    parser.add_argument(
        "--same", action="store_true", help="peers serve our very file, and we in float32 as they"
    )
    parser.add_argument("--small", action="store_true", help="a model of 1 M weights and 80 MFLOP")
    parser.add_argument("--photograph", action="store_true", help="a drawn JPEG of 12 megapixels")
    parser.add_argument("--fresh", action="store_true", help="forget the sittings that the file holds")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument(
        "--bodies", nargs="+", choices=["multipart", "raw", "json"], default=["multipart", "raw", "json"]
    )
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=10, help="of one run (default: %(default)s)")
    parser.add_argument("--warm-up-seconds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, default=None, help="default: load_tests/results/peers[-same][-small].json"
    )
    return parser.parse_args(argv)


def _check(arguments: argparse.Namespace) -> None:
    if shutil.which("wrk") is None:
        raise BenchError("wrk is not installed: apt-get install wrk, or brew install wrk")
    if not arguments.picture.is_file():
        raise BenchError(f"there is no picture {arguments.picture}: name one with --picture")
    if not ModelPaths(arguments.models, arguments.model).versions():
        raise BenchError(f"{arguments.models} holds no version of {arguments.model!r}: run `make pretrained`")
    if (
        min(arguments.rounds, *arguments.connections) < 1
        or min(arguments.seconds, arguments.warm_up_seconds) < 1
    ):
        raise BenchError("rounds, connections and seconds are 1 or more")


def _benchmark(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    _check(arguments)
    names = [next(iter(CONTENDERS)), *_installed(arguments.peers, console)]
    contenders = [CONTENDERS[name](_setting(arguments)) for name in names]
    plan = Plan(
        arguments.rounds,
        arguments.seconds,
        arguments.warm_up_seconds,
        tuple(arguments.connections),
        tuple(arguments.bodies),
    )
    machine = hardware()  # before the load, whose traces the load average would show
    console.say("Machine: " + ", ".join(f"{name} {value}" for name, value in machine.items()))
    with tempfile.TemporaryDirectory() as scratch, Supervisor(console) as supervisor:
        bench = Bench(supervisor, contenders, _picture(arguments), Path(scratch))
        try:
            runs = run(plan, bench, console)
        finally:
            bench.wake_all()
    lines = summarise(runs, contenders[0].name)
    terminal = RichConsole()
    terminal.width = max(terminal.width, TABLE_WIDTH)
    terminal.print(as_table(lines, contenders[0].name))
    return as_document(machine, _settings(arguments), lines, runs)


def _installed(peers: Sequence[str], console: Console) -> list[str]:
    """Those that run here; what cannot be installed is said, and left out."""
    found = []
    for name in peers:
        try:
            if name in PEERS:
                environments.prepare(name)
            found.append(name)
        except environments.InstallError as error:
            console.say(f"{name} is left out, since it cannot be installed: {error}")
    return found


def _setting(arguments: argparse.Namespace) -> Setting:
    """Who serves which export. Raises BenchError."""
    try:
        made = exports.make(arguments.models.resolve(), arguments.model)
    except exports.ExportError as error:
        raise BenchError(str(error)) from error
    ours = made.small if arguments.small else arguments.models.resolve()
    plain = made.small_plain if arguments.small else made.plain
    return Setting(ours, arguments.model, ours if arguments.same else plain)


def _picture(arguments: argparse.Namespace) -> bytes:
    if not arguments.photograph:
        content: bytes = arguments.picture.read_bytes()
        return content
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        command = [sys.executable, str(environments.ROOT / "docs" / "pictures" / "draw.py"), file.name]
        subprocess.run(command, check=True)
        return Path(file.name).read_bytes()


def _output(arguments: argparse.Namespace) -> Path:
    options = ("same", "small", "photograph")
    kind = "".join(f"-{name}" for name in options if getattr(arguments, name))
    return arguments.output or Path("load_tests/results") / f"peers{kind}.json"


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments as the document records them: paths as seen from here, not those of one machine."""
    return {
        name: os.path.relpath(value) if isinstance(value, Path) else value
        for name, value in vars(arguments).items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    """0 when everything was measured, 1 with one sentence otherwise, 130 after Ctrl-C."""
    arguments, console = _parse(argv), _Terminal()
    try:
        document = _benchmark(arguments, console)
    except StopRequestedError:
        console.say("Stopped; nothing was written.")
        return 130
    except (BenchError, ChildFailedError) as error:
        console.say(f"The benchmark cannot go on: {error}")
        return 1
    output = _output(arguments)
    kept = [] if arguments.fresh else report.sittings(output)
    content = {"kind": "peers", "sittings": [*kept, document]}
    write_atomically(output, json.dumps(content, indent=1, default=str).encode() + b"\n")
    console.say(f"Every run is in {output}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
