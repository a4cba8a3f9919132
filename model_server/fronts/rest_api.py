"""The REST front: what each path answers, without the HTTP server around it.

Paths, bodies and codes are those of http_rest_api_util.cc and http_rest_api_handler.cc. It serves the
same data plane as gRPC; asgi.py receives the requests.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from google.protobuf import json_format

from contract import tfserving_api
from model_server.errors import HTTP_STATUS, Code, ServingError, SignatureNotFoundError, invalid_argument
from model_server.fronts import json_answers, json_inputs
from model_server.inference import describe
from model_server.inference.predict import Predictor, Question
from model_server.lifecycle.repository import Repository, Target
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array

if TYPE_CHECKING:
    from model_server.runtime.servable import Servable

log = logging.getLogger(__name__)

_WHICH = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_PREDICT = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<method>classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
_STATUS = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<metadata>metadata))?", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class Reply:
    """What goes back: a status, and a body of JSON."""

    status: int
    body: bytes
    content_type: str = "application/json"


class RestApi:
    """Answers a method, a path and a body."""

    def __init__(
        self, repository: Repository[Servable], predictor: Predictor, timeout_seconds: float
    ) -> None:
        """`timeout_seconds` limits each prediction."""
        self._repository = repository
        self._predictor = predictor
        self._timeout_seconds = timeout_seconds

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
        if method != "predict":
            raise ServingError(Code.UNIMPLEMENTED, f"{method} is not served over REST yet; use predict")
        document = json_inputs.parse(body)
        question = Question(
            target, json_inputs.signature_name(document), timeout_seconds=self._timeout_seconds
        )

        def read(signature: Signature) -> Mapping[str, Array]:
            return json_inputs.arrays(document, signature)

        try:
            answer = self._predictor.predict(question, read)
        except SignatureNotFoundError as error:
            raise invalid_argument(
                f'Serving signature name: "{error.name}" not found in signature def'
            ) from error
        return json_answers.write(answer.outputs, json_inputs.format_of(document))

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
