"""The page of the chart's values: the tables of helm/rekindle/README.md, which `make chart` writes."""

from __future__ import annotations

from pathlib import Path

README = Path(__file__).resolve().parents[2] / "helm" / "rekindle" / "README.md"
HEAD = """# Chart values

What `helm install rekindle helm/rekindle --values FILE` reads; a key that is not among these is refused.
[On Kubernetes](../kubernetes.md) says what comes of them, and the deployment guides have whole sets. From
`helm/rekindle/values.yaml`. Written by `make reference` from the code.

"""


def page() -> str:
    """The page."""
    text = README.read_text()
    return HEAD + text[text.index("## ") :]
