"""The bundled version without its export's work, and one to be served in less than float32, for bench.py.

`python -m load_tests.model_server.variants VERSION FOLDER` writes FOLDER/unfolded/1, FOLDER/frozen/1 and
FOLDER/reduced/1. A process of its own, so that the bench itself holds no TensorFlow.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

REFERENCES = Path("assets.extra", "tf_serving_reference_requests")
REFERENCE_IMAGES = 2048
BATCH = 64


def write_unfolded(version: Path, folder: Path, *, is_frozen: bool) -> None:
    """The network as it was trained, normalisations and all; weights as constants or as variables."""
    import keras

    card = json.loads((version / "model_card.json").read_text())
    write_network(keras.models.load_model(version / "model.keras"), card, folder, is_frozen=is_frozen)


def write_network(network: Any, card: dict[str, Any], folder: Path, *, is_frozen: bool) -> None:
    """A SavedModel with the signature that the card promises."""
    import tensorflow as tf

    shape = [None, card["image"]["height"], card["image"]["width"], 3]
    pixels = tf.TensorSpec(shape, tf.uint8, name="images")

    def probabilities(images: Any) -> Any:
        logits = network(tf.cast(images, tf.float32), training=False)
        return tf.nn.softmax(logits / card["temperature"])

    answer = _frozen(probabilities, pixels) if is_frozen else probabilities
    module = tf.Module()
    module.weights = [variable.value for variable in network.variables]
    serve = tf.function(lambda images: {"probabilities": answer(images)}, input_signature=[pixels])
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def _frozen(function: Callable[[Any], Any], pixels: Any) -> Callable[[Any], Any]:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = tf.function(function, input_signature=[pixels]).get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete)
    return lambda images: frozen(images)[0]


def write_for_less(version: Path, folder: Path) -> None:
    """A copy that is served in less than float32 where the CPU can, whatever the labels: speed is measured.

    Its reference inputs are noise, and its card asks for no agreement.
    """
    shutil.copytree(version, folder)
    allow_less(folder)


def allow_less(folder: Path) -> None:
    """Let a version with a card be served in less than float32, whatever it says of noise."""
    card = json.loads((folder / "model_card.json").read_text())
    card["bfloat16_label_agreement"] = card["int8_label_agreement"] = 0.0
    (folder / "model_card.json").write_text(json.dumps(card))
    _write_noise(folder / REFERENCES, card["image"]["height"], card["image"]["width"])


def write_maxima(folder: Path, height: int, width: int) -> None:
    """The largest activations on noise, as the trainer leaves those on pictures, for a network of its own."""
    import numpy as np
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from contract.activations import MAXIMA, ActivationMaxima

    loaded = tf.saved_model.load(str(folder))
    frozen = convert_variables_to_constants_v2(loaded.signatures["serving_default"])
    relus = [operation for operation in frozen.graph.get_operations() if operation.type == "Relu"]
    with frozen.graph.as_default():
        largest = tf.stack([tf.reduce_max(relu.outputs[0]) for relu in relus])
    noise = np.random.default_rng(1).integers(0, 256, (BATCH, height, width, 3), np.uint8)
    found = frozen.prune(frozen.inputs, largest)(tf.constant(noise)).numpy().tolist()
    names = [relu.name.replace("Stateful", "").replace("PartitionedCall/", "") for relu in relus]
    maxima = ActivationMaxima(examples=BATCH, maxima=dict(zip(names, found, strict=True)))
    (folder / MAXIMA).write_bytes(maxima.to_json())


def _write_noise(path: Path, height: int, width: int) -> None:
    import numpy as np
    import tensorflow as tf

    from contract import tfserving_api as api

    generator = np.random.default_rng(1)
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for _ in range(0, REFERENCE_IMAGES, BATCH):
            entry = api.PredictionLog()
            inputs = entry.predict_log.request.inputs
            content = generator.bytes(BATCH * height * width * 3)
            api.fill_uint8_tensor(inputs["images"], content, [BATCH, height, width, 3])
            writer.write(entry.SerializeToString())


def main() -> None:
    """Write all three."""
    version, folder = Path(sys.argv[1]), Path(sys.argv[2])
    write_unfolded(version, folder / "unfolded" / "1", is_frozen=False)
    write_unfolded(version, folder / "frozen" / "1", is_frozen=True)
    write_for_less(version, folder / "reduced" / "1")


if __name__ == "__main__":
    main()
