"""The text form of a model server's configuration, and the directories that it chooses from."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_server.errors import Code, ServingError
from model_server.lifecycle import model_config
from model_server.lifecycle.model_config import All, Latest, ModelConfig, Specific
from model_server.lifecycle.polling import ConfigurationFile
from model_server.lifecycle.versions import list_versions, wanted


def one(fields: str) -> str:
    return f"model_config_list {{ config {{ {fields} }} }}"


BASE = 'name: "m" base_path: "/models/m" model_platform: "tensorflow"'


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (BASE, ModelConfig("m", Path("/models/m"))),
        (
            f"{BASE} model_version_policy {{ latest {{ num_versions: 2 }} }}",
            ModelConfig("m", Path("/models/m"), Latest(2)),
        ),
        (
            f"{BASE} model_version_policy {{ all {{}} }}",
            ModelConfig("m", Path("/models/m"), All()),
        ),
        (
            f"{BASE} model_version_policy {{ specific {{ versions: 1 versions: 3 }} }} "
            'version_labels { key: "stable" value: 1 }',
            ModelConfig("m", Path("/models/m"), Specific(frozenset({1, 3})), {"stable": 1}),
        ),
        ('name: "m" base_path: "/x" model_type: TENSORFLOW', ModelConfig("m", Path("/x"))),
    ],
)
def test_a_configuration_is_read(fields: str, expected: ModelConfig) -> None:
    """Policies and labels of tensorflow_model_server's own format."""
    assert model_config.from_text(one(fields)) == (expected,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_config_list { config {", "not a ModelServerConfig in text form"),
        (one('name: "m" base_path: "m" model_platform: "tensorflow"'), "to have an absolute path or URI"),
        (one('name: "m" base_path: "/m"'), "Illegal setting neither"),
        (one('name: "m" base_path: "/m" model_platform: "other"'), "requests unsupported platform other"),
        (one('base_path: "/m" model_platform: "tensorflow"'), "a model without a name"),
        (
            f"model_config_list {{ config {{ {BASE} }} config {{ {BASE} }} }}",
            "Illegal to list model m multiple times in config list",
        ),
    ],
)
def test_a_configuration_that_cannot_be_used_says_why(text: str, words: str) -> None:
    """The words are upstream's where upstream has any."""
    with pytest.raises(ServingError, match=words):
        model_config.from_text(text)


def test_an_empty_file_is_not_an_empty_list() -> None:
    """A file that is being written must not unload every model."""
    assert model_config.from_text("") is None
    assert model_config.from_text("model_config_list {}") == ()


def test_versions_are_directories_named_by_numbers(tmp_path: Path) -> None:
    """Leading zeros count; of two directories with one number, one is taken."""
    for name in ("1", "002", "2", "x3", "-1", "9" * 30):
        (tmp_path / name).mkdir()
    listing = list_versions(tmp_path)
    assert sorted(listing.versions) == [1, 2]
    assert set(listing.ignored) == {"002", "x3", "-1", "9" * 30}


def test_wanted_versions_exist() -> None:
    """A policy chooses among what is there."""
    assert wanted(Latest(2), [1, 2, 10]) == {2, 10}
    assert wanted(Specific(frozenset({2, 3})), [1, 2]) == {2}
    assert wanted(All(), []) == set()


class Recorder:
    """A repository that notes what it is told, or refuses it."""

    def __init__(self) -> None:
        self.configured: list[object] = []
        self.refusal: ServingError | None = None

    def configure(self, models: object) -> None:
        if self.refusal:
            raise self.refusal
        self.configured.append(models)

    def refresh(self) -> None:
        """Nothing lies on the disk."""


def test_a_configuration_file_is_applied_when_it_changes(tmp_path: Path) -> None:
    """The same content is applied once; a new one again."""
    recorder, path = Recorder(), tmp_path / "models.config"
    path.write_text(one(BASE))
    file = ConfigurationFile(path, recorder)
    file.read()
    assert not file.poll()
    path.write_text("model_config_list {}")
    assert file.poll()
    assert recorder.configured == [(ModelConfig("m", Path("/models/m")),), ()]


def test_a_broken_or_refused_file_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be applied keeps the old configuration, and becomes true when it can."""
    recorder, path = Recorder(), tmp_path / "models.config"
    file = ConfigurationFile(path, recorder)
    assert not file.poll()
    path.write_text("model_config_list { config {")
    assert not file.poll()
    assert not file.poll()
    path.write_text(one(BASE))
    recorder.refusal = ServingError(Code.FAILED_PRECONDITION, "label")
    assert not file.poll()
    recorder.refusal = None
    assert file.poll()
    assert caplog.text.count("not a ModelServerConfig") == 1
    assert len(recorder.configured) == 1
