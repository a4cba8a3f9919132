"""A fine-tune reads all that is new and a bounded sample of the rest, always the same one."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawing import COLOURS, draw_dataset
from learning import MODEL, Service

from contract.image_spec import ImageSpec
from contract.layout import is_upload
from contract.training import ReplayRule
from trainer.dataset import uploads
from trainer.dataset.folders import Folders
from trainer.errors import DataError
from trainer.planning import Plan
from trainer.tuning.replay import Mixture, load_mixture

IMAGE = ImageSpec(height=24, width=24)
RULE = ReplayRule(per_new=2, minimum=0, maximum=60)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Base data and uploads; no version is needed."""
    service = Service(tmp_path)
    draw_dataset(service.data, train=80, test=10)
    service.upload_each(20)
    return service


def plan_for(service: Service, seen: int = 0) -> Plan:
    """A plan in which the first uploads have been seen."""
    folders = Folders(service.data)
    files = [*folders.training_files(folders.labels), *folders.test_files(folders.labels)]
    known = sorted(uploads.listed(files))
    return Plan(
        method="fine-tune",
        reason="",
        parent=1,
        fingerprint=None,
        labels=list(COLOURS),
        new_labels=[],
        uploads=known,
        new=known[seen:],
        base_examples=240,
    )


def mixture(service: Service, plan: Plan, seed: int = 0, rule: ReplayRule = RULE) -> Mixture:
    """Read it."""
    return load_mixture(service.data, plan, IMAGE, rule, seed)


def test_everything_new_and_a_bounded_sample(service: Service) -> None:
    """No picture of the test folders, every new one, and not more old ones than the rule says."""
    plan = plan_for(service)
    found = mixture(service, plan)
    paths = [*found.data.train.paths, *found.data.validation.paths]
    assert not [path for path in paths if path.startswith("test/")]
    new = {path for path in paths if is_upload(Path(path).name)}
    on_disk = {f"{path.relative_to(service.data)}" for path in service.data.rglob("*/*/*.png")}
    assert new == {path for path in on_disk if is_upload(Path(path).name) and not path.startswith("test/")}
    assert len(found.data.train) - found.new == 60
    assert service.data.name == MODEL


def test_the_sample_is_a_function_of_the_seed(service: Service) -> None:
    """The same again for the same seed, whatever is added elsewhere; another for another."""
    first = mixture(service, plan_for(service)).data.train.paths
    assert mixture(service, plan_for(service)).data.train.paths == first
    assert mixture(service, plan_for(service), seed=1).data.train.paths != first


def test_seen_uploads_are_replayed_too(service: Service) -> None:
    """Up to half of the sample, so that old corrections are not forgotten."""
    plan = plan_for(service, seen=40)
    found = mixture(service, plan)
    new = frozenset(plan.new)
    replayed = [
        path
        for path, is_new in zip(found.data.train.paths, found.is_new, strict=True)
        if not is_new and is_upload(Path(path).name)
    ]
    assert replayed
    assert all(f"{Path(path).parent.name}/{Path(path).stem}" not in new for path in replayed)
    assert len(replayed) <= 30 + 3 * 10


def test_later_uploads_do_not_count(service: Service) -> None:
    """What is not in the plan is as if it were not there."""
    plan = plan_for(service)
    before = mixture(service, plan)
    service.upload_each(10, first_seed=90_000)
    assert mixture(service, plan).data.train.paths == before.data.train.paths


def test_nothing_but_broken_uploads_is_an_error(service: Service) -> None:
    """With the first reason."""
    for path in list(service.data.rglob("*.png")):
        if is_upload(path.name):
            path.write_bytes(b"broken")
    with pytest.raises(DataError, match="none of the new examples can be used"):
        mixture(service, plan_for(service))
