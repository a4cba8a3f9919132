"""The REST front: what each path answers, without the HTTP server around it.

Paths, bodies and codes are those of http_rest_api_util.cc and http_rest_api_handler.cc. It serves the
same data plane as gRPC; asgi.py receives the requests.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format

from contract import tfserving_api
from model_server.errors import HTTP_STATUS, Code, ServingError, SignatureNotFoundError, invalid_argument
from model_server.fronts import json_answers, json_examples, json_inputs
from model_server.inference import describe
from model_server.inference.predict import Answer, Predictor, Question
from model_server.inference.tasks import Tasks
from model_server.lifecycle.repository import Repository, Target
from model_server.metrics.recorder import Metrics
from model_server.runtime.interface import Servable
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array

log = logging.getLogger(__name__)

_WHICH = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_PREDICT = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<method>classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
_STATUS = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<metadata>metadata))?", re.IGNORECASE | re.ASCII
)


_API_NAMES = {"predict": "Predict", "classify": "Classify", "regress": "Regress"}


@dataclass(frozen=True)
class Reply:
    """What goes back: a status, and a body of JSON."""

    status: int
    body: bytes
    content_type: str = "application/json"


class RestApi:
    """Answers a method, a path and a body."""

    def __init__(
        self,
        repository: Repository[Servable],
        predictor: Predictor,
        metrics: Metrics,
        timeout_seconds: float,
        *,
        is_method_checked: bool = False,
    ) -> None:
        """`timeout_seconds` limits each prediction; `is_method_checked` is that of grpc_api.py."""
        self._repository = repository
        self._predictor = predictor
        self._metrics = metrics
        self._timeout_seconds = timeout_seconds
        self._is_method_checked = is_method_checked

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        """Answer one request; every failure is a Reply too."""
        try:
            return Reply(200, self._answer(method, path, body))
        except ServingError as error:
            return failure(error)
        except Exception as error:
            log.exception("a REST call failed", extra={"method": method, "path": path})
            return failure(ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}"))

    def _answer(self, method: str, path: str, body: bytes) -> bytes:
        if method == "POST" and (match := _PREDICT.fullmatch(path)):
            return self._infer(match["method"].lower(), _target(match), body)
        if method == "GET" and (match := _STATUS.fullmatch(path)):
            if not match["name"]:
                raise invalid_argument("Missing model name in request.")
            if match["metadata"]:
                return self._metadata(_target(match))
            return self._status(_target(match))
        raise invalid_argument(f"Malformed request: {method} {path}")

    def _infer(self, method: str, target: Target, body: bytes) -> bytes:
        name = _API_NAMES[method]
        with self._metrics.measured(name, "REST", target.model) as asked:
            document = json_inputs.parse(body)
            if method == "predict":
                answer = self._predict(target, document)
                asked.version = answer.version
                return json_answers.write(answer.outputs, json_inputs.format_of(document))
            request = json_examples.new_request(method)
            json_examples.fill_request(request, document)
            with self._predictor.borrow(name, target, self._timeout_seconds) as borrowed:
                asked.version = borrowed.version
                tasks = Tasks(borrowed.servable, borrowed.compute, self._is_method_checked)
                result = tasks.one(request, f"tensorflow/serving/{method}")
            self._metrics.examples(target.model, len(document["examples"]))
            if method == "classify":
                return json_examples.write_classifications(result)
            return json_examples.write_regressions(result)

    def _predict(self, target: Target, document: dict[str, Any]) -> Answer:
        name = json_inputs.signature_name(document)
        question = Question(target, name, timeout_seconds=self._timeout_seconds)

        def read(signature: Signature) -> Mapping[str, Array]:
            return json_inputs.arrays(document, signature)

        try:
            return self._predictor.predict(question, read)
        except SignatureNotFoundError as error:
            raise invalid_argument(
                f'Serving signature name: "{error.name}" not found in signature def'
            ) from error

    def _status(self, target: Target) -> bytes:
        return _json(describe.model_status(self._repository, target)) + b"\n"

    def _metadata(self, target: Target) -> bytes:
        response = describe.model_metadata(self._repository, target, [describe.SIGNATURES])
        signatures = tfserving_api.SignatureDefMap()
        response.metadata[describe.SIGNATURES].Unpack(signatures)
        return b'{\n"model_spec":%b\n,\n"metadata": {"signature_def": %b\n}\n}\n' % (
            _json(response.model_spec),
            _json(signatures),
        )


def failure(error: ServingError) -> Reply:
    """The reply that says what went wrong."""
    return Reply(HTTP_STATUS[error.code], json_answers.write_error(error.message))


def _target(match: re.Match[str]) -> Target:
    version = None
    if match["version"]:
        version = int(match["version"][:64])
        if version >= 2**63:
            raise invalid_argument(f"Failed to convert version: {match['version'][:64]} to numeric.")
    label = unquote(match["label"]) if match["label"] else None
    return Target(unquote(match["name"]), version, label)


def _json(message: Any) -> bytes:
    """As upstream prints messages: an indent of one space, names as in the .proto, no value left out."""
    text: str = json_format.MessageToJson(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        indent=1,
        descriptor_pool=tfserving_api.POOL,
    )
    return text.encode()
