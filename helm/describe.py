"""values.schema.json and README.md of the chart, written from the comments in values.yaml: `make chart`.

A comment above a key is its documentation; a line `@schema {…}` in it says what the default's type does not.
Every object is closed, so that a typo fails. The schema of `gateway.config` is that of gateway.settings, less
what the chart itself decides. A test compares the files with what this writes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gateway.settings import Settings

HERE = Path(__file__).parent / "rekindle"

OWNED: dict[str, set[str]] = {
    "server": {"role", "host", "port", "metrics_port", "allow_unprotected"},
    "predictor": {"targets"},
    "stores": {"models", "data", "runs", "pictures", "bundled", "load_tests", "models_at_server"},
    "database": {"url"},
    "training": {
        *("launcher", "process_command", "data_at_trainer", "models_at_trainer", "runs_at_trainer"),
        *("cron_job", "kubernetes_namespace"),
    },
    "access": {"tokens_file"},
}
"""Settings that the chart decides, by group."""

TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", type(None): "null"}

QUANTITY = {"type": ["string", "integer", "number"]}
RESOURCES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        name: {
            "type": ["object", "null"],
            "additionalProperties": {**QUANTITY, "type": [*QUANTITY["type"], "null"]},
        }
        for name in ("requests", "limits")
    },
}
OBJECTS = {"type": "array", "items": {"type": "object"}}
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
POD: dict[str, Any] = {
    "labels": STRINGS | {"description": "Further labels of the pods."},
    "annotations": STRINGS | {"description": "Further annotations of the pods."},
    "nodeSelector": STRINGS
    | {"description": "Labels of the nodes that the pods may run on, e.g. of those with GPUs."},
    "tolerations": OBJECTS | {"description": "Taints that they tolerate."},
    "affinity": {"type": "object", "description": "Affinities, as in a pod spec."},
    "priorityClassName": {"type": "string", "description": "Which pods go first when there is no room."},
    "runtimeClassName": {"type": "string", "description": "E.g. `nvidia`."},
    "env": OBJECTS | {"description": "Further variables, as in a container."},
    "volumes": OBJECTS | {"description": "Further volumes, as in a pod spec."},
    "volumeMounts": OBJECTS | {"description": "And where they are mounted."},
}
CONSTRAINTS = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["topologyKey", "maxSkew", "whenUnsatisfiable"],
        "properties": {
            "topologyKey": {"type": "string"},
            "maxSkew": {"type": "integer", "minimum": 1},
            "whenUnsatisfiable": {"enum": ["DoNotSchedule", "ScheduleAnyway"]},
            "minDomains": {"type": "integer"},
            "nodeAffinityPolicy": {"enum": ["Honor", "Ignore"]},
            "nodeTaintsPolicy": {"enum": ["Honor", "Ignore"]},
        },
    },
}
BEHAVIOR = {"type": "object", "properties": {"scaleUp": {"type": "object"}, "scaleDown": {"type": "object"}}}


@dataclass(frozen=True)
class Entry:
    """One key of values.yaml: its path, its default, what its comment says."""

    path: tuple[str, ...]
    node: yaml.Node
    value: Any
    about: str
    given: dict[str, Any] = field(default_factory=dict)
    children: tuple[Entry, ...] = ()


def entries(text: str) -> tuple[Entry, ...]:
    """The keys of a values file, with their comments."""
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)  # noqa: S101
    return tuple(_entries(root, yaml.safe_load(text), text.splitlines(), ()))


def _entries(
    mapping: yaml.MappingNode, values: dict[str, Any], lines: list[str], path: tuple[str, ...]
) -> Iterator[Entry]:
    for key, node in mapping.value:
        about, given = _comment(lines, key.start_mark.line) if _begins(lines, key) else ("", {})
        here = (*path, key.value)
        value = values[key.value]
        is_branch = isinstance(node, yaml.MappingNode) and node.value and not _is_leaf(given)
        children = tuple(_entries(node, value, lines, here)) if is_branch else ()
        yield Entry(here, node, value, about, given, children)


def _begins(lines: list[str], key: yaml.Node) -> bool:
    """Whether the key is the first on its line; in `{a: 1, b: 2}` the comment is the whole's."""
    return not lines[key.start_mark.line][: key.start_mark.column].strip()


def _is_leaf(given: dict[str, Any]) -> bool:
    return "$ref" in given or "additionalProperties" in given


def _comment(lines: list[str], line: int) -> tuple[str, dict[str, Any]]:
    told: list[str] = []
    given: dict[str, Any] = {}
    while line and lines[line - 1].strip().startswith("#"):
        line -= 1
        said = lines[line].strip().removeprefix("#").strip()
        if said.startswith("@schema"):
            given = json.loads(said.removeprefix("@schema"))
        else:
            told.insert(0, said)
    return " ".join(told), given


# --- the schema -------------------------------------------------------------------------------------


