"""What is the same as in tensorflow_model_server, what differs and what is absent, as tables.

`python -m model_server.parity docs/model-server.md` writes the tables between the marks in that file;
tests hold every row against the server that runs. The flags' rows are made from flags.py itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from model_server.flags import Flags

SAME, DIFFERENT, ABSENT, OURS = "same", "different", "absent", "ours"


@dataclass(frozen=True)
class Row:
    """One thing that upstream has, or that only we have: what became of it here."""

    name: str
    verdict: str
    note: str = ""


RPCS = (
    Row("PredictionService/Predict", SAME),
    Row("PredictionService/Classify", SAME),
    Row("PredictionService/Regress", SAME),
    Row("PredictionService/MultiInference", SAME),
    Row("PredictionService/GetModelMetadata", SAME),
    Row("ModelService/GetModelStatus", SAME),
    Row("ModelService/HandleReloadConfigRequest", SAME, "a refused label leaves the old configuration whole"),
    Row("grpc.health.v1.Health", DIFFERENT, "behind its flag; follows the models and the drain"),
    Row("tensorflow.ProfilerService", ABSENT, "profile with TensorFlow's own tools in a process of your own"),
    Row("grpc.reflection.v1alpha.ServerReflection", OURS, "for grpcurl and the like"),
)
"""Services of tensorflow.serving without their package."""

_WHICH = "[/versions/N or /labels/L]"
ROUTES = (
    Row(f"POST /v1/models/NAME{_WHICH}:predict", SAME),
    Row(f"POST /v1/models/NAME{_WHICH}:classify", SAME),
    Row(f"POST /v1/models/NAME{_WHICH}:regress", SAME),
    Row(f"GET /v1/models/NAME{_WHICH}", SAME),
    Row(f"GET /v1/models/NAME{_WHICH}/metadata", SAME),
    Row("GET /monitoring/prometheus/metrics", SAME, "the path is that of --monitoring_config_file"),
    Row("bodies above 256 MiB", DIFFERENT, "413; upstream has no limit but the machine's memory"),
)

METRICS = (
    Row(":tensorflow:serving:request_count", DIFFERENT, "names that no one configured count as `(unknown)`"),
    Row(":tensorflow:serving:request_latency", SAME),
    Row(":tensorflow:serving:runtime_latency", SAME),
    Row(":tensorflow:serving:request_example_counts", SAME),
    Row(":tensorflow:serving:request_example_count_total", SAME),
    Row(":tensorflow:cc:saved_model:load_attempt_count", SAME),
    Row(":tensorflow:cc:saved_model:load_latency", SAME),
    Row(":tensorflow:serving:model_warmup_latency", SAME),
    Row(":tensorflow:serving:batching_session:queuing_latency", SAME),
    Row("rekindle_model_server_requests_total", OURS, "by version and status"),
    Row("rekindle_model_server_requests_in_flight", OURS, "requests that are being answered"),
    Row("rekindle_model_server_batch_examples", OURS, "examples in one call into TensorFlow, by version"),
    Row("rekindle_model_server_queue_seconds", OURS, "seconds that a request waited for its call"),
    Row("rekindle_model_server_load_seconds", OURS, "seconds of a load, warm-up included, by outcome"),
    Row(
        "rekindle_model_server_precision", OURS, "whether a version computes in this precision below float32"
    ),
    Row("rekindle_model_server_label_agreement", OURS, "share of the labels that stay in it"),
)
"""What Prometheus reads."""


def flag_rows() -> list[Row]:
    """A row for each flag."""
    return [Row(f"`--{flag.name}`", *_verdict(flag.metadata)) for flag in fields(Flags)]


def _verdict(metadata: Mapping[str, Any]) -> tuple[str, str]:
    if metadata["ours"]:
        return OURS, metadata["help"]
    if metadata["warns"]:
        return ABSENT, f"accepted with a warning: {metadata['warns']}"
    if metadata["differs"]:
        return DIFFERENT, metadata["differs"]
    return SAME, ""


def table(head: str, rows: Iterable[Row]) -> str:
    """A Markdown table."""
    lines = [f"| {head} | | |", "|---|---|---|"]
    lines += [f"| {row.name} | {row.verdict} | {row.note} |".replace("|  |", "| |") for row in rows]
    return "\n".join(lines)


def tables() -> dict[str, str]:
    """Every table, by its mark."""
    return {
        "flags": table("flag", flag_rows()),
        "rpcs": table("RPC", RPCS),
        "routes": table("REST", ROUTES),
        "metrics": table("metric", METRICS),
    }


def filled(document: str) -> str:
    """The document with fresh tables between `<!-- NAME -->` and `<!-- end -->`."""
    for name, content in tables().items():
        before, mark, rest = document.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        document = f"{before}{mark}{content}\n{end}{after}"
    return document


def main(arguments: Sequence[str]) -> None:
    """Rewrite the tables in the named file."""
    path = Path(arguments[0])
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
