"""Predict over gRPC: what is answered, and in which words a request is refused."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from model_servers import Running, eventually, image_request, value_of

from contract import tfserving_api as api

pytestmark = pytest.mark.tensorflow


def refusal(server: Running, request: Any, timeout: float = 60.0) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as raised:
        server.call(api.PREDICT, request, api.PredictResponse, timeout)
    return raised.value.code(), raised.value.details()


def test_the_latest_version_answers_and_names_itself(tiny: Running) -> None:
    """Without version or label the highest version answers; the reply names it and the signature."""
    response = tiny.predict()
    assert value_of(response) == 2
    assert response.model_spec.name == "tiny"
    assert response.model_spec.version.value == 2
    assert response.model_spec.signature_name == "serving_default"


@pytest.mark.parametrize(("spec", "expected"), [({"version": 1}, 1), ({"version_label": "stable"}, 1)])
def test_a_version_or_label_chooses(tiny: Running, spec: dict[str, Any], expected: int) -> None:
    """A version is named by its number or by a label."""
    assert value_of(tiny.predict(**spec)) == expected


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({"version": 9}, "NOT_FOUND", "Servable not found for request: Specific(tiny, 9)"),
        ({"model": "other"}, "NOT_FOUND", "Servable not found for request: Latest(other)"),
        ({"model": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        ({"version_label": "nope"}, "INVALID_ARGUMENT", "Unrecognized servable version label: nope"),
        ({"version": -1}, "NOT_FOUND", "Servable not found for request: Specific(tiny, -1)"),
        (
            {"signature_name": "nope"},
            "FAILED_PRECONDITION",
            'Serving signature key "nope" not found.',
        ),
    ],
)
def test_an_unknown_name_is_refused_in_the_words_of_upstream(
    tiny: Running, spec: dict[str, Any], code: str, words: str
) -> None:
    """Clients match on code and words of an unknown model, version, label or signature."""
    assert refusal(tiny, image_request(**spec)) == (grpc.StatusCode[code], words)


def test_a_request_without_model_spec_is_refused(tiny: Running) -> None:
    """A request that names no model at all is refused."""
    code, words = refusal(tiny, api.PredictRequest())
    assert (code, words) == (grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec")


def test_an_input_that_the_signature_does_not_have_is_refused(tiny: Running) -> None:
    """Inputs are compared with the signature's by name and number."""
    request = image_request()
    request.inputs["extra"].CopyFrom(request.inputs["images"])
    _, words = refusal(tiny, request)
    assert words == (
        "input size does not match signature: 2!=1 len({extra,images}) != len({images}). "
        "Sent extra: {extra}. Missing but required: {}."
    )


def test_a_wrongly_named_input_is_refused(tiny: Running) -> None:
    """The right number of inputs does not make up for a wrong name."""
    request = image_request()
    request.inputs["pictures"].CopyFrom(request.inputs["images"])
    del request.inputs["images"]
    code, words = refusal(tiny, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "Signature input alias: images(feed name: serving_default_images:0) not found" in words


def test_a_wrong_dtype_is_refused_with_what_was_expected(tiny: Running) -> None:
    """TensorFlow's own refusal, and what the signature expects."""
    request = api.PredictRequest()
    request.model_spec.name = "tiny"
    request.inputs["images"].dtype = 1
    request.inputs["images"].tensor_shape.dim.add(size=1)
    request.inputs["images"].float_val.append(1.5)
    code, words = refusal(tiny, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "the signature expects uint8 [?,32,32,3]" in words


@pytest.mark.parametrize("shape", [[1, 16, 16, 3], [5], []])
def test_a_wrong_shape_is_refused_with_what_was_expected(tiny: Running, shape: list[int]) -> None:
    """A tensor that the graph cannot take is an error of the caller."""
    request = image_request()
    request.inputs["images"].Clear()
    api.fill_uint8_tensor(request.inputs["images"], bytes(math.prod(shape)), shape)
    code, words = refusal(tiny, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "the signature expects uint8 [?,32,32,3]" in words


@pytest.mark.parametrize("dims", [[2, 32, 32, 3], [-1, 3072], [2**40, 2**40]])
def test_content_that_does_not_fill_the_shape_is_refused(tiny: Running, dims: list[int]) -> None:
    """Bytes and shape must agree, and a shape of terabytes allocates nothing."""
    request = image_request()
    del request.inputs["images"].tensor_shape.dim[:]
    for size in dims:
        request.inputs["images"].tensor_shape.dim.add(size=size)
    assert refusal(tiny, request) == (grpc.StatusCode.INVALID_ARGUMENT, "tensor parsing error: images")


def combine_request(output_filter: list[str]) -> Any:
    request = api.PredictRequest(output_filter=output_filter)
    request.model_spec.name = "tiny"
    request.model_spec.signature_name = "combine"
    for alias, values in {"a": [1, 2], "b": [3, 4]}.items():
        request.inputs[alias].dtype = 1
        request.inputs[alias].tensor_shape.dim.add(size=2)
        request.inputs[alias].float_val.extend(values)
    return request


def test_the_output_filter_chooses_outputs(tiny: Running) -> None:
    """Only the outputs that are asked for come back; without a filter all do."""
    everything = tiny.call(api.PREDICT, combine_request([]), api.PredictResponse)
    assert set(everything.outputs) == {"sum", "product"}
    filtered = tiny.call(api.PREDICT, combine_request(["product"]), api.PredictResponse)
    assert {name: list(tensor.float_val) for name, tensor in filtered.outputs.items()} == {
        "product": [3.0, 8.0]
    }


def test_an_unknown_or_doubled_output_is_refused(tiny: Running) -> None:
    """The filter names outputs of the signature, each once."""
    _, unknown = refusal(tiny, combine_request(["difference"]))
    assert unknown == (
        "output tensor alias not found in signature: difference "
        "Outputs expected to be in the set {product,sum}."
    )
    _, doubled = refusal(tiny, combine_request(["sum", "sum"]))
    assert doubled == "duplicate output tensor alias: sum"


def waiting(seconds: float) -> Any:
    """A request that takes that long."""
    request = api.PredictRequest()
    request.model_spec.name = "tiny"
    request.model_spec.signature_name = "wait"
    request.inputs["seconds"].dtype = 2
    request.inputs["seconds"].double_val.append(seconds)
    return request


def test_the_deadline_of_a_call_stops_its_run(tiny: Running) -> None:
    """A run that would take an hour ends with the call, also after short ones; the next one is answered."""
    for _ in range(3):
        tiny.call(api.PREDICT, waiting(seconds=0), api.PredictResponse)
    code, _ = refusal(tiny, waiting(seconds=3600), timeout=0.5)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    versions = tiny.server.repository._models["tiny"].available.values()
    eventually(lambda: all(version.calls == 0 for version in versions))
    assert value_of(tiny.predict()) == 2


def test_calls_without_a_deadline_wait_for_each_other(tiny: Running) -> None:
    """Clients that set no deadline are answered however many ask at once."""

    def ask(_: int) -> float:
        request = image_request(images=32)
        return value_of(tiny.call(api.PREDICT, request, api.PredictResponse, timeout=None))

    with ThreadPoolExecutor(16) as clients:
        assert set(clients.map(ask, range(320))) == {2.0}


def test_a_message_beyond_grpc_s_own_limit_is_accepted(tiny: Running) -> None:
    """5 MB are more than gRPC's default of 4 MB, and answered."""
    response = tiny.call(api.PREDICT, image_request(images=1700), api.PredictResponse)
    assert api.shape_of(response.outputs["probabilities"]) == [1700, 10]
