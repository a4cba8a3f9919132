"""The Input of Classify, Regress and MultiInference: tf.Examples, and the one run that answers them.

Serialized examples go as they are to the signature's one string input, where the graph parses them, as
upstream does (servables/tensorflow/util.cc). What the outputs mean is the business of classification.py
and regression.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from model_server.errors import invalid_argument
from model_server.inference.predict import DEFAULT_SIGNATURE
from model_server.runtime.interface import Servable
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array

INPUTS = "inputs"
"""The alias of the one input, for classification and for regression."""

Compute = Callable[[Signature, Mapping[str, Array], Sequence[str]], list[Array]]
"""Runs a signature: arrays by input alias and the wanted output aliases in, the outputs out."""


def serialized(message: Any) -> Array:
    """The examples of an Input, each with its context, as an object array of bytes.

    A feature of the example wins over the same one of the context. Raises ServingError.
    """
    kind = message.WhichOneof("kind")
    if kind == "example_list":
        examples = [example.SerializeToString() for example in message.example_list.examples]
    elif kind == "example_list_with_context":
        source = message.example_list_with_context
        # Serialized messages that follow one another merge; of two entries of a map the later one wins.
        context = source.context.SerializeToString()
        examples = [context + example.SerializeToString() for example in source.examples]
    else:
        examples = []
    if not examples:
        raise invalid_argument("Input is empty.")
    array = np.empty(len(examples), dtype=object)
    array[:] = examples
    return array


def signature_named(servable: Servable, name: str, words: str) -> Signature:
    """The signature of that name, `serving_default` for none. Raises ServingError: `words` and the name."""
    name = name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise invalid_argument(f"{words}: {name}")
    return signature


def check_method(signature: Signature, expected: str, kind: str, is_checked: bool) -> None:
    """Refuse a signature of another method_name, where that is asked for. Raises ServingError."""
    if is_checked and signature.method_name != expected:
        raise invalid_argument(
            f"Expected {kind} signature method_name to be {expected}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
