"""REST: the same JSON, codes and words as tensorflow_model_server's."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from model_servers import Running

pytestmark = pytest.mark.tensorflow

IMAGE = [[[0, 0, 0]] * 32] * 32
ROW = "[2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]"


def post(server: Running, body: Any, path: str = "/v1/models/tiny:predict", **options: Any) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.http.post(path, content=content, **options)


def refusal(reply: Any, status: int = 400) -> str:
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    return str(reply.json()["error"])


def test_row_format_is_answered_byte_for_byte(tiny: Running) -> None:
    """Instances in, predictions out, laid out as upstream lays them out."""
    reply = post(tiny, {"instances": [IMAGE, IMAGE]})
    assert reply.status_code == 200
    assert reply.text == f'{{\n    "predictions": [{ROW}, {ROW}\n    ]\n}}'


def test_column_format_is_answered_with_outputs(tiny: Running) -> None:
    """Inputs in, outputs out, a value a line."""
    body = {"signature_name": "combine", "inputs": {"a": [1, 2.5], "b": [3, 4]}}
    reply = post(tiny, body)
    assert reply.json() == {"outputs": {"product": [3.0, 10.0], "sum": [4.0, 6.5]}}
    assert reply.text.startswith('{\n    "outputs": {\n        "product": [\n            3.0,\n')


def test_several_inputs_in_row_format_are_objects(tiny: Running) -> None:
    """Each instance is an object with every input, each prediction one with every output."""
    body = {"signature_name": "combine", "instances": [{"a": 1, "b": 3}, {"a": 2, "b": 4}]}
    reply = post(tiny, body)
    assert reply.json()["predictions"] == [{"product": 3.0, "sum": 4.0}, {"product": 8.0, "sum": 6.0}]
    assert '\n        {\n            "product": 3.0,\n            "sum": 4.0\n        },' in reply.text


def test_binary_values_are_base64_both_ways(tiny: Running) -> None:
    """`b64` objects come in; outputs whose names end in `_bytes` go out as such."""
    content = b"\xff\x00\x01"
    value = {"b64": base64.b64encode(content).decode()}
    body = {"signature_name": "echo", "instances": [value]}
    assert post(tiny, body).json()["predictions"][0]["text_bytes"] == value
    named = {"signature_name": "echo", "instances": [{"text": value}, {"text": "plain"}]}
    assert post(tiny, named).json()["predictions"][1] == {
        "text": "plain",
        "text_bytes": {"b64": base64.b64encode(b"plain").decode()},
    }


def test_nan_and_infinity_are_numbers(tiny: Running) -> None:
    """The tokens that JSON lacks are read and written."""
    body = b'{"signature_name": "combine", "inputs": {"a": [NaN, Infinity], "b": [1, -1]}}'
    text = post(tiny, body).text
    assert "NaN" in text
    assert "-Infinity" in text


@pytest.mark.parametrize(("which", "expected"), [("/versions/1", 1.0), ("/labels/stable", 1.0), ("", 2.0)])
def test_a_version_or_label_chooses_over_rest(tiny: Running, which: str, expected: float) -> None:
    """Versions and labels are part of the path."""
    reply = post(tiny, {"instances": [IMAGE]}, f"/v1/models/tiny{which}:predict")
    assert reply.json()["predictions"][0][0] == expected


def test_a_compressed_body_is_read(tiny: Running) -> None:
    """gzip is accepted, and a body that only says so is refused."""
    headers = {"content-encoding": "gzip"}
    body = gzip.compress(json.dumps({"instances": [IMAGE]}).encode())
    assert post(tiny, body, headers=headers).status_code == 200
    assert "is not gzip" in refusal(post(tiny, b"plain", headers=headers))
    assert "is not gzip" in refusal(post(tiny, body[:-10], headers=headers))


def test_states_and_errors_of_versions_are_told(tiny: Running) -> None:
    """The highest version first, in upstream's form."""
    reply = tiny.http.get("/v1/models/tiny")
    status = {"error_code": "OK", "error_message": ""}
    assert reply.json()["model_version_status"] == [
        {"version": "2", "state": "AVAILABLE", "status": status},
        {"version": "1", "state": "AVAILABLE", "status": status},
    ]
    one = tiny.http.get("/v1/models/tiny/versions/1").json()["model_version_status"]
    assert [entry["version"] for entry in one] == ["1"]


