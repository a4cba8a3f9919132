"""What `make run` refuses to start with, and what it would start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rekindle import stack as stack_module
from rekindle.loopback import free_ports
from rekindle.stack import CannotStartError, check, main, parse
from rekindle.topology import Stack


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PORT", "GRPC_PORT", "REST_PORT", "MODELS"):
        monkeypatch.delenv(f"REKINDLE_{name}", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A model store with something that looks like a version."""
    version = tmp_path / "models" / "pets" / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"graph")
    return tmp_path / "models"


def test_a_store_without_a_version_names_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty model store: one sentence with `make pretrained`, and status 1."""
    assert (
        main_with("--models", str(tmp_path), "--http-port", "0", "--grpc-port", "0", "--rest-port", "0") == 1
    )
    output = capsys.readouterr().out.replace("\n", " ")
    assert f"There is no model version in {tmp_path.resolve()}" in output
    assert "`make pretrained`" in output


def main_with(*arguments: str) -> int:
    """The status of the program with these arguments."""
    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patch:
        patch.setattr("sys.argv", ["stack", *arguments])
        return main()


@pytest.mark.parametrize(
    ("which", "variable", "what"),
    [
        (0, "REKINDLE_HTTP_PORT", "gateway"),
        (1, "REKINDLE_GRPC_PORT", "model server, gRPC"),
        (2, "REKINDLE_REST_PORT", "model server, REST"),
    ],
)
def test_a_busy_port_is_named_with_the_way_out(store: Path, which: int, variable: str, what: str) -> None:
    """Which port, whose it would be, and the variable that chooses another."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        ports = free_ports(3)
        ports[which] = busy.getsockname()[1]
        with pytest.raises(CannotStartError) as raised:
            check(Stack(store, store, *ports))
    message = str(raised.value)
    assert f"Busy on 127.0.0.1: {ports[which]} ({what}; {variable})" in message
    assert f"make run {variable}=" in message


def test_all_busy_ports_are_named_at_once(store: Path) -> None:
    """Nobody wants to learn of them one by one."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [one.getsockname()[1], other.getsockname()[1], free_ports(1)[0]]
        with pytest.raises(CannotStartError, match=rf"{ports[0]} \(gateway.*{ports[1]} \(model server, gRPC"):
            check(Stack(store, store, *ports))


def test_free_ports_and_a_version_pass(store: Path) -> None:
    """Nothing is refused without a reason."""
    check(Stack(store, store, *free_ports(3)))


def test_the_ports_of_the_documentation_are_the_defaults() -> None:
    """8000 HTTP, 8500 gRPC, 8501 REST, ./models."""
    assert parse([]) == Stack(Path("models").resolve(), Path("data").resolve(), 8000, 8500, 8501)


def test_the_environment_gives_defaults_and_flags_win(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`make run REKINDLE_HTTP_PORT=…` and `--http-port`."""
    monkeypatch.setenv("REKINDLE_HTTP_PORT", "8080")
    monkeypatch.setenv("REKINDLE_MODELS", str(tmp_path))
    assert parse([]) == Stack(tmp_path.resolve(), Path("data").resolve(), 8080, 8500, 8501)
    assert parse(["--http-port", "9090"]).http_port == 9090


def test_a_port_that_is_no_number_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2 and what arrived."""
    monkeypatch.setenv("REKINDLE_GRPC_PORT", "http")
    with pytest.raises(SystemExit) as raised:
        parse([])
    assert raised.value.code == 2
    assert "'http'" in capsys.readouterr().err


def test_port_0_is_any_free_port() -> None:
    """Three different ones."""
    chosen = parse(["--http-port", "0", "--grpc-port", "0", "--rest-port", "0"])
    assert len({chosen.http_port, chosen.grpc_port, chosen.rest_port, 0}) == 4


def test_the_children_listen_on_loopback_and_share_a_store(tmp_path: Path) -> None:
    """Gateway and model server are told the same ports and the same model store."""
    stack = Stack(tmp_path, tmp_path / "data", 1, 2, 3)
    assert stack.gateway.variables == {
        "GATEWAY_SERVER__HOST": "127.0.0.1",
        "GATEWAY_SERVER__PORT": "1",
        "GATEWAY_PREDICTOR__TARGETS": "127.0.0.1:2",
        "GATEWAY_STORES__MODELS": str(tmp_path),
        "GATEWAY_STORES__DATA": f"{tmp_path}/data",
        "GATEWAY_STORES__PICTURES": f"{tmp_path}/data/.history",
        "GATEWAY_DATABASE__URL": f"sqlite:///{tmp_path}/data/gateway.sqlite3",
    }
    flags = set(stack.model_server.arguments[3:])
    assert {"--port=2", "--rest_api_port=3", "--bind_address=127.0.0.1"} < flags
    assert {"--quantization=int8", "--mixed_precision=bfloat16"} < flags
    assert f"--model_config_file={tmp_path}/config/models.config" in flags


def test_the_picture_of_the_curl_line_is_there() -> None:
    """The line that is printed can be copied."""
    assert stack_module.PICTURE.is_file()


@pytest.mark.parametrize(
    ("precision", "asked"), [("float32", []), ("bfloat16", ["--mixed_precision=bfloat16"])]
)
def test_another_precision_may_be_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str, asked: list[str]
) -> None:
    """float32 leaves the flags out; a word that is none is refused with those that are."""
    stack = Stack(tmp_path, tmp_path / "data", 1, 2, 3, precision=precision)
    names = ("--mixed_precision", "--quantization")
    assert [flag for flag in stack.model_server.arguments if flag.startswith(names)] == asked
    with pytest.raises(SystemExit):
        parse(["--precision", "float16"])
    assert "int8, bfloat16, float32" in capsys.readouterr().err
