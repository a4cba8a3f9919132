"""What overload, moves, soak and the benchmark say of figures whose meaning is known."""

from __future__ import annotations

import base64
import json
import re

import pytest

from load_tests import moves, overload, regression, soak
from load_tests.callers.generator import Outcome
from load_tests.callers.samples import Sample
from load_tests.peers.contenders import CONTENDERS, PEERS
from load_tests.peers.environments import SERVERS
from load_tests.peers.report import Run, summarise


def sample(at: float, wait: float, status: int = 200, retry_after: str = "") -> Sample:
    """A request; anything but 200 is a problem."""
    return Sample(at, wait, status, 1, "" if status == 200 else f"status {status}", retry_after)


def test_an_overload_is_judged_by_goodput_and_refusals() -> None:
    """90 right answers a second of a capacity of 100; every refusal counted with its wait."""
    right = [sample(n / 90, 900.0) for n in range(900)]
    refused = [sample(n / 200, 5.0, 503, "1") for n in range(1999)] + [sample(9, 400.0, 429)]
    found = overload.judged(Outcome([*right, *refused], 10.0, {}), 100.0)
    assert found["goodput of capacity"] == 0.9
    assert found["statuses"] == {200: 900, 503: 1999, 429: 1}
    assert found["refused without Retry-After"] == 1
    assert (found["refused, p50 ms"], found["refused, p99 ms"]) == (5.0, 5.0)


def test_recovery_is_the_last_slow_answer() -> None:
    """What is at most twice as slow as usual has recovered; one straggler in a hundred is no relapse."""
    slow = [sample(100 + n, 1000.0) for n in range(4)]
    quick = [sample(104 + n / 100, 50.0) for n in range(1000)]
    straggler = [sample(113, 500.0)]
    assert overload.recovery_seconds([*slow, *quick[:90]], 100, 50) == 3
    assert overload.recovery_seconds([*quick, *straggler], 100, 50) == 0
    assert overload.recovery_seconds([], 100, 50) == 0


def test_a_move_is_held_against_the_steady_time() -> None:
    """p99 of the seconds around it, by p99 before anything moved."""
    steady = [sample(n, 100.0) for n in range(100)]
    moving = [sample(100 + n, 150.0) for n in range(20)] + [sample(110, 10.0, 503)]
    found = moves.report(Outcome([*steady, *moving], 120.0, {}), [moves.Move("swap", 100, 120)])
    assert (found["requests"], found["failed"], found["problems"]) == (121, 1, ["status 503"])
    assert found["moves"]["swap"]["p99 by steady p99"] == 1.5


def test_the_slope_of_a_memory() -> None:
    """A megabyte a minute is 60 an hour; the first quarter does not count."""
    growing = [(60.0 * n, 100.0 + n) for n in range(40)]
    assert soak._slope(growing)["mb_an_hour"] == pytest.approx(60)
    settled = [(float(n), 500.0 if n < 10 else 100.0) for n in range(40)]
    assert soak._slope(settled) == {"first_mb": 100, "last_mb": 100, "largest_mb": 100, "mb_an_hour": 0}


def wrk(contender: str, body: str, requests: int) -> Run:
    """A run of ten seconds."""
    return Run(contender, body, 8, 1, requests, 10.0, 0, 0, 0, 1.0, 2.0, 3.0)


def test_a_peer_that_speaks_json_is_held_against_our_forms() -> None:
    """We do not read base64, so the ratio is that of each one's own way."""
    runs = [wrk("rekindle", "multipart", 1000), wrk("kserve", "json", 500), wrk("flask", "multipart", 250)]
    ratios = {line.contender: line.ratio for line in summarise(runs, "rekindle")}
    assert ratios == {"rekindle": None, "kserve": 2.0, "flask": 4.0}


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_has_its_pinned_environment(name: str) -> None:
    """A server, requirements, and every package of them with one version."""
    folder = SERVERS / name
    assert (folder / "server.py").is_file()
    pinned = (folder / "requirements.txt").read_text().splitlines()
    assert all(re.match(r"^[A-Za-z0-9._-]+(\[[a-z,-]+\])?==\S+", line) for line in pinned)
    wanted = (folder / "requirements.in").read_text().split()
    assert {re.split(r"[\[=<]", one)[0] for one in wanted} <= {re.split(r"[\[=]", one)[0] for one in pinned}
    assert name in CONTENDERS


def test_json_bodies_hold_the_picture() -> None:
    """In base64, where the protocol wants it."""
    for name, path in (("kserve", ("instances", 0, "b64")), ("mlserver", ("inputs", 0, "data"))):
        found = json.loads(PEERS[name].body.encode(b"\xff\xd8picture"))
        for step in path:
            found = found[step]
        content = found if isinstance(found, str) else found[0]
        assert base64.b64decode(content) == b"\xff\xd8picture"


def test_the_path_is_as_cheap_as_it_was() -> None:
    """CPU of an answer of the gateway, without a model, beside a fixed reference: a ratio within one run."""
    assert regression.main([]) == 0
