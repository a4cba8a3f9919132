"""The version directory of a trained network: SavedModel, warm-up, and copies that training starts from.

The SavedModel is the folded float32 network with its temperature. The candidate is written under a
dotted name; who may see it, and when, is trainer.run's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from contract.card import Embedding
from contract.image_spec import ImageSpec, Resampling
from trainer.network.embedding import with_embedding
from trainer.network.model import Architecture, copy_as_float32, fold

ALLOWED_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
ENCODED_FORMATS = ("JPEG", "PNG", "GIF")
"""What `serving_bytes` decodes: TensorFlow's decoders know no WebP or TIFF, EXIF orientation or alpha."""
ENCODED_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".gif"})
MAX_CONSTANT_BYTES = 2**30
"""Of weights within the graph, which protobuf limits to twice that; larger ones stay variables."""
WARMUP = Path("assets.extra", "tf_serving_warmup_requests")
EMBEDDING = "serving_embedding"
"""The signature that answers with the embedding too. It is not warmed up: most servers are never asked."""

Answers = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]
"""uint8 [N, H, W, 3] → float32 [N, classes], rows sum to 1; then the embedding, float32 [N, D], if any."""

_RESIZE_METHODS: dict[Resampling, str] = {
    "bilinear": tf.image.ResizeMethod.BILINEAR,
    "bicubic": tf.image.ResizeMethod.BICUBIC,
    "lanczos": tf.image.ResizeMethod.LANCZOS3,
}


@dataclass(frozen=True)
class Exported:
    """What is written into a version directory."""

    model: str
    network: keras.Model
    architecture: Architecture
    image: ImageSpec
    temperature: float


def export(exported: Exported, folder: Path) -> Embedding | None:
    """Write SavedModel, warm-up records, model.keras and model.h5 into `folder`; the card's `embedding`."""
    unfolded = copy_as_float32(exported.network, exported.architecture)
    embedding = save_network(exported, fold(unfolded, exported.architecture), folder)
    write_warmup(exported.model, exported.image, folder / WARMUP)
    unfolded.save(folder / "model.keras")
    unfolded.save(folder / "model.h5")
    return embedding


def save_network(exported: Exported, folded: keras.Model, folder: Path) -> Embedding | None:
    """Write the SavedModel alone, of a network as `fold` leaves it; the card's `embedding`."""
    both = with_embedding(folded)

    def answers(images: tf.Tensor) -> tuple[tf.Tensor, ...]:
        pixels = tf.cast(images, tf.float32)
        logits, *embedding = both(pixels, training=False) if both else [folded(pixels, training=False)]
        return tf.nn.softmax(logits * (1 / exported.temperature)), *embedding

    return save_signatures(answers, exported.image, folder, folded)


def save_signatures(answers: Answers, image: ImageSpec, folder: Path, trackable: object) -> Embedding | None:
    """Write a SavedModel with our signatures around a function; the card's `embedding`.

    Args:
        answers: what the signatures compute.
        image: the size and rule of the pictures.
        folder: of the SavedModel.
        trackable: holds the variables that the function reads.
    """
    pixels = tf.TensorSpec([None, image.height, image.width, 3], tf.uint8, name="images")
    strings = tf.TensorSpec([None], tf.string, name="encoded_images")
    module = tf.Module()
    concrete = tf.function(answers, input_signature=[pixels]).get_concrete_function()
    answer = _frozen(concrete)
    if answer is None:
        module.network, answer = trackable, concrete

    def serving_default(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": answer(images)[0]}

    def serving_embedding(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(("probabilities", "embedding"), answer(images), strict=True))

    def serving_bytes(encoded_images: tf.Tensor) -> dict[str, tf.Tensor]:
        decoded = tf.map_fn(
            lambda content: decode_in_graph(content, image), encoded_images, fn_output_signature=tf.uint8
        )
        return {"probabilities": answer(tf.ensure_shape(decoded, pixels.shape))[0]}

    signatures = {
        "serving_default": tf.function(serving_default, input_signature=[pixels]),
        "serving_bytes": tf.function(serving_bytes, input_signature=[strings]),
    }
    embedding = None
    if len(shapes := concrete.output_shapes) == 2:
        embedding = Embedding(signature=EMBEDDING, dimensions=shapes[1][1])
        signatures[EMBEDDING] = tf.function(serving_embedding, input_signature=[pixels])
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return embedding


def _frozen(concrete: Any) -> Answers | None:
    """The function with its weights as constants; None where a graph cannot hold them.

    oneDNN brings constant weights into its layout once, variables at every call
    (docs/performance.md). All signatures call this one graph, so it is stored once.
    """
    size = sum(math.prod(variable.shape) * variable.dtype.size for variable in concrete.variables)
    if size > MAX_CONSTANT_BYTES or len(concrete.captured_inputs) > len(concrete.variables):
        return None
    frozen = convert_variables_to_constants_v2(concrete)
    return lambda images: tuple(frozen(images))


def decode_in_graph(content: tf.Tensor, image: ImageSpec) -> tf.Tensor:
    """TensorFlow's nearest equivalent of contract.images.decode: uint8 [height, width, 3].

    The accurate DCT is what Pillow's libjpeg uses; with TensorFlow's default, labels differ more often.
    """
    picture = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
    if image.fit == "cover":
        picture = _centre_cropped(picture, image.height / image.width)
    size = [image.height, image.width]

    def resized() -> tf.Tensor:
        floats = tf.image.resize(picture, size, _RESIZE_METHODS[image.resampling], antialias=True)
        return tf.saturate_cast(tf.round(floats), tf.uint8)

    is_right_size = tf.reduce_all(tf.shape(picture)[:2] == size)
    return tf.ensure_shape(tf.cond(is_right_size, lambda: picture, resized), [*size, 3])


def _centre_cropped(picture: tf.Tensor, aspect: float) -> tf.Tensor:
    """The largest centred part with the given height / width."""
    shape = tf.cast(tf.shape(picture)[:2], tf.float64)
    height = tf.minimum(shape[0], shape[1] * aspect)
    box = tf.cast(tf.round(tf.stack([height, height / aspect])), tf.int32)
    box = tf.clip_by_value(box, 1, tf.shape(picture)[:2])
    corner = (tf.shape(picture)[:2] - box) // 2
    return tf.slice(picture, [corner[0], corner[1], 0], [box[0], box[1], 3])


def write_warmup(
    model: str, image: ImageSpec, path: Path, sizes: Sequence[int] = ALLOWED_BATCH_SIZES
) -> None:
    """One PredictionLog for each batch size, as TensorFlow Serving replays them before a version serves.

    A black batch is a TensorProto with one value that stands for all, so the file stays small.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for size in sizes:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model
            request.model_spec.signature_name = "serving_default"
            tensor = request.inputs["images"]
            tensor.dtype = tf.uint8.as_datatype_enum
            tensor.tensor_shape.CopyFrom(tf.TensorShape([size, image.height, image.width, 3]).as_proto())
            tensor.int_val.append(0)
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())
