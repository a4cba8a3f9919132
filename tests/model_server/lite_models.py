"""TF Lite models of every kind that a version directory may hold."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract import tfserving_api as api


def converted(saved_model: Path, signatures: list[str]) -> bytes:
    """What TensorFlow's converter makes of a SavedModel: signatures under their own names."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=signatures)
        return bytes(converter.convert())


def without_signatures(content: bytes, *kept: str) -> bytes:
    """The same model as an early converter would have left it, but for the signatures that are `kept`."""
    model = _unpacked(content)
    found = [entry for entry in model.signatureDefs if entry.signatureKey.decode() in kept]
    model.signatureDefs = found or None
    return _packed(model)


def without_suffixes(content: bytes) -> bytes:
    """The same model, its tensors named without the `:0` of TensorFlow's."""
    model = _unpacked(content)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = tensor.name.partition(b":")[0]
    return _packed(model)


def with_metadata(content: bytes, signatures: Mapping[str, bytes]) -> bytes:
    """The same model with serialized SignatureDefs in its metadata, where upstream looks for them."""
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import flexbuffers

    builder = flexbuffers.Builder()
    with builder.Map():
        for name, serialized in signatures.items():
            builder.Key(name)
            builder._WriteBlob(serialized, append_zero=True, type_=flexbuffers.Type.STRING)
    model = _unpacked(content)
    entry, buffer = schema.MetadataT(), schema.BufferT()
    entry.name, entry.buffer, buffer.data = b"signature_defs_metadata", len(model.buffers), builder.Finish()
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return _packed(model)


def signature_def(inputs: Mapping[str, str], outputs: Mapping[str, str]) -> bytes:
    """A serialized SignatureDef: names of tensors by alias."""
    definition: Any = api.SignatureDefMap().signature_def["x"]
    definition.method_name = "tensorflow/serving/predict"
    for infos, names in ((definition.inputs, inputs), (definition.outputs, outputs)):
        for alias, name in names.items():
            infos[alias].name = name
    return bytes(definition.SerializeToString())


def _unpacked(content: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(content, 0)


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
