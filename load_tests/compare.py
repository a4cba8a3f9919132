"""Do replicas help? 50, 100 and 200 users on 1, 2 and 3 model servers: `make load-test` (Linux, as root).

Each replica has the same small share of the CPU, so that neither the gateway nor the load generator is what
is measured; their CPU time is part of the result. Every round takes the points in another order. Ctrl-C
stops, the same command goes on (`--minutes 4` stops by itself). What is written and said is
load_tests.comparing.files' business.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from load_tests.callers import generator, samples
from load_tests.callers.generator import CPU_NAME, GeneratorError, Load, Outcome
from load_tests.callers.metrics import sample
from load_tests.comparing import files
from load_tests.comparing.plan import Diary, Plan, Point, Run
from load_tests.processes.fleet import Fleet, Gateway, QuietConsole, fleet
from load_tests.processes.machine import hardware
from rekindle.supervisor import ChildFailedError, StopRequestedError

SOURCES = 10
"""Users of an open load: each starts its share of the calls."""


def measure(point: Point, number: int, load: Load, gateway: Gateway, model: str) -> Run:
    """One run. Raises GeneratorError."""
    before = [replica.images() for replica in gateway.replicas]
    outcome = generator.run(load, gateway.url, model, gateway.pids)
    images = [replica.images() - was for replica, was in zip(gateway.replicas, before, strict=True)]
    waits = samples.latencies(outcome.samples)
    return Run(
        round=number,
        replicas=point.replicas,
        users=point.users,
        arrivals=point.arrivals,
        seconds=round(outcome.seconds, 2),
        answers=outcome.right_answers,
        failures=len(outcome.samples) - outcome.right_answers,
        images_per_second=round(outcome.images_per_second, 2),
        mean_ms=round(waits.mean, 2),
        p50_ms=round(waits.p50, 2),
        p90_ms=round(waits.p90, 2),
        p95_ms=round(waits.p95, 2),
        p99_ms=round(waits.p99, 2),
        longest_ms=round(waits.longest, 2),
        gateway_cpus=round(outcome.cpus.get("gateway", 0.0), 3),
        generator_cpus=round(outcome.cpus.get(CPU_NAME, 0.0), 3),
        replica_cpus=[round(outcome.cpus.get(replica.name, 0.0), 3) for replica in gateway.replicas],
        replica_images=images,
        images_per_batch=round(_images_per_batch(gateway.url), 2),
        problems=_problems(outcome),
    )


def _images_per_batch(url: str) -> float:
    """Of the whole life of the gateway, which had this one load."""
    return sample(url, "gateway_batch_images_sum") / max(1.0, sample(url, "gateway_batch_images_count"))


def _problems(outcome: Outcome) -> list[str]:
    kinds = {
        f"{one.status} {one.problem.partition(':')[0]}": one.problem for one in outcome.samples if one.problem
    }
    return list(kinds.values())[:5]


def work(
    plan: Plan, diary: Diary, servers: Fleet, options: argparse.Namespace, console: QuietConsole
) -> None:
    """Measure what is left, until the time is up. Raises GeneratorError, ChildFailedError."""
    end = time.monotonic() + 60 * options.minutes
    for number, point in plan.left():
        users = SOURCES if point.arrivals else point.users
        load = Load(users, point.arrivals, seconds=options.seconds, warm_up_seconds=options.warm_up)
        if time.monotonic() + load.seconds + load.warm_up_seconds > end:
            return
        with servers.gateway(point.replicas) as gateway:
            run = measure(point, number, load, gateway, options.model)
        plan.done.append(run)
        diary.add(run)
        console.say(_progress(run, plan))


def _progress(run: Run, plan: Plan) -> str:
    cpus = " ".join(f"{used:.2f}" for used in run.replica_cpus)
    parts = [
        f"[{len(plan.done)}/{plan.total}] round {run.round}, {run.point}: {run.images_per_second:.1f}/s",
        f"mean {run.mean_ms:.0f}, p95 {run.p95_ms:.0f}, p99 {run.p99_ms:.0f} ms",
        f"{run.failures} failures, {run.images_per_batch:.1f} a batch",
        f"CPUs: replicas {cpus}, gateway {run.gateway_cpus:.2f}, generator {run.generator_cpus:.2f}",
    ]
    return "; ".join(parts)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--users", type=int, nargs="*", default=[50, 100, 200])
    parser.add_argument(
        "--arrivals", type=float, nargs="*", default=[], help="also open loads: calls/s a replica"
    )
    parser.add_argument("--cpus", type=float, default=0.25, help="of each replica (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15, help="of one run, without the warm-up")
    parser.add_argument("--warm-up", type=float, default=5)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop then; the same command goes on")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured")
    parser.add_argument("--note", default="", help="what the reader should know of the machine")
    parser.add_argument("--output", type=Path, default=Path("load_tests/results/replicas.json"))
    parser.add_argument("--diary", type=Path, default=None, help="default: build/load-tests/<output>l")
    return parser.parse_args(argv)


def plan_of(options: argparse.Namespace) -> Plan:
    """Every replica count with every load. Open loads are in proportion to the replicas."""
    points = [Point(n, users) for n in options.replicas for users in options.users]
    points += [Point(n, 0, rate * n) for n in options.replicas for rate in options.arrivals]
    names = ("model", "cpus", "seconds", "warm_up", "replicas", "users", "arrivals")
    settings: dict[str, Any] = {name: getattr(options, name) for name in names}
    return Plan(points, options.rounds, settings)


def main(argv: Sequence[str] | None = None) -> int:
    """0 when the comparison is complete, 3 when the time was up before, 1 for an error, 130 after Ctrl-C."""
    options, console = parse(argv), QuietConsole()
    plan = plan_of(options)
    path = options.diary or Path("build/load-tests") / f"{options.output.name}l"
    diary = Diary(path, plan.settings)
    if options.fresh:
        diary.forget()
    try:
        plan.done = diary.read()
        if any(plan.left()):
            machine = hardware()
            with fleet(options.models, max(options.replicas), options.cpus, console) as servers:
                work(plan, diary, servers, options, console)
        else:
            machine = hardware()
    except StopRequestedError:
        console.say(f"Stopped after {len(plan.done)} of {plan.total} runs; the same command goes on.")
        return 130
    except (GeneratorError, ChildFailedError, OSError, ValueError) as error:
        console.say(f"The comparison cannot go on: {error}")
        return 1
    if any(plan.left()):
        console.say(f"{len(plan.done)} of {plan.total} runs are done; the same command goes on.")
        return 3
    for written in files.write(options.output, plan, machine, options.note):
        console.say(f"wrote {written}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
