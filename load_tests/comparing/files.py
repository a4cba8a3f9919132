"""A comparison as files: JSON for /v1/load-tests, CSV for a spreadsheet, plots and a report for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contract.layout import write_atomically
from load_tests.comparing import comparison
from load_tests.comparing.comparison import Line
from load_tests.comparing.plan import Plan, Run
from load_tests.comparing.plots import draw
from load_tests.processes.fleet import PRECISION
from load_tests.processes.machine import software


def write(output: Path, plan: Plan, machine: dict[str, Any], note: str) -> list[Path]:
    """Write everything beside each other; the paths."""
    about = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": machine,
        "software": software(),
        "note": note,
    }
    found = comparison.document(plan.done, plan.settings | {"rounds": plan.rounds}, about)
    lines = comparison.summarise(plan.done)
    plots = output.with_suffix(".svg")
    output.parent.mkdir(parents=True, exist_ok=True)
    draw(plots, lines)
    contents: dict[str, bytes] = {
        ".csv": _csv(plan.done),
        ".md": report(found, lines, plots.name).encode(),
        ".json": json.dumps(found, indent=1).encode() + b"\n",
    }
    for suffix, content in contents.items():
        write_atomically(output.with_suffix(suffix), content)
    return [plots, *(output.with_suffix(suffix) for suffix in contents)]


def _csv(runs: Sequence[Run]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, [one.name for one in fields(Run)], lineterminator="\n")
    writer.writeheader()
    for run in runs:
        row = asdict(run)
        writer.writerow(
            {name: " ".join(map(str, v)) if isinstance(v, list) else v for name, v in row.items()}
        )
    return text.getvalue().encode()


def report(found: dict[str, Any], lines: Sequence[Line], plots: str) -> str:
    """Markdown."""
    hardware, settings = found["hardware"], found["settings"]
    used = ", ".join(f"{name} {version}" for name, version in found["software"].items() if name != "system")
    how = (
        f"Written by `make load-test` on {found['measured_at'][:10]}. Each replica has {settings['cpus']} "
        f"CPUs and computes in {PRECISION}; {settings['rounds']} rounds in shuffled order, "
        f"{settings['seconds']:g} s a run after {settings['warm_up']:g} s of warm-up; medians. "
    )
    machine = f"{hardware['processor']}, {hardware['cores']} cores, {hardware['memory_gib']} GiB; {used}. "
    paragraphs = [
        "# Replicas of the model server",
        f"{how}{machine}{found['note']}".rstrip(),
        "\n".join(f"* {sentence}" for sentence in found["interpretation"]),
        _table(lines),
        f"![Throughput, latencies, CPUs and shares]({plots})",
    ]
    return "\n\n".join(paragraphs) + "\n"


COLUMNS: dict[str, Callable[[Line], str]] = {
    "replicas": lambda line: str(line.replicas),
    "load": lambda line: f"{line.arrivals:g} calls/s" if line.arrivals else f"{line.users} users",
    "images/s": lambda line: f"{line.images_per_second:.1f}",
    "range": lambda line: f"{line.slowest_round:.1f}–{line.fastest_round:.1f}",
    "mean ms": lambda line: f"{line.mean_ms:.0f}",
    "p50": lambda line: f"{line.p50_ms:.0f}",
    "p95": lambda line: f"{line.p95_ms:.0f}",
    "p99": lambda line: f"{line.p99_ms:.0f}",
    "failures": lambda line: str(line.failures),
    "images a batch": lambda line: f"{line.images_per_batch:.1f}",
    "CPUs: replicas": lambda line: f"{line.replica_cpus:.2f}",
    "gateway": lambda line: f"{line.gateway_cpus:.2f}",
    "generator": lambda line: f"{line.generator_cpus:.2f}",
    "max/min of replicas": lambda line: f"{line.unevenness:.2f}" if line.replicas > 1 else "",
}


def _table(lines: Sequence[Line]) -> str:
    rows = [[cell(line) for cell in COLUMNS.values()] for line in lines]
    table = [list(COLUMNS), ["---"] * len(COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in table)
