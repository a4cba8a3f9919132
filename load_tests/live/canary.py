"""Bad versions forced in as canary, and equally good ones: `python -m load_tests.live.canary`.

Three bad ones (failing, slow, wrong) at a tenth of 50 requests a second, a fifth of the answers with
feedback: each must be rolled back by itself within two minutes. Then equally good ones, one after the other
and with time compressed: every answer gets feedback, at more requests a second. Prints JSON; 1 when one of
it failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from load_tests.live.people import People, Seen
from load_tests.live.pictures import LabelledPicture, pictures_in
from load_tests.live.stack import LiveStack, live_stack

BAD: Mapping[str, Mapping[str, float]] = {
    "errors": {"fails": 0.3},
    "+200 ms": {"seconds": 0.2},
    "-15 points of accuracy": {"wrong": 0.164},  # 0.914 right, of which this share becomes wrong
}
STEADY_SECONDS = 12.0
POLL_SECONDS = 0.25
LIMIT_SECONDS = 120.0
VARIABLES = {"GATEWAY_TRAINING__POLL_SECONDS": "0.5", "GATEWAY_ROLLOUT__KEEP_VERSIONS": "100"}
MOST_FALSE = 1


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--pictures", type=Path, default=Path("data/cifar10/test"))
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--only", choices=[*BAD, "equal"], action="append")
    parser.add_argument("--equal-runs", type=int, default=20)
    parser.add_argument("--equal-seconds", type=float, default=12.0)
    parser.add_argument("--equal-rate", type=float, default=100.0)
    options = parser.parse_args()
    pictures = pictures_in(options.pictures)
    wanted = options.only or [*BAD, "equal"]
    versions = 1 + len(BAD) + (options.equal_runs if "equal" in wanted else 0)
    with live_stack(options.models, options.model, versions, VARIABLES) as stack:
        found = asyncio.run(_run(stack, pictures, wanted, options))
    print(json.dumps(found, indent=2))
    bad = [each for name, each in found.items() if name in BAD]
    is_well = all(each["rolled back"] and each["seconds"] <= LIMIT_SECONDS for each in bad)
    is_well &= found.get("equal", {"false rollbacks": 0})["false rollbacks"] <= MOST_FALSE
    return 0 if is_well else 1


async def _run(
    stack: LiveStack, pictures: Sequence[LabelledPicture], wanted: Sequence[str], options: argparse.Namespace
) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    found: dict[str, Any] = {}
    async with httpx.AsyncClient(base_url=stack.url, timeout=30, limits=limits, trust_env=False) as client:
        stack.set_faults(dict(enumerate(BAD.values(), start=2)))
        for version, name in enumerate(BAD, start=2):
            if name in wanted:
                found[name] = await _bad(stack, client, pictures, version)
                print(f"{name}: {found[name]}", file=sys.stderr)
        if "equal" in wanted:
            found["equal"] = await _equal(stack, client, pictures, 2 + len(BAD), options)
    return found


async def _bad(
    stack: LiveStack, client: httpx.AsyncClient, pictures: Sequence[LabelledPicture], version: int
) -> dict[str, Any]:
    people = People(client, stack.model, pictures, 50.0, 0.2, seed=version)
    people.start()
    await asyncio.sleep(STEADY_SECONDS)
    began = time.monotonic()
    await _set_canary(stack, client, version)
    ended = await _until_gone(stack, client, LIMIT_SECONDS + 30)
    seen = await people.stop()
    trial = await _trial(stack, client)
    answered_at = seen.first_answers.get(version, began)
    return {
        "rolled back": trial["outcome"] == "rolled_back",
        "seconds": round(ended - answered_at, 1),
        "seconds since the operator's call": round(ended - began, 1),
        "sentence": trial["sentence"],
        "requests": seen.requests,
        "requests failed": seen.failed,
        "answered by the canary": seen.by_version[version],
        "feedback": seen.feedback,
        "feedback lost": seen.feedback_lost,
    }


async def _equal(
    stack: LiveStack,
    client: httpx.AsyncClient,
    pictures: Sequence[LabelledPicture],
    first: int,
    options: argparse.Namespace,
) -> dict[str, Any]:
    people = People(client, stack.model, pictures, options.equal_rate, 1.0, seed=1)
    people.start()
    await asyncio.sleep(STEADY_SECONDS)
    trials = []
    for version in range(first, first + options.equal_runs):
        await _set_canary(stack, client, version)
        await _until_answering(people.seen, version)
        await _until_gone(stack, client, options.equal_seconds)
        await client.put(_rollout(stack), json={"canary": None})
        trials.append(await _ended_trial(stack, client, version))
        print(f"equal canary {version}: {trials[-1]['outcome']}: {trials[-1]['sentence']}", file=sys.stderr)
    seen = await people.stop()
    signals = [{each["signal"]: each for each in trial["signals"]} for trial in trials]
    return {
        "runs": len(trials),
        "seconds each": options.equal_seconds,
        "requests a second": options.equal_rate,
        "false rollbacks": sum(trial["outcome"] == "rolled_back" for trial in trials),
        "canary calls": [each["errors"]["canary"] for each in signals],
        "canary answers with feedback": [each["accuracy"]["canary"] for each in signals],
        "largest evidence (1 rolls back)": {
            name: max(each[name]["evidence"] for each in signals) for name in signals[0]
        },
        "requests": seen.requests,
        "requests failed": seen.failed,
        "feedback lost": seen.feedback_lost,
    }


def _rollout(stack: LiveStack) -> str:
    return f"/v1/models/{stack.model}/rollout"


async def _set_canary(stack: LiveStack, client: httpx.AsyncClient, version: int) -> None:
    answer = await client.put(_rollout(stack), json={"canary": version, "canary_share": 0.1})
    answer.raise_for_status()


async def _until_answering(seen: Seen, version: int) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while version not in seen.first_answers:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)


async def _until_gone(stack: LiveStack, client: httpx.AsyncClient, seconds: float) -> float:
    """time.monotonic() when there was no canary any more, or when the time was over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (await client.get(_rollout(stack))).json()["rollout"]["canary"] is None:
            break
        await asyncio.sleep(POLL_SECONDS)
    return time.monotonic()


async def _trial(stack: LiveStack, client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get(f"/v1/models/{stack.model}/canary", params={"limit": 1})
    trial: dict[str, Any] = answer.json()["trials"][0]
    return trial


async def _ended_trial(stack: LiveStack, client: httpx.AsyncClient, version: int) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            trial = await _trial(stack, client)
            if trial["canary"] == version and trial["outcome"] != "running":
                return trial
            await asyncio.sleep(POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
