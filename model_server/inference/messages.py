"""Predict's messages: the inputs that a PredictRequest brings, the PredictResponse that answers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from contract import tfserving_api
from model_server.errors import invalid_argument
from model_server.inference.predict import (
    DEFAULT_SIGNATURE,
    Answer,
)
from model_server.lifecycle.repository import Target
from model_server.runtime import tensors
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array


def target_of(request: Any) -> Target:
    """The model and version that a request's ModelSpec names. Raises ServingError (INVALID_ARGUMENT)."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return target_from(request.model_spec)


def target_from(spec: Any) -> Target:
    """The model and version that a ModelSpec names."""
    match spec.WhichOneof("version_choice"):
        case "version":
            return Target(spec.name, version=spec.version.value)
        case "version_label":
            return Target(spec.name, label=spec.version_label)
        case _:
            return Target(spec.name)


def decode_inputs(signature: Signature, sent: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays of a PredictRequest's inputs (TensorProto by alias). Raises ServingError."""
    expected = signature.inputs
    if len(sent) > len(expected) or (len(sent) < len(expected) and not signature.defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({{{_names(sent)}}}) != len({{{_names(expected)}}}). "
            f"Sent extra: {{{_names(sent.keys() - expected.keys())}}}. "
            f"Missing but required: {{{_names(expected.keys() - sent.keys())}}}."
        )
    _check_names(signature, sent)
    return {alias: tensors.from_proto(tensor, alias) for alias, tensor in sent.items()}


def _check_names(signature: Signature, sent: Mapping[str, Any]) -> None:
    for alias, spec in signature.inputs.items():
        if alias not in sent and alias not in signature.defaults:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {spec.tensor_name}) not found in request and no "
                f"default value provided. Inputs expected to be in the request {{{_names(sent)}}}, "
                f"or default input alias set: {_names(signature.defaults)}"
            )
    used = sent.keys() & signature.inputs.keys()
    if len(used) != len(sent):
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {_names(used)}, "
            f"request input: {_names(sent)}"
        )


def encode_answer(answer: Answer, model: str, as_content: bool) -> Any:
    """A PredictResponse. It names the version and the signature that answered."""
    response = tfserving_api.PredictResponse()
    response.model_spec.name = model
    response.model_spec.version.value = answer.version
    response.model_spec.signature_name = answer.signature.name
    for alias, array in answer.outputs.items():
        tensors.fill_proto(response.outputs[alias], array, answer.signature.outputs[alias].dtype, as_content)
    return response


def fill_model_spec(spec: Any, asked: Any, version: int) -> None:
    """The ModelSpec of an answer: the model and the signature that were asked for, and who answered."""
    spec.name = asked.name
    spec.version.value = version
    spec.signature_name = asked.signature_name or DEFAULT_SIGNATURE


def _names(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
