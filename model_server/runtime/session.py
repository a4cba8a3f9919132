"""TensorFlow's first import in this process: what it says on the console, and how many threads it takes.

Variables that the user set are left alone, and with TF_CPP_MIN_LOG_LEVEL set nothing is silenced.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from model_server.errors import invalid_argument
from model_server.runtime.cpus import thread_count

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_ERRORS_ONLY = {_LOG_LEVEL: "2", "GRPC_VERBOSITY": "ERROR"}


@dataclass(frozen=True)
class Threads:
    """Sizes of TensorFlow's two pools; 0 stands for the CPU limit of the container."""

    intra_op: int = 0
    inter_op: int = 0

    def resolved(self) -> Threads:
        """The same with numbers for zeros."""
        automatic = thread_count()
        return Threads(self.intra_op or automatic, self.inter_op or automatic)


@dataclass(frozen=True)
class SessionSettings:
    """What every session is made with."""

    threads: Threads = Threads()
    config_file: Path | None = None
    """A ConfigProto in text form; threads that are set in it hold unless flags set them."""
    gpu_memory_fraction: float = 0.0
    """Share of the GPU's memory to take at once; 0: TensorFlow decides."""


def session_options(settings: SessionSettings) -> Any:
    """Import TensorFlow; a ConfigProto for every session.

    The first session sizes the pools of the process, so all sessions must be given the same.
    Raises ServingError (INVALID_ARGUMENT) for a configuration file that cannot be used.
    """
    with _quiet():
        import tensorflow as tf

        tf.config.list_physical_devices()
    # What the import made lives for ever: later collections, during which no request runs, pass over it.
    gc.collect()
    gc.freeze()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    options = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    if settings.config_file is not None:
        _merge(settings.config_file, options)
    given = Threads(
        settings.threads.intra_op or options.intra_op_parallelism_threads,
        settings.threads.inter_op or options.inter_op_parallelism_threads,
    )
    sizes = given.resolved()
    options.intra_op_parallelism_threads = sizes.intra_op
    options.inter_op_parallelism_threads = sizes.inter_op
    if settings.gpu_memory_fraction:
        options.gpu_options.per_process_gpu_memory_fraction = settings.gpu_memory_fraction
    log_sizes = {"intra_op": sizes.intra_op, "inter_op": sizes.inter_op}
    logging.getLogger(__name__).info("TensorFlow's threads", extra=log_sizes)
    return options


def _merge(path: Path, options: Any) -> None:
    try:
        text_format.Merge(path.read_text(encoding="utf-8"), options)
    except (text_format.ParseError, OSError, UnicodeDecodeError) as error:
        raise invalid_argument(f"{path} is not a ConfigProto in text form: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the banner about oneDNN and the warnings about absent GPUs off the console.

    They are written below Python, before any log level applies. Should the block fail, they are shown.
    """
    if _LOG_LEVEL in os.environ:
        yield
        return
    for name, value in _ERRORS_ONLY.items():
        os.environ.setdefault(name, value)
    sys.stderr.flush()
    console = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(console, said.read())
            raise
        finally:
            os.dup2(console, 2)
            os.close(console)