def schema(found: tuple[Entry, ...]) -> dict[str, Any]:
    """The JSON schema of the values."""
    defs = {
        "resources": RESOURCES,
        "pod": {"type": "object", "additionalProperties": False, "properties": POD},
        "constraints": CONSTRAINTS,
        "behavior": BEHAVIOR,
        **settings_schema(),
    }
    top = _object(found)
    top["properties"]["global"] = {"type": "object"}  # Helm adds it
    common = top["properties"]["modelServer"]
    defs["model"] = {**common, "type": ["object", "null"], "description": "One model's own values."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": defs, **top}


def _object(children: tuple[Entry, ...]) -> dict[str, Any]:
    properties = {child.path[-1]: _schema(child) for child in children}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _schema(entry: Entry) -> dict[str, Any]:
    if entry.children:
        told = _object(entry.children)
    elif isinstance(entry.value, dict):
        told = {} if "$ref" in entry.given else {"type": "object"}
    elif "enum" in entry.given or "$ref" in entry.given:
        told = {}
    else:
        kind = TYPES[type(entry.value)]
        told = {"type": "number" if kind == "integer" and "exclusiveMinimum" in entry.given else kind}
    told |= entry.given
    return ({"description": entry.about} if entry.about else {}) | told


def settings_schema() -> dict[str, Any]:
    """`$defs` for gateway.config: the settings tree without what the chart decides."""
    whole = Settings.model_json_schema()
    defs = whole["$defs"]
    for group, names in OWNED.items():
        properties = defs[_name_of(whole["properties"][group])]["properties"]
        for name in names:
            del properties[name]
    groups = {name: {"$ref": f"#/$defs/{_name_of(told)}"} for name, told in whole["properties"].items()}
    settings = {"type": "object", "additionalProperties": False, "properties": groups}
    return {"settings": settings, **{name: _bare(told) for name, told in defs.items()}}


def _name_of(told: dict[str, Any]) -> str:
    return str(told["$ref"]).rpartition("/")[2]


def _bare(told: Any) -> Any:
    """Without titles and formats, which say nothing that a values file needs."""
    if isinstance(told, list):
        return [_bare(value) for value in told]
    if not isinstance(told, dict):
        return told
    kept = {key: _bare(value) for key, value in told.items() if key not in ("title", "format", "properties")}
    if "properties" in told:
        kept["properties"] = {name: _bare(value) for name, value in told["properties"].items()}
    return kept


# --- the README -------------------------------------------------------------------------------------

HEAD = """# Rekindle on Kubernetes

```sh
python -m gateway token me operate >> tokens        # the token itself is shown once
kubectl create secret generic rekindle-tokens --from-file=tokens
helm install rekindle helm/rekindle --set gateway.access.tokensSecret=rekindle-tokens
helm test rekindle --logs
```

[docs/kubernetes.md](../../docs/kubernetes.md) says what comes up, how it scales, and what to do when it does
not. This page is written by `make chart` from the comments in [values.yaml](values.yaml); a key that is not
in it is refused.
"""


def readme(found: tuple[Entry, ...]) -> str:
    """The chart's page."""
    lines = [HEAD]
    for entry in found:
        lines += [f"## {entry.path[0]}", "", entry.about, ""]
        rows = list(_rows(entry)) if entry.children else [(entry.path, entry)]
        lines += ["| value | default | |", "|---|---|---|"]
        lines += [f"| `{'.'.join(path)}` | {_default(leaf)} | {_cell(leaf, entry)} |" for path, leaf in rows]
        lines.append("")
    lines += ["## Any `pod`", "", "| key | |", "|---|---|"]
    lines += [f"| `{name}` | {told['description']} |" for name, told in POD.items()]
    return "\n".join([*lines, ""])


def _rows(entry: Entry) -> Iterator[tuple[tuple[str, ...], Entry]]:
    for child in entry.children:
        if child.about and child.children:
            yield child.path, Entry(child.path, child.node, None, child.about)
        yield from _rows(child) if child.children else [(child.path, child)]


def _default(entry: Entry) -> str:
    if entry.value is None:
        return ""
    text = yaml.safe_dump(entry.value, default_flow_style=True, width=10_000, sort_keys=False)
    return f"`{text.strip().removesuffix('...').strip()}`".replace("|", "\\|")


def _cell(leaf: Entry, of: Entry) -> str:
    about = "" if leaf is of else leaf.about
    choices = leaf.given.get("enum")
    told = "One of " + ", ".join(f"`{one}`" for one in choices) + "." if choices else ""
    return " ".join(part for part in (about, told) if part).replace("|", "\\|")


def pages() -> dict[Path, str]:
    """What this writes, by file."""
    found = entries((HERE / "values.yaml").read_text())
    return {
        HERE / "values.schema.json": json.dumps(schema(found), indent=1) + "\n",
        HERE / "README.md": readme(found),
    }


def main() -> int:
    """Write the files."""
    for path, text in pages().items():
        path.write_text(text)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
