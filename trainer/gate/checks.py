"""The promotion gate: may this candidate be published beside this stable version? Pure functions.

Every check leaves its numbers, whether it passed or not; what it is decided on is gathered by
trainer.gate.judgement, the rule comes from the spec. `rejected` is a normal end of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.gate import CheckName, GateCheck, GateDecision, GateRule
from trainer.gate.noninferiority import Booleans, Paired, upper_bound


@dataclass(frozen=True)
class Measured:
    """One figure of stable and candidate."""

    stable: float
    candidate: float


@dataclass(frozen=True)
class Evidence:
    """What is known of a candidate beside the stable version."""

    compared_with: int
    missing_labels: Sequence[str]
    """Classes that stable knows and the candidate does not."""
    protected: Paired
    """On pictures that uploads cannot have written."""
    classes: Mapping[str, Booleans]
    """Which of them show the class, for each class that stable knows."""
    corrections: Paired
    """On all uploads that stable has not seen, trained on or not."""
    held_out: Booleans
    """Which of those were not trained on."""
    calibration: Measured
    """Expected calibration error on the protected pictures."""
    bytes: Measured
    milliseconds: Measured


def first_version(rule: GateRule) -> GateDecision:
    """Without a stable version there is nothing to be worse than."""
    return GateDecision(passed=True, rule=rule, compared_with=None, checks=[])


def decide(evidence: Evidence, rule: GateRule) -> GateDecision:
    """Every check; passed when all are, or when the rule is not enabled."""
    checks = [
        _classes(evidence),
        _enough_data(evidence, rule),
        _accuracy(evidence, rule),
        _class_floors(evidence, rule),
        _corrections(evidence),
        _corrections_learned(evidence, rule),
        _calibration(evidence, rule),
        _size(evidence, rule),
        _latency(evidence, rule),
    ]
    passed = not rule.enabled or all(check.passed for check in checks)
    return GateDecision(passed=passed, rule=rule, compared_with=evidence.compared_with, checks=checks)


def _check(
    name: CheckName, passed: bool, sentence: str, observed: float | None = None, limit: float | None = None
) -> GateCheck:
    return GateCheck(name=name, passed=bool(passed), observed=observed, limit=limit, sentence=sentence)


def _classes(evidence: Evidence) -> GateCheck:
    missing = ", ".join(map(repr, evidence.missing_labels))
    sentence = f"stable's classes {missing} are gone" if missing else "every class of stable is still there"
    return _check("classes", not missing, sentence, len(evidence.missing_labels), 0)


def _enough_data(evidence: Evidence, rule: GateRule) -> GateCheck:
    count = len(evidence.protected)
    least, label = min((int(mask.sum()), label) for label, mask in evidence.classes.items())
    enough = count >= rule.minimum_examples and least >= rule.minimum_class_examples
    sentence = (
        f"{count} protected pictures (at least {rule.minimum_examples} are needed), the fewest of a class "
        f"{least} of {label!r} (at least {rule.minimum_class_examples})"
    )
    return _check("enough_data", enough, sentence, count, rule.minimum_examples)


def _accuracy(evidence: Evidence, rule: GateRule) -> GateCheck:
    """One-sided paired non-inferiority: not the loss but its bound must stay below the tolerance."""
    paired = evidence.protected
    bound = upper_bound(paired, rule.confidence)
    sentence = (
        f"of {len(paired)} protected pictures stable alone is right on {paired.lost}, the candidate alone on "
        f"{paired.won}: it {_moved(paired.loss)}, with {rule.confidence:.0%} confidence "
        f"{_bounded(bound)}; it may lose less than {rule.tolerance:.2%}"
    )
    return _check("accuracy", bound < rule.tolerance, sentence, bound, rule.tolerance)


def _moved(loss: float) -> str:
    return f"loses {loss:.2%}" if loss > 0 else f"wins {-loss:.2%}" if loss else "loses nothing"


def _bounded(loss: float) -> str:
    return f"a loss below {loss:.2%}" if loss >= 0 else f"a win above {-loss:.2%}"


def _class_floors(evidence: Evidence, rule: GateRule) -> GateCheck:
    losses = {label: evidence.protected.where(mask).loss for label, mask in evidence.classes.items()}
    worst = max(losses, key=lambda label: losses[label])
    below = [label for label, loss in losses.items() if loss > rule.class_tolerance]
    sentence = f"the class that loses most is {worst!r}: {losses[worst]:.2%} of its recall"
    if losses[worst] <= 0:
        sentence = "no class loses any of its recall"
    if below:
        sentence += f"; more than {rule.class_tolerance:.0%} lose {', '.join(map(repr, below))}"
    return _check("class_floors", not below, sentence, losses[worst], rule.class_tolerance)


def _corrections(evidence: Evidence) -> GateCheck:
    """No loss on what people have corrected since, taken together."""
    paired = evidence.corrections
    if not len(paired):
        return _check("corrections", True, "there are no new corrections")
    sentence = (
        f"of {len(paired)} new examples stable is right on {int(paired.stable.sum())}, the candidate on "
        f"{int(paired.candidate.sum())}"
    )
    return _check("corrections", paired.loss <= 0, sentence, paired.loss, 0.0)


def _corrections_learned(evidence: Evidence, rule: GateRule) -> GateCheck:
    """Far below its usual accuracy on corrections that were held out, they are wrong or unlearnable."""
    paired = evidence.corrections.where(evidence.held_out)
    if not len(paired):
        return _check("corrections_learned", True, "no new example was held out")
    accuracy = float(paired.candidate.mean())
    usual = float(evidence.protected.candidate.mean()) if len(evidence.protected) else 1.0
    floor = rule.corrections_share * usual
    sentence = (
        f"of {len(paired)} new examples that were held out the candidate is right on {accuracy:.1%}; less "
        f"than {floor:.1%} ({rule.corrections_share:g} of its usual {usual:.1%}) would mean labels that "
        "contradict each other, or pictures that nothing can be learned from"
    )
    return _check("corrections_learned", accuracy >= floor, sentence, accuracy, floor)


def _calibration(evidence: Evidence, rule: GateRule) -> GateCheck:
    measured = evidence.calibration
    limit = max(rule.calibration_limit, measured.stable)
    sentence = (
        f"the expected calibration error on protected pictures is {measured.candidate:.4f}, stable's "
        f"{measured.stable:.4f}; at most {limit:.4f} is allowed"
    )
    return _check("calibration", measured.candidate <= limit, sentence, measured.candidate, limit)


def _size(evidence: Evidence, rule: GateRule) -> GateCheck:
    return _cost("size", evidence.bytes, rule.size_factor, rule.size_limit_bytes, "bytes")


def _latency(evidence: Evidence, rule: GateRule) -> GateCheck:
    limits = rule.latency_factor, rule.latency_limit_ms
    return _cost("latency", evidence.milliseconds, *limits, "ms for one picture on this machine")


def _cost(name: CheckName, measured: Measured, factor: float, absolute: float | None, unit: str) -> GateCheck:
    limit = min(measured.stable * factor, absolute if absolute is not None else float("inf"))
    sentence = (
        f"{measured.candidate:,.6g} {unit}, stable {measured.stable:,.6g}; at most {limit:,.6g} is allowed"
    )
    return _check(name, measured.candidate <= limit, sentence, measured.candidate, limit)
