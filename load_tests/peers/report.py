"""From single runs of wrk to what is printed and kept: medians, ratios, and on what they were measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from load_tests.processes.machine import software


@dataclass(frozen=True)
class Run:
    """What wrk measured once."""

    contender: str
    body: str
    connections: int
    round: int
    requests: int
    seconds: float
    refused: int
    """Answers with a status of 400 or more."""
    broken: int
    """Connections that could not be made, read or written."""
    timeouts: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    resident_mb: float = 0.0
    """Of all its processes, after the run."""

    @property
    def answered_per_second(self) -> float:
        """Requests with a good answer, a second."""
        return (self.requests - self.refused) / self.seconds


@dataclass(frozen=True)
class Line:
    """The rounds of one contender, body and number of connections together."""

    contender: str
    body: str
    connections: int
    answered_per_second: float
    """Median of the rounds, as are the latencies."""
    slowest_round: float
    fastest_round: float
    p50_ms: float
    p99_ms: float
    failures: int
    """Refused, broken and timed out, in all rounds."""
    resident_mb: float
    """The most after any round."""
    ratio: float | None
    """Our answers a second to this contender's; None for ours, and where one of the two answered nothing."""


def summarise(runs: Sequence[Run], reference: str) -> list[Line]:
    """One line for each body, number of connections and contender, in the order in which they first ran."""
    groups: dict[tuple[str, int, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.body, run.connections, run.contender), []).append(run)
    rates = {key: median(run.answered_per_second for run in group) for key, group in groups.items()}
    return [
        Line(
            contender=contender,
            body=body,
            connections=connections,
            answered_per_second=rates[body, connections, contender],
            slowest_round=min(run.answered_per_second for run in group),
            fastest_round=max(run.answered_per_second for run in group),
            p50_ms=median(run.p50_ms for run in group),
            p99_ms=median(run.p99_ms for run in group),
            failures=sum(run.refused + run.broken + run.timeouts for run in group),
            resident_mb=max(run.resident_mb for run in group),
            ratio=_ratio(
                _of_reference(rates, body, connections, reference), rates[body, connections, contender]
            )
            if contender != reference
            else None,
        )
        for (body, connections, contender), group in sorted(groups.items(), key=lambda item: item[0][:2])
    ]


def _of_reference(
    rates: dict[tuple[str, int, str], float], body: str, connections: int, reference: str
) -> float | None:
    """With the same body; what we do not speak (base64 in JSON) is held against our forms."""
    return rates.get((body, connections, reference), rates.get(("multipart", connections, reference)))


def _ratio(ours: float | None, theirs: float) -> float | None:
    return ours / theirs if ours and theirs else None


def as_table(lines: Sequence[Line], reference: str) -> Table:
    """The lines for a terminal."""
    title = f"Answers a second: median and range of the rounds; ratio: {reference} ÷ the contender"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    headings = (
        "body",
        "connections",
        "contender",
        "answers/s",
        "range",
        "p50 ms",
        "p99 ms",
        "failures",
        "MB",
        "ratio",
    )
    for heading in headings:
        is_text = heading in ("body", "contender")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    for line in lines:
        table.add_row(
            line.body,
            str(line.connections),
            line.contender,
            f"{line.answered_per_second:,.0f}",
            f"{line.slowest_round:,.0f}–{line.fastest_round:,.0f}",
            f"{line.p50_ms:.1f}",
            f"{line.p99_ms:.1f}",
            f"{line.failures:,}",
            f"{line.resident_mb:,.0f}",
            "" if line.ratio is None else f"{line.ratio:.2f}",
        )
    return table


def as_document(
    machine: dict[str, Any], settings: dict[str, Any], lines: Sequence[Line], runs: Sequence[Run]
) -> dict[str, Any]:
    """Everything, for a file: figures without the machine they were measured on say nothing."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": machine,
        "software": software(),
        "settings": settings,
        "summary": [asdict(line) for line in lines],
        "runs": [asdict(run) for run in runs],
    }


def sittings(path: Path) -> list[dict[str, Any]]:
    """What former calls of the benchmark left in a file; none of a file that does not exist."""
    if not path.is_file():
        return []
    found: list[dict[str, Any]] = json.loads(path.read_text()).get("sittings", [])
    return found
