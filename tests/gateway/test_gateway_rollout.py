"""How a published version comes to answer: the rules, the steps against fakes, and the whole under load."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from gateway_fakes import FakeModelServer, FakeModelStore, eventually, make_card, picture, publish
from gateway_harness import RunningGateway, StartGateway

from contract import layout
from contract import tfserving_api as api
from contract.rollout import Rollout
from contract.tfserving_api import ModelVersionState
from gateway.errors import CardError, NoVersionError, RolloutFileError, UnknownModelError
from gateway.metrics import Metrics
from gateway.ports.serving import VersionStatus
from gateway.ports.store import StoredModel
from gateway.rollouts import rules
from gateway.rollouts.service import RolloutService

pytestmark = pytest.mark.anyio

AVAILABLE = VersionStatus(ModelVersionState.AVAILABLE)
LOADING = VersionStatus(ModelVersionState.LOADING)
BROKEN = VersionStatus(ModelVersionState.END, "no graph in it")


# --- the rules -----------------------------------------------------------------------------------


def rollout(stable: int | None, previous: int | None = None, policy: str = "follow-latest") -> Rollout:
    return Rollout.model_validate(
        {"model": "shades", "stable": stable, "previous_stable": previous, "policy": policy}
    )


@pytest.mark.parametrize(
    ("current", "versions", "failed", "expected"),
    [
        (rollout(None), [1, 2, 3], set(), 3),
        (rollout(None), [], set(), None),
        (rollout(3), [1, 2, 3], set(), None),
        (rollout(3), [1, 2, 3, 4, 5], set(), 5),
        (rollout(3), [1, 2, 3, 4, 5], {5}, 4),
        (rollout(3), [1, 2, 3, 4, 5], {4, 5}, None),
        (rollout(3), [1, 2], set(), 2),
        (rollout(3), [1, 2, 3], {3}, 2),
        (rollout(3, policy="gated"), [3, 4], set(), None),
        (rollout(3, 1, policy="gated"), [1, 2], set(), 1),
        (rollout(3, policy="gated"), [1, 2], set(), 2),
    ],
)
def test_which_version_should_answer(
    current: Rollout, versions: list[int], failed: set[int], expected: int | None
) -> None:
    """follow-latest takes the newest that is not known to fail; gated never jumps forward by itself."""
    assert rules.next_version(current, versions, failed) == expected


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ({}, rules.Verdict(False)),
        ({"a": {2: AVAILABLE}}, rules.Verdict(True)),
        ({"a": {2: AVAILABLE}, "b": {2: LOADING}}, rules.Verdict(False)),
        ({"a": {2: AVAILABLE}, "b": {}}, rules.Verdict(False)),
        (
            {"a": {2: AVAILABLE}, "b": {2: BROKEN}},
            rules.Verdict(False, "replica b could not load it: no graph in it"),
        ),
        ({"a": {2: VersionStatus(ModelVersionState.END)}}, rules.Verdict(False)),
    ],
)
def test_the_barrier(statuses: Mapping[str, Mapping[int, VersionStatus]], expected: rules.Verdict) -> None:
    """AVAILABLE counts only when every replica says so; an error on one is the end."""
    assert rules.judge(2, statuses) == expected


def test_the_config_names_both_versions_and_labels_only_what_is_loaded() -> None:
    """While 3 loads beside stable 2: versions 2 and 3, the label on 2; then 2 and 3, the label on 3."""
    during = rules.named_versions(rollout(2, 1), [1, 2, 3], loading=3)
    assert during == [2, 3]
    after = rules.moved(rollout(2, 1), 3, [1, 2, 3])
    assert (after.stable, after.previous_stable) == (3, 2)
    assert rules.named_versions(after, [1, 2, 3], loading=None) == [2, 3]
    text = rules.config_text([rules.ConfigEntry("shades", during, rollout(2, 1))], set(), "", "/models/")
    [config] = api.config_from_text(text).model_config_list.config
    assert (config.name, config.base_path) == ("shades", "/models/shades")
    assert list(config.model_version_policy.specific.versions) == [2, 3]
    assert dict(config.version_labels) == {"stable": 2}


# --- the steps, against fakes --------------------------------------------------------------------


class Scene:
    """A rollout service over a fake store; `said` is what the replicas answer."""

    def __init__(self, load_timeout_seconds: float = 60) -> None:
        self.store = FakeModelStore()
        self.store.versions["shades"] = [1]
        self.said: dict[str, dict[int, VersionStatus]] = {"a": {1: AVAILABLE}}
        self.service = RolloutService(
            self.store,
            self._statuses,
            Metrics(),
            server_path="/models",
            load_timeout_seconds=load_timeout_seconds,
        )

    async def _statuses(self, model: str) -> Mapping[str, Mapping[int, VersionStatus]]:
        return self.said

    async def steps(self, count: int = 3) -> None:
        for _ in range(count):
            await self.service.step()

    @property
    def stable(self) -> int | None:
        return self.store.rollouts["shades"].stable


async def test_an_empty_store_has_a_config_and_no_models() -> None:
    """The model server needs a file to start from, also before the first model."""
    scene = Scene()
    scene.store.versions.clear()
    await scene.steps()
    assert "model_config_list" in scene.store.config
    with pytest.raises(UnknownModelError):
        scene.service.served("shades")


async def test_stable_moves_only_when_every_replica_has_the_version() -> None:
    """Named beside the old, waited for, then moved; the old stays loaded as the predecessor."""
    scene = Scene()
    await scene.steps()
    scene.said = {"a": {1: AVAILABLE, 2: AVAILABLE}, "b": {1: AVAILABLE, 2: LOADING}}
    scene.store.versions["shades"] = [1, 2]
    await scene.steps()
    assert (scene.stable, scene.service.served("shades").version) == (1, 1)
    assert "versions: 2" in scene.store.config
    scene.said["b"] = {1: AVAILABLE, 2: AVAILABLE}
    await scene.steps()
    assert (scene.stable, scene.service.served("shades").version) == (2, 2)
    assert scene.store.rollouts["shades"].previous_stable == 1
    labels = [
        dict(entry.version_labels)
        for entry in api.config_from_text(scene.store.config).model_config_list.config
    ]
    assert labels == [{"stable": 2}]


async def test_a_version_that_does_not_load_is_given_up_once(caplog: pytest.LogCaptureFixture) -> None:
    """stable stays, the config forgets the version, the log says so once, and it is not tried again."""
    scene = Scene()
    await scene.steps()
    scene.store.versions["shades"] = [1, 2]
    scene.said = {"a": {1: AVAILABLE, 2: BROKEN}}
    with caplog.at_level(logging.ERROR):
        await scene.steps(10)
    assert scene.stable == 1
    assert "versions: 2" not in scene.store.config
    assert "no graph in it" in scene.service.model("shades").failed[2]
    said = [record.message for record in caplog.records if record.name == "gateway.rollouts.following"]
    assert said == ["version given up"]
    assert sum("versions: 2" in text for text in scene.store.config_history) == 1


async def test_a_version_that_takes_too_long_is_given_up_and_a_newer_one_still_comes() -> None:
    """The time limit counts as failure; the next version has its own chance."""
    scene = Scene(load_timeout_seconds=0)
    await scene.steps()
    scene.store.versions["shades"] = [1, 2]
    await scene.steps()
    assert "not AVAILABLE on every replica within" in scene.service.model("shades").failed[2]
    scene.store.versions["shades"] = [1, 2, 3]
    scene.said = {"a": {1: AVAILABLE, 3: AVAILABLE}}
    await scene.steps()
    assert scene.stable == 3


async def test_an_outage_of_all_servers_fails_no_version() -> None:
    """With nobody to ask, the time limit does not run."""
    scene = Scene(load_timeout_seconds=0)
    scene.said = {}
    await scene.steps(5)
    assert (scene.service.model("shades").failed, scene.stable) == ({}, 1)


async def test_a_first_version_that_does_not_load_gives_way_to_the_one_before() -> None:
    """An existing store whose newest version is broken still comes to answer."""
    scene = Scene()
    scene.store.versions["shades"] = [1, 2]
    scene.said = {"a": {2: BROKEN}}
    await scene.steps()
    scene.said = {"a": {1: AVAILABLE, 2: BROKEN}}
    await scene.steps()
    assert scene.stable == 1


async def test_a_version_without_a_card_does_not_replace_one_with() -> None:
    """The gateway could not answer with it, so stable stays."""
    scene = Scene()
    await scene.steps()
    scene.store.versions["shades"] = [1, 2]
    scene.store.bad_cards = {("shades", 2)}
    scene.said = {"a": {1: AVAILABLE, 2: AVAILABLE}}
    await scene.steps()
    assert (scene.stable, list(scene.service.model("shades").failed)) == (1, [2])


async def test_the_only_version_without_a_card_is_a_clear_error() -> None:
    """It is loaded for those who ask the model server; here it says what is missing."""
    scene = Scene()
    scene.store.bad_cards = {("shades", 1)}
    await scene.steps()
    with pytest.raises(CardError, match=r"no model_card\.json"):
        scene.service.served("shades")


async def test_a_broken_rollout_is_an_error_of_its_model_alone() -> None:
    """The other model goes on, and the model servers keep what the broken one had loaded."""
    scene = Scene()
    scene.store.versions["other"] = [1]
    await scene.steps()
    before = scene.store.config
    broken = RolloutService(
        scene.store, scene._statuses, Metrics(), server_path="/models", load_timeout_seconds=60
    )
    rollout_of_other = scene.store.rollouts["other"]

    def scan() -> list[StoredModel]:
        bad = StoredModel("shades", [1], error="rollout.json is not valid")
        return [StoredModel("other", [1], rollout_of_other), bad]

    scene.store.scan = scan  # type: ignore[method-assign]
    await broken.step()
    assert broken.served("other").version == 1
    with pytest.raises(RolloutFileError, match="not valid"):
        broken.served("shades")
    assert scene.store.config == before


async def test_another_gateways_move_is_seen() -> None:
    """rollout.json is the truth, whoever wrote it."""
    scene = Scene()
    scene.store.versions["shades"] = [1, 2]
    scene.store.rollouts["shades"] = rollout(1, policy="gated")
    await scene.steps()
    assert scene.service.served("shades").version == 1
    scene.store.rollouts["shades"] = rollout(2, 1, policy="gated")
    await scene.service.refresh()
    assert scene.service.served("shades").version == 2


async def test_a_model_without_a_stable_version_says_so() -> None:
    """Before the first step nothing answers yet."""
    scene = Scene()
    await scene.service.refresh()
    with pytest.raises(NoVersionError):
        scene.service.served("shades")


# --- the whole, with a model server that follows models.config -----------------------------------


@pytest.fixture
def following_server(store: Path, start_model_server: Callable[..., FakeModelServer]) -> FakeModelServer:
    """A model server that loads what models.config names."""
    return start_model_server(config=layout.models_config(store))


async def test_a_swap_under_load_fails_no_request(
    start_gateway: StartGateway, following_server: FakeModelServer, store: Path
) -> None:
    """Eight clients predict while three versions are published: all answers 200, the newest at the end."""
    gateway = await start_gateway(following_server)
    answered: list[tuple[int, int]] = []
    is_over = asyncio.Event()

    async def client() -> None:
        while not is_over.is_set():
            response = await gateway.predict(files={"images": picture()})
            answered.append((response.status_code, response.json().get("version", 0)))

    clients = [asyncio.create_task(client()) for _ in range(8)]
    for version in (2, 3, 4):
        publish(store, version)
        await eventually(lambda wanted=version: (200, wanted) in answered)  # type: ignore[misc]
    is_over.set()
    await asyncio.gather(*clients)
    assert {status for status, _ in answered} == {200}
    assert following_server.labels["shades"] == {"stable": 4}
    rollout_file = Rollout.model_validate_json((store / "shades" / "rollout.json").read_bytes())
    assert (rollout_file.stable, rollout_file.previous_stable) == (4, 3)


async def test_a_version_that_vanishes_from_the_server_is_looked_up_again(
    gateway: RunningGateway, model_server: FakeModelServer, store: Path
) -> None:
    """NOT_FOUND makes the gateway read the rollout again and answer with what it says now."""
    publish(store, 2)
    await eventually(lambda: 2 in gateway.services.rollouts.model("shades").versions)
    moved = Rollout(model="shades", stable=2, previous_stable=1, policy="gated")
    original = gateway.services.rollouts.step

    async def nothing() -> None: ...

    gateway.services.rollouts.step = nothing  # type: ignore[method-assign, assignment]
    try:
        layout.write_atomically(store / "shades" / "rollout.json", moved.to_json())
        model_server.available = {"shades": {2}}
        response = await gateway.predict(files={"images": picture()})
    finally:
        gateway.services.rollouts.step = original  # type: ignore[method-assign]
    assert (response.status_code, response.json()["version"]) == (200, 2)


async def test_a_broken_version_is_shown_and_disturbs_nobody(
    start_gateway: StartGateway, following_server: FakeModelServer, store: Path
) -> None:
    """A version that cannot load is reported with its reason; stable goes on answering."""
    gateway = await start_gateway(following_server)
    following_server.broken[("shades", 2)] = "corrupt graph"
    publish(store, 2)
    response = await gateway.becomes(
        "/v1/models/shades/versions",
        lambda response: [row["state"] for row in response.json()["versions"]] == ["failed", "available"],
    )
    [newest, stable] = response.json()["versions"]
    assert "corrupt graph" in newest["error"]
    assert (stable["version"], stable["role"]) == (1, "stable")
    assert (await gateway.predict(files={"images": picture()})).json()["version"] == 1


async def test_new_models_are_picked_up_and_junk_is_not(
    start_gateway: StartGateway, following_server: FakeModelServer, store: Path
) -> None:
    """A directory with a complete version becomes a model; other names are left alone."""
    gateway = await start_gateway(following_server)
    for junk in ("not a name", ".hidden", "empty", "shades/latest", "shades/007", "shades/-1", "shades/5"):
        (store / junk).mkdir()
    (store / "README.txt").write_text("hello")
    publish(store, 1, "tints", make_card("tints"))
    await gateway.becomes("/readyz", lambda response: "tints" in response.json().get("models", {}))
    listed = (await gateway.client.get("/v1/models")).json()["models"]
    assert [(model["name"], model["versions"]) for model in listed] == [("shades", [1]), ("tints", [1])]
    assert (await gateway.predict("tints", files={"images": picture()})).json()["model"] == "tints"


async def test_a_corrupt_card_and_a_corrupt_rollout_are_errors_of_their_models_only(
    start_gateway: StartGateway, following_server: FakeModelServer, store: Path
) -> None:
    """Each is named with its file and fault; the healthy model answers."""
    (publish(store, 1, "cardless") / layout.CARD).write_text('{"model": 3')
    publish(store, 1, "tints", make_card("tints"))
    (store / "tints" / "rollout.json").write_text("[]")
    gateway = await start_gateway(following_server)
    for model, code in (("cardless", "card_unusable"), ("tints", "rollout_unusable")):
        response = await gateway.predict(model, files={"images": picture()})
        assert (response.status_code, response.json()["code"]) == (503, code)
        assert "is not valid" in response.json()["detail"]
    assert (await gateway.predict(files={"images": picture()})).status_code == 200
