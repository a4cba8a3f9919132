"""The settings tree: what it takes from the environment, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.errors import ConfigurationError
from gateway.server import listen
from gateway.settings import ServerSettings, Settings, load_settings, variable_names


def test_defaults_need_no_environment() -> None:
    """A laptop sets nothing."""
    settings = load_settings()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)
    assert settings.predictor.targets == ("127.0.0.1:8500",)
    assert settings.stores.server_path == str(Path("models").resolve())


@pytest.mark.parametrize("text", ["a:1,b:2", " a:1 , b:2 ", '["a:1", "b:2"]'])
def test_targets_are_a_comma_or_json_list(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Both forms give the same."""
    monkeypatch.setenv("GATEWAY_PREDICTOR__TARGETS", text)
    assert load_settings().predictor.targets == ("a:1", "b:2")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("GATEWAY_SERVER__PROT", "GATEWAY_SERVER__PORT"),
        ("GATEWAY_PREDICTORS__TARGETS", "GATEWAY_PREDICTOR__TARGETS"),
        ("GATEWAY_PORT", "GATEWAY_PORT"),
        ("gateway_sever", "GATEWAY_SERVER"),
    ],
)
def test_a_misspelt_variable_is_refused_with_its_likely_name(
    monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    """Also at the top level, where pydantic-settings would be silent."""
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigurationError, match=hint):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("GATEWAY_SERVER__PORT", "http", "GATEWAY_SERVER__PORT: .*integer.*'http'"),
        ("GATEWAY_SERVER__PORT", "70000", "GATEWAY_SERVER__PORT: .*65535"),
        ("GATEWAY_PREDICTOR__TARGETS", "localhost", "GATEWAY_PREDICTOR__TARGETS: .*localhost"),
        ("GATEWAY_PREDICTOR__TARGETS", "", "GATEWAY_PREDICTOR__TARGETS: .*at least 1"),
        ("GATEWAY_PREDICTOR__TARGETS", "[1", "GATEWAY_PREDICTOR__TARGETS"),
        ("GATEWAY_PREDICTOR__MAX_QUEUED_IMAGES", "10", "must hold at least one request"),
        ("GATEWAY_SERVER", "{", "server"),
    ],
)
def test_a_wrong_value_is_one_sentence_with_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    """The message names the variable, what arrived and what was expected."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=message):
        load_settings()


def test_the_tree_is_frozen_and_closed() -> None:
    """No code changes a setting, no group takes an unknown name."""
    with pytest.raises(ValidationError):
        Settings().server.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        ServerSettings.model_validate({"prot": 1})


def test_every_setting_has_a_variable() -> None:
    """The names that `load_settings` knows are those of the tree."""
    names = set(variable_names())
    assert {"GATEWAY_SERVER", "GATEWAY_SERVER__PORT", "GATEWAY_ROLLOUT__POLL_SECONDS"} <= names
    assert all(name.startswith("GATEWAY_") and name == name.upper() for name in names)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org"])
def test_listening_beyond_loopback_is_refused(host: str) -> None:
    """Without tokens the gateway stays on the machine, unless told otherwise."""
    with pytest.raises(ConfigurationError, match="ALLOW_UNPROTECTED"):
        listen(ServerSettings(host=host, port=0))


def test_listening_beyond_loopback_when_told_so() -> None:
    """The switch works."""
    listen(ServerSettings(host="0.0.0.0", port=0, allow_unprotected=True)).close()


def test_a_busy_port_is_one_sentence() -> None:
    """It names the port and the way out."""
    taken = listen(ServerSettings(port=0))
    port = taken.getsockname()[1]
    with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port}.*GATEWAY_SERVER__PORT"):
        listen(ServerSettings(port=port))
    taken.close()
