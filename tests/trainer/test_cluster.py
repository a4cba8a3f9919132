"""TF_CONFIG from what Kubernetes tells a pod of an Indexed Job."""

from __future__ import annotations

import json

import pytest

from trainer.cluster import prepare, tf_config, worker_of
from trainer.errors import TrainerError

JOB = {"REKINDLE_WORKERS": "3", "REKINDLE_WORKERS_DOMAIN": "workers.ml.svc", "JOB_COMPLETION_INDEX": "2"}


def test_an_indexed_job_becomes_a_cluster() -> None:
    """Each pod is reached by its host name below the headless Service; its index is its task."""
    config = json.loads(tf_config(JOB, "train-cats-x7-2") or "")
    assert config == {
        "cluster": {"worker": [f"train-cats-x7-{number}.workers.ml.svc:2222" for number in range(3)]},
        "task": {"type": "worker", "index": 2},
    }


def test_the_domain_of_the_host_does_not_matter_and_the_port_can_be_chosen() -> None:
    """A host name with its domain gives the same cluster."""
    plain, full = (
        tf_config({**JOB, "REKINDLE_WORKERS_PORT": "3000"}, host)
        for host in ("train-2", "train-2.workers.ml.svc")
    )
    assert plain == full
    assert ":3000" in (plain or "")


def test_one_worker_needs_no_cluster() -> None:
    """A Job of one completion, and a process outside of Kubernetes, train alone."""
    for environment in ({}, {"REKINDLE_WORKERS": "1", "JOB_COMPLETION_INDEX": "0"}):
        assert tf_config(environment, "laptop") is None
        assert worker_of(environment) == (0, 1)


@pytest.mark.parametrize(
    ("change", "host", "message"),
    [
        ({"REKINDLE_WORKERS_DOMAIN": ""}, "train-2", "does not name their headless Service"),
        ({"JOB_COMPLETION_INDEX": "two"}, "train-2", "JOB_COMPLETION_INDEX is 'two'"),
        ({"REKINDLE_WORKERS": "0"}, "train-2", "REKINDLE_WORKERS is '0'"),
        ({"REKINDLE_WORKERS": "2"}, "train-2", "an index below 2"),
        ({}, "train-1", "expected the name <job>-2"),
        ({}, "train", "expected the name <job>-2"),
    ],
)
def test_contradictions_are_named(change: dict[str, str], host: str, message: str) -> None:
    """A missing or contradicting variable is one sentence."""
    with pytest.raises(TrainerError, match=message):
        tf_config({**JOB, **change}, host)


def test_a_cluster_that_is_there_stays() -> None:
    """TF_CONFIG that somebody else set is read, not replaced."""
    theirs = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    environment = {**JOB, "TF_CONFIG": json.dumps(theirs)}
    prepare(environment, "laptop")
    assert worker_of(environment) == (1, 2)
    environment["TF_CONFIG"] = ""
    prepare(environment, "train-2")
    assert worker_of(environment) == (2, 3)


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_strange_tf_config_is_refused(config: str) -> None:
    """What is no cluster of workers alone is quoted."""
    with pytest.raises(TrainerError, match="TF_CONFIG is"):
        worker_of({"TF_CONFIG": config})
