"""The contenders driven by `wrk`, one at a time and in turns, so that a slow moment of the machine hits all.

While one is measured the others stand still (SIGSTOP): their heartbeats would cost it CPU.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from load_tests.peers.contenders import Body, Contender
from load_tests.peers.report import Run
from load_tests.processes.cpu_times import family_of, tree_megabytes
from rekindle.child import Child, Command
from rekindle.console import Console
from rekindle.loopback import get
from rekindle.supervisor import ChildFailedError, Supervisor

START_SECONDS = 120.0
SCRIPT = Path(__file__).with_name("post.lua")
SETTLING_SECONDS = 0.3
"""After the one is woken and the others are stopped."""
WAKING_SECONDS = 1
"""Of load before a run that counts: who has stood still has lost its pace (BentoML learns from the times
between requests how long to wait for a batch)."""


class BenchError(Exception):
    """The benchmark cannot be run, or its figures would mean nothing; the message says why."""


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
    wanted: Sequence[Contender]
    picture: bytes
    scratch: Path
    contenders: list[Contender] = field(default_factory=list)
    """Those of the wanted that run."""
    children: dict[str, Child] = field(default_factory=dict)

    def start(self, console: Console) -> None:
        """Start one after the other; a peer that does not start is said, and left out.

        Raises ChildFailedError when ours does not start.
        """
        for contender in self.wanted:
            child = self.supervisor.start(contender.command)
            is_ready = partial(_answers, contender.ready_url)
            try:
                self.supervisor.wait_until(is_ready, f"Waiting for {contender.name}", START_SECONDS)
            except ChildFailedError as error:
                if contender is self.wanted[0]:
                    raise
                console.say(f"{contender.name} is left out, since it does not start: {error}")
                self.supervisor.stop(child)
                continue
            self.contenders.append(contender)
            self.children[contender.name] = child

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

    def wake(self, contender: Contender) -> None:
        """Let this one run and the others stand still, whose heartbeats would cost it CPU."""
        for name, child in self.children.items():
            _signal(child, signal.SIGCONT if name == contender.name else signal.SIGSTOP)
        time.sleep(SETTLING_SECONDS)

    def wake_all(self) -> None:
        """Let all run again, so that they can answer and end."""
        for child in self.children.values():
            _signal(child, signal.SIGCONT)

    def measure(self, round_: int, connections: int, body: Body, contender: Contender, seconds: int) -> Run:
        """One run of wrk, after one that does not count. Raises ChildFailedError, StopRequestedError."""
        self.wake(contender)
        self._load(connections, body, contender, WAKING_SECONDS)
        measured = self._load(connections, body, contender, seconds)
        return Run(
            contender=contender.name,
            body=body.kind,
            connections=connections,
            round=round_,
            resident_mb=round(tree_megabytes(self.children[contender.name].process.pid), 1),
            **measured,
        )

    def _load(self, connections: int, body: Body, contender: Contender, seconds: int) -> dict[str, Any]:
        """What post.lua found."""
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
        found: dict[str, Any] = json.loads(result.read_text())
        result.unlink()
        return found


def _signal(child: Child, wanted: signal.Signals) -> None:
    """To the whole family: some start processes in groups of their own."""
    for pid in family_of(child.process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, wanted)


def _answers(url: str) -> bool:
    return get(url) is not None


def run(plan: Plan, bench: Bench, console: Console) -> list[Run]:
    """Warm up, measure, and check the answers before and after. Raises BenchError, ChildFailedError."""
    bench.start(console)
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
    bench.wake_all()
    if bench.label() != label:
        raise BenchError("the contenders answered otherwise after the load than before")
    return runs
