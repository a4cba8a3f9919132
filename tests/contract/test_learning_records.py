"""The records of learning: what an old card lacks, what a gate decided, what drift is measured from."""

from __future__ import annotations

from pathlib import Path

import pytest
from cards import card
from pydantic import ValidationError

from contract.card import Lineage, ModelCard
from contract.gate import GateCheck, GateDecision, GateRule
from contract.images import statistics_of
from contract.reference import ReferenceSample
from contract.training import RunState, TrainingResult, TrainingSpec
from contract.values import now

BUNDLED = Path(__file__).parents[2] / "models/cifar10/1/model_card.json"


def test_the_bundled_card_can_be_read() -> None:
    """A card that is older than learning stays valid, whatever it lacks."""
    assert ModelCard.model_validate_json(BUNDLED.read_bytes()).labels


def test_an_old_spec_means_what_it_meant() -> None:
    """Without the new fields a run starts by the rule, and is judged."""
    spec = TrainingSpec.model_validate({"run_id": "a", "model": "m", "data": "d"})
    assert (spec.start, spec.base, spec.parent) == ("auto", "dataset", None)
    assert spec.gate.enabled


def test_a_decision_travels_in_card_and_result() -> None:
    """With every number, and there and back through JSON."""
    check = GateCheck(name="accuracy", passed=False, observed=0.02, limit=0.01, sentence="it loses too much")
    decision = GateDecision(passed=False, rule=GateRule(), compared_with=4, checks=[check])
    assert decision.failed == [check]
    spec = TrainingSpec(run_id="a", model="pets", data="d")
    lineage = Lineage(spec=spec, method="full", reason="nothing is stable yet")
    made = card().model_copy(update={"gate": decision, "lineage": lineage})
    assert ModelCard.model_validate_json(made.to_json()) == made
    result = TrainingResult(
        run_id="a", model="pets", state=RunState.REJECTED, gate=decision, started_at=now()
    )
    assert TrainingResult.model_validate_json(result.to_json()) == result


@pytest.mark.parametrize(
    "rule", [{"tolerance": 0.0}, {"confidence": 0.5}, {"latency_factor": 0}, {"tolerence": 0.1}]
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: dict[str, float]) -> None:
    """A tolerance of nothing would refuse every candidate for ever, a misspelt one would mean nothing."""
    with pytest.raises(ValidationError):
        GateRule.model_validate(rule)


def test_the_columns_of_a_sample_have_one_length() -> None:
    """Otherwise a row would be of several pictures."""
    columns = {name: [0.5] for name in ("confidence", "red", "green", "blue", "contrast")}
    assert len(ReferenceSample.model_validate({"label": [1], **columns})) == 1
    with pytest.raises(ValidationError, match="one length"):
        ReferenceSample.model_validate({"label": [1, 2], **columns})


def test_statistics_of_a_picture_are_those_of_its_pixels() -> None:
    """Means of the channels, and of the luminance mean and deviation."""
    found = statistics_of(bytes([200, 100, 0] * 8 + [0, 100, 200] * 8), 4, 4)
    assert (found.red, found.green, found.blue) == (100, 100, 100)
    bright, dark = round(0.299 * 200 + 58.7), round(58.7 + 0.114 * 200)
    assert found.brightness == pytest.approx((bright + dark) / 2, abs=1)
    assert found.contrast == pytest.approx((bright - dark) / 2, abs=1)


def test_statistics_of_a_large_picture_are_those_of_its_average() -> None:
    """Fine noise does not count as contrast, and a plain picture has none."""
    assert statistics_of(bytes([9, 9, 9]) * (100 * 64), 100, 64).contrast == pytest.approx(0, abs=1e-6)
    checkered = bytes(
        value for row in range(64) for column in range(64) for value in [255 * ((row + column) % 2)] * 3
    )
    assert statistics_of(checkered, 64, 64).contrast < 2
