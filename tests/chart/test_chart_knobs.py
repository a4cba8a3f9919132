"""Each knob turns what it says: values in, one place in one manifest out."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import OPEN, VALUE_SETS, Rendered, at, containers, pod_specs, render

ANY = object()
POD = "spec.template.spec"
GATEWAY = f"{POD}.containers.0"

# values · kind · end of the name · path · what must stand there
KNOBS: list[tuple[dict[str, Any], str, str, str, Any]] = [
    ({"fullnameOverride": "shop"}, "Deployment", "shop-predict", "kind", "Deployment"),
    ({"commonLabels": {"team": "a"}}, "Service", "-predict", "metadata.labels.team", "a"),
    (
        {"images": {"gateway": {"tag": "7"}}},
        "Deployment",
        "-predict",
        f"{GATEWAY}.image",
        "rekindle/gateway:7",
    ),
    (
        {"images": {"gateway": {"digest": "sha256:0"}}},
        *("Deployment", "-predict", f"{GATEWAY}.image", "rekindle/gateway@sha256:0"),
    ),
    (
        {"modelServer": {"replicas": 3, "autoscaling": {"enabled": False}}},
        *("Deployment", "-model-cifar10", "spec.replicas", 3),
    ),
    ({"modelServer": {"threads": 5}}, "Deployment", "-model-cifar10", f"{GATEWAY}.args.7", ANY),
    ({"modelServer": {"extraArgs": ["--x=1"]}}, "Deployment", "-model-cifar10", f"{GATEWAY}.args.9", "--x=1"),
    (
        {"modelServer": {"configPollSeconds": 9}},
        *("Deployment", "-model-cifar10", f"{GATEWAY}.args.3", "--model_config_file_poll_wait_seconds=9"),
    ),
    (
        {"modelServer": {"startupSeconds": 900}},
        *("Deployment", "-model-cifar10", f"{GATEWAY}.startupProbe.failureThreshold", 900),
    ),
    (
        {"modelServer": {"preStopSeconds": 40}},
        "Deployment",
        "-model-cifar10",
        f"{POD}.terminationGracePeriodSeconds",
        60,
    ),
    ({"modelServer": {"minReadySeconds": 3}}, "Deployment", "-model-cifar10", "spec.minReadySeconds", 3),
    (
        {"models": {"cifar10": {"autoscaling": {"maxReplicas": 9}}}},
        *("HorizontalPodAutoscaler", "-model-cifar10", "spec.maxReplicas", 9),
    ),
    (
        {"modelServer": {"autoscaling": {"imagesPerSecond": 123}}},
        *("HorizontalPodAutoscaler", "-model-cifar10", "spec.metrics.0.external.target.averageValue", "123"),
    ),
    (
        {"modelServer": {"autoscaling": {"imagesInFlight": 32}}},
        *("HorizontalPodAutoscaler", "-model-cifar10", "spec.metrics.1.external.target.averageValue", "32"),
    ),
    (
        {"modelServer": {"autoscaling": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 7}}}}},
        *(
            "HorizontalPodAutoscaler",
            "-model-cifar10",
            "spec.behavior.scaleDown.stabilizationWindowSeconds",
            7,
        ),
    ),
    (
        {"modelServer": {"autoscaling": {"cpuPercent": 55}}, "autoscaling": {"provider": "cpu"}},
        *("HorizontalPodAutoscaler", "-model-cifar10"),
        *("spec.metrics.0.containerResource.target.averageUtilization", 55),
    ),
    (
        {"modelServer": {"podDisruptionBudget": {"maxUnavailable": 2}}},
        *("PodDisruptionBudget", "-model-cifar10", "spec.maxUnavailable", 2),
    ),
    (
        {"gateway": {"config": {"limits": {"image_bytes": 16777216}}}},
        *("ConfigMap", "-gateway", "data.GATEWAY_LIMITS__IMAGE_BYTES", "16777216"),
    ),
    (
        {"gateway": {"config": {"access": {"cors_origins": ["https://a", "https://b"]}}}},
        *("ConfigMap", "-gateway", "data.GATEWAY_ACCESS__CORS_ORIGINS", '["https://a","https://b"]'),
    ),
    (
        {"gateway": {"config": {"server": {"drain_seconds": 2.5}}}},
        "Deployment",
        "-predict",
        f"{POD}.terminationGracePeriodSeconds",
        28,
    ),
    (
        {"gateway": {"predict": {"replicas": 5, "autoscaling": {"enabled": False}}}},
        *("Deployment", "-predict", "spec.replicas", 5),
    ),
    (
        {"gateway": {"predict": {"service": {"type": "LoadBalancer", "port": 8080}}}},
        *("Service", "-predict", "spec.type", "LoadBalancer"),
    ),
    ({"gateway": {"control": {"replicas": 2}}}, "Deployment", "-control", "spec.replicas", 2),
    (
        {"trainer": {"activeDeadlineSeconds": 99}},
        "CronJob",
        "-trainer",
        "spec.jobTemplate.spec.activeDeadlineSeconds",
        99,
    ),
    ({"trainer": {"backoffLimit": 0}}, "CronJob", "-trainer", "spec.jobTemplate.spec.backoffLimit", 0),
    (
        {"trainer": {"ttlSecondsAfterFinished": 60}},
        *("CronJob", "-trainer", "spec.jobTemplate.spec.ttlSecondsAfterFinished", 60),
    ),
    (
        {"trainer": {"resources": {"limits": {"nvidia.com/gpu": 1}}}},
        *("CronJob", "-trainer", "spec.jobTemplate.spec.template.spec.containers.0.resources.limits", ANY),
    ),
    (
        {"trainer": {"workers": {"enabled": True, "count": 4}}},
        *("CronJob", "-trainer-workers", "spec.jobTemplate.spec.completions", 4),
    ),
    (
        {"storage": {"models": {"size": "99Gi"}}},
        "PersistentVolumeClaim",
        "-models",
        "spec.resources.requests.storage",
        "99Gi",
    ),
    ({"storage": {"storageClass": "nfs"}}, "PersistentVolumeClaim", "-data", "spec.storageClassName", "nfs"),
    (
        {"storage": {"models": {"existingClaim": "mine"}}},
        *("Deployment", "-predict", f"{POD}.volumes.0.persistentVolumeClaim.claimName", "mine"),
    ),
    (
        {"database": {"bundled": {"userId": 70}}},
        "StatefulSet",
        "-postgresql",
        f"{POD}.securityContext.runAsUser",
        70,
    ),
    (
        {"database": {"bundled": {"size": "9Gi"}}},
        *("StatefulSet", "-postgresql", "spec.volumeClaimTemplates.0.spec.resources.requests.storage", "9Gi"),
    ),
    (
        {"prometheus": {"retention": "9d"}},
        "Deployment",
        "-prometheus",
        f"{GATEWAY}.args.2",
        "--storage.tsdb.retention.time=9d",
    ),
    (
        {"serviceAccounts": {"annotations": {"a": "b"}}},
        "ServiceAccount",
        "-trainer",
        "metadata.annotations.a",
        "b",
    ),
    (
        {"monitoring": {"operator": "always", "interval": "9s"}},
        "PodMonitor",
        "-gateway",
        "spec.podMetricsEndpoints.0.interval",
        "9s",
    ),
    ({"tests": {"timeoutSeconds": 77}}, "Pod", "-test-train", "spec.containers.0.env.3.value", "77"),
    (
        {"tests": {"tokenSecret": "t"}},
        "Pod",
        "-test-train",
        "spec.containers.0.env.4.valueFrom.secretKeyRef.name",
        "t",
    ),
]


def merged(values: dict[str, Any]) -> dict[str, Any]:
    """With the least that must be chosen."""
    gateway = OPEN["gateway"] | values.get("gateway", {})
    return values | {"gateway": gateway}


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: str(knob[0]))
def test_a_knob(helm: str, knob: tuple[dict[str, Any], str, str, str, Any]) -> None:
    """It changes its place in the manifests, and the default is another."""
    values, kind, ending, path, wanted = knob
    rendered = render(helm, merged(values))
    assert not rendered.status, rendered.said
    there = at(rendered.one(kind, ending), path)
    assert wanted is ANY or there == wanted
    try:
        before = at(render(helm, OPEN).one(kind, ending), path)
    except (KeyError, IndexError, ValueError):
        return
    assert before != there or path == "kind"


@pytest.fixture(scope="module")
def sealed(helm: str) -> Rendered:
    """In a network without a way out."""
    return render(helm, VALUE_SETS["sealed network"])


def test_a_sealed_network(sealed: Rendered) -> None:
    """Every image from the mirror, with credentials; ours with proxies and certificates."""
    for owner, spec in pod_specs(sealed.manifests):
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        for each in containers(spec):
            assert each["image"].startswith("registry.example.com/mirror/")
            assert each["imagePullPolicy"] == "Always"
        if owner in ("rekindle-predict", "rekindle-control", "rekindle-trainer", "rekindle-model-cifar10"):
            names = {one["name"] for one in spec["containers"][0]["env"]}
            assert {"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"} <= names
            assert any(volume["name"] == "ca" for volume in spec["volumes"])


def test_an_autoscaled_deployment_has_no_number(helm: str) -> None:
    """Else every upgrade would set it back."""
    rendered = render(helm, OPEN)
    owned = {at(each, "spec.scaleTargetRef.name") for each in rendered.all("HorizontalPodAutoscaler")}
    assert owned == {"rekindle-predict", "rekindle-model-cifar10"}
    for each in rendered.all("Deployment"):
        assert ("replicas" in each["spec"]) is (each["metadata"]["name"] not in owned)


def test_each_model_has_its_own(helm: str) -> None:
    """Deployment, headless Service, budget and target; its own values over the common ones."""
    rendered = render(helm, VALUE_SETS["ours, several models, one node"])
    names = {each["metadata"]["name"] for each in rendered.all("Deployment")}
    assert {"rekindle-model-cifar10", "rekindle-model-road-signs"} <= names
    assert at(rendered.one("Deployment", "-road-signs"), "spec.replicas") == 2
    service = rendered.one("Service", "-road-signs")["spec"]
    assert service["clusterIP"] == "None"
    assert service["selector"]["rekindle/model"] == "Road_signs"
    targets = at(rendered.one("ConfigMap", "-gateway"), "data")["GATEWAY_PREDICTOR__TARGETS"]
    assert targets == "Road_signs=rekindle-model-road-signs:8500,cifar10=rekindle-model-cifar10:8500"


def test_one_node_volumes_keep_their_pods_together(helm: str) -> None:
    """With ReadWriteOnce whoever mounts a volume must be where the others are; else nobody is bound."""
    rendered = render(helm, VALUE_SETS["ours, several models, one node"])
    for owner, spec in pod_specs(rendered.manifests):
        shares = any("persistentVolumeClaim" in volume for volume in spec["volumes"])
        assert ("affinity" in spec) is shares, owner
    assert all("affinity" not in spec for _, spec in pod_specs(render(helm, OPEN).manifests))


def test_monitoring_by_annotations_or_by_the_operator(helm: str) -> None:
    """Where its kinds are known, objects; else annotations."""
    plain = render(helm, OPEN)
    assert (
        at(plain.one("Deployment", "-predict"), "spec.template.metadata.annotations")["prometheus.io/port"]
        == "9000"
    )
    assert not plain.kinds() & {"PodMonitor", "ServiceMonitor", "PrometheusRule"}
    known = render(helm, OPEN, "--api-versions", "monitoring.coreos.com/v1")
    assert {"PodMonitor", "ServiceMonitor", "PrometheusRule"} <= known.kinds()
    annotations = at(known.one("Deployment", "-predict"), "spec.template.metadata.annotations")
    assert "prometheus.io/scrape" not in annotations


def test_keda_in_place_of_the_hpa(helm: str) -> None:
    """With the same two metrics from the same Prometheus."""
    rendered = render(helm, OPEN | {"autoscaling": {"provider": "keda"}})
    triggers = at(rendered.one("ScaledObject", "-model-cifar10"), "spec.triggers")
    assert {trigger["metadata"]["threshold"] for trigger in triggers} == {"400", "128"}
    assert "APIService" not in rendered.kinds()


def test_predictions_go_to_the_gateways_that_predict(helm: str) -> None:
    """Through Ingress and Gateway API alike; everything else to control."""
    rendered = render(helm, VALUE_SETS["world"])
    paths = at(rendered.one("Ingress", ""), "spec.rules.0.http.paths")
    assert {path["path"]: path["backend"]["service"]["name"] for path in paths} == {
        "/v1/models/cifar10/predictions": "rekindle-predict",
        "/v2": "rekindle-predict",
        "/": "rekindle-control",
    }
    rules = at(rendered.one("HTTPRoute", ""), "spec.rules")
    assert [rule["backendRefs"][0]["name"] for rule in rules] == ["rekindle-predict", "rekindle-control"]


def test_switches_take_objects_away(helm: str) -> None:
    """Budgets, policies, dashboards, Prometheus, database, and what is kept at an uninstallation."""
    off = {
        "networkPolicy": {"enabled": False},
        "monitoring": {"dashboards": {"enabled": False}},
        "prometheus": {"enabled": False},
        "autoscaling": {"provider": "cpu"},
        "modelServer": {"podDisruptionBudget": {"enabled": False}},
        "storage": {"keep": False},
        "database": {"bundled": {"existingSecret": "mine"}},
    }
    rendered = render(helm, OPEN | off)
    assert not rendered.kinds() & {"NetworkPolicy", "APIService", "Secret"}
    assert len(rendered.all("PodDisruptionBudget")) == 2
    assert "annotations" not in rendered.one("PersistentVolumeClaim", "-models")["metadata"]
    assert not [each for each in rendered.manifests if "prometheus" in each["metadata"]["name"]]


def test_a_placement_reaches_the_pods(helm: str) -> None:
    """Node selector, tolerations, priority, runtime class, variables and volumes."""
    rendered = render(helm, VALUE_SETS["GPUs"])
    spec = at(rendered.one("Deployment", "-model-cifar10"), "spec.template.spec")
    [server] = spec["containers"]
    assert (spec["nodeSelector"], spec["priorityClassName"]) == ({"gpu": "yes"}, "serving")
    assert (spec["runtimeClassName"], spec["tolerations"][0]["operator"]) == ("nvidia", "Exists")
    assert server["resources"]["limits"] == {"nvidia.com/gpu": 1, "memory": "3Gi"}
    assert {"name": "TF_FORCE_GPU_ALLOW_GROWTH", "value": "true"} in server["env"]
    assert {"name": "cache", "mountPath": "/cache"} in server["volumeMounts"]
    assert not [one for one in server["args"] if "parallelism" in one]
