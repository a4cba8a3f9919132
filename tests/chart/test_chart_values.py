"""The values: closed, documented, free of contradictions, and every one of them does something."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from types import ModuleType
from typing import Any

import pytest
import yaml
from rendering import CHART, OPEN, ROOT, render

from gateway.settings import Settings
from gateway.settings.base import Group


@pytest.fixture(scope="module")
def describe() -> ModuleType:
    """helm/describe.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("describe", ROOT / "helm" / "describe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["describe"] = module
    spec.loader.exec_module(module)
    return module


def test_schema_and_readme_are_fresh(describe: ModuleType) -> None:
    """They are what `make chart` writes from values.yaml and the gateway's settings."""
    for path, text in describe.pages().items():
        assert path.read_text() == text, f"{path.name} is stale: make chart"


def test_every_value_says_what_it_is(describe: ModuleType) -> None:
    """A group or one of its keys has a sentence; every top-level key has one."""
    for entry in describe.entries((CHART / "values.yaml").read_text()):
        assert entry.about, f"{entry.path[0]} has no comment"


def test_the_settings_of_the_gateway_are_all_there(describe: ModuleType) -> None:
    """`gateway.config` takes every setting but those that the chart decides; none of these is unknown."""
    defs = describe.settings_schema()
    for group, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, Group)
        known, owned = set(field.annotation.model_fields), describe.OWNED.get(group, set())
        assert owned <= known
        told = defs[defs["settings"]["properties"][group]["$ref"].rpartition("/")[2]]
        assert set(told["properties"]) == known - owned
        assert told["additionalProperties"] is False


def test_one_version() -> None:
    """The chart, the images it names and the project have the same."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert chart["version"] == chart["appVersion"] == project


def test_every_value_is_used_by_a_template(describe: ModuleType) -> None:
    """A value that no template reads is a promise that nobody keeps."""
    text = "\n".join(path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file())

    def leaves(entries: Any) -> Any:
        for entry in entries:
            yield from leaves(entry.children) if entry.children else [entry.path]

    for path in leaves(describe.entries((CHART / "values.yaml").read_text())):
        if path[0] in ("images", "models"):  # read by a name that is computed
            continue
        assert re.search(rf"\.?{path[-1]}\b", text), f"no template reads {'.'.join(path)}"


TYPOS = {
    "nothing": 1,
    "image": {"registri": "x"},
    "models": {"cifar10": {"replica": 1}},
    "modelServer": {"autoscaling": {"minReplica": 1}},
    "gateway": {"config": {"server": {"drain_second": 1}}},
    "trainer": {"pod": {"nodeSelectors": {}}},
    "storage": {"accessMode": "ReadWriteTwice"},
    "database": {"bundled": {"sise": "1Gi"}},
}


@pytest.mark.parametrize("key", TYPOS)
def test_a_typo_is_refused(helm: str, key: str) -> None:
    """Wherever it is."""
    values = {key: TYPOS[key]} if key == "gateway" else OPEN | {key: TYPOS[key]}
    rendered = render(helm, values)
    assert rendered.status
    assert "specifications of the schema" in rendered.said


@pytest.mark.parametrize("setting", ["server.host", "database.url", "training.cron_job", "stores.models"])
def test_what_the_chart_decides_cannot_be_set(helm: str, setting: str) -> None:
    """A setting that would contradict the manifests."""
    group, name = setting.split(".")
    rendered = render(
        helm, {"gateway": {"config": {group: {name: "x"}}, "access": {"allowUnprotected": True}}}
    )
    assert rendered.status
    assert f"additional properties '{name}' not allowed" in rendered.said


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "Nobody could tell who calls": {},
    "choose one": {"gateway": {"access": {"allowUnprotected": True, "tokensSecret": "x"}}},
    "need a database": OPEN | {"database": {"bundled": {"enabled": False}}},
    "is above maxReplicas (4)": OPEN | {"modelServer": {"autoscaling": {"minReplicas": 5}}},
    "gateway.predict.autoscaling.minReplicas (9)": {
        "gateway": {"access": {"allowUnprotected": True}, "predict": {"autoscaling": {"minReplicas": 9}}}
    },
    "reads the chart's Prometheus": OPEN | {"prometheus": {"enabled": False}},
    "keda needs a Prometheus": OPEN | {"autoscaling": {"provider": "keda"}, "prometheus": {"enabled": False}},
    "would both be called": OPEN | {"models": {"Cats": {}, "cats": {}}},
    "needs gatewayRoute.parentRefs": OPEN | {"gatewayRoute": {"enabled": True}},
    "counts percents of the CPU request": OPEN
    | {"autoscaling": {"provider": "cpu"}, "modelServer": {"resources": {"requests": {"cpu": None}}}},
}


@pytest.mark.parametrize("sentence", CONTRADICTIONS)
def test_contradictions_are_refused_in_a_sentence(helm: str, sentence: str) -> None:
    """Before anything is made."""
    rendered = render(helm, CONTRADICTIONS[sentence])
    assert rendered.status
    assert sentence in rendered.said


def test_another_provider_of_external_metrics_is_not_pushed_aside(helm: str) -> None:
    """Refused with the ways out; with `existing` the HPA uses it and no adapter is made."""
    known = ("--api-versions", "external.metrics.k8s.io/v1beta1")
    refused = render(helm, OPEN | {"preflight": False}, *known)
    assert "provider of external metrics already" in refused.said
    assert "autoscaling.provider=existing" in refused.said
    taken = render(helm, OPEN | {"autoscaling": {"provider": "existing"}}, *known)
    assert "APIService" not in taken.kinds()
    metric = taken.one("HorizontalPodAutoscaler", "-model-cifar10")["spec"]["metrics"][0]
    assert metric["external"]["metric"]["name"] == "rekindle_images_per_second"
