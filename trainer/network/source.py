"""A trained model from a file or folder, opened as one function of a batch.

Nothing of the model's own code runs: Keras loads in its safe mode, and a SavedModel is a graph. What the
numbers mean on either side is the business of pictures.py and answers.py.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from contract.layout import SAVED_MODEL, walk_files
from trainer.errors import TrainerError
from trainer.network.embedding import with_embedding

Shape = tuple[int | None, ...]
_KERAS_SUFFIXES = frozenset({".keras", ".h5", ".hdf5"})


@dataclass(frozen=True)
class Source:
    """What was opened."""

    name: str
    call: Callable[[tf.Tensor], tf.Tensor]
    """A batch of `dtype` and `shape` → float [N, outputs]."""
    both: Callable[[tf.Tensor], Sequence[tf.Tensor]] | None
    """The same with the embedding, float [N, D]; None where there is none."""
    shape: Shape
    """Of the input, with the batch in front."""
    dtype: tf.DType
    outputs: int
    parameters: int
    trackable: Any
    """Holds the variables."""


def open_source(path: Path, signature: str | None = None, output: str | None = None) -> Source:
    """Open a `.keras` or `.h5` file, or the folder of a SavedModel. Raises TrainerError."""
    if path.is_dir():
        return _open_saved_model(path, signature, output)
    if not path.is_file():
        raise TrainerError(f"{path} does not exist; expected a .keras or .h5 file or a SavedModel's folder")
    if path.suffix not in _KERAS_SUFFIXES:
        raise TrainerError(f"{path} is neither a .keras nor an .h5 file nor a SavedModel's folder")
    return _open_keras(path)


def digest_of(path: Path) -> str:
    """Hex SHA-256 of the file, or over names and contents of the folder's files."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    whole = hashlib.sha256()
    for file in walk_files(path):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        whole.update(f"{file.relative_to(path).as_posix()} {content}\n".encode())
    return whole.hexdigest()


def load_keras(path: Path) -> keras.Model:
    """A Keras model without its training configuration. Raises TrainerError."""
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises a dozen types on what it cannot rebuild
        first_line = str(error).strip().partition("\n")[0]
        raise TrainerError(
            f"{path} cannot be loaded by Keras {keras.__version__} ({first_line}); a model with layers or "
            "functions of its own must be exported as a SavedModel where its code is: model.export(folder)"
        ) from error


def _open_keras(path: Path) -> Source:
    network = load_keras(path)
    inputs, outputs = getattr(network, "inputs", None) or [], getattr(network, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        raise TrainerError(
            f"{path} has {len(inputs)} input(s) and {len(outputs)} output(s); expected one of each"
        )
    both = with_embedding(network)
    return Source(
        name=path.name,
        call=lambda batch: network(batch, training=False),
        both=None if both is None else lambda batch: both(batch, training=False),
        shape=tuple(inputs[0].shape),
        dtype=tf.as_dtype(inputs[0].dtype),
        outputs=_width(path, tuple(outputs[0].shape)),
        parameters=network.count_params(),
        trackable=network,
    )


def _open_saved_model(path: Path, signature: str | None, output: str | None) -> Source:
    if not (path / SAVED_MODEL).is_file():
        inside = sorted(entry.name for entry in path.iterdir() if (entry / SAVED_MODEL).is_file())
        hint = f"; did you mean {path / inside[-1]}?" if inside else ""
        raise TrainerError(f"{path} holds no {SAVED_MODEL}{hint}")
    try:
        module = tf.saved_model.load(str(path))
    except Exception as error:  # operations that this TensorFlow lacks, files cut short, …
        raise TrainerError(f"{path} cannot be loaded by TensorFlow {tf.__version__}: {error}") from error
    function = _chosen(f"{path}: signature", module.signatures, signature or "serving_default", "--signature")
    inputs = function.structured_input_signature[1]
    if len(inputs) != 1:
        raise TrainerError(f"{path} takes the inputs {sorted(inputs)}; expected one, the pictures")
    outputs = function.structured_outputs
    ((input_name, spec),) = inputs.items()
    answer = _chosen(f"{path}: output", {name: name for name in outputs}, output or "", "--output")
    return Source(
        name=path.name,
        call=lambda batch: function(**{input_name: batch})[answer],
        both=None,  # a graph does not tell what is an embedding
        shape=_dimensions(spec.shape),
        dtype=spec.dtype,
        outputs=_width(path, _dimensions(outputs[answer].shape)),
        parameters=sum(math.prod(variable.shape) for variable in function.variables),
        trackable=module,
    )


def _chosen(what: str, choices: Any, wanted: str, flag: str) -> Any:
    """The wanted one, or the only one."""
    if wanted in choices:
        return choices[wanted]
    if len(choices) == 1 and not (wanted and wanted != "serving_default"):
        return next(iter(choices.values()))
    asked = f"{wanted!r} does not exist" if wanted else "there are several"
    raise TrainerError(f"{what} {asked}; choose by {flag} among {sorted(choices)}")


def _dimensions(shape: tf.TensorShape) -> Shape:
    return () if shape.rank is None else tuple(shape.as_list())


def _width(path: Path, shape: Shape) -> int:
    if len(shape) != 2 or shape[1] is None:
        raise TrainerError(f"{path} answers with the shape {shape}; expected (batch, classes)")
    return shape[1]