def test_metadata_shows_signatures(tiny: Running) -> None:
    """Types, shapes and names of inputs and outputs."""
    reply = tiny.http.get("/v1/models/tiny/versions/1/metadata").json()
    assert reply["model_spec"] == {"name": "tiny", "signature_name": "", "version": "1"}
    signature = reply["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["images"]["dtype"] == "DT_UINT8"
    sizes = [dim["size"] for dim in signature["outputs"]["probabilities"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", "10"]


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/models/none", 404, "Could not find any versions of model none"),
        ("GET", "/v1/models/tiny/versions/9", 404, "Could not find version 9 of model tiny"),
        ("GET", "/v1/models/none/metadata", 404, "Servable not found for request: Latest(none)"),
        ("GET", "/v1/models/tiny:predict", 400, "Malformed request: GET /v1/models/tiny:predict"),
        ("POST", "/v1/models/tiny", 400, "Malformed request: POST /v1/models/tiny"),
        ("POST", "/v1/models/tiny/versions/-1:predict", 400, "Malformed request: POST"),
        ("POST", f"/v1/models/tiny/versions/{'9' * 30}:predict", 400, "Failed to convert version: 999"),
        ("POST", "/v1/models/none:predict", 404, "Servable not found for request: Latest(none)"),
        ("POST", "/v1/models/tiny/labels/x:predict", 400, "Unrecognized servable version label: x"),
        ("POST", "/v1/models/tiny:explain", 400, "Malformed request: POST /v1/models/tiny:explain"),
        ("GET", "/elsewhere", 404, "Not found: GET /elsewhere"),
    ],
)
def test_a_path_that_leads_nowhere_says_so(
    tiny: Running, method: str, path: str, status: int, words: str
) -> None:
    """Codes by upstream's table, words that clients may match on."""
    reply = tiny.http.request(method, path, content=json.dumps({"instances": [IMAGE]}))
    assert words in refusal(reply, status)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"{", "JSON Parse error: "),
        (b"\xff\xfe", "JSON Parse error: "),
        (b"[" * 100_000, "JSON Parse error: nested too deeply"),
        (b'{"instances": [' + b"9" * 5000 + b"]}", "JSON Parse error: "),
        (b"[1]", "JSON Value: [1] Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": [1], "inputs": [1]}, "expecting only one of 'inputs' or 'instances' keys"),
        ({"instances": 1}, "Excepting 'instances' to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"signature_name": 1, "instances": [1]}, "'signature_name' key must be a string value."),
        (
            {"signature_name": "x", "instances": [1]},
            'Serving signature name: "x" not found in signature def',
        ),
        ({"instances": [["x"]]}, 'JSON Value: "x" Type: String is not of expected type: uint8'),
        ({"instances": [[1.5]]}, "JSON Value: 1.5 Type: Number is not of expected type: uint8"),
        ({"instances": [[256]]}, "JSON Value: 256 Type: Number is not of expected type: uint8"),
        ({"instances": [[True]]}, "JSON Value: true Type: True is not of expected type: uint8"),
        ({"instances": [[None]]}, "JSON Value: null Type: Null is not of expected type: uint8"),
        ({"instances": [[1], [1, 2]]}, "Expecting shape [1] but got: [2]"),
        ({"instances": [[[1], 2]]}, "found at incorrect level"),
        ({"instances": [{"images": 1}, 2]}, "Expecting object but got list at item 1 of input list"),
        ({"instances": [{"other": 1}]}, "keys must be equal to: images"),
        ({"signature_name": "combine", "instances": [1]}, "instances is a plain list, but expecting list of"),
        ({"signature_name": "combine", "inputs": [1]}, "inputs is a plain value/list, but expecting an"),
        ({"signature_name": "combine", "inputs": {"a": [1]}}, "Missing named input: b in 'inputs' object."),
        ({"signature_name": "echo", "instances": [{"b64": "?"}]}, "Unable to base64 decode"),
        ({"signature_name": "echo", "instances": [1]}, "Type: Number is not of expected type: string"),
        ({"instances": [[1, 2]]}, "the signature expects uint8 [?,32,32,3]"),
    ],
)
def test_a_body_that_cannot_be_used_says_why(tiny: Running, body: Any, words: str) -> None:
    """400, what arrived and what was expected; the next request is unharmed."""
    assert words in refusal(post(tiny, body))
    assert post(tiny, {"instances": [IMAGE]}).status_code == 200


def test_a_prediction_ends_at_the_time_limit(exports: Any) -> None:
    """--rest_api_timeout_in_ms stops a run that would take an hour."""
    from model_servers import running

    with running(
        "--model_name=tiny", f"--model_base_path={exports}", "--rest_api_timeout_in_ms=200"
    ) as server:
        reply = post(server, {"signature_name": "wait", "inputs": 3600.0})
        assert reply.status_code == 504
        assert post(server, {"instances": [IMAGE]}).status_code == 200
