"""The gateway as a process: what it imports, how it starts, refuses, drains and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from gateway_fakes import FakeModelServer, picture, publish, wait_until

from contract import layout
from contract import tfserving_api as api
from contract.rollout import Rollout
from gateway.server import listen
from gateway.settings import ServerSettings

ROOT = Path(__file__).parents[2]
TIMEOUT = 60.0


@pytest.fixture(autouse=True)
def _data_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the processes store goes to the test's folder, not to the checkout's."""
    monkeypatch.setenv("GATEWAY_DATABASE__URL", f"sqlite:///{tmp_path}/gateway.sqlite3")
    monkeypatch.setenv("GATEWAY_STORES__DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GATEWAY_STORES__PICTURES", str(tmp_path / "pictures"))


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with settings of the gateway; `A__B` becomes GATEWAY_A__B."""
    return os.environ | {f"GATEWAY_{name}": value for name, value in settings.items()}


def command(name: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the gateway to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", name],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


@dataclass
class Process:
    """A serving gateway, its URL and what it has logged."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """From the start-up line; empty before it."""
        found = re.search(r'listening.*?url"?[=:] ?"?(http[^"\s]+)', "".join(self.lines))
        return found[1] if found else ""

    def is_ready(self) -> bool:
        """Whether /readyz says yes."""
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def serving(*arguments: str, **settings: str) -> Iterator[Process]:
    """`python -m gateway serve` on a free port; killed at the end if it still runs."""
    popen = subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve", *arguments],
        cwd=ROOT,
        env=environment(SERVER__PORT="0", **settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    process = Process(popen)
    assert popen.stderr is not None
    reader = threading.Thread(target=lambda: process.lines.extend(popen.stderr or []))
    reader.start()
    try:
        wait_until(lambda: bool(process.url) or popen.poll() is not None, TIMEOUT)
        assert process.url, "".join(process.lines)
        yield process
    finally:
        popen.kill()
        popen.wait()
        reader.join()
        popen.stderr.close()


def test_no_tensorflow_and_no_numpy_after_a_thousand_predictions(
    store: Path, model_server: FakeModelServer
) -> None:
    """One process imports the gateway, answers 1,000 pictures, and stays slim in modules and memory."""
    script = f"""
import asyncio, json, re, sys
import httpx

from gateway.app import create_app
from gateway.settings import load_settings

async def main():
    app = create_app(load_settings())
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.02)
            files = [("images", bytes.fromhex({picture().hex()!r}))] * 50
            for _ in range(20):
                response = await client.post("/v1/models/shades/predictions", files=files)
                assert response.status_code == 200
    resident = int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
    unwanted = sorted({{"tensorflow", "keras", "numpy", "kubernetes", "alembic"}} & set(sys.modules))
    print(json.dumps([unwanted, resident / 1024]))

asyncio.run(main())
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment(PREDICTOR__TARGETS=model_server.address, STORES__MODELS=str(store)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert ran.returncode == 0, ran.stderr
    unwanted, resident_mebibytes = json.loads(ran.stdout)
    assert unwanted == []
    assert resident_mebibytes < 120  # the goal is 90 without the client that this script carries too


def test_sigterm_fails_readiness_answers_what_runs_and_exits_with_0(
    store: Path, model_server: FakeModelServer
) -> None:
    """A request that is on its way gets its answer; during the drain /readyz fails and others are served."""
    with serving(
        PREDICTOR__TARGETS=model_server.address,
        PREDICTOR__DEADLINE_SECONDS="30",
        STORES__MODELS=str(store),
        SERVER__DRAIN_SECONDS="2",
    ) as process:
        wait_until(process.is_ready, TIMEOUT)
        model_server.flowing.clear()
        statuses: list[int] = []

        def predict() -> None:
            url = f"{process.url}/v1/models/shades/predictions"
            statuses.append(
                httpx.post(url, files={"images": picture()}, timeout=TIMEOUT, trust_env=False).status_code
            )

        request = threading.Thread(target=predict)
        request.start()
        wait_until(lambda: bool(model_server.calls))
        process.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: not process.is_ready())
        assert httpx.get(f"{process.url}/healthz", trust_env=False).status_code == 200
        model_server.flowing.set()
        request.join(TIMEOUT)
        assert statuses == [200]
        assert process.popen.wait(TIMEOUT) == 0


def test_metrics_on_a_port_of_their_own(store: Path, model_server: FakeModelServer) -> None:
    """There they are, and no longer where strangers ask; the role of the command line is in force."""
    settings = {"PREDICTOR__TARGETS": model_server.address, "STORES__MODELS": str(store)}
    with serving("--role", "control", SERVER__METRICS_PORT="0", **settings) as process:
        line = next(line for line in process.lines if "INFO gateway.server metrics" in line)
        metrics = re.search(r"url=(\S+)", line)
        assert metrics is not None
        assert "gateway_replica_up" in httpx.get(metrics[1], trust_env=False).text
        assert httpx.get(f"{process.url}/metrics", trust_env=False).status_code == 404
        refused = httpx.post(f"{process.url}/v1/models/shades/predictions", content=b"x", trust_env=False)
        assert refused.json()["code"] == "other_role"


