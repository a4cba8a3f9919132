"""The repository with a loader of our own: which versions are loaded, kept, given up, and when."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_servers import eventually

from contract.tfserving_api import ModelVersionState as State
from model_server.errors import Code, ServingError
from model_server.lifecycle.model_config import All, Latest, ModelConfig, Policy, Specific
from model_server.lifecycle.repository import Repository, Target
from model_server.lifecycle.transitions import RetryPolicy


class FakeServable:
    """Knows its directory and whether it was given up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


class FakeLoader:
    """Loads at once, unless a version is held back or broken."""

    def __init__(self) -> None:
        self.held: dict[int, threading.Event] = {}
        self.broken: set[int] = set()
        self.too_large: set[int] = set()
        self.attempts: list[int] = []

    def __call__(self, _: str, path: Path) -> FakeServable:
        number = int(path.name)
        self.attempts.append(number)
        if number in self.held:
            assert self.held[number].wait(60)
        if number in self.broken:
            raise ServingError(Code.DATA_LOSS, "corrupt")
        if number in self.too_large:
            raise ServingError(Code.RESOURCE_EXHAUSTED, "does not fit")
        return FakeServable(path)


class World:
    """A repository for one model `m`, whose base path the test fills."""

    def __init__(self, root: Path, retries: int = 0, allow_labels: bool = False) -> None:
        self.base_path = root / "m"
        self.loader = FakeLoader()
        self.repository: Repository[FakeServable] = Repository(
            self.loader, RetryPolicy(retries, interval_seconds=0.01), allow_labels
        )

    def add(self, *versions: int) -> None:
        for version in versions:
            (self.base_path / str(version)).mkdir(parents=True)

    def configure(self, policy: Policy = Latest(), **labels: int) -> None:  # noqa: B008 (frozen)
        self.repository.configure([ModelConfig("m", self.base_path, policy, labels)])
        self.repository.refresh()

    def states(self) -> dict[int, State]:
        return {status.version: status.state for status in self.repository.statuses("m")}

    def settle(self, **states: State) -> None:
        wanted = {int(name.removeprefix("v")): state for name, state in states.items()}
        eventually(lambda: self.states() == wanted)

    def answering(self, target: Target = Target("m")) -> int:  # noqa: B008 (frozen)
        with self.repository.borrow(target) as (version, _):
            return version


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A repository that tries a load once."""
    made = World(tmp_path)
    yield made
    for event in made.loader.held.values():
        event.set()
    made.repository.close()


def test_the_latest_version_is_loaded(world: World) -> None:
    """By default the highest version is loaded, and no other."""
    world.add(1, 2, 10)
    world.configure()
    world.settle(v10=State.AVAILABLE)
    assert world.answering() == 10


def test_the_old_version_answers_until_the_new_one_is_available(world: World) -> None:
    """A new version is loaded first; only then the old one is unloaded."""
    world.add(1)
    world.configure()
    world.settle(v1=State.AVAILABLE)
    world.loader.held[2] = threading.Event()
    world.add(2)
    world.repository.refresh()
    world.settle(v1=State.AVAILABLE, v2=State.LOADING)
    assert world.answering() == 1
    world.loader.held[2].set()
    world.settle(v1=State.END, v2=State.AVAILABLE)
    assert world.answering() == 2


def test_a_version_that_does_not_load_leaves_the_old_one_serving(world: World) -> None:
    """A broken version ends with its error, and nothing else changes."""
    world.add(1)
    world.configure()
    world.settle(v1=State.AVAILABLE)
    world.loader.broken.add(2)
    world.add(2)
    world.repository.refresh()
    world.settle(v1=State.AVAILABLE, v2=State.END)
    assert world.answering() == 1
    error = world.repository.statuses("m")[0].error
    assert error is not None
    assert (error.code, error.message) == (Code.DATA_LOSS, "corrupt")


def test_a_failed_version_is_tried_again_only_when_its_files_change(world: World) -> None:
    """Looking again does not repeat a failure; repaired files do start the version anew."""
    world.loader.broken.add(1)
    world.add(1)
    world.configure()
    world.settle(v1=State.END)
    world.repository.refresh()
    assert world.loader.attempts == [1]
    world.loader.broken.clear()
    (world.base_path / "1" / "saved_model.pb").write_bytes(b"repaired")
    world.repository.refresh()
    world.settle(v1=State.AVAILABLE)


def test_a_load_is_retried(tmp_path: Path) -> None:
    """After a failure come as many further attempts as configured."""
    world = World(tmp_path, retries=2)
    world.loader.broken.add(1)
    world.add(1)
    world.configure()
    world.settle(v1=State.END)
    assert world.loader.attempts == [1, 1, 1]
    world.repository.close()


def test_what_did_not_fit_is_tried_again_when_another_version_gives_its_memory_back(world: World) -> None:
    """Even after it was given up; what failed for another reason is not."""
    world.add(1, 2, 3)
    world.loader.broken.add(2)
    world.loader.too_large.add(3)
    world.configure(All())
    world.settle(v1=State.AVAILABLE, v2=State.END, v3=State.END)
    world.loader.too_large.clear()
    world.configure(Specific(frozenset({2, 3})))
    assert world.states()[3] is State.END
    world.add(4)
    world.configure(Specific(frozenset({2, 3, 4})))
    world.settle(v1=State.END, v2=State.END, v3=State.AVAILABLE, v4=State.AVAILABLE)
    assert (world.loader.attempts.count(2), world.loader.attempts.count(3)) == (1, 2)


def test_an_unload_while_a_load_runs_out_of_memory_counts(world: World) -> None:
    """What was given back between the check and the refusal is not missed."""
    world.add(1, 2, 3)
    world.configure(Specific(frozenset({1, 2})))
    world.settle(v1=State.AVAILABLE, v2=State.AVAILABLE)
    world.loader.held[3] = threading.Event()
    world.loader.too_large.add(3)
    world.configure(Specific(frozenset({2, 3})))
    world.settle(v1=State.END, v2=State.AVAILABLE, v3=State.LOADING)
    world.repository.observe(lambda *_: world.loader.too_large.clear(), lambda: None)
    world.loader.held[3].set()
    world.settle(v1=State.END, v2=State.AVAILABLE, v3=State.AVAILABLE)
    assert world.loader.attempts.count(3) == 2


def test_unloads_do_not_wait_for_loads(tmp_path: Path) -> None:
    """They have threads of their own, so that memory comes back while versions load."""
    world = World(tmp_path)
    world.add(1, 2)
    world.configure(Specific(frozenset({1, 2})))
    world.settle(v1=State.AVAILABLE, v2=State.AVAILABLE)
    for number in (3, 4, 5):
        world.loader.held[number] = threading.Event()
        world.add(number)
    world.configure(Specific(frozenset({2, 3, 4, 5})))
    eventually(lambda: world.states()[1] is State.END)
    assert [world.states()[number] for number in (3, 4, 5)] == [State.LOADING] * 3
    for event in world.loader.held.values():
        event.set()
    world.settle(v1=State.END, **dict.fromkeys(("v2", "v3", "v4", "v5"), State.AVAILABLE))
    world.repository.close()


def test_a_running_call_keeps_its_version(world: World) -> None:
    """A version is closed only after the last call on it has ended, and takes no new calls meanwhile."""
    world.add(1)
    world.configure()
    world.settle(v1=State.AVAILABLE)
    with world.repository.borrow(Target("m")) as (_, servable):
        world.add(2)
        world.repository.refresh()
        world.settle(v1=State.UNLOADING, v2=State.AVAILABLE)
        assert not servable.is_closed
        assert world.answering() == 2
    world.settle(v1=State.END, v2=State.AVAILABLE)
    assert servable.is_closed


def test_policies_choose_versions(world: World) -> None:
    """Several, all, or specific versions may be asked for, and the choice may change."""
    world.add(1, 2, 3)
    world.configure(Latest(2))
    world.settle(v2=State.AVAILABLE, v3=State.AVAILABLE)
    world.configure(Specific(frozenset({1, 3})))
    world.settle(v1=State.AVAILABLE, v2=State.END, v3=State.AVAILABLE)
    world.configure(All())
    world.settle(v1=State.AVAILABLE, v2=State.AVAILABLE, v3=State.AVAILABLE)


def test_a_model_that_is_no_longer_configured_is_unloaded(world: World) -> None:
    """Its versions end, and requests for it are refused."""
    world.add(1)
    world.configure()
    world.settle(v1=State.AVAILABLE)
    world.repository.configure([])
    world.repository.refresh()
    world.settle(v1=State.END)
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(m\)"):
        world.answering()


def test_a_version_whose_directory_vanishes_leaves_when_another_answers(world: World) -> None:
    """The next highest version is loaded before the vanished one goes."""
    world.add(1, 2)
    world.configure()
    world.settle(v2=State.AVAILABLE)
    shutil.rmtree(world.base_path / "2")
    world.repository.refresh()
    world.settle(v1=State.AVAILABLE, v2=State.END)


def test_a_base_path_that_vanishes_changes_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A volume that is away for a while unloads nothing; it is said once."""
    world.add(1)
    world.configure()
    world.settle(v1=State.AVAILABLE)
    shutil.rmtree(world.base_path)
    world.repository.refresh()
    world.repository.refresh()
    assert world.answering() == 1
    assert caplog.text.count(f"Could not find base path {world.base_path}") == 1


