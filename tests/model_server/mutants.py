"""Requests that went wrong on the way: valid ones, cut, flipped and spliced, and ones built to be wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from example_models import example, fill, multi_inference
from model_servers import image_request

from contract import tfserving_api as api

STRANGE_NUMBERS = (-(2**63), -1, 0, 1, 7, 2**31, 2**40, 2**63 - 1)
STRANGE_TEXTS = ("", "tiny", "none", "serving_default", "\x00", "é" * 50, "../..", "a" * 3000)
STRANGE_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0.5, 1e308, 10**30, "", "text", "\ud800", [], {}, [[]], [[1], [2, 3]], {"b64": "?"}),
    *({"b64": "aGk="}, {"a": 1}, [None], ["a", 1], [[[[0, 0, 0]] * 32] * 32], float("nan"), float("inf")),
)


def seeds() -> dict[str, list[bytes]]:
    """Valid messages for each RPC, serialized."""
    metadata = api.GetModelMetadataRequest(metadata_field=["signature_def"])
    metadata.model_spec.name = "tiny"
    status = api.GetModelStatusRequest()
    status.model_spec.name = "tiny"
    labelled = image_request(images=2, version_label="stable")
    filtered = image_request()
    filtered.output_filter.append("probabilities")
    messages: dict[str, list[Any]] = {
        api.PREDICT: [image_request(), image_request(version=1), labelled, filtered],
        api.CLASSIFY: [fill(api.ClassificationRequest(), "classify", 0.5, 1.0)],
        api.REGRESS: [fill(api.RegressionRequest(), "regress", 0.5)],
        api.MULTI_INFERENCE: [multi_inference(("classify", "classify"), ("regress", "regress"))],
        api.GET_MODEL_METADATA: [metadata],
        api.GET_MODEL_STATUS: [status],
        api.RELOAD_CONFIG: [api.ReloadConfigRequest()],
    }
    return {path: [message.SerializeToString() for message in found] for path, found in messages.items()}


def mutated(content: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    """Bytes that were damaged: flipped, cut, doubled, spliced with others, or made up."""
    damaged = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 8))):
        start = dice.randrange(len(damaged) + 1)
        match dice.randrange(6):
            case 0 if damaged:
                damaged[min(start, len(damaged) - 1)] ^= 1 << dice.randrange(8)
            case 1:
                del damaged[start : start + dice.randrange(1, 64)]
            case 2:
                damaged[start:start] = dice.randbytes(dice.randrange(1, 16))
            case 3:
                damaged[start:] = dice.choice(others)[start:]
            case 4:
                damaged[start:start] = damaged[: dice.randrange(1, 256)]
            case _:
                damaged = damaged[:start]
    return bytes(damaged)


def strange_predict(dice: random.Random) -> bytes:
    """A PredictRequest that is well formed and means nothing good."""
    request = api.PredictRequest()
    if dice.random() < 0.95:
        request.model_spec.name = dice.choice((*STRANGE_TEXTS, "tiny", "tiny", "tiny", "examples"))
    if dice.random() < 0.3:
        request.model_spec.signature_name = dice.choice(("combine", "echo", "classify", *STRANGE_TEXTS))
    if dice.random() < 0.2:
        request.model_spec.version.value = dice.choice(STRANGE_NUMBERS)
    elif dice.random() < 0.2:
        request.model_spec.version_label = dice.choice(STRANGE_TEXTS)
    request.output_filter.extend(dice.choices(("probabilities", *STRANGE_TEXTS), k=dice.choice((0, 0, 1, 2))))
    for name in dice.sample(("images", "text", "a", "b", "", "inputs"), k=dice.choice((0, 1, 1, 2))):
        _fill_strangely(request.inputs[name], dice)
    return bytes(request.SerializeToString())


def _fill_strangely(tensor: Any, dice: random.Random) -> None:
    tensor.dtype = dice.choice((0, 1, 3, 4, 7, 9, 10, 14, 19, 20, 21, 23, 101, 4, 4))
    for _ in range(dice.choice((0, 1, 2, 4, 4, 300))):
        tensor.tensor_shape.dim.add(size=dice.choice((*STRANGE_NUMBERS, 1, 2, 3, 32)))
    tensor.tensor_shape.unknown_rank = dice.random() < 0.05
    match dice.randrange(6):
        case 0:
            tensor.tensor_content = dice.randbytes(dice.choice((0, 1, 4, 3072, 6144)))
        case 1:
            tensor.int_val.extend(dice.choices(range(-300, 300), k=dice.choice((1, 3, 3072))))
        case 2:
            tensor.float_val.extend([dice.random()] * dice.choice((1, 2, 10)))
        case 3:
            tensor.string_val.extend([b"\x00\xff", example(x=1.0).SerializeToString()])
        case 4:
            tensor.half_val.extend([2**31 - 1, -1])
        case _:
            tensor.version_number = 3


def strange_reload(dice: random.Random) -> bytes:
    """A ReloadConfigRequest that must be refused: no models, or models that cannot be."""
    request = api.ReloadConfigRequest()
    models = request.config.model_config_list.config
    tiny = models.add(name="tiny", base_path="/nowhere", model_platform="tensorflow")
    match dice.randrange(4):
        case 0:
            tiny.version_labels[dice.choice(STRANGE_TEXTS)] = dice.choice(STRANGE_NUMBERS)
        case 1:
            models.add(name="tiny", base_path="/elsewhere", model_platform="tensorflow")
        case 2:
            tiny.base_path = dice.choice(("", "relative", "a" * 3000))
        case _:
            tiny.model_platform = dice.choice(STRANGE_TEXTS)
    return bytes(request.SerializeToString())


def strange_json(dice: random.Random) -> bytes:
    """A body for REST: sometimes JSON, seldom sense."""
    document: Any = {}
    for key in dice.sample(
        ("instances", "inputs", "examples", "context", "signature_name", "x"), k=dice.choice((0, 1, 1, 2, 3))
    ):
        value = dice.choice(STRANGE_VALUES)
        document[key] = (
            [value] * dice.choice((1, 2)) if key != "signature_name" and dice.random() < 0.6 else value
        )
    if dice.random() < 0.2:
        document["signature_name"] = dice.choice(("echo", "combine", "classify", "none"))
    if dice.random() < 0.1:
        document = dice.choice(STRANGE_VALUES)
    return json.dumps(document).encode("utf-8", "replace")


BUILDERS: dict[str, Callable[[random.Random], bytes]] = {
    api.PREDICT: strange_predict,
    api.RELOAD_CONFIG: strange_reload,
}
"""RPCs whose requests are also built to be wrong, and not only damaged."""
