"""A network without a way out, and costs: lists and tables that deploy/ takes from the chart."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import ROOT, VALUE_SETS, containers, pod_specs, render

DEPLOY = ROOT / "deploy"


def test_the_air_gapped_list_is_what_the_chart_asks_for(helm: str) -> None:
    """Written by `make manifests`; an image in any set of values is in it, by its name without a registry."""
    module = runpy.run_path(str(DEPLOY / "images.py"), run_name="images")
    listed = module["LIST"].read_text().split()
    assert listed == module["images"](helm), f"{module['LIST']} is stale: make manifests"
    names = {image.rpartition(":")[0] for image in listed}
    for told in VALUE_SETS.values():
        for _, spec in pod_specs(render(helm, told).manifests):
            for each in containers(spec):
                assert any(each["image"].rpartition(":")[0].endswith(name) for name in names), each["image"]


def test_air_gapped_everything_comes_from_the_mirror(helm: str) -> None:
    """With its credentials; those of the tests of `helm test`, too."""
    told = yaml.safe_load((DEPLOY / "air-gapped" / "values.yaml").read_text())
    for _, spec in pod_specs(render(helm, told).manifests):
        assert {"name": "registry"} in spec["imagePullSecrets"]
        assert all(each["image"].startswith(told["image"]["registry"] + "/") for each in containers(spec))


@pytest.mark.parametrize("step", ["save", "push"])
def test_the_air_gapped_script_handles_every_image_once(tmp_path: Path, step: str) -> None:
    """With a Docker that writes down what it is asked."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    docker.chmod(0o755)
    command = [str(DEPLOY / "air-gapped" / "images.sh"), step, "images.tar", "registry.example.com/mirror/"]
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", "DOCKER": str(docker)}, check=True)
    asked = (tmp_path / "asked").read_text().splitlines()
    listed = (DEPLOY / "air-gapped" / "images.txt").read_text().split()
    if step == "save":
        others = [image for image in listed if not image.startswith("rekindle/")]
        assert asked == [
            *(f"pull {image}" for image in others),
            f"save --output images.tar {' '.join(listed)}",
        ]
    else:
        pushed = [line.removeprefix("push ") for line in asked if line.startswith("push ")]
        assert pushed == [f"registry.example.com/mirror/{image}" for image in listed]


def test_the_air_gapped_script_refuses_an_unknown_step() -> None:
    """With the usage, and 2."""
    command = [str(DEPLOY / "air-gapped" / "images.sh"), "send", "images.tar"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_the_cost_table_is_fresh(helm: str) -> None:
    """docs/deploy/cost.md is what `make cost` writes; a price has a day and a source or is missing."""
    cost = runpy.run_path(str(DEPLOY / "cost.py"), run_name="cost")
    prices = cost["Prices"].model_validate(yaml.safe_load((DEPLOY / "prices.yaml").read_text()))
    assert cost["page"](helm, prices) == cost["PAGE"].read_text(), "docs/deploy/cost.md is stale: make cost"
    assert set(prices.guides) == {"eks", "gke", "aks"}


def costs(helm: str, prices: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """What deploy/cost.py says to prices of one's own."""
    (folder / "mine.yaml").write_text(yaml.safe_dump(prices))
    command = [sys.executable, str(DEPLOY / "cost.py"), "--helm", helm, "--prices", str(folder / "mine.yaml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_cost_by_hand(helm: str, tmp_path: Path) -> None:
    """Two nodes for a month and ten hours of training, and what else was filled in."""
    mine = yaml.safe_load((DEPLOY / "prices.yaml").read_text())
    mine["training_hours"] = 10
    price = {"usd_per_hour": 1.0, "region": "here", "read": "2026-01-02", "source": "https://example.com"}
    mine["guides"]["gke"] |= {"price": price, "others": {"all else": 5.0}}
    done = costs(helm, mine, tmp_path)
    assert done.returncode == 0, done.stderr
    row = re.search(r"^\| gke .*$", done.stdout, re.MULTILINE)
    assert row is not None
    assert "| 1,475 | 1,475 | [here, 2026-01-02](https://example.com) | – |" in row[0]


def test_a_price_without_a_source_is_refused(helm: str, tmp_path: Path) -> None:
    """In words that name the field."""
    mine = yaml.safe_load((DEPLOY / "prices.yaml").read_text())
    mine["guides"]["gke"]["price"] = {"usd_per_hour": 1.0, "region": "here", "read": "2026-01-02"}
    done = costs(helm, mine, tmp_path)
    assert done.returncode == 1
    assert "source" in done.stderr
