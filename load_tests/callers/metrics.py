"""Numbers from a gateway's /metrics."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families


def sample(url: str, name: str, **labels: str) -> float:
    """The sum of the samples of that name that have these labels; 0 where there is none."""
    text = httpx.get(f"{url}/metrics", trust_env=False, timeout=10).text
    return sum(
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name and labels.items() <= one.labels.items()
    )
