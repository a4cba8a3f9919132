"""What this machine computes on, and what it computes fast in. Nothing assumes a GPU."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import keras
import tensorflow as tf

from trainer.cluster import worker_of
from trainer.fitting.devices import Devices

_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""CPU flags (x86-64, and Arm's) with which oneDNN multiplies bfloat16 natively."""
_BFLOAT16_COMPUTE_CAPABILITY = (8, 0)

TPU_VARIABLES = ("TPU_NAME", "KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS")
"""By which Google Cloud tells a process of its TPU."""


@cache
def training_devices() -> Devices:
    """All that this process may train on; several workers must ask before they compute anything.

    Raises TrainerError where TF_CONFIG cannot be understood.
    """
    return devices_of(os.environ)


def devices_of(environment: Mapping[str, str]) -> Devices:
    """Workers by TF_CONFIG, a TPU, several GPUs, or one device. Raises TrainerError."""
    worker, workers = worker_of(environment)
    if workers > 1:
        return Devices(tf.distribute.MultiWorkerMirroredStrategy(), worker, workers)
    if any(environment.get(name) for name in TPU_VARIABLES):
        return Devices(tf.distribute.TPUStrategy(_tpu()))
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return Devices(tf.distribute.MirroredStrategy())
    return Devices()


def _tpu() -> tf.distribute.cluster_resolver.TPUClusterResolver:
    return tf.distribute.cluster_resolver.TPUClusterResolver.connect()


def begin(seed: int, *, is_deterministic: bool) -> None:
    """Seed every generator; if `is_deterministic`, equal seeds give equal weights on a machine, bit for bit.

    TensorFlow then takes slower kernels where a fast one adds in no fixed order, for the rest of the process.
    """
    keras.utils.set_random_seed(seed)
    if is_deterministic:
        tf.config.experimental.enable_op_determinism()


def training_precision() -> str:
    """The Keras dtype policy that trains fastest here: mixed_bfloat16, or float32."""
    gpus = tf.config.list_physical_devices("GPU")
    if tf.config.list_logical_devices("TPU"):
        is_fast = True
    elif gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        is_fast = details.get("compute_capability", (0, 0)) >= _BFLOAT16_COMPUTE_CAPABILITY
    else:
        is_fast = bool(_BFLOAT16_FLAGS & _cpu_flags())
    return "mixed_bfloat16" if is_fast else "float32"


def _cpu_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    try:
        lines = path.read_text().splitlines()
    except OSError:  # not Linux
        return frozenset()
    flags = (
        line.partition(":")[2].split() for line in lines if line.lower().startswith(("flags", "features"))
    )
    return frozenset(next(flags, []))
