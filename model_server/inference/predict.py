"""The data plane: one prediction from a named signature's inputs to its outputs, for gRPC and REST alike.

It knows arrays and ServingError, neither gRPC nor HTTP nor JSON. `run` is the seam where merging and
batching go: it gets a servable, a signature, the inputs and the wanted outputs of one request, and may
answer several requests by one call into TensorFlow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from model_server.errors import Code, ServingError, SignatureNotFoundError, invalid_argument
from model_server.lifecycle.repository import Repository, Target
from model_server.runtime.interface import Servable
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array

DEFAULT_SIGNATURE = "serving_default"
_METHODS = ("tensorflow/serving/predict", "tensorflow/serving/classify", "tensorflow/serving/regress")


RanObserver = Callable[[str, str, float], None]
"""Told of a request's run: Predict, Classify, Regress or MultiInference; the model; seconds."""


def _ignore(api: str, model: str, seconds: float) -> None:
    """Nobody counts."""


class Run(Protocol):
    """Answers one request on one servable; blocks until it is answered."""

    def __call__(
        self,
        servable: Servable,
        signature: Signature,
        inputs: Mapping[str, Array],
        outputs: Sequence[str],
        timeout_seconds: float | None,
    ) -> list[Array]:
        """Arrays by input alias in, one array for each output alias out. Raises ServingError."""
        ...


def run_alone(
    servable: Servable,
    signature: Signature,
    inputs: Mapping[str, Array],
    outputs: Sequence[str],
    timeout_seconds: float | None,
) -> list[Array]:
    """Each request is a run of its own, as it comes."""
    return servable.run(signature, inputs, outputs, timeout_seconds)


@dataclass(frozen=True)
class Question:
    """A request without its inputs."""

    target: Target
    signature_name: str = ""
    """Empty: serving_default."""
    output_filter: tuple[str, ...] = ()
    """Empty: every output."""
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class Answer:
    """What was computed, and by whom."""

    version: int
    signature: Signature
    outputs: Mapping[str, Array]


@dataclass(frozen=True)
class Borrowed:
    """A version that stays loaded while it answers."""

    version: int
    servable: Servable
    compute: Callable[[Signature, Mapping[str, Array], Sequence[str]], list[Array]]
    """Runs one of its signatures: arrays by input alias and output aliases in, the outputs out."""


class Predictor:
    """Answers questions with the repository's servables."""

    def __init__(
        self, repository: Repository[Servable], run: Run = run_alone, ran: RanObserver = _ignore
    ) -> None:
        """`ran` is told how long each request waited for its outputs."""
        self._repository = repository
        self._run = run
        self._ran = ran

    @contextmanager
    def borrow(self, api: str, target: Target, timeout_seconds: float | None) -> Iterator[Borrowed]:
        """The version that answers `target`, for the block. Raises ServingError."""
        with self._repository.borrow(target) as (version, servable):

            def compute(
                signature: Signature, inputs: Mapping[str, Array], outputs: Sequence[str]
            ) -> list[Array]:
                started = time.perf_counter()
                arrays = self._run(servable, signature, inputs, outputs, timeout_seconds)
                self._ran(api, target.model, time.perf_counter() - started)
                return arrays

            yield Borrowed(version, servable, compute)

    def predict(self, question: Question, read: Callable[[Signature], Mapping[str, Array]]) -> Answer:
        """Answer `question`; `read` decodes the inputs once it is known what the signature expects.

        Raises ServingError, SignatureNotFoundError.
        """
        with self.borrow("Predict", question.target, question.timeout_seconds) as borrowed:
            signature = find_signature(borrowed.servable, question.signature_name)
            inputs = with_defaults(signature, read(signature))
            aliases = chosen_outputs(signature, question.output_filter)
            arrays = borrowed.compute(signature, inputs, aliases)
            return Answer(borrowed.version, signature, dict(zip(aliases, arrays, strict=True)))


def find_signature(servable: Servable, name: str) -> Signature:
    """The signature of that name, `serving_default` for none. Raises SignatureNotFoundError."""
    name = name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise SignatureNotFoundError(name)
    if signature.method_name not in _METHODS:
        raise ServingError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(_METHODS)}}}. Was: {signature.method_name}",
        )
    return signature


def with_defaults(signature: Signature, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    """The inputs, and the signature's default values for those that were not sent."""
    return {**signature.defaults, **inputs} if signature.defaults else inputs


def chosen_outputs(signature: Signature, output_filter: Sequence[str]) -> tuple[str, ...]:
    """The outputs that a filter names, or all of them. Raises ServingError (INVALID_ARGUMENT)."""
    for position, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{','.join(sorted(signature.outputs))}}}."
            )
        if alias in output_filter[:position]:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
    return tuple(output_filter) or tuple(signature.outputs)
