"""Rules and dashboards on a real Prometheus that scrapes a real gateway and a real model server."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_process import DASHBOARDS, Watched, eventually, exported_names, metric_names
from test_rules import rules

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow, pytest.mark.timeout(600)]

VARIABLES = {"$namespace": ".*", "$model": ".*", "$__rate_interval": "10m", "$__range": "1h"}
OF_PROMETHEUS = {"up", "ALERTS"}
MAY_BE_EMPTY = {
    "Canary that failed": "there is no canary",
    "Shadow": "there is no shadow version",
    "Versions that were given up": "none was",
    "Drift": "a window of predictions must be full first",
    "Evidence against the canary": "there is no canary",
    "Steps of canaries": "there is no canary",
    "Runs that triggers asked for": "there is no trigger",
    "Wait in the model server": "one gateway has two calls in flight, so that nothing waits there",
}
"""Panels whose series begin with an event that a healthy stack has not seen; all others must have data."""


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel that asks something, with a name."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            if panel["type"] != "row":
                yield f"{path.stem}: {panel['title']}", panel


PANELS = dict(panels())


@cache
def exported(url: str) -> set[str]:
    """What a process declares."""
    return exported_names(httpx.get(url, trust_env=False).text)


def test_every_metric_that_is_asked_for_is_exported(watched: Watched) -> None:
    """No rule and no panel names a metric that neither gateway, model server nor a recording rule has."""
    known = OF_PROMETHEUS.union(*(exported(url) for url in watched.metrics.values()))
    known |= {rule["record"] for rule in rules() if "record" in rule}
    asked = {
        name: metric_names(rule["expr"])
        for rule in rules()
        for name in (rule.get("alert") or rule["record"],)
    }
    for name, panel in PANELS.items():
        asked[name] = set().union(*(metric_names(_filled(target["expr"])) for target in panel["targets"]))
    assert all(asked.values())
    missing = {name: names - known for name, names in asked.items() if names - known}
    assert missing == {}


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_shows_what_there_is(watched: Watched, name: str) -> None:
    """Each query is answered, over time and now, with finite numbers where there must be some."""
    for target in PANELS[name]["targets"]:
        query = _filled(target["expr"])
        assert "$" not in query
        assert isinstance(watched.prometheus.query_range(query), list)
        if name.split(": ", 1)[1] not in MAY_BE_EMPTY:
            eventually(lambda query=query: _has_numbers(watched.prometheus.query(query)))


def test_the_choices_of_the_dashboards_name_series_that_are_there(watched: Watched) -> None:
    """Each variable is a label of a metric that has samples."""
    for path in DASHBOARDS:
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "query":
                inside = variable["definition"].removeprefix("label_values(").removesuffix(")")
                selector, _, label = _filled(inside).rpartition(", ")
                found = watched.prometheus.query(selector)
                assert found
                assert all(label in series["metric"] for series in found)


def test_every_rule_is_evaluated_without_an_error(watched: Watched) -> None:
    """Prometheus says so itself, after it has evaluated each."""

    def all_evaluated() -> bool:
        groups = watched.prometheus.get("rules")["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        assert [rule["lastError"] for rule in found if rule.get("lastError")] == []
        return len(found) == len(rules()) and {rule["health"] for rule in found} == {"ok"}

    eventually(all_evaluated)


def test_the_failed_run_fires_and_nothing_else_does(watched: Watched) -> None:
    """In a healthy stack one alert fires: that of the run which had not enough data."""

    def firing() -> set[str]:
        found = watched.prometheus.query('ALERTS{alertstate="firing"}')
        return {series["metric"]["alertname"] for series in found}

    eventually(lambda: firing() == {"RekindleTrainingRunFailed"})


def test_dashboards_have_names_and_places_of_their_own() -> None:
    """Grafana finds each by its uid; panels do not lie on each other."""
    contents = [json.loads(Path(path).read_text()) for path in DASHBOARDS]
    assert len({content["uid"] for content in contents}) == len(contents) == 3
    for content in contents:
        taken: set[tuple[int, int]] = set()
        for panel in content["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not taken & cells
            taken |= cells


def _filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def _has_numbers(found: list[dict[str, Any]]) -> bool:
    return any(math.isfinite(float(series["value"][1])) for series in found)
