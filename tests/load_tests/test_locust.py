"""Locust with our callers, as a real process against a real server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lying_gateway import MODEL, Answer, LyingGateway, lying_gateway

from load_tests.callers import generator, samples, waves
from load_tests.callers.generator import Load

MIX = "predict-raw=3,predict-form=3,predict-many=1,history=1,feedback=2"


def run(gateway: LyingGateway, load: Load) -> generator.Outcome:
    """Every call of a short load."""
    return generator.run(load, gateway.url, MODEL, {})


def test_every_kind_of_call_is_made_and_accepted() -> None:
    """Raw, forms, many at once, history and feedback; no failure against a truthful gateway."""
    with lying_gateway() as gateway:
        outcome = run(gateway, Load(users=4, mix=MIX, seconds=2, warm_up_seconds=0))
    assert set(gateway.asked) == {"raw", "form", "history", "feedback"}
    assert outcome.right_answers == len(outcome.samples) > 50
    assert {sample.images for sample in outcome.samples} == {0, 1, 16}
    assert outcome.cpus[generator.CPU_NAME] > 0


def test_wrong_answers_are_failures() -> None:
    """Status 200 with somebody else's file name counts as a failure, and says so."""

    def spoil(answer: Answer, number: int) -> Answer:
        if number % 2:
            answer["predictions"][0]["filename"] = "somebody-else.png"
        return answer

    with lying_gateway() as gateway:
        gateway.spoil = spoil
        outcome = run(gateway, Load(users=2, mix="predict-form=1", seconds=2, warm_up_seconds=0))
    problems = [sample.problem for sample in outcome.samples if sample.problem]
    assert 0 < len(problems) < len(outcome.samples)
    assert all("somebody-else.png" in problem for problem in problems)


def test_refusals_keep_status_and_retry_after() -> None:
    """So that an overload can be judged by them."""
    with lying_gateway() as gateway:
        gateway.status = 503
        outcome = run(gateway, Load(users=2, seconds=2, warm_up_seconds=0))
    assert outcome.right_answers == 0
    assert {(sample.status, sample.retry_after) for sample in outcome.samples} == {(503, "1")}


def test_an_open_load_has_its_rate_whatever_is_answered() -> None:
    """About 100 calls a second from two users; a closed load would be limited by the answers."""
    with lying_gateway() as gateway:
        outcome = run(gateway, Load(users=2, arrivals=100, seconds=3, warm_up_seconds=0))
    assert 150 < len(outcome.samples) < 450


def test_the_warm_up_is_not_counted() -> None:
    """The server saw more calls than were counted."""
    with lying_gateway() as gateway:
        outcome = run(gateway, Load(users=1, arrivals=50, seconds=1, warm_up_seconds=2))
    assert 2 <= len(outcome.samples) < gateway.asked["raw"] + gateway.asked["form"]


def test_an_unknown_call_is_refused() -> None:
    """With the calls that there are."""
    with lying_gateway() as gateway:
        command = Load(users=1, mix="predict-video=1").command(gateway.url, MODEL, Path("unused"))
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0, ended.stderr
    assert "'predict-video' in --mix is no call; known are predict-raw" in ended.stdout + ended.stderr


def test_master_and_workers(tmp_path: Path) -> None:
    """Locust's own two workers, each with its file of samples."""
    path = tmp_path / "samples.json"
    with lying_gateway() as gateway:
        load = Load(users=4, seconds=5, warm_up_seconds=0)
        command = [*load.command(gateway.url, MODEL, path), "--processes=2"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    counts = [len(samples.read(tmp_path / f"samples.{worker}.json")) for worker in (0, 1)]
    assert min(counts) > 0


def test_shapes_reach_all_users_and_end() -> None:
    """Each begins with at least one user, has all of them once, and ends after the run time."""
    for name in waves.SHAPES:
        counts = [waves.users_at(name, second, 60, 100) for second in range(60)]
        assert counts[0] is not None
        assert max(count or 0 for count in counts) >= 98
        assert min(count or 0 for count in counts) >= 1
        assert waves.users_at(name, 60, 60, 100) is None


def test_a_shape_runs_in_locust(tmp_path: Path) -> None:
    """A ramp of two seconds ends by itself."""
    path = tmp_path / "samples.json"
    with lying_gateway() as gateway:
        load = Load(users=2, seconds=3, warm_up_seconds=0)
        command = load.command(gateway.url, MODEL, path)
        files = f"--locustfile={generator.LOCUSTFILE},{generator.LOCUSTFILE.with_name('shapes.py')}"
        command = [files if flag.startswith("--locustfile") else flag for flag in command]
        ended = subprocess.run([*command, "--shape=ramp"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert len(json.loads(path.read_text())) > 0


def test_percentiles_are_exact() -> None:
    """Nearest rank; failures have no part in them."""
    right = [samples.Sample(0, wait, 200, 1, "") for wait in range(1, 101)]
    found = samples.latencies([*right, samples.Sample(0, 1e6, 503, 1, "overloaded")])
    assert (found.mean, found.p50, found.p95, found.p99, found.longest) == (50.5, 50, 95, 99, 100)
