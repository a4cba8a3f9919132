"""What the capacity model says, as text and tables."""

from __future__ import annotations

from typing import Any

GOAL_THROUGHPUT_ERROR = 0.10
GOAL_P99_ERROR = 0.25


def lines(found: dict[str, Any]) -> list[str]:
    """What is printed: the model, its errors, the target, the table."""
    replica, asked, error = found["replica"], found["asked"], found["worst_error"]
    said = [
        f"A call with n images takes {1000 * replica['fixed_seconds']:.2f} + "
        f"{1000 * replica['each_seconds']:.3f} n ms of CPU (varying by {replica['variation']:.0%}); "
        f"an answer takes {1000 * replica['elsewhere_seconds']:.0f} ms elsewhere.",
        "",
        "| unseen load | images/s | modelled | error | p99 ms | modelled | error "
        "| a call's CPU by the model's | p99 with that | error |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_check_line(check) for check in found["unseen"]),
        "",
        f"Largest errors on unseen runs: throughput {error['throughput']:.1%} "
        f"(goal {GOAL_THROUGHPUT_ERROR:.0%}), p99 {error['p99']:.1%} (goal {GOAL_P99_ERROR:.0%}).",
        f"A replica of {asked['cpus']:g} CPUs answers {asked['capacity']:.0f} images/s with full batches, "
        "the error of the throughput taken off. "
        f"Target of an autoscaler at p99 ≤ {asked['p99_ms']:g} ms: {found['hpa_target']:.0f} arrivals/s a "
        "replica.",
        "",
        "| images/s | model-server pods | p99 ms | a batch | gateway pods | gateway CPUs | upload Mbit/s "
        "| to the models Mbit/s | next bottleneck |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_row_line(one) for one in found["table"]),
    ]
    return said


def _check_line(check: dict[str, Any]) -> str:
    load = f"{check['arrivals']:g} calls/s" if check["arrivals"] else f"{check['users']} users"
    cells = [
        f"{check['replicas']} × {load}",
        f"{check['measured_images_per_second']:.1f}",
        f"{check['modelled_images_per_second']:.1f}",
        f"{check['throughput_error']:+.1%}",
        f"{check['measured_p99_ms']:.0f}",
        f"{check['modelled_p99_ms']:.0f}",
        f"{check['p99_error']:+.1%}",
        f"{check['call_cost']:.2f}",
        f"{check['p99_at_cost_ms']:.0f}",
        f"{check['p99_error_at_cost']:+.1%}",
    ]
    return f"| {' | '.join(cells)} |"


def _row_line(one: dict[str, Any]) -> str:
    cells = [
        f"{one['images_per_second']:,.0f}",
        str(one["replicas"]),
        f"{one['p99_ms']:.0f}",
        f"{one['images_per_batch']:.1f}",
        str(one["gateways"]),
        f"{one['gateway_cpus']:.2f}",
        f"{one['upload_mbit']:.1f}",
        f"{one['inner_mbit']:.1f}",
        one["next_bottleneck"],
    ]
    return f"| {' | '.join(cells)} |"
