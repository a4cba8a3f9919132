"""What the guides' values ask of a cluster, and what that costs: `make cost`, into docs/deploy/cost.md.

The requests are read from the rendered chart (deploy/demand.py), so they follow its values. Prices are inputs
(deploy/prices.yaml), each with its day and source; one that is missing stays missing in the table. Pods are
not packed onto nodes: their number is what CPUs and memory ask for, and a real cluster may need one more.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from math import ceil
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError

sys.path.insert(0, str(Path(__file__).parent))
from demand import GIBIBYTE, ROOT, Demand, Needs, needs, rendered

PAGE = ROOT / "docs" / "deploy" / "cost.md"
PRICES = ROOT / "deploy" / "prices.yaml"
GUIDES = ("eks", "gke", "aks", "air-gapped", "k3s", "local")
HOURS_A_MONTH = 730
BLOCK = re.compile(r"(<!-- by `make cost` -->\n).*?(<!-- until here -->)", re.DOTALL)


class Closed(BaseModel):
    """Refuses a name that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Node(Closed):
    """A kind of machine."""

    name: str
    cpus: float = Field(gt=0)
    memory_gib: float = Field(gt=0)


class Price(Closed):
    """What it costs, and who says so."""

    usd_per_hour: float = Field(gt=0)
    region: str
    read: date
    source: str = Field(pattern="^https://")


class Guide(Closed):
    """One guide's inputs."""

    node: Node
    price: Price | None
    others: dict[str, float | None]


class Prices(Closed):
    """The file."""

    training_hours: float = Field(ge=0)
    usable: float = Field(gt=0, le=1)
    at_least: int = Field(ge=1)
    guides: dict[str, Guide]


def lines(all_needs: dict[str, Needs], prices: Prices) -> Iterator[str]:
    """The two tables."""
    yield "| values | at rest | at the autoscalers' limits | and a training run | shared volumes, disks |"
    yield "|---|---|---|---|---|"
    for name, each in all_needs.items():
        yield (
            f"| [{name}](../../deploy/{name}/values.yaml) | {each.least} | {each.most} "
            f"| {each.training} | {each.shared} GiB, {each.disks} GiB |"
        )
    yield ""
    yield "| guide | nodes at rest | at limits | USD a month at rest | at limits | price | not in it |"
    yield "|---|---|---|---|---|---|---|"
    for name, guide in prices.guides.items():
        yield _priced(name, guide, all_needs[name], prices)


def _priced(name: str, guide: Guide, asked: Needs, prices: Prices) -> str:
    least, most = (_nodes(demand, guide.node, prices) for demand in (asked.least, asked.most))
    missing = ", ".join(what for what, usd in guide.others.items() if usd is None)
    price = guide.price
    source = f"[{price.region}, {price.read}]({price.source})" if price else "–"
    months = " | ".join(_month(count, guide, prices) for count in (least, most))
    return f"| {name} | {least} × {guide.node.name} | {most} | {months} | {source} | {missing or '–'} |"


def _nodes(demand: Demand, node: Node, prices: Prices) -> int:
    by_cpus = demand.cpus / (node.cpus * prices.usable)
    by_memory = demand.memory / (node.memory_gib * GIBIBYTE * prices.usable)
    return max(prices.at_least, ceil(by_cpus), ceil(by_memory))


def _month(nodes: int, guide: Guide, prices: Prices) -> str:
    if guide.price is None:
        return "price missing"
    hours = nodes * HOURS_A_MONTH + prices.training_hours
    return f"{hours * guide.price.usd_per_hour + sum(each or 0.0 for each in guide.others.values()):,.0f}"


def page(helm: str, prices: Prices) -> str:
    """docs/deploy/cost.md with the tables anew. Raises CalledProcessError."""
    tables = "\n".join(lines({guide: needs(rendered(helm, guide)) for guide in GUIDES}, prices))
    return BLOCK.sub(lambda found: f"{found[1]}{tables}\n{found[2]}", PAGE.read_text())


def main() -> int:
    """Write the page, or print the tables for prices of one's own."""
    parser = argparse.ArgumentParser(prog="make cost", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--helm", default="helm", help="the program")
    parser.add_argument("--prices", type=Path, help="like deploy/prices.yaml; prints instead of writing")
    options = parser.parse_args()
    try:
        prices = Prices.model_validate(yaml.safe_load((options.prices or PRICES).read_text()))
        text = page(options.helm, prices)
    except ValidationError as error:
        print(json.dumps(error.errors(include_url=False), default=str, indent=1), file=sys.stderr)
        return 1
    except (OSError, subprocess.CalledProcessError) as error:
        print(getattr(error, "stderr", None) or error, file=sys.stderr)
        return 1
    if options.prices:
        print(BLOCK.search(text)[0])  # type: ignore[index]
    else:
        PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
