"""How often two servables of one version name the same label, on inputs that the version brings along.

assets.extra/tf_serving_reference_requests holds them in the form of warm-up requests: a TFRecord file of
PredictionLogs, of which the predict requests count. Without it the warm-up requests are taken; that serves
where they are real inputs. What follows from the figure is precision.py's business.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model_server.inference.messages import decode_inputs
from model_server.inference.predict import find_signature, with_defaults
from model_server.runtime import warmup
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array

if TYPE_CHECKING:
    from model_server.runtime.servable import Servable

REFERENCES = Path("assets.extra", "tf_serving_reference_requests")

_FLOATING = frozenset({1, 2, 14, 19})
"""types.proto: float, double, bfloat16, half."""


@dataclass
class Agreement:
    """What was counted."""

    examples: int = 0
    """Different ones; a repeated example says nothing new."""
    same: int = 0
    reference_seconds: float = 0.0
    candidate_seconds: float = 0.0
    _seen: set[bytes] = field(default_factory=set)

    @property
    def share(self) -> float:
        """0 to 1; nothing was compared: 0."""
        return self.same / self.examples if self.examples else 0.0

    def count(self, digests: list[bytes], is_same: Array) -> None:
        """Count the examples that were not seen before."""
        for digest, same in zip(digests, is_same.tolist(), strict=True):
            if digest not in self._seen:
                self._seen.add(digest)
                self.examples += 1
                self.same += same


def compare(path: Path, reference: Servable, candidate: Servable) -> Agreement:
    """Run the version's reference inputs through both. Raises ServingError where one of them fails."""
    agreement = Agreement()
    for signature, inputs in _inputs(path, reference):
        labelled = _labelled(signature)
        if not labelled or not signature.is_batched:
            continue
        started = time.perf_counter()
        expected = reference.run(signature, inputs, labelled)
        between = time.perf_counter()
        found = candidate.run(candidate.signatures[signature.name], inputs, labelled)
        agreement.reference_seconds += between - started
        agreement.candidate_seconds += time.perf_counter() - between
        pairs = zip(expected, found, strict=True)
        agreement.count(_digests(inputs), np.logical_and.reduce([_is_same(*pair) for pair in pairs]))
    return agreement


def _inputs(path: Path, servable: Servable) -> Iterator[tuple[Signature, Mapping[str, Array]]]:
    files = (path / REFERENCES, path / warmup.REQUESTS)
    file = next((file for file in files if file.is_file()), None)
    for entry in warmup.read(file) if file else ():
        if entry.WhichOneof("log_type") == "predict_log":
            request = entry.predict_log.request
            signature = find_signature(servable, request.model_spec.signature_name)
            yield signature, with_defaults(signature, decode_inputs(signature, request.inputs))


def _labelled(signature: Signature) -> list[str]:
    """The outputs that hold a score for each of several classes: floating point, [N, classes]."""
    return [
        alias
        for alias, spec in signature.outputs.items()
        if spec.dtype in _FLOATING and spec.shape is not None and len(spec.shape) == 2 and spec.shape[1] != 1
    ]


def _is_same(expected: Array, found: Array) -> Array:
    """For each row, whether the highest score is at the same place; a score that is no number is wrong."""
    is_label_same = expected.argmax(axis=1) == found.argmax(axis=1)
    return np.asarray(is_label_same & np.isfinite(found).all(axis=1))


def _digests(inputs: Mapping[str, Array]) -> list[bytes]:
    """One for each row of all inputs together."""
    rows = zip(*(inputs[alias] for alias in sorted(inputs)), strict=True)
    return [hashlib.blake2b(b"".join(map(_content, row)), digest_size=16).digest() for row in rows]


def _content(value: Array) -> bytes:
    array = np.asarray(value)
    return repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