def test_logs_as_json(store: Path, model_server: FakeModelServer) -> None:
    """Every line of a serving process is an object, with its fields and the level that was asked for."""
    settings = {"PREDICTOR__TARGETS": model_server.address, "STORES__MODELS": str(store)}
    with serving(LOG__FORMAT="json", LOG__LEVEL="debug", **settings) as process:
        wait_until(process.is_ready)
        lines = [json.loads(line) for line in list(process.lines)]
    assert all(line["time"].endswith("+00:00") for line in lines)
    listening = next(line for line in lines if line["message"] == "listening")
    assert (listening["level"], listening["logger"], listening["url"]) == (
        *("INFO", "gateway.server"),
        process.url,
    )


def test_sigint_ends_with_0(store: Path, model_server: FakeModelServer) -> None:
    """Ctrl-C is a normal end, without a traceback."""
    with serving(PREDICTOR__TARGETS=model_server.address, STORES__MODELS=str(store)) as process:
        wait_until(process.is_ready, TIMEOUT)
        process.popen.send_signal(signal.SIGINT)
        assert process.popen.wait(TIMEOUT) == 0
    assert "Traceback" not in "".join(process.lines)


def test_a_busy_port_is_one_sentence_and_not_0(store: Path) -> None:
    """The exit code is 2 and stderr says which port and the way out."""
    taken = listen(ServerSettings(port=0))
    port = str(taken.getsockname()[1])
    ran = command("serve", SERVER__PORT=port, STORES__MODELS=str(store))
    taken.close()
    assert ran.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_misspelt_setting_stops_the_start() -> None:
    """The exit code is 2 and the sentence names the likely variable."""
    ran = command("serve", SERVER__PROT="1")
    assert ran.returncode == 2
    assert "did you mean GATEWAY_SERVER__PORT?" in ran.stderr


def test_bootstrap_names_the_versions_and_is_idempotent(store: Path) -> None:
    """rollout.json and models.config appear, a second run changes neither."""
    publish(store, 2)
    first = command("bootstrap", STORES__MODELS=str(store), STORES__MODELS_AT_SERVER="/models")
    assert (first.returncode, first.stdout) == (0, "shades: stable is version 2\n")
    files = [store / "shades" / "rollout.json", layout.models_config(store)]
    before = [file.read_bytes() for file in files]
    assert Rollout.model_validate_json(before[0]).stable == 2
    [config] = api.config_from_text(before[1].decode()).model_config_list.config
    assert (config.base_path, dict(config.version_labels)) == ("/models/shades", {"stable": 2})
    assert command("bootstrap", STORES__MODELS=str(store), STORES__MODELS_AT_SERVER="/models").returncode == 0
    assert [file.read_bytes() for file in files] == before


def test_bootstrap_of_an_empty_store(tmp_path: Path) -> None:
    """There is a configuration to start a model server from, and a word that it is empty."""
    ran = command("bootstrap", STORES__MODELS=str(tmp_path))
    assert ran.returncode == 0
    assert "no model with a complete version yet" in ran.stdout
    assert api.config_from_text(layout.models_config(tmp_path).read_text()).HasField("model_config_list")


def test_bootstrap_brings_the_bundled_model_into_an_empty_store(store: Path, tmp_path: Path) -> None:
    """The newest bundled version comes once; a store that has a version of the model is left alone."""
    publish(store, 2)
    empty = tmp_path / "empty"
    for _ in range(2):
        ran = command("bootstrap", STORES__MODELS=str(empty), STORES__BUNDLED=str(store))
        assert (ran.returncode, ran.stdout) == (0, "shades: stable is version 1\n")
        assert layout.ModelPaths(empty, "shades").versions() == [1]
    publish(store, 3)
    command("bootstrap", STORES__MODELS=str(empty), STORES__BUNDLED=str(store))
    assert layout.ModelPaths(empty, "shades").versions() == [1]


def test_check_says_what_is_missing(
    store: Path, start_model_server: Callable[..., FakeModelServer], tmp_path: Path
) -> None:
    """0 when all is well; 1 and a sentence for each thing that is not."""
    server = start_model_server()
    well = command("check", PREDICTOR__TARGETS=server.address, STORES__MODELS=str(store))
    assert (well.returncode, well.stderr) == (0, "")
    server.stop()
    ill = command("check", PREDICTOR__TARGETS=server.address, STORES__MODELS=str(tmp_path / "none"))
    assert ill.returncode == 1
    assert "the model server does not answer" in ill.stderr
    assert "does not exist" in ill.stderr
    other = {"PREDICTOR__TARGETS": server.address, "STORES__MODELS": str(store)}
    lost = command("check", DATABASE__URL="postgresql://nobody@127.0.0.1:1/none", **other)
    assert "the database cannot be used" in lost.stderr
    assert "GATEWAY_DATABASE__URL" in lost.stderr
    (tmp_path / "file").write_text("in the way")
    blocked = command("check", STORES__PICTURES=str(tmp_path / "file" / "pictures"), **other)
    assert "GATEWAY_STORES__PICTURES" in blocked.stderr
