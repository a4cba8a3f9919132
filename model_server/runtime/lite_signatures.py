"""What a TF Lite model expects and answers, from its file.

SignatureDefs in the file's metadata hold alone, as upstream. Where there are none, upstream makes a
`serving_default` of the primary graph's inputs and outputs under the names of their tensors; so do we, unless
the converter wrote signatures, which are served under their own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from contract import tfserving_api
from model_server.errors import Code, ServingError, invalid_argument
from model_server.runtime import tensors
from model_server.runtime.signatures import Signature, TensorSpec

_METADATA = "signature_defs_metadata"
_PREDICT = "tensorflow/serving/predict"
_DEFAULT = "serving_default"


@dataclass(frozen=True)
class Place:
    """Where a tensor is: in a signature of the converter's under its alias, or in the primary graph."""

    key: str
    """Of the converter's signature; empty for the primary graph."""
    where: str | int
    """The alias, or the tensor's index."""


def signatures_of(content: bytes, interpreter: Any) -> tuple[dict[str, Signature], Any]:
    """The signatures of a model and the SignatureDefMap that tells them; the endpoints are Places.

    Raises ServingError: INVALID_ARGUMENT for metadata that cannot be read or names tensors that are not
    there, UNIMPLEMENTED for a type that TensorFlow has not.
    """
    found = _from_metadata(content, interpreter)
    found = found or {**_from_primary_graph(interpreter), **_from_converter(interpreter)}
    definitions = tfserving_api.SignatureDefMap()
    for name, signature in found.items():
        _define(definitions.signature_def[name], signature)
    return found, definitions


def _from_metadata(content: bytes, interpreter: Any) -> dict[str, Signature]:
    try:
        definitions = {
            name: type(tfserving_api.SignatureDefMap().signature_def[""]).FromString(serialized)
            for name, serialized in _metadata(content).items()
        }
    except Exception as error:  # whatever the readers of two formats raise at bytes that are neither
        message = f"Invalid SignatureDefs found in TfLite model: {type(error).__name__}: {error}"
        raise invalid_argument(message) from error
    inputs, outputs = _primary(interpreter.get_input_details()), _primary(interpreter.get_output_details())
    return {
        name: Signature(
            name,
            definition.method_name,
            _named(definition.inputs, inputs, "input"),
            _named(definition.outputs, outputs, "output"),
            {},
        )
        for name, definition in sorted(definitions.items())
    }


def _metadata(content: bytes) -> dict[str, bytes]:
    """Serialized SignatureDefs by name; empty where the file has none."""
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import flexbuffers

    model = schema.Model.GetRootAs(content, 0)
    for position in range(model.MetadataLength()):
        entry = model.Metadata(position)
        if entry.Name() == _METADATA.encode():
            data = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            entries = flexbuffers.GetRoot(data).AsMap
            pairs = zip(entries.Keys, entries.Values, strict=True)
            return {key.AsKey: value.AsStringBytes for key, value in pairs}
    return {}


def _named(wanted: Mapping[str, Any], specs: Mapping[str, TensorSpec], kind: str) -> dict[str, TensorSpec]:
    """Tensors by alias. Early converters left the `:0` of a tensor's name out."""
    found = {}
    for alias, info in sorted(wanted.items()):
        spec = specs.get(info.name) or specs.get(info.name.partition(":")[0])
        if spec is None:
            raise invalid_argument(
                f"Signature {kind} {alias} references an unknown tensor: Unknown tensor '{info.name}'."
            )
        found[alias] = TensorSpec(alias, spec.dtype, spec.shape, spec.tensor_name, spec.endpoint)
    return found


def _from_converter(interpreter: Any) -> dict[str, Signature]:
    found = {}
    for name in sorted(interpreter.get_signature_list()):
        runner = interpreter.get_signature_runner(name)
        inputs, outputs = (
            {alias: _spec(alias, details[alias], Place(name, alias)) for alias in sorted(details)}
            for details in (runner.get_input_details(), runner.get_output_details())
        )
        found[name] = Signature(name, _PREDICT, inputs, outputs, {})
    return found


def _from_primary_graph(interpreter: Any) -> dict[str, Signature]:
    inputs, outputs = (
        {name.partition(":")[0]: spec for name, spec in _primary(details).items()}
        for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    return {_DEFAULT: Signature(_DEFAULT, _PREDICT, inputs, outputs, {})}


def _primary(details: list[Any]) -> dict[str, TensorSpec]:
    """The primary graph's tensors by name."""
    return {
        detail["name"]: _spec(detail["name"].partition(":")[0], detail, Place("", detail["index"]))
        for detail in sorted(details, key=lambda one: str(one["name"]))
    }


def _spec(alias: str, detail: Mapping[str, Any], place: Place) -> TensorSpec:
    dtype = tensors.number_of(np.dtype(detail["dtype"]))
    if dtype is None:
        message = f"tensor {detail['name']} is of a type that cannot be served: {detail['dtype'].__name__}"
        raise ServingError(Code.UNIMPLEMENTED, message)
    shape = tuple(int(size) for size in detail["shape_signature"])
    return TensorSpec(alias, dtype, shape, detail["name"], place)


def _define(definition: Any, signature: Signature) -> None:
    definition.method_name = signature.method_name
    for infos, specs in ((definition.inputs, signature.inputs), (definition.outputs, signature.outputs)):
        for alias, spec in specs.items():
            info = infos[alias]
            info.name, info.dtype = spec.tensor_name, spec.dtype
            for size in spec.shape or ():
                info.tensor_shape.dim.add(size=size)
