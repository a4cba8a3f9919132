"""Answers a warm-up record (PredictionLog) on a servable that no one else sees yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_server.errors import Code, ServingError
from model_server.inference import classification, regression
from model_server.inference.messages import decode_inputs
from model_server.inference.predict import chosen_outputs, find_signature, with_defaults
from model_server.inference.tasks import Tasks
from model_server.runtime.interface import Servable
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array


def replay(servable: Servable, record: Any) -> None:
    """Run the request of a PredictionLog. Raises ServingError, UNIMPLEMENTED for a kind without a replay."""

    def compute(signature: Signature, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        return servable.run(signature, inputs, outputs)

    tasks = Tasks(servable, compute)
    match record.WhichOneof("log_type"):
        case "predict_log":
            _predict(servable, record.predict_log.request)
        case "classify_log":
            tasks.one(record.classify_log.request, classification.METHOD)
        case "regress_log":
            tasks.one(record.regress_log.request, regression.METHOD)
        case "multi_inference_log":
            tasks.many(record.multi_inference_log.request, 0)
        case kind:
            raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")


def _predict(servable: Servable, request: Any) -> None:
    signature = find_signature(servable, request.model_spec.signature_name)
    inputs = with_defaults(signature, decode_inputs(signature, request.inputs))
    servable.run(signature, inputs, chosen_outputs(signature, tuple(request.output_filter)))
