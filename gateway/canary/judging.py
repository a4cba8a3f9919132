"""Evidence to verdicts: pure functions over a trial's sums. The statistics are those of `sequential`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway.canary import sequential
from gateway.ports.canary import SIGNALS, Evidence, Signal, Table, Trial
from gateway.settings import CanarySettings

NOTHING = Table()
POINTS = 240
"""Of the course of a trial; then every second one goes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the settings say about one signal."""

    false_alarms: float
    tolerated_odds: float
    margin: float


@dataclass(frozen=True)
class Sums:
    """All evidence of one signal."""

    table: Table = NOTHING
    logs: tuple[float, ...] = sequential.NONE_YET
    peak: float = 0.0
    """The largest ln of the e-value so far: what once was enough stays enough."""

    def with_block(self, block: Table, rule: Rule) -> Sums:
        """And one block more."""
        logs = sequential.added(self.logs, sequential.log_ratios(block, rule.tolerated_odds))
        return Sums(self.table + block, logs, max(self.peak, sequential.ln_evidence(logs)))


@dataclass(frozen=True)
class Finding:
    """One signal as it stands, for people and for the verdict."""

    signal: Signal
    table: Table
    evidence: float
    """ln(e-value) over what is needed: at 1 it is rolled back; below 0 it looks better than stable."""
    canary: tuple[float, float]
    """Bounds of its share of hits, valid at all times."""
    stable: tuple[float, float]
    worst_difference: float
    """The canary's upper bound minus stable's lower one."""
    margin: float


@dataclass(frozen=True)
class Verdict:
    """What is to be done."""

    step: Literal["wait", "rollback", "promote"]
    sentence: str
    findings: Sequence[Finding] = field(default_factory=tuple)
    missing: Sequence[str] = field(default_factory=tuple)
    """What a promotion waits for."""

    @property
    def detail(self) -> dict[str, Any]:
        """The numbers, for the audit log and notifications."""
        return {"sentence": self.sentence, "signals": [detail_of(each) for each in self.findings]}


def detail_of(finding: Finding) -> dict[str, Any]:
    """One finding as JSON."""
    names = ("canary", "canary_hits", "stable", "stable_hits")
    return {
        "signal": finding.signal,
        **dict(zip(names, finding.table.counts, strict=True)),
        "evidence": round(finding.evidence, 4),
        "canary_bounds": [round(bound, 6) for bound in finding.canary],
        "stable_bounds": [round(bound, 6) for bound in finding.stable],
        "worst_difference": round(finding.worst_difference, 6),
        "margin": finding.margin,
    }


def rules_of(settings: CanarySettings) -> dict[Signal, Rule]:
    """One for each signal."""
    return {
        "errors": Rule(settings.error_false_alarms, settings.error_odds, settings.error_margin),
        "latency": Rule(settings.latency_false_alarms, settings.slow_odds, settings.slow_margin),
        "accuracy": Rule(settings.accuracy_false_alarms, settings.wrong_odds, settings.wrong_margin),
    }


def folded(trial: Trial, rows: Sequence[Evidence], seconds: float, settings: CanarySettings) -> Trial:
    """The trial with more evidence and `seconds` longer watched."""
    rules, sums = rules_of(settings), sums_of(trial)
    for row in rows:
        for signal, tables in row.blocks.items():
            for table in tables:
                sums[signal] = sums[signal].with_block(table, rules[signal])
    watched = trial.watched_seconds + seconds
    course = list((trial.state or {}).get("course", []))
    if rows:
        now = [round(_evidence(sums[signal], rules[signal]), 4) for signal in SIGNALS]
        course.append([round(watched, 1), *now])
    if len(course) > POINTS:
        course = [*course[:-1:2], course[-1]]
    state: dict[str, Any] = {
        signal: {"table": one.table.counts, "logs": one.logs, "peak": one.peak}
        for signal, one in sums.items()
    }
    return replace(trial, watched_seconds=watched, state={**(trial.state or {}), **state, "course": course})


def sums_of(trial: Trial) -> dict[Signal, Sums]:
    """What a trial has summed up."""
    found: dict[Signal, Sums] = {}
    for signal in SIGNALS:
        kept = (trial.state or {}).get(signal)
        found[signal] = Sums(Table(*kept["table"]), tuple(kept["logs"]), kept["peak"]) if kept else Sums()
        if len(found[signal].logs) != len(sequential.WORSE):  # another release's mixture
            found[signal] = replace(found[signal], logs=sequential.NONE_YET)
    return found


def verdict_of(trial: Trial, settings: CanarySettings) -> Verdict:
    """Roll back, promote, or wait."""
    sums, rules = sums_of(trial), rules_of(settings)
    findings = [_finding(signal, sums[signal], rules[signal], settings) for signal in SIGNALS]
    for found in findings:
        if sums[found.signal].peak >= _needed(rules[found.signal]):
            return Verdict("rollback", _worse(found), findings)
    missing = _missing(trial, findings, settings)
    if missing:
        return Verdict("wait", "not enough is known yet", findings, missing)
    return Verdict("promote", "not worse than stable by more than the margins", findings)


def _finding(signal: Signal, sums: Sums, rule: Rule, settings: CanarySettings) -> Finding:
    # Two bounds for each signal hold together.
    alpha = (1 - settings.promote_confidence) / len(SIGNALS)
    table = sums.table
    canary = sequential.confidence_sequence(table.canary_hits, table.canary, alpha)
    stable = sequential.confidence_sequence(table.stable_hits, table.stable, alpha)
    worst = canary[1] - stable[0]
    return Finding(signal, table, _evidence(sums, rule), canary, stable, worst, rule.margin)


def _missing(trial: Trial, findings: Sequence[Finding], settings: CanarySettings) -> list[str]:
    tables = {found.signal: found.table for found in findings}
    counted = (
        (trial.watched_seconds, settings.promote_after_seconds, "watched for {:.0f} of {:.0f} s"),
        (tables["errors"].canary, settings.promote_calls, "{:.0f} of {:.0f} calls on the canary"),
        (tables["latency"].canary, settings.promote_calls, "latencies of {:.0f} of {:.0f} calls"),
        (
            tables["accuracy"].canary,
            settings.promote_feedback,
            "{:.0f} of {:.0f} canary answers with feedback",
        ),
    )
    missing = [text.format(have, wanted) for have, wanted, text in counted if have < wanted]
    for found in findings:
        is_needed = found.signal != "accuracy" or settings.promote_feedback > 0
        if is_needed and found.worst_difference > found.margin:
            missing.append(
                f"{found.signal}: it may still be worse by {found.worst_difference:.3f}, the margin is "
                f"{found.margin:g}"
            )
    return missing


def _needed(rule: Rule) -> float:
    return math.log(1 / rule.false_alarms)


def _evidence(sums: Sums, rule: Rule) -> float:
    return sequential.ln_evidence(sums.logs) / _needed(rule)


def _worse(found: Finding) -> str:
    words = {"errors": "failed calls", "latency": "slow calls", "accuracy": "wrong answers"}
    table = found.table
    return (
        f"too many {words[found.signal]}: {table.canary_hits} of {table.canary} on the canary, "
        f"{table.stable_hits} of {table.stable} on stable"
    )
