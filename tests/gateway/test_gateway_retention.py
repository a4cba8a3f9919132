"""Old versions leave the model store, and nothing that anybody names does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gateway_fakes import publish

from contract import layout
from contract.rollout import Rollout
from gateway.adapters.filesystem import FileModelStore
from gateway.rollouts import rules
from gateway.rollouts.retention import VersionRetention, outdated

pytestmark = pytest.mark.anyio


class Writer:
    """The right to write; what happens before the lock is given can be told."""

    def __init__(self, *, follows: bool = True) -> None:
        self._follows = follows
        self.before_lock = lambda: None

    async def follows(self) -> bool:
        return self._follows

    @asynccontextmanager
    async def change(self, model: str) -> AsyncIterator[None]:
        self.before_lock()
        yield


class Scene:
    """A store on disk with eight versions of `shades`, 7 stable, and a retention over it."""

    def __init__(self, root: Path, keep: int = 2, *, follows: bool = True) -> None:
        self.root = root
        for version in range(1, 9):
            publish(root, version)
        self.store, self.writer, self.gone = FileModelStore(root), Writer(follows=follows), []
        self.retention = VersionRetention(self.store, self.writer, keep, self.note)

    async def note(self, model: str, version: int) -> None:
        self.gone.append(version)

    def write(self, **named: object) -> None:
        rollout = Rollout.model_validate({"model": "shades", "policy": "gated", "stable": 7} | named)
        self.store.write_rollout(rollout)

    async def versions(self) -> list[int]:
        await self.retention.step()
        return layout.ModelPaths(self.root, "shades").versions()


@pytest.mark.parametrize(
    ("versions", "keep", "named", "expected"),
    [([1, 2, 3, 4], 2, [], [1, 2]), ([1, 2, 3, 4], 2, [1], [2]), ([1], 5, [], []), ([9, 10], 1, [], [9])],
)
def test_the_rule(versions: list[int], keep: int, named: Collection[int], expected: list[int]) -> None:
    """The newest stay, by number and not by text, and so does what is named."""
    assert outdated(versions, keep, named) == expected


async def test_what_the_rollout_and_the_servers_name_stays(tmp_path: Path) -> None:
    """Stable's predecessor, canary, shadow, pinned, what models.config still holds, and the newest two."""
    scene = Scene(tmp_path)
    scene.write(previous_stable=2, canary=8, shadow=4, pinned=[1])
    entry = rules.ConfigEntry("shades", [3, 7], Rollout(model="shades", stable=7))
    for model in (None, "shades"):  # all models together, and each by itself
        scene.store.write_config(rules.config_text([entry], set(), "", "/models"), model)
    assert await scene.versions() == [1, 2, 3, 4, 7, 8]
    assert scene.gone == [5, 6]
    assert not list((tmp_path / "shades").glob(".trash*"))


async def test_a_version_that_is_promoted_at_the_last_moment_stays(tmp_path: Path) -> None:
    """What is deleted is decided under the model's lock, not before it."""
    scene = Scene(tmp_path)
    scene.write()
    scene.writer.before_lock = lambda: scene.write(promoting=3)
    assert await scene.versions() == [3, 7, 8]


@pytest.mark.parametrize(("keep", "follows"), [(0, True), (2, False)])
async def test_nothing_goes_unless_asked_for_and_by_the_one_that_writes(
    tmp_path: Path, keep: int, follows: bool
) -> None:
    """0 keeps all; a gateway that only reads deletes nothing."""
    scene = Scene(tmp_path, keep, follows=follows)
    scene.write()
    assert len(await scene.versions()) == 8


@pytest.mark.parametrize("content", ["{half", None])
async def test_without_a_readable_rollout_nothing_goes(tmp_path: Path, content: str | None) -> None:
    """Who does not know which version answers must not delete any."""
    scene = Scene(tmp_path)
    if content is not None:
        (tmp_path / "shades" / "rollout.json").write_text(content)
    assert len(await scene.versions()) == 8
