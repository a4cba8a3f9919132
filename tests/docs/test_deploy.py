"""Deployment without Kubernetes: one machine by Compose, TLS and systemd; GPUs; a workflow of users."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml
from documents import ROOT

from rekindle.__main__ import _parser

VM = ROOT / "deploy" / "vm"
VARIABLES = {"REKINDLE_HOST": "rekindle.example.com", "REKINDLE_DATABASE_PASSWORD": "0123456789abcdef"}


def program(name: str) -> str:
    """A program that is on PATH, or in REKINDLE_KUBE_TOOLS; skips the test where it is not."""
    places = os.pathsep.join(filter(None, [os.environ.get("PATH"), os.environ.get("REKINDLE_KUBE_TOOLS")]))
    if (found := shutil.which(name, path=places)) is None:
        pytest.skip(f"needs {name}")
    return found


def compose() -> list[str]:
    """Docker's plugin, or Compose by itself; neither needs a daemon to read files."""
    if docker := shutil.which("docker"):
        asked = [docker, "compose"]
        if subprocess.run([*asked, "version"], capture_output=True, check=False).returncode == 0:
            return asked
    return [program("docker-compose")]


def composed(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`docker compose config` as the systemd unit calls Compose."""
    command = [*compose(), "-f", "compose.yaml", "-f", "deploy/vm/compose.yaml", "config"]
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_compose_of_the_machine() -> None:
    """Compose accepts it; nothing but Caddy listens to the world, and every gateway asks for tokens."""
    done = composed(VARIABLES)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    for name, service in services.items():
        for port in service.get("ports", []):
            assert name == "caddy" or port["host_ip"] == "127.0.0.1", name
    assert not services["gateway"].get("ports")
    settings = services["gateway"]["environment"]
    assert settings["GATEWAY_SERVER__ALLOW_UNPROTECTED"] == "false"
    assert settings["GATEWAY_ACCESS__ALLOWED_HOSTS"] == VARIABLES["REKINDLE_HOST"]
    mounted = {each["target"]: each["source"] for each in services["gateway"]["volumes"]}
    assert mounted[settings["GATEWAY_ACCESS__TOKENS_FILE"]] == "/etc/rekindle/tokens"
    password = services["postgres"]["environment"]["POSTGRES_PASSWORD"]
    assert f":{password}@" in settings["GATEWAY_DATABASE__URL"]
    assert services["bootstrap"]["environment"] == settings


@pytest.mark.parametrize("missing", VARIABLES)
def test_compose_names_what_is_missing(missing: str) -> None:
    """No machine comes up with an empty password or without a name."""
    done = composed({name: value for name, value in VARIABLES.items() if name != missing})
    assert done.returncode != 0
    assert missing in done.stderr


def test_compose_files_by_their_schema() -> None:
    """Compose's own, which check-jsonschema brings along, also where there is no Compose."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(ROOT / "compose.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_example_has_every_variable() -> None:
    """What Compose insists on stands in environment.example."""
    asked = set(re.findall(r"\$\{(REKINDLE_[A-Z_]+):\?", (VM / "compose.yaml").read_text()))
    given = set(re.findall(r"^(REKINDLE_[A-Z_]+)=", (VM / "environment.example").read_text(), re.MULTILINE))
    assert asked == given == set(VARIABLES)


def test_caddy_accepts_its_file() -> None:
    """And would format it no other way."""
    caddy = program("caddy")
    environment = {**os.environ, **VARIABLES}
    for command in (["validate", "--adapter", "caddyfile", "--config"], ["fmt", "--diff"]):
        done = subprocess.run(
            [caddy, *command, str(VM / "Caddyfile")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout


def test_the_unit_calls_what_is_there() -> None:
    """The files it names exist; systemd finds no fault with it, where there is a systemd."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[method-assign, assignment]
    unit.read(VM / "rekindle.service")
    for name in re.findall(r"-f (\S+)", unit["Service"]["Environment"]):
        assert (ROOT / name).is_file()
    done = subprocess.run(
        [program("systemd-analyze"), "verify", str(VM / "rekindle.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    # Docker is not installed where tests run.
    faults = [line for line in done.stderr.splitlines() if "docker" not in line]
    assert faults == []


@pytest.mark.parametrize(
    "script", ["deploy/vm/backup.sh", "deploy/air-gapped/images.sh", "deploy/render/start"]
)
def test_scripts_can_be_parsed(script: str) -> None:
    """By the shell of their first line; and they are executable."""
    shell = (ROOT / script).read_text().splitlines()[0].removeprefix("#!")
    assert subprocess.run([shell, "-n", str(ROOT / script)], check=False).returncode == 0
    assert os.access(ROOT / script, os.X_OK)


def test_the_workflow_of_users() -> None:
    """GitHub's schema accepts it, and the command line every call of it, whatever the variables hold."""
    path = ROOT / "deploy" / "ci" / "retrain.yaml"
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    [job] = yaml.safe_load(path.read_text())["jobs"].values()
    called = [each["run"] for each in job["steps"] if each.get("run", "").startswith("rekindle ")]
    assert len(called) == 3
    for line in called:
        words = shlex.split(re.sub(r'"\$[^"]*\)"|"\$\w+"', "1", line.partition(" > ")[0]))
        assert callable(_parser().parse_args(words[1:]).command)


def test_compose_with_gpus() -> None:
    """The trainer alone asks for them, and takes the image that brings CUDA."""
    files = ["-f", "compose.yaml", "-f", "deploy/gpu/compose.yaml"]
    done = subprocess.run(
        [*compose(), *files, "config"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    trainer = yaml.safe_load(done.stdout)["services"]["trainer"]
    assert trainer["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert trainer["image"] == "rekindle/trainer-gpu:dev"
    assert "build" not in trainer
