"""Classify, Regress and MultiInference, over gRPC and over REST."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from example_models import example, export, fill, multi_inference
from model_servers import Running, running

from contract import tfserving_api as api

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of the model `examples`, which replays a warm-up request of every kind."""
    base_path = tmp_path_factory.mktemp("examples")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export(base_path / "3")
    write_warmup(base_path / "3")
    with running("--model_name=examples", f"--model_base_path={base_path}") as started:
        yield started


def write_warmup(version: Path) -> None:
    import tensorflow as tf

    logs = [api.PredictionLog() for _ in range(3)]
    fill(logs[0].classify_log.request, "classify", 0.5)
    fill(logs[1].regress_log.request, "regress", 0.5)
    logs[2].multi_inference_log.request.CopyFrom(multi_inference(("classify", "classify")))
    folder = version / "assets.extra"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def classify(server: Running, request: Any) -> Any:
    return server.call(api.CLASSIFY, request, api.ClassificationResponse)


def regress(server: Running, request: Any) -> Any:
    return server.call(api.REGRESS, request, api.RegressionResponse)


def test_classify_answers_labels_and_scores(server: Running) -> None:
    """A list of classes for each example, in the graph's order; the answer names who gave it."""
    response = classify(server, fill(api.ClassificationRequest(), "classify", 0.25, 1.0))
    rows = [[(c.label, c.score) for c in row.classes] for row in response.result.classifications]
    assert rows == [[("yes", 0.25), ("no", 0.75)], [("yes", 1.0), ("no", 0.0)]]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("examples", 3, "classify")


def test_classify_without_labels(server: Running) -> None:
    """A signature that has scores only leaves the labels empty."""
    response = classify(server, fill(api.ClassificationRequest(), "scores", 0.25))
    assert [(c.label, c.score) for c in response.result.classifications[0].classes] == [
        ("", 0.25),
        ("", 0.75),
    ]


def test_regress_answers_a_number_an_example(server: Running) -> None:
    """Shape [N, 1] is a column of numbers."""
    response = regress(server, fill(api.RegressionRequest(), "regress", 0.25, 1.0))
    assert [entry.value for entry in response.result.regressions] == [0.5, 2.0]


def test_a_context_holds_for_every_example_that_does_not_say_otherwise(server: Running) -> None:
    """The features of the context and of the example merge; the example's win."""
    request = fill(api.RegressionRequest(), "regress")
    listed = request.input.example_list_with_context
    listed.context.CopyFrom(example(x=4.0))
    listed.examples.extend([api.Example(), example(x=1.0)])
    assert [entry.value for entry in regress(server, request).result.regressions] == [8.0, 2.0]


