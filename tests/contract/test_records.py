"""The records: frozen, closed, and the same after JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cards import card, evaluation
from pydantic import ValidationError

from contract.card import ModelCard
from contract.image_spec import ImageSpec
from contract.rollout import Rollout
from contract.training import Problem, ProgressEvent, RunState, TrainingResult, TrainingSpec
from contract.values import Record

RECORDS: list[Record] = [
    TrainingSpec(
        run_id="run-1", model="pets", data="data/pets", image=ImageSpec(height=8, width=9, fit="stretch")
    ),
    TrainingResult(
        run_id="run-1",
        model="pets",
        state=RunState.FAILED,
        error=Problem(code="disk_full", message="make room"),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    ),
    ProgressEvent(phase="fit", done=1, total=10, epoch=1, values={"loss": 0.1}),
    evaluation(),
    card(),
    Rollout(model="pets", stable=3, previous_stable=2, canary=4, canary_share=0.1, pinned=[1]),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_json_there_and_back_is_the_same_record(record: Record) -> None:
    """Nothing is lost or changed on the way through a file, and the text is stable."""
    text = record.to_json()
    assert text.endswith(b"}\n")
    again = type(record).model_validate_json(text)
    assert again == record
    assert again.to_json() == text


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_field_that_is_not_known_is_an_error(record: Record) -> None:
    """A misspelt key is refused where it is read, not ignored."""
    fields = {**json.loads(record.to_json()), "modle": "pets"}
    with pytest.raises(ValidationError, match="modle"):
        type(record).model_validate(fields)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_cannot_be_changed(record: Record) -> None:
    """Records are values."""
    name = next(iter(type(record).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(record, name, None)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", ".hidden", "-flag", "é", "a\n", "x" * 64])
def test_a_models_name_is_one_harmless_path_segment(name: str) -> None:
    """Nothing that leaves the directory, hides, or reads as a flag."""
    with pytest.raises(ValidationError, match="model"):
        Rollout(model=name)


@pytest.mark.parametrize("run_id", ["Run", "a.b", "../a", "", "a" * 64])
def test_a_run_id_is_a_kubernetes_name(run_id: str) -> None:
    """Lower-case letters, digits and hyphens only."""
    with pytest.raises(ValidationError, match="run_id"):
        TrainingSpec(run_id=run_id, model="pets", data="data")


def test_a_result_states_an_end() -> None:
    """A result that says `running` is refused with the reason."""
    with pytest.raises(ValidationError, match="running is no end"):
        TrainingResult(run_id="r", model="pets", state=RunState.RUNNING, started_at=datetime.now(UTC))


def test_times_carry_their_zone() -> None:
    """A time without a zone is refused: two machines would read it differently."""
    with pytest.raises(ValidationError, match="timezone"):
        Rollout(model="pets", updated_at=datetime(2026, 1, 1))


@pytest.mark.parametrize("version", [0, -1, 2**63])
def test_a_version_is_a_positive_int64(version: int) -> None:
    """The numbers that a directory's name may have."""
    with pytest.raises(ValidationError, match="stable"):
        Rollout(model="pets", stable=version)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_lies_between_0_and_1(share: float) -> None:
    """Also not-a-number is no share."""
    with pytest.raises(ValidationError, match="canary_share"):
        Rollout(model="pets", canary_share=share)


def test_loaded_names_each_version_once_ascending() -> None:
    """What every model server must hold: stable, its predecessor and the canary."""
    assert Rollout(model="pets", stable=5, previous_stable=2, canary=5).loaded == [2, 5]
    assert Rollout(model="pets").loaded == []


def test_which_states_are_final() -> None:
    """Queued and running runs can still change, the others cannot."""
    assert [state for state in RunState if not state.is_final] == [RunState.QUEUED, RunState.RUNNING]


def test_a_card_needs_two_labels() -> None:
    """A classifier of one class is none."""
    fields = {**card().model_dump(), "labels": ["cat"]}
    with pytest.raises(ValidationError, match="labels"):
        ModelCard.model_validate(fields)


def test_bytes_per_image() -> None:
    """Height × width × 3."""
    assert ImageSpec(height=2, width=5).bytes_per_image == 30
