"""When a run fine-tunes, when it trains in full, and when it refuses to begin."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from drawing import COLOURS
from learning import YELLOW, Service

from contract.layout import UPLOADS, walk_files
from trainer.errors import DataError, ParentError, TrainerError
from trainer.planning import make_plan, plan_of

pytestmark = pytest.mark.tensorflow


def test_new_examples_are_fine_tuned_on(service: Service) -> None:
    """The plan names the parent, its fingerprint, the new uploads and the reason."""
    service.upload_each(15)
    plan = make_plan(service.spec("tuned"))
    assert (plan.method, plan.parent, plan.base_examples) == ("fine-tune", 1, 240)
    assert plan.fingerprint is not None
    assert plan.labels == ["blue", "green", "red"]
    assert len(plan.new) == len(plan.uploads) == 45
    assert "fine-tuning version 1" in plan.reason


@pytest.mark.parametrize(
    ("uploads", "changes", "reason"),
    [
        (15, {"start": "none"}, "the spec says so"),
        (15, {"preset": "default"}, "widths"),
        (15, {"image": {"height": 32, "width": 32}}, "other pictures"),
        (0, {}, "has seen every upload"),
        (60, {}, "more than 25%"),
    ],
)
def test_the_rule_says_why_a_training_is_full(
    service: Service, uploads: int, changes: dict[str, Any], reason: str
) -> None:
    """Each condition by itself."""
    service.upload_each(uploads)
    plan = make_plan(service.spec("full", **changes))
    assert plan.method == "full"
    assert reason in plan.reason
    assert plan.parent == 1  # the gate compares with it all the same


def test_a_version_without_weights_is_trained_in_full(service: Service) -> None:
    """One that somebody else has made may have no model.keras; who insists on it is told."""
    service.upload_each(15)
    (service.model.version(1) / "model.keras").unlink()
    assert "no model.keras" in make_plan(service.spec("full")).reason
    with pytest.raises(ParentError, match=r"no model\.keras"):
        make_plan(service.spec("stable", start="stable"))


def test_without_a_rollout_nothing_is_stable(service: Service) -> None:
    """Then a run is a full training, and there is nothing to compare with."""
    service.model.rollout.unlink()
    plan = make_plan(service.spec("alone"))
    assert (plan.method, plan.parent) == ("full", None)


def test_a_stable_version_that_vanished_stops_the_run(service: Service) -> None:
    """A candidate that is compared with nothing could be worse than what answers now."""
    shutil.rmtree(service.model.version(1))
    with pytest.raises(ParentError, match="gone or incomplete"):
        make_plan(service.spec("orphan"))


def test_an_unreadable_rollout_stops_the_run(service: Service) -> None:
    """What is stable must be known."""
    service.model.rollout.write_bytes(b"{")
    with pytest.raises(ParentError, match="cannot be read"):
        make_plan(service.spec("blind"))


def test_base_data_that_is_gone_is_no_reason_to_forget_it(service: Service) -> None:
    """The run says what is missing, unless the spec says that uploads are enough."""
    for path in list(walk_files(service.data)):
        path.unlink()
    service.upload_each(40)
    with pytest.raises(DataError, match="bring them back"):
        make_plan(service.spec("bare"))
    assert make_plan(service.spec("bare", base="none")).method == "full"


def test_a_class_without_pictures_stops_the_run(service: Service) -> None:
    """It would be unlearned; whoever wants that says so."""
    service.upload_each(8)
    shutil.rmtree(service.data / "train" / "red")
    with pytest.raises(DataError, match="knows 'red'"):
        make_plan(service.spec("without"))
    assert make_plan(service.spec("without", gate={"enabled": False})).method == "fine-tune"


def test_too_few_new_examples_are_refused(service: Service) -> None:
    """With the number that is needed."""
    service.upload_each(2)
    with pytest.raises(DataError, match="10 are needed"):
        make_plan(service.spec("few"))


def test_a_new_class_needs_examples_too(service: Service) -> None:
    """A handful of pictures of a class waits; with enough of them the class is at the labels' end."""
    service.upload_each(8)
    service.upload_many("yellow", YELLOW, range(5))
    assert make_plan(service.spec("soon")).new_labels == []
    service.upload_many("yellow", YELLOW, range(25))
    plan = make_plan(service.spec("now"))
    assert plan.labels == [*COLOURS, "yellow"]
    assert plan.new_labels == ["yellow"]


def test_what_the_parent_has_seen_is_not_new(service: Service) -> None:
    """By its hash and label: a relabelled example is new again."""
    service.upload_each(15)
    plan = make_plan(service.spec("once"))
    seen = (service.model.version(1) / UPLOADS).read_text().replace('"examples": []', '"examples": SEEN')
    names = ", ".join(f'"{name}"' for name in plan.uploads if not name.startswith("red"))
    (service.model.version(1) / UPLOADS).write_text(seen.replace("SEEN", f"[{names}]"))
    again = make_plan(service.spec("twice"))
    assert {name.partition("/")[0] for name in again.new} == {"red"}


def test_a_resumed_run_keeps_its_plan(service: Service) -> None:
    """What was uploaded after the start waits for the next run."""
    service.upload_each(15)
    spec = service.spec("resumed")
    first = plan_of(service.paths("resumed"), spec)
    service.upload_each(10, first_seed=90_000)
    assert plan_of(service.paths("resumed"), spec) == first


def test_a_folder_with_one_class_is_refused(service: Service) -> None:
    """A classifier needs two."""
    for label in ("green", "red"):
        shutil.rmtree(service.data / "train" / label)
    with pytest.raises(TrainerError, match="at least two class folders"):
        make_plan(service.spec("single"))
