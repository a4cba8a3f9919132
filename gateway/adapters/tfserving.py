"""One model server replica over gRPC, in TensorFlow Serving's API; the only module that knows gRPC.

Builds the request for a batch, reads the scores whichever way the server encodes them, and maps gRPC's
status codes to gateway.errors by one table. Retries and balance are gateway.serving.replica's business,
so the channel's own are off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio

from contract import tfserving_api as api
from contract.tfserving_api import ModelVersionState
from gateway.adapters.certificates import Certificates
from gateway.errors import (
    ReplicaError,
    ReplicaLostError,
    ReplicaRejectedError,
    ReplicaSlowError,
    VersionNotServedError,
)
from gateway.ports.serving import Scores, ServedVersion, VersionStatus

SIGNATURE = "serving_default"
EMBEDDING = "embedding"
"""The name of that output, in the signature that the card names."""

Headers = Callable[[], Sequence[tuple[str, str]] | None]
"""Metadata of the next Predict."""

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # the default of 4 MiB is 1,000 rows of 1,000 classes
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),  # notices a peer that vanished without a word
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),  # one connection a replica, whatever else the process does
)

STATUS_ERRORS: Mapping[grpc.StatusCode, type[ReplicaError]] = {
    grpc.StatusCode.CANCELLED: ReplicaLostError,
    grpc.StatusCode.UNKNOWN: ReplicaRejectedError,
    grpc.StatusCode.INVALID_ARGUMENT: ReplicaRejectedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: ReplicaSlowError,
    grpc.StatusCode.NOT_FOUND: VersionNotServedError,
    grpc.StatusCode.ALREADY_EXISTS: ReplicaRejectedError,
    grpc.StatusCode.PERMISSION_DENIED: ReplicaRejectedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ReplicaLostError,  # full: another replica may have room
    grpc.StatusCode.FAILED_PRECONDITION: ReplicaRejectedError,
    grpc.StatusCode.ABORTED: ReplicaLostError,
    grpc.StatusCode.OUT_OF_RANGE: ReplicaRejectedError,
    grpc.StatusCode.UNIMPLEMENTED: ReplicaRejectedError,
    grpc.StatusCode.INTERNAL: ReplicaRejectedError,
    grpc.StatusCode.UNAVAILABLE: ReplicaLostError,
    grpc.StatusCode.DATA_LOSS: ReplicaRejectedError,
    grpc.StatusCode.UNAUTHENTICATED: ReplicaRejectedError,
}
"""Every code that a call can end with, inward. Outward to HTTP is gateway.api.problems' table."""


