"""A host that runs one container: deploy/render, its blueprint, its image and what the image starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import httpx
import pytest
import yaml
from documents import ROOT
from pydantic import BaseModel, ConfigDict, Field

from gateway.access.callers import Role
from gateway.access.tokens import create
from rekindle.loopback import free_ports

RENDER = ROOT / "deploy" / "render"
F = TypeVar("F")


class Closed(BaseModel):
    """Refuses a name that it does not know."""

    model_config = ConfigDict(extra="forbid")


class Variable(Closed):
    """https://render.com/docs/blueprint-spec#environment-variables."""

    key: str = Field(pattern="^[A-Z][A-Z0-9_]*$")
    value: str


class Disk(Closed):
    """https://render.com/docs/blueprint-spec#disks."""

    name: str
    mountPath: str = Field(pattern="^/.+")  # noqa: N815
    sizeGB: Annotated[int, Field(ge=1)]  # noqa: N815


class Service(Closed):
    """https://render.com/docs/blueprint-spec#service-fields: those that we use."""

    type: Literal["web", "pserv", "worker"]
    name: str
    runtime: Literal["docker"]
    dockerfilePath: str  # noqa: N815
    dockerContext: str  # noqa: N815
    plan: Literal["starter", "standard", "pro", "pro plus", "pro max", "pro ultra"]
    numInstances: Literal[1]  # noqa: N815
    """A disk belongs to one instance."""
    healthCheckPath: Literal["/readyz", "/healthz"]  # noqa: N815
    maxShutdownDelaySeconds: Annotated[int, Field(ge=1, le=300)]  # noqa: N815
    disk: Disk
    envVars: list[Variable]  # noqa: N815


class Blueprint(Closed):
    """The file."""

    services: list[Service]


def test_the_blueprint() -> None:
    """Closed over the fields of Render's specification; its paths and settings are ours."""
    [service] = Blueprint.model_validate(yaml.safe_load((RENDER / "render.yaml").read_text())).services
    dockerfile = (ROOT / service.dockerfilePath).read_text()
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile, re.MULTILINE):
        for path in source.split():
            assert (ROOT / service.dockerContext / path).exists(), path
            assert any(
                path == each or path.startswith(f"{each}/") or Path(path).match(each) for each in sent
            ), path
    assert f"store=${{STORE:-{service.disk.mountPath}}}" in (RENDER / "start").read_text()
    settings = (ROOT / "docs" / "settings.md").read_text()
    for name in re.findall(r"GATEWAY_[A-Z_]+__[A-Z_]+", dockerfile + (RENDER / "start").read_text()):
        assert f"`{name}`" in settings, name
    assert all(f"`{each.key}`" in settings for each in service.envVars)


def test_the_locks_of_one_container_agree() -> None:
    """They are installed one after the other without dependencies: one version of a package for a Python."""
    versions: dict[tuple[str, str], str] = {}
    for role in re.findall(r"requirements/([a-z-]+)\.lock", (RENDER / "Dockerfile").read_text()):
        lock = (ROOT / "requirements" / f"{role}.lock").read_text()
        for name, version, marker in re.findall(r"^([a-z0-9-]+)==(\S+)([^\\\n]*)", lock, re.MULTILINE):
            assert versions.setdefault((name, marker.strip()), version) == version, (name, role)
    assert {"tensorflow", "fastapi", "scikit-learn"} <= {name for name, _ in versions}


IN_A_CONTAINER = [
    pytest.mark.stack,
    pytest.mark.tensorflow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="a container is Linux: bash 5, /proc"),
]


def in_a_container(test: F) -> F:
    """Marks a test that runs deploy/render/start."""
    for mark in IN_A_CONTAINER:
        test = mark(test)
    return test


@pytest.fixture
def one_container(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """deploy/render/start as the container runs it, on an empty disk: process, address, token."""
    token = create("tester", Role.PREDICT)
    (tmp_path / "tokens").write_text(token.line + "\n")
    port, grpc, rest = free_ports(3)
    settings = {
        "STORE": str(tmp_path / "disk"),
        "PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "GRPC_PORT": str(grpc),
        "REST_PORT": str(rest),
        "GATEWAY_SERVER__HOST": "0.0.0.0",
        "GATEWAY_SERVER__PORT": str(port),
        "GATEWAY_STORES__BUNDLED": str(ROOT / "models"),
        "GATEWAY_ACCESS__TOKENS_FILE": str(tmp_path / "tokens"),
    }
    process = subprocess.Popen(
        [str(RENDER / "start")],
        cwd=ROOT,
        env={**os.environ, **settings, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    yield process, f"http://127.0.0.1:{port}", token.secret
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@in_a_container
def test_one_container_is_a_whole(one_container: tuple[subprocess.Popen[str], str, str]) -> None:
    """It predicts with the bundled model for who has a token, and SIGTERM ends it with 0."""
    process, address, token = one_container
    picture = (ROOT / "docs" / "pictures" / "ship.jpg").read_bytes()
    path, headers = "/v1/models/cifar10/predictions", {"Content-Type": "image/jpeg"}
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        _wait_until_ready(process, client)
        assert client.post(path, content=picture, headers=headers).status_code == 401
        headers["Authorization"] = f"Bearer {token}"
        answer = client.post(path, content=picture, headers=headers).raise_for_status().json()
    assert answer["predictions"][0]["classifications"][0]["label"] == "ship"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


@in_a_container
def test_one_container_ends_when_a_part_of_it_ends(
    one_container: tuple[subprocess.Popen[str], str, str],
) -> None:
    """The host starts it anew, instead of keeping a gateway that has no model server."""
    process, address, _ = one_container
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        _wait_until_ready(process, client)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    [server] = [each for each in children if b"model_server" in Path(f"/proc/{each}/cmdline").read_bytes()]
    os.kill(int(server), signal.SIGKILL)
    assert process.wait(60) == 1


def _wait_until_ready(process: subprocess.Popen[str], client: httpx.Client) -> None:
    pause = threading.Event()
    while True:
        assert process.poll() is None, process.returncode
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        pause.wait(0.2)
