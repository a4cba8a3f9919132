"""The queueing model: what it says where the answer is known, and that it is found again from its runs."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gateway.serving import batching
from load_tests import capacity
from load_tests.comparing import comparison
from load_tests.comparing.plan import Run
from load_tests.queueing import fitting, simulation
from load_tests.queueing.simulation import Replica

REPLICA = Replica(fixed_seconds=0.002, each_seconds=0.001, variation=0.0, elsewhere_seconds=0.002)
LIMITED = replace(REPLICA, cpus=0.2, variation=0.3)


def test_a_saturated_replica_gives_its_capacity() -> None:
    """Many users: full batches without a pause, 64 images in 66 ms."""
    result = simulation.closed(REPLICA, 1, 500, 20)
    assert result.images_per_second == pytest.approx(REPLICA.images_per_second, rel=0.02)
    assert REPLICA.images_per_second == pytest.approx(64 / 0.066)
    assert result.images_per_batch == pytest.approx(64, rel=0.05)


def test_the_simulation_batches_as_the_gateway_does() -> None:
    """One rule, stated twice because the packages may not import each other."""
    for under_way in range(0, 700, 7):
        for calls in (1, 2, 6):
            for most in (8, 64):
                told = simulation.largest_batch(under_way, calls, most)
                assert told == batching.largest_batch(under_way, calls, most)


def test_a_closed_load_obeys_littles_law() -> None:
    """Users = throughput × mean time, whatever the batches."""
    for users in (10, 100):
        result = simulation.closed(LIMITED, 2, users, 60)
        assert result.images_per_second * result.mean_ms / 1000 == pytest.approx(users, rel=0.05)


def test_a_cpu_limit_divides_the_capacity_and_adds_waits() -> None:
    """A fifth of a CPU gives a fifth of the images; a lone image may stand still for most of a period."""
    limited = replace(REPLICA, cpus=0.2)
    assert simulation.closed(limited, 1, 500, 60).images_per_second == pytest.approx(
        REPLICA.images_per_second / 5, rel=0.03
    )
    light = simulation.opened(REPLICA, 1, 100, 60).p99_ms
    assert simulation.opened(limited, 1, 100, 60).p99_ms > light + 50


def test_an_open_load_below_capacity_is_answered_whole() -> None:
    """What arrives is what is answered; beyond the capacity it is not."""
    assert simulation.opened(REPLICA, 2, 800, 30).images_per_second == pytest.approx(800, rel=0.05)
    assert simulation.opened(REPLICA, 1, 3000, 20).images_per_second < 1000


def run(replicas: int, users: int) -> Run:
    """What the model itself says of a load, as a measured run."""
    result = simulation.closed(LIMITED, replicas, users, 120, seed=7)
    call = LIMITED.call_seconds(round(result.images_per_batch))
    used = call / round(result.images_per_batch) * result.images_per_second / replicas
    return Run(
        round=1,
        replicas=replicas,
        users=users,
        arrivals=0.0,
        seconds=96.0,
        answers=int(96 * result.images_per_second),
        failures=0,
        images_per_second=result.images_per_second,
        mean_ms=result.mean_ms,
        p50_ms=result.p50_ms,
        p90_ms=result.p95_ms,
        p95_ms=result.p95_ms,
        p99_ms=result.p99_ms,
        longest_ms=result.p99_ms,
        gateway_cpus=0.0006 * result.images_per_second,
        generator_cpus=0.1,
        replica_cpus=[used] * replicas,
        replica_images=[1.0] * replicas,
        images_per_batch=round(result.images_per_batch),
        problems=[],
    )


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """The loads of a comparison."""
    return [run(replicas, users) for replicas in (1, 3) for users in (50, 200)]


def test_the_fit_finds_the_replica_again(runs: list[Run]) -> None:
    """CPU of a call within a few per cent, and small errors on loads it has not seen."""
    fitted = fitting.fit(runs, LIMITED.cpus)
    assert fitted.call_seconds(32) == pytest.approx(LIMITED.call_seconds(32), rel=0.05)
    throughput, p99 = fitting.worst(fitting.checks(fitted, comparison.summarise([run(2, 100)])))
    assert throughput < 0.1
    assert p99 < 0.25


def test_a_call_that_cost_less_explains_a_shorter_p99() -> None:
    """A model whose calls are a quarter too dear says so, and its queue is right with what they cost."""
    (line,) = comparison.summarise([run(2, 100)])
    dear = replace(LIMITED, fixed_seconds=0.0025, each_seconds=0.00125)
    said = fitting.at_measured_cost(dear, line)
    assert said["call_cost"] == pytest.approx(0.8, rel=0.03)
    assert abs(said["p99_error_at_cost"]) < 0.1 < fitting.checks(dear, [line])[0].p99_error


def test_runs_of_one_batch_size_cannot_be_fitted(runs: list[Run]) -> None:
    """Nothing can be said of the cost of one more image."""
    with pytest.raises(ValueError, match="all runs have batches of one size"):
        fitting.fit([runs[0], runs[0]], LIMITED.cpus)


def test_replicas_for_a_rate() -> None:
    """The fewest that hold p99; one fewer does not, and an impossible wish is refused."""
    count = capacity.replicas_for(REPLICA, 3000, 100)
    assert simulation.opened(REPLICA, count, 3000, 10).p99_ms <= 100
    assert simulation.opened(REPLICA, count - 1, 3000, 10).p99_ms > 100
    with pytest.raises(ValueError, match="out of reach"):
        capacity.replicas_for(REPLICA, 10, 1)


def test_the_autoscalers_target_is_below_the_capacity() -> None:
    """And grows with what p99 allows."""
    strict, loose = capacity.hpa_target(REPLICA, 30), capacity.hpa_target(REPLICA, 200)
    assert 0 < strict < loose < REPLICA.images_per_second


def test_the_command_writes_what_it_prints(
    runs: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Model, errors, target and table, as text and as JSON for /v1/load-tests."""
    for name, measured in (("runs", runs), ("unseen", [run(2, 100)])):
        content = {
            "measured_at": "2026-01-01",
            "hardware": {},
            "software": {},
            "settings": {"cpus": LIMITED.cpus},
            "runs": [asdict(one) for one in measured],
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    arguments = [f"--{name}={tmp_path / name}.json" for name in ("runs", "unseen")]
    output = tmp_path / "capacity.json"
    assert capacity.main([*arguments, "--rate", "100", "1000", f"--output={output}"]) == 0
    found, said = json.loads(output.read_text()), capsys.readouterr().out
    assert found["kind"] == "capacity"
    assert [row["images_per_second"] for row in found["table"]] == [100, 1000]
    assert f"{found['hpa_target']:.0f} arrivals/s a replica" in said
    assert "| 1,000 |" in said


def test_missing_runs_name_the_way_out(tmp_path: Path) -> None:
    """`make load-test` writes them."""
    with pytest.raises(SystemExit, match="make load-test"):
        capacity.main([f"--runs={tmp_path / 'none.json'}"])
