"""The page of the HTTP API, from the OpenAPI document that the gateway itself serves at /openapi.json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.app import create_app
from gateway.settings import Settings

HEAD = """# HTTP API

Every route of a gateway of the role `all`. The same as an OpenAPI document: `/openapi.json` of a running
gateway, which `/docs` shows. Errors are [problems](../errors.md). Written by `make reference` from the code.
"""

Document = dict[str, Any]


def page() -> str:
    """The page."""
    document = create_app(Settings()).openapi()
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["other"])[0]
            by_tag.setdefault(tag, []).append("\n".join(_operation(document, method, path, operation)))
    sections = [f"## {tag}\n\n" + "\n".join(operations) for tag, operations in by_tag.items()]
    return "\n".join([HEAD, *sections])


def _operation(document: Document, method: str, path: str, operation: Document) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`\n"
    yield f"**{operation.get('summary', '')}** {_flat(operation.get('description', ''))}\n"
    if parameters := [_resolved(document, each) for each in operation.get("parameters", [])]:
        yield "| parameter | in | type | |\n|---|---|---|---|"
        for each in parameters:
            about = ". ".join(
                filter(None, ("Required" if each.get("required") else "", _flat(each.get("description", ""))))
            )
            yield f"| `{each['name']}` | {each['in']} | {_type(each.get('schema', {}))} | {about} |"
        yield ""
    if "requestBody" in operation:
        kinds = _resolved(document, operation["requestBody"])["content"]
        yield (
            "Body: "
            + ", ".join(f"`{kind}` {_type(each.get('schema', {}))}".strip() for kind, each in kinds.items())
            + "\n"
        )
    yield "Answers: " + ", ".join(_answer(document, *each) for each in operation["responses"].items()) + "\n"


def _answer(document: Document, status: str, answer: Document) -> str:
    content = _resolved(document, answer).get("content", {})
    schemas = {_type(each.get("schema", {})) for kind, each in content.items() if "problem" not in kind}
    return f"{status} {' or '.join(sorted(schemas - {''}))}".strip()


def _resolved(document: Document, value: Document) -> Document:
    while "$ref" in value:
        found: Document = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def _type(schema: Document) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2].removesuffix('Schema')}`"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(each) for each in options if each.get("type") != "null"))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    return _bounded(schema)


def _bounded(schema: Document) -> str:
    words = {"minimum": "≥", "maximum": "≤", "default": "default"}
    bounds = [f"{word} {schema[name]}" for name, word in words.items() if schema.get(name) is not None]
    return ", ".join(filter(None, (str(schema.get("type", "")), *bounds)))


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
