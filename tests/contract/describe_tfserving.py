"""Print TensorFlow Serving's API as one serialized FileDescriptorSet, from the installed wheel.

`make descriptors` writes it to contract/tfserving.binpb; a test compares the two.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOTS = (
    "tensorflow_serving.apis.prediction_service_pb2",
    "tensorflow_serving.apis.model_service_pb2",
    "tensorflow_serving.apis.prediction_log_pb2",
    "tensorflow_serving.config.model_server_config_pb2",
)


def describe() -> bytes:
    """The descriptors of ROOTS with all they import, dependencies first."""
    files: dict[str, bytes] = {}

    def add(file: Any) -> None:
        if file.name in files:
            return
        for dependency in file.dependencies:
            add(dependency)
        files[file.name] = file.serialized_pb

    for root in ROOTS:
        add(importlib.import_module(root).DESCRIPTOR)
    return FileDescriptorSet(
        file=[FileDescriptorProto.FromString(content) for content in files.values()]
    ).SerializeToString(deterministic=True)


if __name__ == "__main__":
    sys.stdout.buffer.write(describe())