def test_junk_in_the_base_path_is_said_once_and_ignored(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Directories that are no versions, files and dotted names do not matter."""
    world.add(1)
    for name in ("latest", "-3", "1e3", ".staging", "²"):
        (world.base_path / name).mkdir()
    (world.base_path / "7").write_text("a file")
    world.configure()
    world.repository.refresh()
    world.settle(v1=State.AVAILABLE)
    assert caplog.text.count(f"ignoring {world.base_path / 'latest'}") == 1
    assert ".staging" not in caplog.text


def test_a_label_names_a_version(world: World) -> None:
    """A label may be set once its version is AVAILABLE, and moved likewise."""
    world.add(1, 2)
    world.configure(All())
    world.settle(v1=State.AVAILABLE, v2=State.AVAILABLE)
    world.configure(All(), stable=1)
    assert world.answering(Target("m", label="stable")) == 1
    world.configure(All(), stable=2)
    assert world.answering(Target("m", label="stable")) == 2


def test_a_label_on_an_unavailable_version_refuses_the_whole_configuration(world: World) -> None:
    """The configuration, with everything else in it, stays as it was."""
    world.add(1, 2)
    world.configure(Specific(frozenset({1})))
    world.settle(v1=State.AVAILABLE)
    with pytest.raises(ServingError) as raised:
        world.configure(All(), stable=2)
    assert raised.value.code is Code.FAILED_PRECONDITION
    assert raised.value.message == (
        "Request to assign label to version 2 of model m, which is not currently available for inference"
    )
    world.repository.refresh()
    world.settle(v1=State.AVAILABLE)


def test_only_a_new_label_may_name_an_unavailable_version(tmp_path: Path) -> None:
    """With the flag a new label may be early; an existing one may never move to nothing."""
    world = World(tmp_path, allow_labels=True)
    world.add(1)
    world.configure(stable=1)
    world.settle(v1=State.AVAILABLE)
    with pytest.raises(ServingError, match="Request to assign label to version 9"):
        world.configure(stable=9)
    assert world.answering(Target("m", label="stable")) == 1
    world.repository.close()


def test_waiting_ends_when_every_version_has_failed(world: World) -> None:
    """The start-up learns why a model will not come."""
    world.loader.broken.add(1)
    world.add(1)
    world.configure()
    with pytest.raises(ServingError) as raised:
        world.repository.wait_until_available(["m"], lambda: False)
    assert raised.value.message == (
        "1 model(s) did not become available: {{{name: m version: 1} due to error: DATA_LOSS: corrupt}, }"
    )


def test_waiting_for_a_model_without_versions_can_be_cancelled(world: World) -> None:
    """It would take for ever, as upstream, unless someone says stop."""
    world.configure()
    asked: list[None] = []

    def is_cancelled() -> bool:
        asked.append(None)
        return len(asked) > 2

    assert not world.repository.wait_until_available(["m"], is_cancelled)
