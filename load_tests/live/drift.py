"""Drift on the running stack: `python -m load_tests.live.drift`.

50,000 normal pictures, drawn with replacement, must not alarm; inverted, blurred and channel-permuted ones
must within 500. A card with a reference profile is used as it is. One from before there was one gets a
profile of every other picture, made of the gateway's own answers, and the normal ones are drawn from the
rest.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from contract import images
from contract.card import ModelCard
from contract.layout import ModelPaths
from contract.reference import CONFIDENCE_BINS, QUANTILES, SAMPLE_ROWS, ReferenceProfile, ReferenceSample
from load_tests.live.pictures import SHIFTS, LabelledPicture, pictures_in, shifted
from load_tests.live.stack import LiveStack, live_stack

AT_ONCE = 100
SHIFTED_LIMIT = 500
STEP = 50
SETTLE_SECONDS = 60.0
VARIABLES = {
    "GATEWAY_DRIFT__IMAGES_PER_SECOND": "100000",
    "GATEWAY_TRAINING__POLL_SECONDS": "0.2",
    "GATEWAY_HISTORY__ENABLED": "false",
}


def main() -> int:
    """Run and print; 1 when it alarmed where it must not, or did not where it must."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--pictures", type=Path, default=Path("data/cifar10/test"))
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--normal", type=int, default=50_000)
    options = parser.parse_args()
    pictures = pictures_in(options.pictures)
    source = ModelPaths(options.models, options.model)
    card = ModelCard.model_validate_json(source.card(source.versions()[-1]).read_bytes())
    made_of = "the card's own"
    if card.reference is None:
        kept, pictures = pictures[::2], pictures[1::2]
        made_of = f"made of {len(kept)} of the pictures, the others are drawn"
        card = _with_reference(options, card, kept)
    with live_stack(options.models, options.model, 1, VARIABLES, card) as stack:
        found = {"reference": made_of, **_check(stack, pictures, options.normal)}
    print(json.dumps(found, indent=2))
    shifts = [each["alarm after"] for each in found["shifted"].values()]
    is_well = not found["normal"]["alarms"] and all(
        after is not None and after <= SHIFTED_LIMIT for after in shifts
    )
    return 0 if is_well else 1


def _check(stack: LiveStack, pictures: Sequence[LabelledPicture], normal: int) -> dict[str, Any]:
    chance = random.Random(1)
    with httpx.Client(base_url=stack.url, timeout=60, trust_env=False) as client:
        gateway = _Gateway(client, stack.model)
        started = time.monotonic()
        for _ in range(0, normal, AT_ONCE):
            gateway.send([picture.content for picture in chance.choices(pictures, k=AT_ONCE)])
        windows = gateway.settled()
        seconds = time.monotonic() - started
        found: dict[str, Any] = {
            "normal": {
                "predictions": gateway.sent,
                "windows": len(windows),
                "alarms": gateway.alarms(),
                "largest score": max(window["score"] for window in windows),
                "median score": round(statistics.median(window["score"] for window in windows), 4),
                "seconds": round(seconds, 1),
            },
            "threshold": 1.0,
            "shifted": {},
        }
        for shift in SHIFTS:
            found["shifted"][shift] = _shifted(gateway, pictures, shift, stack.card, chance)
    return found


def _shifted(
    gateway: _Gateway, pictures: Sequence[LabelledPicture], shift: str, card: ModelCard, chance: random.Random
) -> dict[str, Any]:
    """Shifted pictures until the alarm, then normal ones until it ends."""
    alarms = gateway.alarms()
    sent, after, score = 0, None, None
    while sent < 2 * SHIFTED_LIMIT and after is None:
        drawn = chance.choices(pictures, k=STEP)
        gateway.send([shifted(picture.content, shift, card.image) for picture in drawn])
        sent += STEP
        score = gateway.settled()[0]["score"]
        if gateway.alarms() > alarms:
            after = sent
    for _ in range(40):
        if gateway.state() == "normal":
            break
        gateway.send([picture.content for picture in chance.choices(pictures, k=AT_ONCE)])
        gateway.settled()
    return {"alarm after": after, "score": score, "parts": gateway.worst_parts}


