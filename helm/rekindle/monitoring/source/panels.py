"""Panels and dashboards as Grafana's JSON, from the few words that ours need.

Grafana's own generator, grafana-foundation-sdk, is released for all Grafanas under one name, so that "the
newest" is that of a Grafana by chance; these dashboards use a dozen fields, which Grafana has read since 9.
What the panels show is the business of service.py, model.py and training.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
IN_NAMESPACE = 'namespace=~"$namespace"'
OF_MODEL = f'{IN_NAMESPACE},model=~"$model"'
WIDTH = 24

Query = tuple[str, str]
"""Legend and PromQL."""


@dataclass(frozen=True)
class Panel:
    """One panel: `kind` is Grafana's type, `about` the sentence that appears on hover."""

    kind: str
    title: str
    about: str
    queries: Sequence[Query]
    unit: str
    width: int
    height: int
    steps: Sequence[tuple[float | None, str]] = ((None, "green"),)
    defaults: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    is_instant: bool = False

    def to_json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """As Grafana reads it."""
        steps = [{"value": value, "color": color} for value, color in self.steps]
        defaults = {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}, **self.defaults}
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [self._target(index, *query) for index, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": self.options,
        }

    def _target(self, index: int, legend: str, expression: str) -> dict[str, Any]:
        return {
            "refId": chr(ord("A") + index),
            "datasource": SOURCE,
            "expr": expression,
            "legendFormat": legend,
            "instant": self.is_instant,
            "range": not self.is_instant,
        }


def number(
    title: str,
    about: str,
    query: str,
    unit: str = "none",
    *,
    legend: str = "",
    width: int = 4,
    steps: Sequence[tuple[float | None, str]] = ((None, "blue"),),
    **defaults: Any,
) -> Panel:
    """One large number, or one for each series."""
    shown = {"colorMode": "value", "reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "auto"}
    return Panel(
        "stat", title, about, [(legend, query)], unit, width, 4, steps, defaults, shown, is_instant=True
    )


def lines(
    title: str, about: str, queries: Iterable[Query], unit: str = "none", *, width: int = 8, **custom: Any
) -> Panel:
    """Lines over time; `stacking={"mode": "normal"}` stacks them."""
    style = {"drawStyle": "line", "fillOpacity": 10, "lineWidth": 1, "showPoints": "never", **custom}
    shown: dict[str, Any] = {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}
    }
    shown["tooltip"] = {"mode": "multi", "sort": "desc"}
    defaults = {"custom": style, "min": 0}
    return Panel(
        "timeseries", title, about, list(queries), unit, width, 8, ((None, "green"),), defaults, shown
    )


def states(title: str, about: str, query: Query, *, width: int = 12) -> Panel:
    """A bar over time for each series: green while it is 1, red while it is 0."""
    words = {"0": {"text": "down", "color": "red"}, "1": {"text": "up", "color": "green"}}
    defaults = {"mappings": [{"type": "value", "options": words}], "max": 1, "min": 0}
    shown = {"showValue": "never", "legend": {"showLegend": False}, "rowHeight": 0.8}
    return Panel("state-timeline", title, about, [query], "none", width, 8, defaults=defaults, options=shown)


def bars(title: str, about: str, query: Query, unit: str, *, width: int = 12) -> Panel:
    """A horizontal bar for each series, as it is now."""
    shown = {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": {"calcs": ["lastNotNull"]}}
    return Panel(
        "bargauge", title, about, [query], unit, width, 8, defaults={"min": 0}, options=shown, is_instant=True
    )


def dashboard(
    name: str, title: str, rows: Mapping[str, Sequence[Panel]], *, by_model: bool = False
) -> dict[str, Any]:
    """Rows of panels, placed from left to right."""
    panels: list[dict[str, Any]] = []
    y = 0
    for heading, row in rows.items():
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": heading, "gridPos": place, "panels": []}
        )
        x, y, height = 0, y + 1, 0
        for panel in row:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            panels.append(panel.to_json(len(panels) + 1, x, y))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return {
        "uid": f"rekindle-{name}",
        "title": title,
        "tags": ["rekindle"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "graphTooltip": 1,
        "links": [{"type": "dashboards", "tags": ["rekindle"], "title": "Rekindle", "asDropdown": False}],
        "templating": {"list": _variables(by_model)},
        "annotations": {"list": []},
        "panels": panels,
    }


def _variables(by_model: bool) -> list[dict[str, Any]]:
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    found = [
        _variable(
            "namespace", "Namespace", 'label_values(up{job=~"gateway|model-server",release!=""}, namespace)'
        )
    ]
    if by_model:
        query = f"label_values(gateway_available_replicas{{{IN_NAMESPACE}}}, model)"
        found.append(_variable("model", "Model", query))
    return [source, *found]


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    """A choice of label values; `All` also matches series without the label, as outside of Kubernetes."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
