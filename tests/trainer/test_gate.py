"""Each check of the gate refuses by itself, and says with which numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contract.gate import GateRule
from trainer.gate.checks import Evidence, Measured, decide, first_version
from trainer.gate.noninferiority import Paired

COUNT = 600


def right(wrong: int = 0, count: int = COUNT) -> np.ndarray:
    """All right but the first few."""
    return np.arange(count) >= wrong


def evidence() -> Evidence:
    """Two versions that are equally good; the first half shows cats, the other dogs."""
    cats = np.arange(COUNT) < COUNT // 2
    return Evidence(
        compared_with=3,
        missing_labels=[],
        protected=Paired(right(), right()),
        classes={"cat": cats, "dog": ~cats},
        corrections=Paired(right(10, 20), right(2, 20)),
        held_out=np.arange(20) >= 15,
        calibration=Measured(0.02, 0.02),
        bytes=Measured(1000, 1000),
        milliseconds=Measured(1.0, 1.0),
    )


def test_an_equally_good_candidate_passes() -> None:
    """Every check passes, and the decision names what it compared with."""
    decision = decide(evidence(), GateRule())
    assert decision.passed
    assert decision.compared_with == 3
    assert not decision.failed


@pytest.mark.parametrize(
    ("name", "changes", "rule"),
    [
        ("classes", {"missing_labels": ["bird"]}, {}),
        ("enough_data", {}, {"minimum_examples": 601}),
        ("enough_data", {}, {"minimum_class_examples": 301}),
        ("enough_data", {"classes": {"cat": right(), "bird": right(COUNT)}}, {}),
        ("accuracy", {"protected": Paired(right(), right(6))}, {}),
        ("accuracy", {}, {"tolerance": 1e-9}),
        ("class_floors", {"protected": Paired(right(), right(31))}, {"tolerance": 0.5}),
        ("corrections", {"corrections": Paired(right(1, 20), right(2, 20))}, {}),
        ("corrections_learned", {"corrections": Paired(right(20, 20), right(20, 20))}, {}),
        ("calibration", {"calibration": Measured(0.02, 0.051)}, {}),
        ("size", {"bytes": Measured(1000, 1501)}, {}),
        ("size", {}, {"size_limit_bytes": 999}),
        ("latency", {"milliseconds": Measured(1.0, 1.51)}, {}),
        ("latency", {}, {"latency_limit_ms": 0.9}),
    ],
)
def test_one_failed_check_refuses(name: str, changes: dict[str, object], rule: dict[str, float]) -> None:
    """The candidate is refused for this reason alone, in a sentence, with what was observed and the limit."""
    decision = decide(replace(evidence(), **changes), GateRule(**rule))  # type: ignore[arg-type]
    assert not decision.passed
    assert [check.name for check in decision.failed] == [name]
    [check] = decision.failed
    assert check.sentence
    assert check.observed is not None
    assert check.limit is not None


def test_a_rule_that_is_not_enabled_refuses_nothing_and_hides_nothing() -> None:
    """The candidate passes, and the failed check is on record."""
    worse = replace(evidence(), protected=Paired(right(), right(100)))
    decision = decide(worse, GateRule(enabled=False))
    assert decision.passed
    assert "accuracy" in {check.name for check in decision.failed}


def test_a_calibration_like_stables_is_good_enough() -> None:
    """Where stable is badly calibrated, the candidate need not be better."""
    assert decide(replace(evidence(), calibration=Measured(0.2, 0.19)), GateRule()).passed


def test_a_first_version_has_nothing_to_be_worse_than() -> None:
    """It passes without a check."""
    decision = first_version(GateRule())
    assert decision.passed
    assert decision.compared_with is None


def test_without_corrections_their_checks_pass_and_say_so() -> None:
    """Nothing was observed, and the sentence says why."""
    nothing = np.zeros(0, bool)
    decision = decide(replace(evidence(), corrections=Paired(nothing, nothing), held_out=nothing), GateRule())
    assert decision.passed
    observed = {check.name: check.observed for check in decision.checks}
    assert observed["corrections"] is None
    assert observed["corrections_learned"] is None


@pytest.mark.parametrize(
    ("stable", "candidate", "words"),
    [
        (0, 2, "it loses 0.33%, with 95% confidence a loss below"),
        (0, 0, "it loses nothing, with 95% confidence a loss below"),
        (60, 0, "it wins 10.00%, with 95% confidence a win above"),
    ],
)
def test_a_gain_is_not_told_as_a_negative_loss(stable: int, candidate: int, words: str) -> None:
    """Wrong answers of stable and candidate among the first of all pictures."""
    decision = decide(replace(evidence(), protected=Paired(right(stable), right(candidate))), GateRule())
    accuracy = next(check for check in decision.checks if check.name == "accuracy")
    assert words in accuracy.sentence
    assert "-" not in accuracy.sentence