def test_multi_inference_runs_several_signatures_on_one_input(server: Running) -> None:
    """Each task has its result, in the order of the tasks."""
    request = multi_inference(("regress", "regress"), ("classify", "classify"), values=(0.25, 0.5))
    response = server.call(api.MULTI_INFERENCE, request, api.MultiInferenceResponse)
    numbers, classes = response.results
    assert [entry.value for entry in numbers.regression_result.regressions] == [0.5, 1.0]
    assert classes.classification_result.classifications[1].classes[0].score == 0.5
    assert [result.model_spec.signature_name for result in response.results] == ["regress", "classify"]
    assert {result.model_spec.version.value for result in response.results} == {3}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (fill(api.ClassificationRequest(), "none", 1.0), "No signature was found with the name: none"),
        (fill(api.ClassificationRequest(), "classify"), "Input is empty."),
        (fill(api.ClassificationRequest(), "regress", 1.0), 'contain at least one of "classes" or "scores"'),
        (fill(api.RegressionRequest(), "classify", 1.0), "Expected one output Tensor."),
        (fill(api.RegressionRequest(), "wide", 1.0), "either [batch_size] or [batch_size, 1]"),
        (fill(api.RegressionRequest(), "elsewhere", 1.0), "Expected output Tensor of DT_FLOAT"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(server: Running, request_: Any, words: str) -> None:
    """INVALID_ARGUMENT in upstream's words."""
    call = classify if isinstance(request_, api.ClassificationRequest) else regress
    with pytest.raises(grpc.RpcError) as raised:
        call(server, request_)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in raised.value.details()


def test_an_example_that_is_no_example_is_refused(server: Running) -> None:
    """What the graph's parser says comes back; nothing else suffers."""
    request = fill(api.RegressionRequest(), "regress")
    request.input.example_list.examples.add()
    with pytest.raises(grpc.RpcError, match="x") as raised:
        regress(server, request)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("tasks", "code", "words"),
    [
        ((("classify", "classify"), ("classify", "classify")), "INVALID_ARGUMENT", "Duplicate evaluation"),
        ((("none", "classify"),), "INVALID_ARGUMENT", "Requested signature not found in model graph: none"),
        ((("classify", "predict"),), "UNIMPLEMENTED", "Unsupported signature method_name"),
        (
            (("regress", "regress"), ("elsewhere", "regress")),
            "INVALID_ARGUMENT",
            "Input tensor must be the same",
        ),
        ((), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    ],
)
def test_multi_inference_refuses_what_does_not_go_together(
    server: Running, tasks: tuple[tuple[str, str], ...], code: str, words: str
) -> None:
    """Upstream's codes and words."""
    with pytest.raises(grpc.RpcError) as raised:
        server.call(api.MULTI_INFERENCE, multi_inference(*tasks), api.MultiInferenceResponse)
    assert raised.value.code().name == code
    assert words in raised.value.details()


def test_all_tasks_ask_one_model(server: Running) -> None:
    """Two models in one request are refused."""
    request = multi_inference(("classify", "classify"), ("regress", "regress"))
    request.tasks[1].model_spec.name = "other"
    with pytest.raises(grpc.RpcError, match="must access the same model name"):
        server.call(api.MULTI_INFERENCE, request, api.MultiInferenceResponse)


def test_the_method_name_is_checked_where_that_is_asked_for(server: Running, tmp_path: Path) -> None:
    """With the flag a signature of another method is refused, by name."""
    base_path = server.server._models and Path(server.server._flags.model_base_path)
    arguments = ("--model_name=examples", f"--model_base_path={base_path}")
    with (
        running(*arguments, "--enable_signature_method_name_check") as checking,
        pytest.raises(grpc.RpcError, match="Expected classification signature method_name"),
    ):
        classify(checking, fill(api.ClassificationRequest(), "regress", 1.0))


def test_rest_classifies(server: Running) -> None:
    """Rows of label and score, as upstream writes them."""
    body = {"signature_name": "classify", "examples": [{"x": 0.25}, {"x": [1.0]}]}
    reply = server.http.post("/v1/models/examples:classify", json=body)
    assert reply.status_code == 200
    assert reply.json() == {"results": [[["yes", 0.25], ["no", 0.75]], [["yes", 1.0], ["no", 0.0]]]}


def test_rest_regresses_with_a_context(server: Running) -> None:
    """The context fills what an example leaves out."""
    body = {"signature_name": "regress", "context": {"x": 4.0}, "examples": [{}, {"x": 1.0}]}
    reply = server.http.post("/v1/models/examples/versions/3:regress", json=body)
    assert reply.status_code == 200
    assert reply.json() == {"results": [8.0, 2.0]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"context": {}}, "key 'examples' is expected and was not found"),
        ({"examples": {}}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type: Null"),
        ({"examples": [{"x": [[1]]}]}, "Feature: x has element with unexpected JSON type: Array"),
        ({"examples": [{"x": [1, "a"]}]}, "Unexpected element type in feature: x expecting type: int64"),
        ({"examples": [{"x": 2**63}]}, "Feature: x has uint64 element. Only int64 is supported."),
        ({"examples": [{"x": {"b64": "?"}}]}, "Unable to base64 decode"),
        ({"examples": [{"x": 1e300}]}, "cannot be represented as float"),
    ],
)
def test_rest_refuses_malformed_examples(server: Running, body: dict[str, Any], words: str) -> None:
    """400 and upstream's words."""
    reply = server.http.post("/v1/models/examples:classify", json={"signature_name": "classify", **body})
    assert reply.status_code == 400
    assert words in reply.json()["error"]
