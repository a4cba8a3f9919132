"""Drift: scores against a profile, calibration by resampling, and the whole way over HTTP."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import LABELS, SIZE, FakeModelServer, make_card, picture, publish
from gateway_harness import RunningGateway, StartGateway

from contract import images
from contract.card import ModelCard
from contract.reference import CONFIDENCE_BINS, QUANTILES, ReferenceProfile, ReferenceSample
from gateway.drift.scoring import reference_of
from gateway.drift.service import folded
from gateway.drift.sums import bin_of, features_of, joined, summed
from gateway.ports.drift import Block, DriftState, Measured, Sums
from gateway.settings import DriftSettings

pytestmark = pytest.mark.anyio

DRIFT = "/v1/drift"


def drawn(chance: random.Random, count: int, shift: float = 0.0, unsure: float = 0.0) -> list[Measured]:
    """Predictions by chance; `shift` makes their pictures brighter, `unsure` their answers less sure."""
    found = []
    for _ in range(count):
        grey = min(255.0, max(0.0, chance.gauss(120 + shift, 40)))
        confidence = max(0.25, min(1.0, 1 - abs(chance.gauss(unsure, 0.2))))
        features = features_of(grey + chance.gauss(2, 5), grey, grey - chance.gauss(9, 12), abs(grey) / 3)
        found.append(Measured(chance.choice(LABELS), confidence, features))
    return found


def profile_of(rows: list[Measured]) -> ReferenceProfile:
    """What the trainer makes of them; the colours from the features that the gateway makes of them."""
    count = len(rows)
    colours = []
    for row in rows:
        brightness, red_green, yellow_blue, _ = row.features
        green = brightness - (red_green / 2 - yellow_blue) / 3 - red_green / 3 + red_green / 6
        colours.append((green + red_green, green, green + red_green / 2 - yellow_blue))
    sums = summed(rows)
    return ReferenceProfile(
        split="test",
        examples=count,
        class_shares={label: sums.labels.get(label, 0) / count for label in LABELS},
        confidence_counts=list(sums.confidences),
        channel_means=[sum(values) / count for values in zip(*colours, strict=True)],
        channel_deviations=[1.0, 1.0, 1.0],
        brightness_quantiles=[0.0] * len(QUANTILES),
        contrast_quantiles=[0.0] * len(QUANTILES),
        sample=ReferenceSample(
            label=[LABELS.index(row.label) for row in rows[:1000]],
            confidence=[row.confidence for row in rows[:1000]],
            red=[colour[0] for colour in colours[:1000]],
            green=[colour[1] for colour in colours[:1000]],
            blue=[colour[2] for colour in colours[:1000]],
            contrast=[row.features[3] for row in rows[:1000]],
        ),
    )


def windows_of(rows: list[Measured], profile: ReferenceProfile) -> list[float]:
    """The scores of windows of 200, by the very code that judges live ones."""
    settings = DriftSettings()
    reference = reference_of(profile, LABELS, settings.window, settings.false_alarms)
    parts = [rows[start : start + 50] for start in range(0, len(rows), 50)]
    blocks = [Block(str(place), place, "shades", 1, summed(part)) for place, part in enumerate(parts)]
    _, windows = folded(DriftState("shades", 1), blocks, reference, settings)
    return [window.score for window in windows]


def test_windows_like_the_reference_do_not_alarm_and_shifted_ones_do() -> None:
    """20,000 seeded predictions without one; brighter pictures, or less sure answers, in the first window."""
    chance = random.Random(1)
    profile = profile_of(drawn(chance, 5000))
    normal = windows_of(drawn(chance, 20_000), profile)
    assert len(normal) == 100
    assert max(normal) < 1
    assert min(windows_of(drawn(chance, 400, shift=40), profile)) > 1
    assert min(windows_of(drawn(chance, 400, unsure=0.3), profile)) > 1


def test_thresholds_hold_the_stated_rate() -> None:
    """At a rate that some thousand windows can show: of 1,000, 2 % may alarm at a stated 2 %."""
    chance = random.Random(2)
    profile = profile_of(drawn(chance, 5000))
    reference = reference_of(profile, LABELS, 100, 0.02)
    scores = [max(reference.parts(summed(drawn(chance, 100))).values()) for _ in range(1000)]
    assert sum(score >= 1 for score in scores) <= 35


def test_the_reference_is_the_same_every_time() -> None:
    """Two gateways judge alike."""
    profile = profile_of(drawn(random.Random(3), 1000))
    assert reference_of(profile, LABELS, 200, 0.001) == reference_of(profile, LABELS, 200, 0.001)


def test_classes_that_the_reference_hardly_has_are_joined() -> None:
    """One picture of a class with a share of nothing is no alarm, and neither is an unknown label."""
    rows = [Measured("dark", 0.9, (100.0 + place % 7, 0, 0, 5)) for place in range(1000)]
    reference = reference_of(profile_of(rows), LABELS, 200, 0.001)
    window = joined(summed(rows[:199]), summed([Measured("nobody", 0.9, (100, 0, 0, 5))]))
    assert reference.parts(window)["classes"] < 1


def test_sums_add_up_and_survive_json() -> None:
    """Whatever the blocks; an edge belongs to the bin above it, 1 to the last."""
    rows = drawn(random.Random(4), 100)
    both = joined(joined(Sums(), summed(rows[:30])), joined(summed(rows[30:]), Sums()))
    assert both.labels == summed(rows).labels
    assert both.features == pytest.approx(summed(rows).features)
    assert Sums(**both.as_json()) == both
    assert (bin_of(0.05), bin_of(0.0499), bin_of(1.0)) == (1, 0, CONFIDENCE_BINS - 1)


def shades_profile() -> ReferenceProfile:
    """Of grey pictures of every shade, as the fake model server answers them."""
    rows = []
    for value in (20, 100, 150, 220) * 100:
        found = images.statistics_of(images.decode(picture(value), make_card().image), SIZE, SIZE)
        features = features_of(found.red, found.green, found.blue, found.contrast)
        rows.append(Measured(LABELS[value // 64], 0.7, features))
    return profile_of(rows)


@pytest.fixture
def card() -> ModelCard:
    """A card with a reference profile."""
    return make_card().model_copy(update={"reference": shades_profile()})


async def send(gateway: RunningGateway, values: list[int]) -> None:
    """Predict grey pictures."""
    for start in range(0, len(values), 50):
        files = [("images", ("a.png", picture(value))) for value in values[start : start + 50]]
        assert (await gateway.predict(files=files)).status_code == 200


async def predict_until(
    gateway: RunningGateway, shades: Sequence[int], is_enough: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Predict pictures of the shades until the model's drift is as wanted; what it is then.

    How many it takes is not certain: a block that is saved before it is full makes a window larger.
    """
    chance = random.Random(5)
    async with asyncio.timeout(60):
        while True:
            models = (await gateway.client.get(DRIFT)).json()["models"]
            if models and is_enough(models[0]):
                return dict(models[0])
            await send(gateway, chance.choices(shades, k=50))
            await asyncio.sleep(0.1)


