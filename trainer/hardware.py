"""What this machine computes fast in."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""CPU flags (x86-64, and Arm's) with which oneDNN multiplies bfloat16 natively."""
_BFLOAT16_COMPUTE_CAPABILITY = (8, 0)


def training_precision() -> str:
    """The Keras dtype policy that trains fastest here: mixed_bfloat16, or float32."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
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