class _Gateway:
    """Sends pictures, and waits until they are measured."""

    def __init__(self, client: httpx.Client, model: str) -> None:
        self._client = client
        self._model = model
        self.sent = 0
        self.worst_parts: dict[str, float] = {}

    def send(self, contents: Sequence[bytes]) -> None:
        """Predict them, and wait while too many are not measured yet."""
        files = [("images", (str(place), content)) for place, content in enumerate(contents)]
        answer = self._client.post(
            f"/v1/models/{self._model}/predictions", files=files, params={"store": "false", "top_k": 1}
        )
        answer.raise_for_status()
        self.sent += len(contents)

    def settled(self) -> list[dict[str, Any]]:
        """The windows, newest first, once everything that was sent is in one."""
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            found = self._drift()
            known = sum(window["predictions"] for window in found["history"])
            waiting = found["live"]["predictions"] if found["live"] else 0
            if known + waiting >= self.sent:
                self.worst_parts = found["history"][0]["parts"] if found["history"] else {}
                return list(found["history"])
            if time.monotonic() > end:
                raise TimeoutError(f"{known + waiting} of {self.sent} predictions were measured")
            time.sleep(0.1)

    def state(self) -> str:
        """Whether it drifts."""
        return str(self._drift()["state"])

    def alarms(self) -> int:
        """How often an alarm began."""
        params = {"target": self._model, "limit": "200"}
        entries = self._client.get("/v1/audit", params=params).json()["entries"]
        return sum(entry["action"] == "drift.alarmed" for entry in entries)

    def _drift(self) -> dict[str, Any]:
        answer = self._client.get("/v1/drift", params={"model": self._model, "limit": "1000"})
        [found] = answer.json()["models"]
        return dict(found)


def _with_reference(
    options: argparse.Namespace, card: ModelCard, pictures: Sequence[LabelledPicture]
) -> ModelCard:
    """A card with the profile that the trainer would make of these pictures."""
    answers: list[tuple[str, float]] = []
    with (
        live_stack(options.models, options.model, 1, {"GATEWAY_HISTORY__ENABLED": "false"}) as stack,
        httpx.Client(base_url=stack.url, timeout=60, trust_env=False) as client,
    ):
        for start in range(0, len(pictures), AT_ONCE):
            part = pictures[start : start + AT_ONCE]
            files = [("images", (str(place), one.content)) for place, one in enumerate(part)]
            said = client.post(f"/v1/models/{options.model}/predictions", files=files, params={"top_k": 1})
            for prediction in said.json()["predictions"]:
                [best] = prediction["classifications"]
                answers.append((best["label"], best["score"]))
    profile = _profile(card, [one.content for one in pictures], answers)
    return card.model_copy(update={"reference": profile})


def _profile(
    card: ModelCard, contents: Sequence[bytes], answers: Sequence[tuple[str, float]]
) -> ReferenceProfile:
    spec = card.image
    measured = [
        images.statistics_of(images.decode(content, spec), spec.height, spec.width) for content in contents
    ]
    said = Counter(label for label, _ in answers)
    bins = Counter(min(int(score * CONFIDENCE_BINS), CONFIDENCE_BINS - 1) for _, score in answers)
    channels = [[getattr(one, name) for one in measured] for name in ("red", "green", "blue")]
    rows = random.Random(0).sample(range(len(answers)), min(SAMPLE_ROWS, len(answers)))
    return ReferenceProfile(
        split="test",
        examples=len(answers),
        class_shares={label: said[label] / len(answers) for label in card.labels},
        confidence_counts=[bins[place] for place in range(CONFIDENCE_BINS)],
        channel_means=[statistics.fmean(values) for values in channels],
        channel_deviations=[statistics.pstdev(values) for values in channels],
        brightness_quantiles=_quantiles([one.brightness for one in measured]),
        contrast_quantiles=_quantiles([one.contrast for one in measured]),
        sample=ReferenceSample(
            label=[card.labels.index(answers[row][0]) for row in rows],
            confidence=[answers[row][1] for row in rows],
            red=[measured[row].red for row in rows],
            green=[measured[row].green for row in rows],
            blue=[measured[row].blue for row in rows],
            contrast=[measured[row].contrast for row in rows],
        ),
    )


def _quantiles(values: Sequence[float]) -> list[float]:
    ascending = sorted(values)
    return [ascending[int(share * (len(ascending) - 1))] for share in QUANTILES]


if __name__ == "__main__":
    sys.exit(main())
