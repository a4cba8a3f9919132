"""A version that the memory cannot hold is refused, and the one that serves goes on."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from model_servers import eventually, running, value_of

from contract import tfserving_api as api
from model_server.errors import Code, ServingError
from model_server.runtime import memory
from model_server.runtime.memory import MemoryGuard, Room

MEMINFO = "MemTotal: 1000000 kB\nMemAvailable: 600000 kB\n"


@pytest.mark.parametrize(
    ("files", "membership", "expected"),
    [
        ({}, "0::/", Room(600000 * 1024, 1000000 * 1024)),
        (
            {"a/memory.max": "500", "a/memory.current": "300", "a/memory.stat": "inactive_file 100\nanon 9"},
            "0::/a",
            Room(300, 500),
        ),
        (
            {"a/memory.max": "max", "a/memory.current": "300", "a/memory.stat": "inactive_file 1"},
            "0::/a",
            Room(600000 * 1024, 1000000 * 1024),
        ),
        (
            {
                "memory/b/memory.limit_in_bytes": "800",
                "memory/b/memory.usage_in_bytes": "700",
                "memory/b/memory.stat": "total_inactive_file 50",
            },
            "4:memory:/b",
            Room(150, 800),
        ),
    ],
)
def test_the_tightest_limit_counts(
    tmp_path: Path, files: dict[str, str], membership: str, expected: Room
) -> None:
    """The machine's memory and every control group's, of both versions."""
    root = tmp_path / "cgroup"
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (tmp_path / "membership").write_text(membership)
    (tmp_path / "meminfo").write_text(MEMINFO)
    assert memory.room(root, tmp_path / "membership", tmp_path / "meminfo") == expected


def test_without_any_limit_everything_fits(tmp_path: Path) -> None:
    """Where nothing can be read, nothing is refused."""
    nowhere = tmp_path / "none"
    assert memory.room(nowhere, nowhere, nowhere) == Room(math.inf, math.inf)


def version_of(path: Path, size: int) -> Path:
    path.mkdir()
    (path / "saved_model.pb").write_bytes(bytes(size))
    return path


def test_loads_under_way_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that fit one after the other do not fit at the same time; the refusal says what is missing."""
    version = version_of(tmp_path / "1", 2**20)
    needed = memory.estimate(version)
    monkeypatch.setattr(memory, "room", lambda: Room(1.5 * needed, 4 * needed))
    guard = MemoryGuard()
    with (
        guard.reserve(version),
        pytest.raises(ServingError, match="raise the memory limit") as raised,
        guard.reserve(version),
    ):
        pass
    assert raised.value.code is Code.RESOURCE_EXHAUSTED
    assert f"takes about {needed / 2**20:.0f} MB, and {needed / 2**21:.0f} MB of" in raised.value.message
    with guard.reserve(version):
        pass


@pytest.mark.tensorflow
def test_a_swap_that_does_not_fit_leaves_the_version_that_serves(
    tmp_path: Path, publish: Callable[[Path, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new version ends with the reason in its status, the old one answers on."""
    base_path = tmp_path / "tiny"
    publish(base_path, 1)
    with running("--model_name=tiny", f"--model_base_path={base_path}", "--max_num_load_retries=0") as server:
        monkeypatch.setattr(memory, "room", lambda: Room(2**20, 2**30))
        publish(base_path, 2)
        eventually(lambda: server.states() == {2: "END", 1: "AVAILABLE"})
        assert value_of(server.predict()) == 1
        (status, _) = server.http.get("/v1/models/tiny").json()["model_version_status"]
        assert status["status"]["error_code"] == "RESOURCE_EXHAUSTED"
        assert "does not fit into memory" in status["status"]["error_message"]


@pytest.mark.tensorflow
def test_the_check_can_be_left_out(
    tmp_path: Path, publish: Callable[[Path, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--check_memory=false loads all the same."""
    publish(tmp_path / "tiny", 1)
    monkeypatch.setattr(memory, "room", lambda: Room(0, 2**30))
    arguments = ("--model_name=tiny", f"--model_base_path={tmp_path / 'tiny'}", "--check_memory=false")
    with running(*arguments) as server:
        assert value_of(server.predict()) == 1


@pytest.mark.tensorflow
def test_what_did_not_fit_is_loaded_when_another_model_leaves(
    tmp_path: Path, publish: Callable[[Path, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although its retries are used up and its files are what they were."""
    for name in ("tiny", "other"):
        publish(tmp_path / name, 1)
    config = tmp_path / "models.config"
    config.write_text(f"model_config_list {{ {entry(tmp_path, 'tiny')} {entry(tmp_path, 'other')} }}")
    with running(f"--model_config_file={config}", "--max_num_load_retries=0") as server:
        monkeypatch.setattr(memory, "room", lambda: Room(2**20, 2**30))
        publish(tmp_path / "tiny", 2)
        eventually(lambda: server.states() == {2: "END", 1: "AVAILABLE"})
        monkeypatch.setattr(memory, "room", lambda: Room(2**30, 2**30))
        request = api.ReloadConfigRequest()
        kept = api.config_from_text(f"model_config_list {{ {entry(tmp_path, 'tiny')} }}")
        request.config.CopyFrom(kept)
        server.call(api.RELOAD_CONFIG, request, api.ReloadConfigResponse)
        eventually(lambda: server.states() == {2: "AVAILABLE", 1: "END"})
        assert value_of(server.predict()) == 2


def entry(root: Path, name: str) -> str:
    return f'config {{ name: "{name}" base_path: "{root / name}" model_platform: "tensorflow" }}'
