"""Schemas for kubeconform from an API server's own OpenAPI: `python schemas.py FOLDER` (KUBECONFIG).

Strict: a field that the API does not know is an error. `python schemas.py` alone keeps those of the kinds
that the chart uses in kubernetes.json beside this file, for tests without a cluster (`make chart-schemas`),
and those of KEDA and the Gateway API from their CRDs, which come as Go modules.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]
Kept = dict[str, dict[str, Any]]

KEPT = Path(__file__).parent / "kubernetes.json"
USED = frozenset(
    [
        *(
            "apiservice-apiregistration-v1",
            "clusterrole-rbac-v1",
            "clusterrolebinding-rbac-v1",
            "configmap-v1",
        ),
        *("cronjob-batch-v1", "deployment-apps-v1", "horizontalpodautoscaler-autoscaling-v2"),
        *("ingress-networking-v1", "namespace-v1", "networkpolicy-networking-v1", "persistentvolumeclaim-v1"),
        *("pod-v1", "poddisruptionbudget-policy-v1", "role-rbac-v1", "rolebinding-rbac-v1", "secret-v1"),
        *("service-v1", "serviceaccount-v1", "statefulset-apps-v1", "storageclass-storage-v1"),
    ]
)
CRDS = (
    ("github.com/kedacore/keda/v2@v2.17.2", "config/crd/bases/keda.sh_scaledobjects.yaml"),
    ("sigs.k8s.io/gateway-api@v1.4.0", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"),
    ("sigs.k8s.io/gateway-api@v1.4.0", "config/crd/standard/gateway.networking.k8s.io_gateways.yaml"),
)


def strict(definitions: Schema) -> Schema:
    """The definitions, closed, with quantities and numbers-or-words as they may be written."""
    found = {name: _closed(told) for name, told in definitions.items()}
    found["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"type": ["string", "number"]}
    found["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = {"type": ["string", "integer"]}
    return found


def _closed(told: Any) -> Any:
    if isinstance(told, list):
        return [_closed(each) for each in told]
    if not isinstance(told, dict):
        return told
    drop = ("description", "x-kubernetes-group-version-kind", "format")
    kept = {key: _closed(value) for key, value in told.items() if key not in drop or isinstance(value, dict)}
    if "properties" in kept and "additionalProperties" not in kept:
        kept["additionalProperties"] = False
    return kept


def kinds(definitions: Schema) -> dict[str, str]:
    """`<kind>-<group>-<version>` as kubeconform names files, to the name of the definition."""
    found = {}
    for name, told in definitions.items():
        for one in told.get("x-kubernetes-group-version-kind", []):
            group = one["group"].partition(".")[0]
            found["-".join(part for part in (one["kind"], group, one["version"]) if part).lower()] = name
    return found


def write(kept: Kept, folder: Path) -> None:
    """One file a kind, each with what it refers to."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, name in kept["kinds"].items():
        told = {"$ref": f"#/definitions/{name}", "definitions": _reached(kept["definitions"], [name])}
        (folder / f"{file}.json").write_text(json.dumps(told))


def of_server(openapi: Schema) -> Kept:
    """Everything that the API server knows."""
    definitions = openapi["definitions"]
    return {"kinds": kinds(definitions), "definitions": strict(definitions)}


def of_crds() -> Kept:
    """The kinds of others, from their modules' own files."""
    kept: Kept = {"kinds": {}, "definitions": {}}
    for module, path in CRDS:
        said = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, check=True)
        crd = yaml.safe_load((Path(json.loads(said.stdout)["Dir"]) / path).read_text())["spec"]
        for version in crd["versions"]:
            parts = (crd["names"]["kind"], crd["group"].partition(".")[0], version["name"])
            file = "-".join(parts).lower()
            kept["kinds"][file] = file
            kept["definitions"][file] = _closed(version["schema"]["openAPIV3Schema"])
    return kept


def used(kept: Kept) -> Kept:
    """Only what the chart uses."""
    chosen = {file: name for file, name in kept["kinds"].items() if file in USED}
    return {"kinds": chosen, "definitions": _reached(kept["definitions"], list(chosen.values()))}


def _reached(definitions: Schema, start: list[str]) -> Schema:
    found: Schema = {}
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = definitions[name]
            waiting += [one.rpartition("/")[2] for one in _references(definitions[name])]
    return found


def _references(told: Any) -> list[str]:
    if isinstance(told, list):
        return [one for each in told for one in _references(each)]
    if not isinstance(told, dict):
        return []
    own = [told["$ref"]] if isinstance(told.get("$ref"), str) else []
    return own + [one for each in told.values() for one in _references(each)]


def main(folder: Path | None) -> int:
    """Ask the API server that KUBECONFIG names."""
    said = subprocess.run(["kubectl", "get", "--raw", "/openapi/v2"], capture_output=True, check=True).stdout
    server = of_server(json.loads(said))
    if folder is None:
        kept = {"kubernetes": used(server), "crds": of_crds()}
        KEPT.write_text(json.dumps(kept, separators=(",", ":")) + "\n")
    else:
        write(server, folder)
        write(json.loads(KEPT.read_text())["crds"], folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
