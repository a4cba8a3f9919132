"""What a comparison measures next, what it says of its runs, and what it writes."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from load_tests.comparing import comparison, files
from load_tests.comparing.plan import Diary, Plan, Point, Run
from load_tests.processes.control_groups import Group

SETTINGS = {"cpus": 0.2, "seconds": 10, "warm_up": 2}
MACHINE = {"processor": "one", "cores": 2, "memory_gib": 4}


def run(replicas: int, users: int, rate: float, number: int = 1, **changes: object) -> Run:
    """A run without failures, whose latencies follow from its rate."""
    wait = 1000 * users / rate
    right = Run(
        round=number,
        replicas=replicas,
        users=users,
        arrivals=0.0,
        seconds=10.0,
        answers=int(10 * rate),
        failures=0,
        images_per_second=rate,
        mean_ms=wait,
        p50_ms=wait,
        p90_ms=1.2 * wait,
        p95_ms=1.3 * wait,
        p99_ms=1.5 * wait,
        longest_ms=2 * wait,
        gateway_cpus=0.2,
        generator_cpus=0.1,
        replica_cpus=[0.2] * replicas,
        replica_images=[10.0 * rate / replicas] * replicas,
        images_per_batch=users / replicas / 2,
        problems=[],
    )
    return replace(right, **changes)  # type: ignore[arg-type]


RUNS = [run(1, 50, 100), run(1, 200, 110), run(3, 50, 250), run(3, 200, 320)]


def test_every_point_is_measured_in_each_round_in_another_order() -> None:
    """A machine that slows down must not always slow the same point."""
    plan = Plan([Point(n, users) for n in (1, 2, 3) for users in (50, 100, 200)], 2, SETTINGS)
    order = list(plan.left())
    first, second = ([point for number, point in order if number == wanted] for wanted in (1, 2))
    assert set(first) == set(second) == set(plan.points)
    assert first != second
    assert len(order) == plan.total == 18


def test_a_comparison_goes_on_where_it_ended(tmp_path: Path) -> None:
    """What the diary holds is not measured again; other settings are refused with the way out."""
    diary = Diary(tmp_path / "build" / "runs.jsonl", SETTINGS)
    diary.add(RUNS[0])
    plan = Plan([Point(1, 50), Point(3, 50)], 1, SETTINGS)
    plan.done = Diary(tmp_path / "build" / "runs.jsonl", SETTINGS).read()
    assert plan.done == [RUNS[0]]
    assert list(plan.left()) == [(1, Point(3, 50))]
    with pytest.raises(ValueError, match="--fresh"):
        Diary(tmp_path / "build" / "runs.jsonl", SETTINGS | {"cpus": 1}).read()
    diary.forget()
    assert diary.read() == []


def test_gains_and_what_reaches_the_often_quoted() -> None:
    """Three replicas against one, at each number of users."""
    found = comparison.gains(comparison.summarise([*RUNS, run(1, 100, 100), run(3, 100, 390)]))
    assert [(gain.users, gain.throughput) for gain in found] == [(50, 2.5), (100, 3.9), (200, 2.909)]
    assert found[0].reaching == []
    assert found[1].reaching == ["throughput", "mean", "p95"]


def test_medians_over_the_rounds() -> None:
    """The middle round counts, failures of all rounds do."""
    rounds = [run(1, 50, rate, number, failures=number) for number, rate in enumerate((90, 100, 300), 1)]
    (line,) = comparison.summarise(rounds)
    assert (line.images_per_second, line.slowest_round, line.fastest_round) == (100, 90, 300)
    assert (line.runs, line.failures) == (3, 6)


def sentences(runs: list[Run]) -> str:
    """The whole interpretation."""
    lines = comparison.summarise(runs)
    return "\n".join(comparison.interpretation(lines, comparison.gains(lines)))


def test_the_interpretation_follows_the_figures() -> None:
    """Goals that are met and missed, failures, balance, and whether the replicas were measured at all."""
    said = sentences(RUNS)
    assert "0 of 7,800 requests failed" in said
    assert "At 200 users 3 replicas give 2.91 times" in said
    assert "none of them reaches 3.8" in said
    assert "meets the goal of 2.85" in said
    assert "so the replicas are what was measured" in said
    worse = [replace(one, gateway_cpus=0.9, failures=2) for one in RUNS[:3]]
    uneven = run(3, 200, 200, replica_images=[100.0, 200.0, 300.0], failures=2)
    said = sentences([*worse, uneven])
    assert "8 of" in said
    assert "misses the goal of 2.85" in said
    assert "3.00 times the images of the idlest" in said
    assert "beyond the goal of 1.2" in said
    assert "so not only the replicas were measured" in said


def test_open_loads_alone_are_told_by_their_rates() -> None:
    """Nobody waits in them, so there is no gain to tell; how even the replicas were is told all the same."""
    uneven = run(3, 0, 300, arrivals=300.0, replica_images=[100.0, 200.0, 300.0])
    said = sentences([run(1, 0, 100, arrivals=100.0), uneven])
    assert "times the images/s of" not in said
    assert "3.00 times the images of the idlest (3 replicas, 300 calls/s)" in said


def test_the_files_of_a_comparison(tmp_path: Path) -> None:
    """JSON with every run, CSV, a plot and a report that shows both goals and machine."""
    plan = Plan([], 1, SETTINGS, done=list(RUNS))
    written = files.write(tmp_path / "r" / "replicas.json", plan, MACHINE, "Quiet.")
    assert {path.name for path in written} == {f"replicas.{kind}" for kind in ("json", "csv", "md", "svg")}
    found = json.loads((tmp_path / "r" / "replicas.json").read_text())
    assert [Run(**one) for one in found["runs"]] == RUNS
    assert found["kind"] == "replicas"
    assert found["gains"][1]["throughput"] == 2.909
    rows = list(csv.DictReader((tmp_path / "r" / "replicas.csv").read_text().splitlines()))
    assert [float(row["images_per_second"]) for row in rows] == [100, 110, 250, 320]
    report = (tmp_path / "r" / "replicas.md").read_text()
    assert "| 3 | 200 users | 320.0 |" in report
    assert "Quiet." in report
    assert "(replicas.svg)" in report
    assert (tmp_path / "r" / "replicas.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(("is_version_two", "expected"), [(True, "25000 100000"), (False, "25000")])
def test_a_share_of_the_cpu(tmp_path: Path, is_version_two: bool, expected: str) -> None:
    """A quarter of a CPU, in the files of either version of control groups."""
    Group(tmp_path, is_version_two).limit(0.25)
    name = "cpu.max" if is_version_two else "cpu.cfs_quota_us"
    assert (tmp_path / name).read_text() == expected
