"""The small text-form protobufs that flags name, which the API's package does not bring along.

Only the fields' names matter in text form, so the messages are declared here, field by field, after
config/ssl_config.proto, config/monitoring_config.proto, config/logging_config.proto and
servables/tensorflow/session_bundle_config.proto.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import message_factory, text_format, wrappers_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from model_server.errors import invalid_argument

_PACKAGE = "tensorflow.serving"
_Field = FieldDescriptorProto
_TYPES = {"bool": _Field.TYPE_BOOL, "int64": _Field.TYPE_INT64, "bytes": _Field.TYPE_BYTES}
_TYPES["string"] = _Field.TYPE_STRING

_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, f".{_PACKAGE}.PrometheusConfig")},
    "BatchingParameters": {
        "max_batch_size": (1, ".google.protobuf.Int64Value"),
        "batch_timeout_micros": (2, ".google.protobuf.Int64Value"),
        "max_enqueued_batches": (3, ".google.protobuf.Int64Value"),
        "num_batch_threads": (4, ".google.protobuf.Int64Value"),
        "thread_pool_name": (5, ".google.protobuf.StringValue"),
        "allowed_batch_sizes": (6, "repeated int64"),
        "pad_variable_length_inputs": (7, "bool"),
        "enable_large_batch_splitting": (8, ".google.protobuf.BoolValue"),
        "max_execution_batch_size": (9, ".google.protobuf.Int64Value"),
    },
}


def _classes() -> dict[str, Any]:
    file = FileDescriptorProto(name="rekindle/config_files.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for member, (number, kind) in members.items():
            _declare(message.field.add(name=member, number=number), kind)
    pool = DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


def _declare(member: FieldDescriptorProto, kind: str) -> None:
    *repeated, kind = kind.split()
    member.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    if kind in _TYPES:
        member.type = _TYPES[kind]
    else:
        member.type, member.type_name = _Field.TYPE_MESSAGE, kind


_CLASSES = _classes()


def read(kind: str, path: Path) -> Any:
    """The message of `kind` (SSLConfig, MonitoringConfig, BatchingParameters) that a text file holds.

    Raises ServingError (INVALID_ARGUMENT, naming the line), OSError.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), _CLASSES[kind]())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise invalid_argument(
            f"Invalid protobuf file: '{path}' is not a {kind} in text form: {error}"
        ) from error