class TensorFlowServing:
    """A gateway.ports.serving.Predictor over one gRPC channel. Create it on the event loop."""

    def __init__(
        self, address: str, certificates: Certificates | None = None, headers: Headers = lambda: None
    ) -> None:
        """Without certificates the channel is plain text."""
        self._address = address
        self._headers = headers
        self._channel = _channel(address, certificates)
        self._predict = self._channel.unary_unary(
            api.PREDICT,
            request_serializer=api.PredictRequest.SerializeToString,
            response_deserializer=api.PredictResponse.FromString,
        )
        self._status = self._channel.unary_unary(
            api.GET_MODEL_STATUS,
            request_serializer=api.GetModelStatusRequest.SerializeToString,
            response_deserializer=api.GetModelStatusResponse.FromString,
        )

    @property
    def address(self) -> str:
        """`host:port` of the replica."""
        return self._address

    async def predict(self, served: ServedVersion, images: Sequence[bytes], timeout_seconds: float) -> Scores:
        """Score images, each uint8, [height, width, 3], in one Predict. Raises ReplicaError."""
        try:
            request = _predict_request(served, images)
            response = await self._predict(request, timeout=timeout_seconds, metadata=self._headers())
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error
        scores = self._scores(response, served, len(images))
        return self._with_embeddings(scores, response, served) if served.gives_embedding else scores

    async def versions(self, model: str, timeout_seconds: float) -> Mapping[int, VersionStatus]:
        """The versions that the replica knows; empty for an unknown model. Raises ReplicaError."""
        request = api.GetModelStatusRequest()
        request.model_spec.name = model
        try:
            response = await self._status(request, timeout=timeout_seconds)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return {}
            raise self._translated(error) from error
        return {entry.version: _version_status(entry) for entry in response.model_version_status}

    async def check(self, timeout_seconds: float) -> None:
        """Ask for the status of a model that nobody has: any answer will do.

        Raises ReplicaLostError or ReplicaSlowError.
        """
        request = api.GetModelStatusRequest()
        request.model_spec.name = "-"
        try:
            await self._status(request, timeout=timeout_seconds)
        except grpc.aio.AioRpcError as error:
            translated = self._translated(error)
            if isinstance(translated, ReplicaLostError | ReplicaSlowError):
                raise translated from error

    async def aclose(self) -> None:
        """Close the channel."""
        await self._channel.close(None)

    def _translated(self, error: grpc.aio.AioRpcError) -> ReplicaError:
        kind = STATUS_ERRORS.get(error.code(), ReplicaRejectedError)
        return kind(f"replica {self._address}: {error.code().name}: {(error.details() or '')[:500]}")

    def _scores(self, response: Any, served: ServedVersion, count: int) -> Scores:
        """Check that the answer is what the card promises: a row of finite scores for each image."""
        rows = self._rows(response, served, served.card.output_name, (count, len(served.card.labels)))
        return Scores(response.model_spec.version.value or served.version, rows)

    def _with_embeddings(self, scores: Scores, response: Any, served: ServedVersion) -> Scores:
        assert served.card.embedding is not None  # noqa: S101  the routing has seen to it
        shape = (len(scores.rows), served.card.embedding.dimensions)
        return replace(scores, embeddings=self._rows(response, served, EMBEDDING, shape))

    def _rows(
        self, response: Any, served: ServedVersion, name: str, expected: tuple[int, int]
    ) -> Sequence[Sequence[float]]:
        count, columns = expected
        try:
            if name not in response.outputs:  # indexing would add an empty tensor
                raise ValueError(f"no output {name!r}; it has: {', '.join(response.outputs) or 'none'}")
            rows = api.float_rows(response.outputs[name])
            if len(rows) != count or any(len(row) != columns for row in rows):
                shape = api.shape_of(response.outputs[name])
                raise ValueError(f"{name} of shape {shape} instead of {list(expected)}")
            if not all(math.isfinite(sum(row)) for row in rows):
                raise ValueError(f"{name} that are not finite")
        except ValueError as error:
            raise ReplicaRejectedError(
                f"replica {self._address} answered for {served.model!r} version {served.version} with {error}"
            ) from error
        return rows


def _channel(address: str, certificates: Certificates | None) -> grpc.aio.Channel:
    if certificates is None:
        return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        certificates.authorities, certificates.key, certificates.certificate
    )
    name = certificates.server_name
    options = (*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", name)) if name else CHANNEL_OPTIONS
    return grpc.aio.secure_channel(address, credentials, options=options)


def _predict_request(served: ServedVersion, images: Sequence[bytes]) -> Any:
    card = served.card
    request = api.PredictRequest()
    request.model_spec.name = served.model
    request.model_spec.version.value = served.version
    request.model_spec.signature_name = SIGNATURE
    request.output_filter.append(card.output_name)
    if served.gives_embedding and card.embedding is not None:
        request.model_spec.signature_name = card.embedding.signature
        request.output_filter.append(EMBEDDING)
    shape = (len(images), card.image.height, card.image.width, 3)
    api.fill_uint8_tensor(request.inputs[card.input_name], b"".join(images), shape)
    return request


def _version_status(entry: Any) -> VersionStatus:
    try:
        state = ModelVersionState(entry.state)
    except ValueError:
        state = ModelVersionState.UNKNOWN
    code = entry.status.error_code
    return VersionStatus(state, (entry.status.error_message or f"error code {code}") if code else "")
