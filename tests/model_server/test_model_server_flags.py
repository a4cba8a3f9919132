"""The command line: upstream's forms, and one clear sentence for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_server import command_line
from model_server.runtime import cpus

BASE = ("--model_base_path=/models/m",)


def test_defaults_are_upstream_s() -> None:
    """What is not said is as in tensorflow_model_server."""
    parsed = command_line.parse(BASE)
    assert (parsed.port, parsed.rest_api_port, parsed.model_name) == (8500, 0, "default")
    assert parsed.file_system_poll_wait_seconds == 1
    assert parsed.model_config_file_poll_wait_seconds == 0
    assert parsed.rest_api_timeout_in_ms == 30_000
    assert (parsed.max_num_load_retries, parsed.load_retry_interval_micros) == (5, 60_000_000)
    assert not parsed.allow_version_labels_for_unavailable_models
    assert parsed.bind_address == "0.0.0.0"


@pytest.mark.parametrize("form", [["--port=8600"], ["--port", "8600"]])
def test_a_value_follows_an_equals_sign_or_a_space(form: list[str]) -> None:
    """Both forms of upstream's flags are read."""
    assert command_line.parse([*BASE, *form]).port == 8600


@pytest.mark.parametrize(
    ("form", "expected"),
    [(["{}"], True), (["{}=true"], True), (["{}=false"], False), (["{}", "false"], False)],
)
def test_booleans_may_stand_bare(form: list[str], expected: bool) -> None:
    """A switch without a value is on."""
    name = "--allow_version_labels_for_unavailable_models"
    parsed = command_line.parse([*BASE, *(part.format(name) for part in form)])
    assert parsed.allow_version_labels_for_unavailable_models is expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prot=1"], "unknown argument: --prot=1; did you mean --port?"),
        (["stray"], "unknown argument: stray"),
        (["--port=0"], "leaves no way in for gRPC"),
        (["--port=many"], "argument --port: expected a whole number, got 'many'"),
        (["--port=70000"], "expected 0 to 65535, got 70000"),
        (["--rest_api_timeout_in_ms=0"], "expected 1 to 2147483647, got 0"),
        (["--file_system_poll_wait_seconds=-1"], "expected 0 to 2147483647, got -1"),
        (["--enable_model_warmup=maybe"], "expected true or false, got 'maybe'"),
        (["--bind_address=here"], "expected an IP address, got 'here'"),
        (["--rest_api_port=8500"], "is the port of gRPC too"),
        (["--model_base_path="], "say which models to serve"),
        (["--model_config_file=/no/such/file"], "/no/such/file: there is no such file."),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server does not start, and says what it expected."""
    with pytest.raises(SystemExit) as raised:
        command_line.parse([*BASE, *arguments])
    assert raised.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("files", "membership", "expected"),
    [
        ({"cpu.max": "50000 100000"}, "0::/", 0.5),
        ({"cpu.max": "max 100000"}, "0::/", float("inf")),
        ({"pod/cpu.max": "150000 100000", "pod/box/cpu.max": "max 100000"}, "0::/pod/box", 1.5),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, "3:cpu,cpuacct:/", 0.5),
        (
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "200000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
            "3:cpu,cpuacct:/a",
            2.0,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "3:cpu:/", float("inf")),
        ({"cpu.max": "garbage"}, "garbage", float("inf")),
        ({}, "", float("inf")),
    ],
)
def test_the_cpu_quota_is_read_from_both_kinds_of_control_groups(
    tmp_path: Path, files: dict[str, str], membership: str, expected: float
) -> None:
    """The tightest limit on the way up counts; without one there is none."""
    root = tmp_path / "cgroup"
    root.mkdir()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (tmp_path / "membership").write_text(membership)
    assert cpus.cpu_quota(root, tmp_path / "membership") == expected


def test_half_a_cpu_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quota is rounded up, never to nothing, and never above the CPUs there are."""
    monkeypatch.setattr(cpus, "schedulable_cpus", lambda: 8)
    for quota, threads in ((0.5, 1), (1.5, 2), (float("inf"), 8)):
        monkeypatch.setattr(cpus, "cpu_quota", lambda quota=quota: quota)
        assert cpus.thread_count() == threads
