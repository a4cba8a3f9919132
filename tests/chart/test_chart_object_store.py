"""Models and data in an object store: mirrors where they belong, and nothing of them by default."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import VALUE_SETS, Rendered, containers, pod_specs, render

from mirror.__main__ import _parser

VALUES = VALUE_SETS["object store"]
MODELS, DATA = VALUES["objectStore"]["models"], VALUES["objectStore"]["data"]


@pytest.fixture
def stored(helm: str) -> Rendered:
    """With both in a bucket."""
    return render(helm, VALUES)


def mirrors(rendered: Rendered, ending: str) -> dict[str, dict[str, Any]]:
    """The mirrors of a Deployment, by name."""
    spec = rendered.one("Deployment", ending)["spec"]["template"]["spec"]
    return {each["name"]: each for each in containers(spec) if "mirror" in each["image"].rpartition("/")[2]}


def arguments(container: dict[str, Any]) -> list[str]:
    """What the command is given; it has to understand it."""
    given = [str(each) for each in container["args"]]
    _parser().parse_args(given)
    return given


def test_by_default_there_is_no_mirror(helm: str) -> None:
    """In no pod, and no policy opens a port for one."""
    rendered = render(helm, VALUE_SETS["trial"])
    images = [each["image"] for _, spec in pod_specs(rendered.manifests) for each in containers(spec)]
    assert not any("mirror" in image for image in images)
    assert rendered.one("NetworkPolicy", "-model-server")["spec"]["egress"] == []


def test_a_model_server_fills_a_folder_of_its_own(stored: Rendered) -> None:
    """Before it waits for its configuration, and goes on; no claim, so any node will do."""
    spec = stored.one("Deployment", "-model-cifar10")["spec"]["template"]["spec"]
    assert [each["name"] for each in spec["initContainers"]] == [
        "fetch-models",
        "mirror-models",
        "wait-for-model",
    ]
    once, stays = mirrors(stored, "-model-cifar10").values()
    assert arguments(once) == ["pull", "models", MODELS, "/models", "--named-only"]
    assert arguments(stays) == [*arguments(once), "--every=7"]
    assert ("restartPolicy" in once, stays["restartPolicy"]) == (False, "Always")
    models = next(each for each in spec["volumes"] if each["name"] == "models")
    assert models == {"name": "models", "emptyDir": {"sizeLimit": "10Gi"}}
    assert "podAffinity" not in spec.get("affinity", {})
    server = next(each for each in spec["containers"] if each["name"] == "model-server")
    assert next(each for each in server["volumeMounts"] if each["name"] == "models")["readOnly"] is True


def test_the_control_gateway_sends_and_restores(stored: Rendered) -> None:
    """Models and datasets; what only sends cannot write to the volume, and what restores comes first."""
    found = mirrors(stored, "-control")
    assert arguments(found["restore-models"]) == ["pull", "models", MODELS, "/models", "--if-empty"]
    assert arguments(found["restore-data"]) == ["pull", "data", DATA, "/data/datasets", "--if-empty"]
    assert arguments(found["send-models"]) == ["push", "models", "/models", MODELS, "--every=7"]
    assert arguments(found["send-data"]) == ["push", "data", "/data/datasets", DATA, "--every=7"]
    for name, container in found.items():
        mount = container["volumeMounts"][0]
        assert mount.get("readOnly", False) is name.startswith("send-"), name
        assert (container.get("restartPolicy") == "Always") is name.startswith("send-"), name
    spec = stored.one("Deployment", "-control")["spec"]["template"]["spec"]
    names = [each["name"] for each in spec["initContainers"]]
    assert names.index("restore-models") < names.index("bootstrap")
    assert not mirrors(stored, "-predict")


def test_credentials_and_variables_reach_every_mirror(stored: Rendered) -> None:
    """And no other container."""
    for _, spec in pod_specs(stored.manifests):
        for each in containers(spec):
            is_mirror = "mirror" in each["image"].rpartition("/")[2]
            has_secret = {"secretRef": {"name": "bucket"}} in each.get("envFrom", [])
            assert has_secret is is_mirror
            assert any(one["name"] == "AWS_ENDPOINT_URL" for one in each.get("env", [])) is is_mirror


def test_the_policies_let_the_mirrors_out(stored: Rendered) -> None:
    """To the ports of the store, and to DNS."""
    for ending in ("-model-server", "-gateway-control"):
        rules = stored.one("NetworkPolicy", ending)["spec"]["egress"]
        ports = {port["port"] for rule in rules for port in rule["ports"]}
        assert {53, 9000} <= ports
    predict = stored.one("NetworkPolicy", "-gateway-predict")["spec"]["egress"]
    assert 9000 not in {port["port"] for rule in predict for port in rule["ports"]}


@pytest.mark.parametrize("address", ["bucket/models", "http://bucket", "s3://"])
def test_an_address_that_is_none_is_refused(helm: str, address: str) -> None:
    """Before anything is made."""
    rendered = render(helm, VALUES | {"objectStore": {"models": address}})
    assert rendered.status != 0
    assert "objectStore" in rendered.said
