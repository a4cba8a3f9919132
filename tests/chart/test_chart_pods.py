"""What pods may do: security, tokens, rights, and the arguments of the model servers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rendering import OPEN, VALUE_SETS, at, containers, pod_specs, render

from model_server import command_line

SPEAKS_WITH_THE_API = {
    "rekindle-control": {"gateway"},
    "rekindle-prometheus": {"prometheus"},
    "rekindle-metrics-adapter": {"adapter"},
}
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.mark.parametrize("name", VALUE_SETS)
def test_pods_are_restricted(helm: str, name: str) -> None:
    """As Pod Security `restricted` asks, and a read-only root besides; no Service's variables."""
    for owner, spec in pod_specs(render(helm, VALUE_SETS[name]).manifests):
        assert spec["securityContext"]["runAsNonRoot"] is True, owner
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["enableServiceLinks"] is False, owner
        for each in containers(spec):
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert each["resources"]["requests"], (owner, each["name"])


def test_tokens_are_where_they_are_used(helm: str) -> None:
    """In one container each; nobody mounts one by default."""
    for owner, spec in pod_specs(render(helm, VALUE_SETS["trial"]).manifests):
        assert spec["automountServiceAccountToken"] is False
        have = {
            each["name"]
            for each in containers(spec)
            if any(mount["mountPath"] == TOKEN for mount in each.get("volumeMounts", []))
        }
        assert have == SPEAKS_WITH_THE_API.get(owner, set()), owner


def test_the_rights_of_the_gateway(helm: str) -> None:
    """One Role, for its own templates and for Jobs; the role predict has none."""
    rendered = render(helm, VALUE_SETS["trial"])
    rules = rendered.one("Role", "-control")["rules"]
    assert [(rule["resources"], rule["verbs"]) for rule in rules] == [
        (["cronjobs"], ["get"]),
        (["jobs"], ["create", "get", "list", "watch", "delete"]),
        (["pods"], ["get", "list"]),
        (["pods/log"], ["get"]),
        (["events"], ["list"]),
    ]
    assert rules[0]["resourceNames"] == ["rekindle-trainer"]
    subjects = [
        subject["name"]
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for binding in rendered.all(kind)
        for subject in binding["subjects"]
    ]
    assert "rekindle-predict" not in subjects


@pytest.mark.parametrize("flavour", ["tensorflow-serving", "rekindle"])
def test_the_arguments_of_both_flavours(helm: str, flavour: str, tmp_path: Path) -> None:
    """The same, every flag known, threads at the CPU limit; our own parser takes them."""
    rendered = render(helm, OPEN | {"modelServer": {"flavour": flavour}})
    spec = at(rendered.one("Deployment", "-model-cifar10"), "spec.template.spec")
    [server] = spec["containers"]
    assert server["command"] == ["/usr/bin/tensorflow_model_server"]
    assert server["args"] == [
        "--port=8500",
        "--rest_api_port=8501",
        "--model_config_file=/models/config/models/cifar10.config",
        "--model_config_file_poll_wait_seconds=1",
        "--allow_version_labels_for_unavailable_models=true",
        "--monitoring_config_file=/etc/rekindle/monitoring/monitoring.config",
        "--enable_grpc_healthcheck_service=true",
        "--tensorflow_intra_op_parallelism=2",
        "--tensorflow_inter_op_parallelism=2",
    ]
    there = tmp_path / "a.config"
    there.touch()
    parsed = command_line.parse([re.sub(r"(_file)=.*", rf"\1={there}", each) for each in server["args"]])
    assert (parsed.port, parsed.rest_api_port, parsed.tensorflow_intra_op_parallelism) == (8500, 8501, 2)
    is_upstream = flavour == "tensorflow-serving"
    assert server["image"].startswith("tensorflow/serving:" if is_upstream else "rekindle/model-server:")
    assert spec["shareProcessNamespace"] is True


@pytest.mark.parametrize(("limit", "threads"), [("500m", 1), ("1500m", 2), (4, 4), ("3", 3)])
def test_threads_follow_the_limit(helm: str, limit: object, threads: int) -> None:
    """Rounded up; a number in the values wins; without a limit TensorFlow chooses."""
    values = {"modelServer": {"resources": {"limits": {"cpu": limit}}}}
    args = at(
        render(helm, OPEN | values).one("Deployment", "-model-cifar10"),
        "spec.template.spec.containers.0.args",
    )
    assert f"--tensorflow_intra_op_parallelism={threads}" in args


def test_a_model_server_waits_for_its_configuration(helm: str) -> None:
    """Before it starts, and never writes to the store."""
    spec = at(render(helm, OPEN).one("Deployment", "-model-cifar10"), "spec.template.spec")
    [waiting] = spec["initContainers"]
    assert waiting["args"] == ["await", "cifar10"]
    for each in containers(spec):
        [mount] = [one for one in each["volumeMounts"] if one["name"] == "models"]
        assert mount["readOnly"] is True


def test_predicting_gateways_see_pictures_of_the_history_only(helm: str) -> None:
    """Neither datasets nor runs, and the models read-only."""
    rendered = render(helm, OPEN)
    mounts = at(rendered.one("Deployment", "-predict"), "spec.template.spec.containers.0.volumeMounts")
    [data] = [mount for mount in mounts if mount["name"] == "data"]
    assert data == {"name": "data", "mountPath": "/data/pictures", "subPath": "pictures"}
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in mounts


def test_a_migration_comes_before_the_gateway(helm: str) -> None:
    """In an init container, so that `helm install --wait` cannot deadlock; hooks are for tests only."""
    rendered = render(helm, OPEN)
    spec = at(rendered.one("Deployment", "-control"), "spec.template.spec")
    assert [each["args"][0] for each in spec["initContainers"]] == ["migrate", "bootstrap"]
    hooks = {
        each["metadata"]["annotations"]["helm.sh/hook"]
        for each in rendered.manifests
        if "helm.sh/hook" in (each["metadata"].get("annotations") or {})
    }
    assert hooks == {"test"}


def test_nothing_is_random(helm: str) -> None:
    """Two renderings are equal, so an upgrade without a change restarts nothing."""
    assert render(helm, OPEN).manifests == render(helm, OPEN, "--is-upgrade").manifests


def test_no_version_of_the_chart_on_pods(helm: str) -> None:
    """It would restart every pod at every release."""
    for each in render(helm, OPEN).all("Deployment"):
        assert not re.search(
            r"helm\.sh/chart|app\.kubernetes\.io/version", str(at(each, "spec.template.metadata"))
        )
