"""What cannot work is said by `helm install` or by the API; and all of it on one-node volumes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from drawn import picture
from kube import Namespace, eventually, figure
from release import Stack

RUNS = "/v1/training-runs"


@pytest.fixture(scope="module")
def other(stack: Stack, proxy: str) -> Iterator[Namespace]:
    """A namespace beside the first."""
    namespace = Namespace(f"{stack.namespace.name}-2", proxy)
    namespace.create()
    eventually("the default account", 30, lambda: "default" in namespace.kubectl("get", "serviceaccounts"))
    yield namespace
    namespace.delete()
    namespace.close()


def refused(namespace: Namespace, values: dict[str, Any]) -> str:
    """What `helm install` says."""
    said = namespace.helm("install", values, check=False)
    assert "INSTALLATION FAILED" in said
    return said


def test_a_second_provider_of_metrics(stack: Stack, other: Namespace) -> None:
    """The first release has registered one, and the refusal says whose it is."""
    scaling = {"modelServer": {"autoscaling": {"enabled": True}}}
    stack.namespace.helm("upgrade", stack.upgraded(scaling))
    said = refused(other, stack.upgraded(scaling))
    assert "has a provider of external metrics already" in said
    assert f"(the Service {stack.namespace.name}/rekindle-metrics-adapter)" in said


def test_a_missing_secret(stack: Stack, other: Namespace) -> None:
    """By name, and then by its key."""
    access = {"gateway": {"access": {"allowUnprotected": False, "tokensSecret": "missing"}}}
    values = stack.upgraded(access, {"modelServer": {"autoscaling": {"enabled": False}}})
    assert 'names the Secret "missing", which is not in the namespace' in refused(other, values)
    other.kubectl("create", "secret", "generic", "missing", "--from-literal=wrong=x")
    assert 'has no key "tokens"; it has: wrong' in refused(other, values)


def test_everything_on_readwriteonce_volumes(stack: Stack, other: Namespace) -> None:
    """The first release makes room; the second needs no volume that several nodes could mount."""
    stack.namespace.delete()
    one_node = {"storage": {"accessMode": "ReadWriteOnce"}, "images": {"trainer": {"tag": "nowhere"}}}
    began = time.monotonic()
    other.helm("install", stack.upgraded(one_node))

    def answered() -> bool:
        path = "/v1/models/cifar10/predictions"
        return other.call("POST", "predict", path, files={"images": picture()}).status_code == 200

    eventually("a prediction", 240, answered)
    figure("9", f"everything on ReadWriteOnce: first prediction after {time.monotonic() - began:.0f} s")

    def listed() -> list[str]:
        answer = other.call("GET", "control", "/v1/models")
        return [model["name"] for model in answer.json()["models"]] if answer.is_success else []

    assert eventually("the list of models", 120, listed) == ["cifar10"]


def test_an_image_that_cannot_be_pulled(other: Namespace) -> None:
    """Stands beside the run's name."""
    for label in ("a", "b"):  # of each class several, since the hash of a picture may choose the split `test`
        files = [("images", (f"{number}.png", picture())) for number in range(8)]
        form = {"files": files, "data": {"label": label}}
        other.api("POST", "/v1/datasets/d/examples", **form)
    body = {"model": "m", "dataset": "d", "preset": "tiny", "base": "none"}
    run = other.api("POST", RUNS, json=body)["id"]

    def told() -> str:
        reference = str(other.api("GET", f"{RUNS}/{run}")["reference"])
        return reference if " waits: " in reference else ""

    waits = eventually("why the run waits", 90, told)
    figure("0", f"an image that cannot be pulled, as the API tells it: {waits[:160]}")
    assert "nowhere" in waits
    other.api("DELETE", f"{RUNS}/{run}")
