"""A model in service learns from uploads, and what would make it worse is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawing import COLOURS, picture
from learning import YELLOW, Service

from contract.layout import UPLOADS, is_upload, sha256_of, walk_files
from contract.training import RunState
from trainer.__main__ import main
from trainer.dataset.uploads import seen_by
from trainer.tuning.need import LEAST_FARTHEST

pytestmark = pytest.mark.tensorflow
VIOLET = (150, 40, 160)
"""Between blue and red: what the base pictures say nothing about."""


def test_a_fine_tune_learns_and_passes_the_gate(service: Service) -> None:
    """A new class, and a new look of an old one: published, with lineage and decision in the card."""
    service.upload_many("yellow", YELLOW, range(30))
    service.upload_many("blue", VIOLET, range(100, 130))
    result = service.train("tuned")
    assert result.state is RunState.SUCCEEDED, result
    card = service.card(2)
    assert card.labels == ["blue", "green", "red", "yellow"]
    assert card.parent_version == 1
    assert card.lineage is not None
    assert card.lineage.method == "fine-tune"
    assert card.lineage.new_labels == ["yellow"]
    assert card.hyper_parameters["need"] == 1
    assert card.lineage.new_examples + card.lineage.replayed_examples == card.dataset.examples["train"]
    assert card.gate == result.gate
    assert card.gate is not None
    assert card.gate.passed
    assert card.gate.compared_with == 1
    assert len(seen_by(service.model.version(2))) == 60
    _assert_knows(service, 2, {"yellow": YELLOW, "blue": VIOLET, **COLOURS})


def _assert_knows(service: Service, version: int, colours: dict[str, tuple[int, int, int]]) -> None:
    from contract import images
    from trainer.version.served import SavedVersion

    card = service.card(version)
    served = SavedVersion(service.model.version(version))
    for label, colour in colours.items():
        content = [images.decode(picture(colour, 700_000 + seed), card.image) for seed in range(20)]
        pixels = np.frombuffer(b"".join(content), np.uint8).reshape(20, 24, 24, 3)
        named = served.probabilities(pixels).argmax(axis=1)
        assert np.mean(named == card.labels.index(label)) >= 0.8, label


def test_all_corrections_wrong_are_refused(service: Service) -> None:
    """The run ends as rejected, the candidate stays in its folder, the numbers are in the result."""
    colours = list(COLOURS.values())
    for index, label in enumerate(COLOURS):
        service.upload_many(label, colours[index - 1], range(1000 * index, 1000 * index + 20))
    result = service.train("poisoned")
    assert result.state is RunState.REJECTED
    assert result.error is not None
    assert result.error.code == "gate_refused"
    assert result.gate is not None
    assert not result.gate.passed
    assert result.gate.failed
    assert service.model.versions() == [1]
    candidate = service.paths("poisoned").candidate
    assert (candidate / "saved_model.pb").is_file()
    assert (candidate / UPLOADS).is_file()
    assert service.train("poisoned") == result  # a normal end: the same command changes nothing


def test_a_gate_that_is_not_enabled_publishes(service: Service) -> None:
    """What the checks found is recorded all the same."""
    for label in COLOURS:
        service.upload_many(label, VIOLET, range(len(label) * 100, len(label) * 100 + 20))
    result = service.train("open", gate={"enabled": False})
    assert result.state is RunState.SUCCEEDED
    assert result.gate is not None
    assert len(result.gate.checks) == 9


def test_contradictions_and_bad_files_are_left_out(service: Service) -> None:
    """One picture under two labels is nobody's example; what cannot be read is named in the card."""
    service.upload_each(15)
    content = picture(YELLOW, 1)
    digest = sha256_of(content)
    for label in ("red", "blue"):
        (service.data / "train" / label / f"{digest}.png").write_bytes(content)
    (service.data / "train" / "red" / f"{'0' * 64}.png").write_bytes(b"no picture")
    assert service.train("mixed").state is RunState.SUCCEEDED
    assert 0 < float(service.card(2).hyper_parameters["tuned_share"]) <= LEAST_FARTHEST
    skipped = " ".join(f"{row.path} {row.reason}" for row in service.card(2).dataset.skipped)
    assert "under another label" in skipped
    assert "0" * 64 in skipped


def test_pictures_of_another_size_are_resized(service: Service) -> None:
    """A fine-tune keeps the parent's size, whatever comes."""
    for index, (label, colour) in enumerate(COLOURS.items()):
        for seed in range(15):
            service.upload(label, picture(colour, 300_000 + 100 * index + seed, side=61))
    assert service.train("large").state is RunState.SUCCEEDED
    assert service.card(2).image == service.card(1).image


def test_a_parent_that_changed_stops_a_run_that_began(service: Service) -> None:
    """A run that is resumed starts from the weights that its plan names, or ends."""
    from trainer.planning import plan_of

    service.upload_each(15)
    plan_of(service.paths("late"), service.spec("late"))
    (service.model.version(1) / "model.keras").write_bytes(b"other")
    result = service.train("late")
    assert result.state is RunState.FAILED
    assert result.error is not None
    assert result.error.code == "parent_unusable"


def test_protected_pictures_cannot_be_uploaded(service: Service) -> None:
    """Uploads that fall into test/ are no protected pictures: the gate counts what was there before."""
    service.upload_each(60)
    assert any(is_upload(path.name) for path in walk_files(service.data / "test"))
    result = service.train("judged", start="none")
    assert result.gate is not None
    enough = next(check for check in result.gate.checks if check.name == "enough_data")
    assert enough.observed == 330


def test_uploads_alone_are_judged_on_uploads(service: Service, tmp_path: Path) -> None:
    """With base none the gate has nothing but uploads, and says when they are too few."""
    for path in list(walk_files(service.data)):
        path.unlink()
    service.upload_each(70)
    result = service.train("bare", base="none")
    assert result.state is RunState.REJECTED
    assert result.gate is not None
    assert {check.name for check in result.gate.failed} >= {"enough_data"}


def test_reproduce_makes_the_version_again(
    service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same examples and the same answers, also after more was uploaded; not when one is gone."""
    monkeypatch.setenv("COLUMNS", "200")
    service.upload_each(15)
    assert service.train("tuned").version == 2
    service.upload_each(9, first_seed=80_000)
    command = ["reproduce", str(service.model.version(2)), "--runs", str(service.root / "again")]
    assert main(command) == 0
    assert "\nreproduced" in capsys.readouterr().out
    assert service.model.versions() == [1, 2]
    for path in (service.data / "train" / "red").iterdir():
        if is_upload(path.name):
            path.unlink()
    assert main(command) == 1
    assert "cannot be made again" in capsys.readouterr().err
