"""kube-score over every set of values: no finding but those that were looked at, each with its reason."""

from __future__ import annotations

import json
import subprocess

import pytest
from conftest import program
from rendering import VALUE_SETS, render

ACCEPTED = {
    "container-resources": "CPU limits throttle a server in the middle of a batch; requests are set",
    "container-ephemeral-storage-request-and-limit": "root file systems are read-only; pods write to volumes",
    "container-image-pull-policy": "tags are versions, and sealed networks have no registry to ask",
    "deployment-replicas": "one replica is the default of a trial; values say more",
    "horizontalpodautoscaler-replicas": "it may go down to one replica by default",
    "deployment-has-host-podantiaffinity": "topology spread constraints do it",
}
"""By check, wherever it is."""

ACCEPTED_AT = {
    ("control", "pod-probes-identical"): "datasets and runs are there without model servers, too",
    ("prometheus", "deployment-strategy"): "its volume is one node's",
    ("postgresql", "container-security-context-user-group-id"): "the image's own user",
    ("test-predict", "pod-networkpolicy"): "nobody calls it, and it lives for seconds",
    ("test-train", "pod-networkpolicy"): "nobody calls it, and it lives for seconds",
}
"""By the end of the object's name."""

WITHOUT_POLICIES = ("GPUs",)
"""Sets of values that switch network policies off."""


@pytest.fixture(scope="session")
def kube_score() -> str:
    """kube-score."""
    return program("kube-score")


def findings(kube_score: str, text: str) -> set[tuple[str, str]]:
    """Object and check of everything that is not all well."""
    command = [kube_score, "score", "-", "--kubernetes-version", "v1.34", "--output-format", "json"]
    ran = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    return {
        (each["object_name"].rpartition("/")[2], check["check"]["id"])
        for each in json.loads(ran.stdout)
        for check in each["checks"]
        if not check["skipped"] and check["grade"] < 10
    }


@pytest.mark.parametrize("name", VALUE_SETS)
def test_a_linter_finds_nothing(helm: str, kube_score: str, name: str) -> None:
    """What it finds has a reason."""
    rendered = render(helm, VALUE_SETS[name])
    found = findings(kube_score, "\n---\n".join(map(json.dumps, rendered.manifests)))
    if name in WITHOUT_POLICIES:
        found = {each for each in found if each[1] != "pod-networkpolicy"}
    left = {
        (thing, check)
        for thing, check in found
        if check not in ACCEPTED
        and not any(thing.endswith(end) and check == known for end, known in ACCEPTED_AT)
    }
    assert left == set()


def test_the_linter_finds_what_is_wrong(kube_score: str) -> None:
    """Or it would find nothing at all."""
    pod = {"containers": [{"name": "a", "image": "a:latest", "securityContext": {"privileged": True}}]}
    wrong = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod}
    assert {("a", "container-image-tag"), ("a", "container-security-context-privileged")} <= findings(
        kube_score, json.dumps(wrong)
    )
