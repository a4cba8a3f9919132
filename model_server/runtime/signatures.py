"""What a SavedModel's signature expects and answers, resolved once when the version is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from model_server.runtime import tensors
from model_server.runtime.tensors import Array


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a signature."""

    alias: str
    dtype: int
    """types.proto number."""
    shape: tuple[int, ...] | None
    """-1 where any size will do; None where any rank will."""
    tensor_name: str
    endpoint: Any
    """The tensor in the session's graph, as TF_SessionRun takes it."""

    def __str__(self) -> str:
        """For example `uint8 [?,32,32,3]`."""
        return f"{tensors.dtype_name(self.dtype)} {_shape_text(self.shape)}"

    def accepts(self, array: Array) -> bool:
        """Whether the array's type and shape are what the signature declares."""
        if tensors.numpy_dtype(self.dtype) not in (None, array.dtype):
            return False
        if self.shape is None:
            return True
        return len(self.shape) == array.ndim and all(
            wanted in (-1, size) for wanted, size in zip(self.shape, array.shape, strict=True)
        )


@dataclass(frozen=True)
class Signature:
    """A named entry point."""

    name: str
    method_name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    defaults: Mapping[str, Array]
    """Values of inputs that a request may leave out."""

    @cached_property
    def is_batched(self) -> bool:
        """Whether every input and output leaves its first dimension open: a row an example."""
        specs = (*self.inputs.values(), *self.outputs.values())
        return bool(self.inputs) and all(spec.shape is not None and spec.shape[:1] == (-1,) for spec in specs)

    def describe(self) -> str:
        """For an error: `serving_default(images: uint8 [?,32,32,3]) -> (probabilities: float [?,10])`."""
        inputs, outputs = (
            ", ".join(f"{alias}: {spec}" for alias, spec in specs.items())
            for specs in (self.inputs, self.outputs)
        )
        return f"{self.name}({inputs}) -> ({outputs})"

    def mismatch(self, inputs: Mapping[str, Array]) -> str:
        """What was expected, in brackets, where that may be why a run failed; otherwise empty."""
        notes = [
            f"input {alias} arrived as {array.dtype} {_shape_text(array.shape)}, "
            f"the signature expects {self.inputs[alias]}"
            for alias, array in inputs.items()
            if not self.inputs[alias].accepts(array)
        ]
        return f" ({'; '.join(notes)})" if notes else ""


def signature_of(name: str, definition: Any, graph: Any) -> Signature:
    """Resolve a SignatureDef in the graph that a session runs."""
    return Signature(
        name=name,
        method_name=definition.method_name,
        inputs={alias: _spec(alias, info, graph) for alias, info in sorted(definition.inputs.items())},
        outputs={alias: _spec(alias, info, graph) for alias, info in sorted(definition.outputs.items())},
        defaults={alias: tensors.from_proto(tensor, alias) for alias, tensor in definition.defaults.items()},
    )


def _spec(alias: str, info: Any, graph: Any) -> TensorSpec:
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = tuple(dimension.size for dimension in info.tensor_shape.dim)
    endpoint = graph.get_tensor_by_name(info.name)._as_tf_output() if info.name else None
    return TensorSpec(alias, info.dtype, shape, info.name, endpoint)


def _shape_text(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "of any shape"
    return f"[{','.join('?' if size < 0 else str(size) for size in shape)}]"
