"""Model servers of one model's own, beside those for every other model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway

from contract import tfserving_api as api
from contract.layout import models_config, write_atomically
from gateway.bootstrap import await_config
from gateway.settings import PredictorSettings

pytestmark = pytest.mark.anyio

StartModelServer = Callable[..., FakeModelServer]


async def are_all_up(gateway: RunningGateway) -> None:
    """Every replica takes batches."""
    await gateway.becomes("/readyz", lambda response: all(response.json()["replicas"].values()))


async def test_a_model_is_answered_by_its_own_servers(
    start_gateway: StartGateway, start_model_server: StartModelServer
) -> None:
    """The servers of another model get none of its images."""
    own, other = start_model_server(), start_model_server()
    gateway = await start_gateway(predictor={"targets": [f"shades={own.address}", f"tints={other.address}"]})
    await are_all_up(gateway)
    for _ in range(3):
        assert (await gateway.predict(files={"images": picture()})).status_code == 200
    assert own.calls
    assert not other.calls


async def test_a_model_without_servers_of_its_own_goes_to_the_common_ones(
    start_gateway: StartGateway, start_model_server: StartModelServer
) -> None:
    """A target without a model answers for every model that has none."""
    common, other = start_model_server(), start_model_server()
    gateway = await start_gateway(predictor={"targets": [common.address, f"tints={other.address}"]})
    await are_all_up(gateway)
    assert (await gateway.predict(files={"images": picture()})).status_code == 200
    assert common.calls
    assert not other.calls


async def test_a_model_that_no_server_is_for(
    start_gateway: StartGateway, start_model_server: StartModelServer
) -> None:
    """503 at once, with the setting that is missing."""
    other = start_model_server()
    gateway = await start_gateway(predictor={"targets": [f"tints={other.address}"]}, is_ready=False)
    answer = await gateway.predict(files={"images": picture()})
    assert answer.status_code == 503
    assert "add shades=HOST:PORT to GATEWAY_PREDICTOR__TARGETS" in answer.json()["detail"]


async def test_each_model_has_a_configuration_of_its_own(
    start_gateway: StartGateway, start_model_server: StartModelServer, store: Path
) -> None:
    """With that model alone, for servers that shall load no other."""
    gateway = await start_gateway(start_model_server())
    assert (await gateway.predict(files={"images": picture()})).status_code == 200
    [model] = api.config_from_text(models_config(store, "shades").read_text()).model_config_list.config
    assert (model.name, list(model.model_version_policy.specific.versions)) == ("shades", [1])


def test_targets_by_model() -> None:
    """`model=host:port`; those without a model stand under None."""
    settings = PredictorSettings(targets=("a:1", "shades=b:2", "shades=c:3", "[::1]:4"))
    assert settings.targets_by_model == {None: ("a:1", "[::1]:4"), "shades": ("b:2", "c:3")}


def test_waiting_for_a_configuration_says_what_is_missing(tmp_path: Path) -> None:
    """First the file, then a version in it; a file that is none is named too."""
    said: list[str] = []
    path = models_config(tmp_path, "shades")
    contents = iter([b"model_config_list {}", b"junk {", b'model_config_list { config { name: "shades" } }'])

    def say(sentence: str) -> None:
        said.append(sentence)
        write_atomically(path, next(contents))

    waiting = threading.Thread(target=await_config, args=(tmp_path, "shades", say, 0.01), daemon=True)
    waiting.start()
    waiting.join(20)
    assert not waiting.is_alive()
    assert [sentence.partition(" ")[0] for sentence in said] == ["waiting", "waiting", "waiting,"]
    assert str(path) in said[0]
    assert "a training run publishes one" in said[1]
    assert "cannot be used" in said[2]
