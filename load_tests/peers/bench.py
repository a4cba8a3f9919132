"""Our stack beside its peers, on one machine, in one run: `python -m load_tests.peers.bench`.

Starts every contender, checks that all name the same label, then drives them by `wrk`, one at a time and in
turns, so that a machine that slows down slows everybody down. Prints medians and ratios, and writes every
run to a file. Who takes part is load_tests.peers.contenders' business; what is said, that of report.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console as RichConsole

from contract.layout import ModelPaths, write_atomically
from load_tests.peers import environments, exports
from load_tests.peers.contenders import CONTENDERS, Body, Contender, Setting
from load_tests.peers.report import Run, as_document, as_table, hardware, summarise
from rekindle.child import Command
from rekindle.console import Console
from rekindle.loopback import get
from rekindle.stack import PICTURE
from rekindle.supervisor import ChildFailedError, StopRequestedError, Supervisor

START_SECONDS = 300.0
TABLE_WIDTH = 120
"""Columns that the result needs; also where the terminal is narrower, or the output is a file."""
SCRIPT = Path(__file__).with_name("post.lua")


class BenchError(Exception):
    """The benchmark cannot be run, or its figures would mean nothing; the message says why."""


class _Terminal(Console):
    """Keeps the contenders' own lines out of the way: those that matter are in the error of a dead child."""

    def child_line(self, name: str, line: str) -> None:
        """Not shown."""


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    rounds: int
    seconds: int
    """Of one run."""
    warm_up_seconds: int
    connections: tuple[int, ...]
    bodies: tuple[str, ...]

    def runs(self, contenders: Sequence[Contender]) -> Iterator[tuple[int, int, Body, Contender]]:
        """Round, connections, body, contender; every other round in the opposite order."""
        for round_ in range(1, self.rounds + 1):
            order = contenders if round_ % 2 else contenders[::-1]
            for connections in self.connections:
                for kind in self.bodies:
                    for contender in order:
                        yield from (
                            (round_, connections, body, contender)
                            for body in contender.bodies
                            if body.kind == kind
                        )


@dataclass(frozen=True)
class Bench:
    """The contenders, running, and the picture that is posted to them."""

    supervisor: Supervisor
    contenders: Sequence[Contender]
    picture: bytes
    scratch: Path

    def start(self) -> None:
        """Start all, wait until all are ready. Raises ChildFailedError."""
        for contender in self.contenders:
            if contender.environment is not None:
                environments.prepare(contender.environment)
            self.supervisor.start(contender.command)
        for contender in self.contenders:
            is_ready = partial(_answers, contender.ready_url)
            self.supervisor.wait_until(is_ready, f"Waiting for {contender.name}", START_SECONDS)

    def label(self) -> str:
        """The label that every contender gives to the picture, in every body. Raises BenchError."""
        labels = {
            f"{contender.name}, {body.kind}": self._label(contender, body)
            for contender in self.contenders
            for body in contender.bodies
        }
        if len(set(labels.values())) != 1:
            raise BenchError(f"the contenders disagree about the picture: {labels}")
        return next(iter(labels.values()))

    def _label(self, contender: Contender, body: Body) -> str:
        headers = {"Content-Type": body.content_type}
        try:
            answer = httpx.post(
                contender.predict_url,
                content=body.encode(self.picture),
                headers=headers,
                timeout=30.0,
                trust_env=False,
            )
        except httpx.HTTPError as error:
            raise BenchError(f"{contender.name} does not answer a {body.kind} request: {error}") from error
        try:
            answer.raise_for_status()
            return contender.top_label(answer.content)
        except (httpx.HTTPStatusError, ValueError, LookupError, TypeError) as error:
            said = f"{answer.status_code} {answer.reason_phrase}: {answer.text[:500]}"
            raise BenchError(f"{contender.name} answers a {body.kind} request with {said}") from error

    def measure(self, round_: int, connections: int, body: Body, contender: Contender, seconds: int) -> Run:
        """One run of wrk. Raises ChildFailedError, StopRequestedError."""
        content, result = self.scratch / f"body.{body.kind}", self.scratch / "result.json"
        content.write_bytes(body.encode(self.picture))
        variables = {
            "BENCH_BODY": str(content),
            "BENCH_CONTENT_TYPE": body.content_type,
            "BENCH_RESULT": str(result),
        }
        # One thread: wrk is far from its limit, and the cores belong to the servers.
        flags = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", f"-s{SCRIPT}"]
        self.supervisor.finish(Command("wrk", ["wrk", *flags, contender.predict_url], variables))
        measured = json.loads(result.read_text())
        result.unlink()
        return Run(
            contender=contender.name, body=body.kind, connections=connections, round=round_, **measured
        )


def _answers(url: str) -> bool:
    return get(url) is not None


def run(plan: Plan, bench: Bench, console: Console) -> list[Run]:
    """Warm up, measure, and check the answers before and after. Raises BenchError, ChildFailedError."""
    bench.start()
    label = bench.label()
    console.say(f"All {len(bench.contenders)} answer {label!r}. Ctrl-C stops everything.")
    for contender in bench.contenders:
        for body in contender.bodies:
            bench.measure(0, max(plan.connections), body, contender, plan.warm_up_seconds)
    runs = []
    planned = list(plan.runs(bench.contenders))
    for number, (round_, connections, body, contender) in enumerate(planned, start=1):
        measured = bench.measure(round_, connections, body, contender, plan.seconds)
        runs.append(measured)
        console.say(
            f"[{number}/{len(planned)}] round {round_}, {body.kind}, {connections} connections, "
            f"{contender.name}: {measured.answered_per_second:,.0f} answers/s, p99 {measured.p99_ms:.1f} ms"
            + (f", {measured.refused:,} refused" if measured.refused else "")
        )
    if bench.label() != label:
        raise BenchError("the contenders answered otherwise after the load than before")
    return runs


# --- command line -------------------------------------------------------------------------------


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
        "--same", action="store_true", help="peers serve our very file, not the plain float32 export"
    )
    parser.add_argument("--small", action="store_true", help="a model of 1 M weights and 80 MFLOP")
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
    names = [next(iter(CONTENDERS)), *arguments.peers]
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
        bench = Bench(supervisor, contenders, arguments.picture.read_bytes(), Path(scratch))
        runs = run(plan, bench, console)
    lines = summarise(runs, contenders[0].name)
    terminal = RichConsole()
    terminal.width = max(terminal.width, TABLE_WIDTH)
    terminal.print(as_table(lines, contenders[0].name))
    return as_document(machine, _settings(arguments), lines, runs)


def _setting(arguments: argparse.Namespace) -> Setting:
    """Who serves which export. Raises BenchError."""
    try:
        made = exports.make(arguments.models.resolve(), arguments.model)
    except exports.ExportError as error:
        raise BenchError(str(error)) from error
    ours = made.small if arguments.small else arguments.models.resolve()
    plain = made.small_plain if arguments.small else made.plain
    return Setting(ours, arguments.model, ours if arguments.same else plain)


def _output(arguments: argparse.Namespace) -> Path:
    kind = ("-same" if arguments.same else "") + ("-small" if arguments.small else "")
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
    write_atomically(output, json.dumps(document, indent=2, default=str).encode() + b"\n")
    console.say(f"Every run is in {output}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