async def test_from_predictions_to_an_alarm_and_back(
    start_gateway: StartGateway,
    model_server: FakeModelServer,
    tmp_path: Path,
    card: ModelCard,
    database: dict[str, Any],
) -> None:
    """Normal, drifting, normal: over HTTP, with metric, audit and the parts that say in what."""
    publish(tmp_path / "with", 1, card=card)
    settings = {"window": 100, "images_per_second": 100_000, "calm_windows": 2}
    gateway = await start_gateway(
        model_server,
        stores={"models": tmp_path / "with"},
        drift=settings,
        database=database,
        training={"poll_seconds": 0.05},
    )
    every = (20, 100, 150, 220)
    normal = await predict_until(gateway, every, lambda drift: len(drift["history"]) >= 3)
    assert (normal["state"], normal["threshold"], normal["window"]) == ("normal", 1.0, 100)
    assert all(window["score"] < 1 for window in normal["history"])
    assert normal["reference"]["class_shares"]["dark"] == 0.25
    drifting = await predict_until(gateway, [240], lambda drift: drift["state"] == "drifting")
    assert drifting["history"][0]["parts"]["classes"] > 1
    assert drifting["alarmed_since"] is not None
    text = (await gateway.client.get("/metrics")).text
    assert 'gateway_drift_alarm{model="shades"} 1.0' in text
    await predict_until(gateway, every, lambda drift: drift["state"] == "normal")
    entries = (await gateway.client.get("/v1/audit?target=shades")).json()["entries"]
    assert [entry["action"] for entry in entries] == ["drift.ended", "drift.alarmed"]
    assert "most in their" in entries[1]["reason"]


async def test_a_card_without_a_profile_says_what_to_do(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """And nothing is measured."""
    gateway = await start_gateway(model_server)
    await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    [found] = (await gateway.client.get(DRIFT)).json()["models"]
    assert (found["state"], found["score"]) == ("unknown", None)
    assert "train again" in found["reason"]
    assert (await gateway.client.get(f"{DRIFT}?model=nobody")).status_code == 404


async def test_more_pictures_than_may_be_measured_are_dropped_and_counted(
    start_gateway: StartGateway, model_server: FakeModelServer, tmp_path: Path, card: ModelCard
) -> None:
    """Nobody's answer waits for it."""
    publish(tmp_path / "with", 1, card=card)
    gateway = await start_gateway(
        model_server, stores={"models": tmp_path / "with"}, drift={"images_per_second": 0.001}
    )
    await send(gateway, [20] * 50)
    text = (await gateway.client.get("/metrics")).text
    dropped = next(line for line in text.splitlines() if 'outcome="dropped"' in line)
    assert float(dropped.rpartition(" ")[2]) >= 49


def test_two_gateways_fold_each_block_once() -> None:
    """What a window holds is what was measured, in any partition."""
    rows = drawn(random.Random(6), 1000)
    reference = reference_of(profile_of(rows), LABELS, 200, 0.001)
    slices = [rows[start : start + 50] for start in range(0, 1000, 50)]
    blocks = [Block(str(place), place, "shades", 1, summed(part)) for place, part in enumerate(slices)]
    once, windows = folded(DriftState("shades", 1), blocks, reference, DriftSettings())
    state, parts = DriftState("shades", 1), []
    for block in blocks:
        state, more = folded(state, [block], reference, DriftSettings())
        parts.extend(more)
    assert state == once
    assert [window.score for window in parts] == pytest.approx([window.score for window in windows])
