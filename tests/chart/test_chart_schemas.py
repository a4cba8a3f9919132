"""Every manifest is one that Kubernetes knows, and k8s/ is what the chart says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rendering import CHART, OPEN, ROOT, VALUE_SETS, render
from schemas import KEPT, write

sys.path.insert(0, str(ROOT / "helm"))
import manifests

OPERATOR = "PodMonitor,ServiceMonitor,PrometheusRule"
"""The operator's CRDs are in no module that can be fetched; only these are skipped."""


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the API server that REKINDLE_SCHEMAS was made from, or those that are kept here."""
    if folder := os.environ.get("REKINDLE_SCHEMAS"):
        return Path(folder)
    folder = tmp_path_factory.mktemp("schemas")
    for kept in json.loads(KEPT.read_text()).values():
        write(kept, folder)
    return folder


def findings(kubeconform: str, schemas: Path, text: str) -> str:
    """What kubeconform says against the manifests; empty when all is well."""
    place = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [kubeconform, "-strict", "-summary", "-skip", OPERATOR, "-schema-location", place, "-"]
    ran = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    return ran.stdout + ran.stderr if ran.returncode else ""


@pytest.mark.parametrize("name", VALUE_SETS)
def test_kubeconform(helm: str, kubeconform: str, schemas: Path, name: str) -> None:
    """Strict, for every set of values."""
    rendered = render(helm, VALUE_SETS[name])
    assert not rendered.status, rendered.said
    text = "\n---\n".join(map(json.dumps, rendered.manifests))
    assert findings(kubeconform, schemas, text) == ""


def test_kubeconform_finds_a_typo(kubeconform: str, schemas: Path) -> None:
    """Or it would find nothing at all."""
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"portz": []}}
    assert "portz" in findings(kubeconform, schemas, json.dumps(wrong))


@pytest.mark.parametrize("overlay", ["local", "production"])
def test_kubeconform_overlays(kubectl: str, kubeconform: str, schemas: Path, overlay: str) -> None:
    """`kubectl apply -k` gets what Kubernetes knows."""
    folder = str(ROOT / "k8s" / "overlays" / overlay)
    built = subprocess.run(
        [kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60, check=True
    )
    assert findings(kubeconform, schemas, built.stdout) == ""


def test_the_base_is_fresh(helm: str) -> None:
    """k8s/ is what `make manifests` writes."""
    for path, text in manifests.rendered(helm).items():
        assert path.read_text() == text, f"{path} is stale: make manifests"


def test_helm_lint(helm: str) -> None:
    """Without an error or a warning."""
    command = [helm, "lint", str(CHART), "--strict", "--kube-version", "1.34.4", "--values", "-"]
    ran = subprocess.run(
        command, input=json.dumps(OPEN), capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout
