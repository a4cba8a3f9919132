"""The deployment guides: their values pass the closed schema, and what comes out is what they promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from google_kinds import MODELS
from rendering import ROOT, Rendered, containers, pod_specs, render
from schemas import KEPT, write
from test_chart_schemas import findings

DEPLOY = ROOT / "deploy"
CLOUDS = ("eks", "gke", "aks")
GUIDES = (*CLOUDS, "k3s", "local", "air-gapped")
GOOGLES = {kind for _, kind in MODELS}


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of the Kubernetes version that the guides name."""
    folder = tmp_path_factory.mktemp("schemas")
    for kept in json.loads(KEPT.read_text()).values():
        write(kept, folder)
    return folder


def values(guide: str) -> dict[str, Any]:
    """A guide's values."""
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / guide / "values.yaml").read_text())
    return loaded


def installed(helm: str, guide: str) -> Rendered:
    """The chart with a guide's values."""
    rendered = render(helm, values(guide))
    assert not rendered.status, rendered.said
    return rendered


def beside(guide: str) -> list[dict[str, Any]]:
    """The objects that the guide applies with kubectl."""
    found = []
    for path in sorted((DEPLOY / guide).glob("*.yaml")):
        found += [each for each in yaml.safe_load_all(path.read_text()) if each and "apiVersion" in each]
    return found


def test_every_guide_is_tested() -> None:
    """A folder with values of the chart is in the list above."""
    assert sorted(path.parent.name for path in DEPLOY.glob("*/values.yaml")) == sorted((*GUIDES, "gpu"))


@pytest.mark.parametrize("guide", GUIDES)
def test_kubeconform(helm: str, kubeconform: str, schemas: Path, guide: str) -> None:
    """Strict, 0 findings: what the chart renders, and what is applied beside it."""
    objects = [*installed(helm, guide).manifests, *beside(guide)]
    text = "\n---\n".join(json.dumps(each) for each in objects if each["kind"] not in GOOGLES)
    assert findings(kubeconform, schemas, text) == ""


@pytest.mark.parametrize("guide", GUIDES)
def test_a_typo_in_the_values_is_refused(helm: str, guide: str) -> None:
    """The schema is closed, so values that pass are values that the chart reads."""
    said = render(helm, values(guide) | {"storrage": {}}).said
    assert "additional properties 'storrage' not allowed" in said


@pytest.mark.parametrize("guide", CLOUDS)
def test_a_cloud_has_volumes_for_several_nodes(helm: str, guide: str) -> None:
    """Both claims are ReadWriteMany and name the class that the guide makes."""
    [made] = [each for each in beside(guide) if each["kind"] == "StorageClass"]
    assert made["reclaimPolicy"] == "Retain"
    for claim in installed(helm, guide).all("PersistentVolumeClaim"):
        if not claim["metadata"]["name"].endswith("prometheus"):
            assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
            assert claim["spec"]["storageClassName"] == made["metadata"]["name"]


@pytest.mark.parametrize("guide", CLOUDS)
def test_a_cloud_trains_on_nodes_of_its_own(helm: str, guide: str) -> None:
    """The trainer alone goes to the tainted pool, and no autoscaler moves it in the middle of a run."""
    rendered = installed(helm, guide)
    where = {name: spec.get("nodeSelector", {}) for name, spec in pod_specs(rendered.manifests)}
    assert [name for name, each in where.items() if "rekindle/pool" in each] == ["rekindle-trainer"]
    template = rendered.one("CronJob", "-trainer")["spec"]["jobTemplate"]["spec"]["template"]
    assert template["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


@pytest.mark.parametrize("guide", CLOUDS)
def test_a_cloud_is_no_trial(helm: str, guide: str) -> None:
    """Tokens, a database with backups, two gateways of each role, time to leave the load balancer."""
    rendered = installed(helm, guide)
    assert not rendered.all("StatefulSet")
    settings = rendered.one("ConfigMap", "-gateway")["data"]
    assert settings["GATEWAY_SERVER__ALLOW_UNPROTECTED"] == "false"
    assert float(settings["GATEWAY_SERVER__DRAIN_SECONDS"]) >= 30
    pod = rendered.one("Deployment", "-predict")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 30 + float(settings["GATEWAY_SERVER__SHUTDOWN_SECONDS"])
    assert rendered.one("Deployment", "-control")["spec"]["replicas"] == 2


def test_eks_checks_each_role_as_its_probe_does(helm: str) -> None:
    """The load balancer asks the gateways what the kubelet asks them."""
    rendered = installed(helm, "eks")
    for role in ("predict", "control"):
        probe = rendered.one("Deployment", f"-{role}")["spec"]["template"]["spec"]["containers"][0][
            "readinessProbe"
        ]
        told = rendered.one("Service", f"-{role}")["metadata"]["annotations"]
        assert told["alb.ingress.kubernetes.io/healthcheck-path"] == probe["httpGet"]["path"]


def test_gke_names_what_it_makes(helm: str) -> None:
    """Each annotation leads to an object beside the chart; hosts and probes agree."""
    rendered = installed(helm, "gke")
    made = [each for each in beside("gke") if each["kind"] in GOOGLES]
    specs = {
        (each["kind"], each["metadata"]["name"]): MODELS[each["apiVersion"], each["kind"]](**each["spec"])
        for each in made
    }
    for role in ("predict", "control"):
        told = rendered.one("Service", f"-{role}")["metadata"]["annotations"][
            "cloud.google.com/backend-config"
        ]
        backend: Any = specs["BackendConfig", json.loads(told)["default"]]
        container = rendered.one("Deployment", f"-{role}")["spec"]["template"]["spec"]["containers"][0]
        assert backend.healthCheck.requestPath == container["readinessProbe"]["httpGet"]["path"]
        assert backend.healthCheck.port == container["ports"][0]["containerPort"]
    [ingress] = rendered.all("Ingress")
    told = ingress["metadata"]["annotations"]
    certificate: Any = specs["ManagedCertificate", told["networking.gke.io/managed-certificates"]]
    assert certificate.domains == [ingress["spec"]["rules"][0]["host"]]
    assert ("FrontendConfig", told["networking.gke.io/v1beta1.FrontendConfig"]) in specs
    assert "ingressClassName" not in ingress["spec"]


def test_aks_routes_through_its_gateway(helm: str) -> None:
    """The HTTPRoute's parent, section and host are those of the Gateway beside it."""
    [gateway] = [each for each in beside("aks") if each["kind"] == "Gateway"]
    [route] = installed(helm, "aks").all("HTTPRoute")
    [parent], [listener] = route["spec"]["parentRefs"], gateway["spec"]["listeners"]
    assert (parent["name"], parent["sectionName"]) == (gateway["metadata"]["name"], listener["name"])
    assert route["spec"]["hostnames"] == [listener["hostname"]]


def test_gpus_go_over_the_values_of_a_place(helm: str, kubeconform: str, schemas: Path) -> None:
    """The trainer alone asks for one; the pool of the place and its taint stay."""
    rendered = render(helm, values("eks"), "--values", str(DEPLOY / "gpu" / "values.yaml"))
    assert not rendered.status, rendered.said
    assert findings(kubeconform, schemas, "\n---\n".join(map(json.dumps, rendered.manifests))) == ""
    asking = {
        name
        for name, spec in pod_specs(rendered.manifests)
        for each in containers(spec)
        if "nvidia.com/gpu" in each["resources"].get("limits", {})
    }
    assert asking == {"rekindle-trainer"}
    spec = rendered.one("CronJob", "-trainer")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {"rekindle/pool": "training"}
    assert {each["key"] for each in spec["tolerations"]} == {"nvidia.com/gpu", "rekindle/training"}


@pytest.mark.parametrize("guide", ["k3s", "local"])
def test_a_small_cluster_needs_no_amd64_and_no_network_file_system(helm: str, guide: str) -> None:
    """Our model server, and volumes of one node."""
    rendered = installed(helm, guide)
    used = {each["image"] for _, spec in pod_specs(rendered.manifests) for each in containers(spec)}
    assert not [image for image in used if "tensorflow/serving" in image]
    for claim in rendered.all("PersistentVolumeClaim"):
        assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
