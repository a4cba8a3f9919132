"""What a fit computes on: chosen by what is there, with batches divided among the replicas."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import Workshop

from trainer.errors import TrainerError

pytestmark = pytest.mark.tensorflow


def test_a_plain_machine_trains_on_one_device() -> None:
    """Without workers, TPU and GPUs there is one replica, which is the chief."""
    from trainer.hardware import devices_of

    devices = devices_of({})
    assert (devices.replicas, devices.workers, devices.is_chief) == (1, 1, True)
    np.testing.assert_array_equal(devices.divided(np.arange(4)), np.arange(4))
    assert not devices.any_of(False)


def test_a_broken_cluster_is_named() -> None:
    """TF_CONFIG that cannot be understood ends the run before anything is computed."""
    from trainer.hardware import devices_of

    with pytest.raises(TrainerError, match="TF_CONFIG is"):
        devices_of({"TF_CONFIG": "{}"})


def test_two_replicas_in_one_process_train_together(workshop: Workshop) -> None:
    """The batch is a multiple of the replicas, running statistics are shared, and the network learns."""
    code, output = workshop.call(str(workshop.data), script=Path(__file__).with_name("two_replicas.py"))
    assert code == 0, output
    found = re.search(r"2 replicas, batch 24, accuracy (\d\.\d+)\ntaught by it alone (\d\.\d+)", output)
    assert found, output
    assert float(found[1]) > 0.8
    assert float(found[2]) > 0.8
