"""--prefer_tflite_model: a version's model.tflite, run by LiteRT, in place of its SavedModel.

An interpreter serves one call at a time, so each model has several; they are made when calls first need them.
Sizes of batches may change from call to call. TensorFlow is not needed, and not imported.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_server.errors import Code, ServingError, invalid_argument
from model_server.runtime import tensors
from model_server.runtime.cpus import thread_count
from model_server.runtime.lite_signatures import Place, signatures_of
from model_server.runtime.signatures import Signature, TensorSpec
from model_server.runtime.tensors import Array

MODEL = "model.tflite"
INTERPRETERS = 2
"""Of a model, unless flags say otherwise: as many as the calls that merging.py lets run at a time."""

MEMORY_OF_AN_INTERPRETER = 32 * 2**20
"""Bytes, beside a copy of the weights in the order in which the kernels read them.

Two interpreters of the bundled model, with 8 MB of file, take 89 MB after calls with 64 images.
"""


def is_there(version: Path) -> bool:
    """Whether the version has a TF Lite model."""
    return (version / MODEL).is_file()


@dataclass(frozen=True)
class LiteSettings:
    """How TF Lite models are run."""

    interpreters: int = INTERPRETERS
    """Calls into one model at a time."""
    threads: int = 0
    """Of each interpreter; 0: the CPU limit, so that a lone call has all there is."""

    @property
    def threads_of_each(self) -> int:
        """Threads of one interpreter."""
        return self.threads or thread_count()

    def memory(self, version: Path) -> float:
        """Bytes that the model of a version directory takes once all its interpreters are made."""
        size = (version / MODEL).stat().st_size
        return size + self.interpreters * (size + MEMORY_OF_AN_INTERPRETER)

    def load(self, version: Path) -> LiteServable:
        """Load model.tflite of a version directory. Raises ServingError."""
        content = (version / MODEL).read_bytes()
        pool = _Pool(version / MODEL, content, self)
        interpreter = pool.take(None)
        signatures, definitions = signatures_of(content, interpreter)
        pool.put(interpreter)
        return LiteServable(pool, signatures, definitions)


class LiteServable:
    """A TF Lite model. `run` may be called from many threads at once."""

    def __init__(self, pool: _Pool, signatures: Mapping[str, Signature], definitions: Any) -> None:
        self.signatures = signatures
        self.model, self.version, self.path = "", 0, Path()
        """Whose it is and where it lies; the loader says so."""
        self.definitions = definitions
        self._pool = pool

    def run(
        self,
        signature: Signature,
        inputs: Mapping[str, Array],
        outputs: Sequence[str],
        timeout_seconds: float | None = None,
    ) -> list[Array]:
        """Run the model once: arrays by input alias in, one array for each output alias out.

        A run that has begun is not cut short; the timeout holds for the wait before it.
        Raises ServingError (INVALID_ARGUMENT for inputs that do not fit, DEADLINE_EXCEEDED).
        """
        for alias, array in inputs.items():
            _check(signature.inputs[alias], array)
        feeds = {signature.inputs[alias].endpoint: array for alias, array in inputs.items()}
        fetches = [signature.outputs[alias].endpoint for alias in outputs]
        interpreter = self._pool.take(timeout_seconds)
        try:
            return _invoke(interpreter, feeds, fetches)
        except (RuntimeError, ValueError) as error:
            raise invalid_argument(f"Failed to invoke TfLite interpreter: {error}") from None
        finally:
            self._pool.put(interpreter)

    def close(self) -> None:
        """Give back the interpreters' memory."""
        self._pool.close()


def _check(spec: TensorSpec, array: Array) -> None:
    """Raises ServingError (INVALID_ARGUMENT) for what does not fit; the runtime checks less.

    The first dimension may always be another: it is the batch, which a model may fix to 1 and still resize.
    """
    wanted = spec.shape or ()
    fits = len(wanted) == array.ndim and all(
        size in (-1, found) for size, found in zip(wanted[1:], array.shape[1:], strict=True)
    )
    dtype = tensors.numpy_dtype(spec.dtype)
    if not fits or (array.dtype != dtype if dtype is not None else array.dtype != object):
        raise invalid_argument(
            f"input {spec.alias} arrived as {array.dtype} {list(array.shape)}, the signature expects {spec}"
        )
    if array.size == 0:
        sizes = list(array.shape)
        raise invalid_argument(f"input {spec.alias} arrived empty, as {sizes}; send at least one row")


def _invoke(interpreter: Any, feeds: Mapping[Place, Array], fetches: Sequence[Place]) -> list[Array]:
    if key := next((place.key for place in (*fetches, *feeds)), ""):
        named = {str(place.where): array for place, array in feeds.items()}
        answers = interpreter.get_signature_runner(key)(**named)
        return [answers[place.where] for place in fetches]
    for place, array in feeds.items():
        interpreter.resize_tensor_input(place.where, array.shape)
    interpreter.allocate_tensors()
    for place, array in feeds.items():
        interpreter.set_tensor(place.where, array)
    interpreter.invoke()
    return [interpreter.get_tensor(place.where) for place in fetches]


class _Pool:
    """The interpreters of one model, which share the bytes of its file."""

    def __init__(self, path: Path, content: bytes, settings: LiteSettings) -> None:
        self._path = path
        self._content = content
        self._settings = settings
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()
        self._making = threading.Lock()
        self._left_to_make = settings.interpreters

    def take(self, timeout_seconds: float | None) -> Any:
        """An interpreter that nobody else uses. Raises ServingError (DEADLINE_EXCEEDED)."""
        try:
            return self._free.get_nowait()
        except queue.Empty:
            return self._made() or self._awaited(timeout_seconds)

    def put(self, interpreter: Any) -> None:
        """Give one back."""
        self._free.put(interpreter)

    def close(self) -> None:
        """Drop those that are free; nobody uses the others any more."""
        while not self._free.empty():
            self._free.get_nowait()

    def _awaited(self, timeout_seconds: float | None) -> Any:
        try:
            return self._free.get(timeout=timeout_seconds)
        except queue.Empty:
            message = "Deadline exceeded while waiting for a TfLite interpreter"
            raise ServingError(Code.DEADLINE_EXCEEDED, message) from None

    def _made(self) -> Any:
        """A new interpreter; None where there are enough."""
        with self._making:
            if not self._left_to_make:
                return None
            self._left_to_make -= 1
        try:
            return _interpreter(self._path, self._content, self._settings.threads_of_each)
        except BaseException:
            with self._making:
                self._left_to_make += 1
            raise


def _interpreter(path: Path, content: bytes, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f"{path} needs the package ai-edge-litert, which cannot be imported ({error}); install it, or "
            "serve the SavedModel with --prefer_tflite_model=false",
        ) from error
    try:
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise invalid_argument(f"Cannot build FlatBufferModel from {path}: {error}") from error
    return interpreter
