"""Reference requests: inputs by which a model server judges whether it may compute in less precision.

A version brings inputs of its own (model_server compares the labels in float32 and less on them). They
are drawn, so that no picture of the dataset is copied into a version, from which nobody could delete it. The
drawings are dead leaves: overlapping shapes whose sizes follow a power law, the usual stand-in for the
statistics of natural images (Lee, Mumford and Huang, 2001; Baradad et al., "Learning to See by Looking at
Noise", 2021). A network is less sure of them than of its own data, and labels flip where it is unsure; so
of many drawings those are kept whose margins are spread like the validation pictures'. A fine-tune begins
with its parent's requests, most of which serve again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from contract.image_spec import ImageSpec
from trainer.arrays import FloatArray
from trainer.version.served import SavedVersion

REFERENCES = Path("assets.extra", "tf_serving_reference_requests")
EXAMPLES = 2048
"""What a model server asks for, 2,000, and a few that may be equal."""
MOST_DRAWN = 12
"""Times as many as are missing are drawn at most; then less sure drawings stand in: the stricter way."""
PER_REQUEST = 64
AT_A_TIME = 512
MARGINS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Edges between the bins of the margin: the best probability less the second best."""
JPEG_QUALITY = 92

_CANVAS = 32
_LEAVES = 24
_SMALLEST, _LARGEST = 1.5, 14.0
"""Half the length of a leaf, in pixels of the canvas; the density falls with the cube."""

Images = npt.NDArray[np.uint8]


def write_references(
    model: str,
    image: ImageSpec,
    served: SavedVersion,
    validation: FloatArray,
    path: Path,
    examples: int,
    kept: Sequence[bytes] = (),
) -> None:
    """Draw, choose and write the requests into the file `path`.

    Args:
        served: the version.
        validation: float32 [N, classes], what the version says of the validation pictures.
        kept: encoded drawings of another version to choose from first.
    """
    bins = _Bins(quotas(margins(validation), examples))
    for start in range(0, len(kept), AT_A_TIME):
        bins.sort(served, kept[start : start + AT_A_TIME])
    generator = np.random.default_rng(zlib.crc32(b"".join(kept)))  # other drawings than those kept
    for _ in range(0, MOST_DRAWN * bins.missing(), AT_A_TIME):
        bins.sort(served, _encoded(draw(AT_A_TIME, generator), image))
        if not bins.missing():
            break
    _write(model, chosen(bins.found, bins.wanted), path)


class _Bins:
    """Encoded drawings by the bin of their margin, and how many of each are wanted."""

    def __init__(self, wanted: list[int]) -> None:
        self.wanted = wanted
        self.found: list[list[bytes]] = [[] for _ in wanted]

    def sort(self, served: SavedVersion, encoded: Sequence[bytes]) -> None:
        for content, place in zip(encoded, _bin_of(margins(served.probabilities_of(encoded))), strict=True):
            self.found[place].append(content)

    def missing(self) -> int:
        pairs = zip(self.found, self.wanted, strict=True)
        return sum(max(count - len(have), 0) for have, count in pairs)


def read_references(path: Path) -> list[bytes]:
    """The encoded drawings in a version's file; none where it has no file, or one that cannot be read."""
    found: list[bytes] = []
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            found += tf.make_ndarray(request.inputs["encoded_images"]).tolist()
    except (tf.errors.OpError, DecodeError, TypeError):
        return []
    return found


def margins(probabilities: FloatArray) -> FloatArray:
    """float32 [N, classes] → float32 [N]: the best less the second best."""
    best = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(best[:, 1] - best[:, 0])


def quotas(observed: FloatArray, examples: int) -> list[int]:
    """How many of `examples` each bin gets so that margins are spread as observed; lower bins round up."""
    shares = np.bincount(_bin_of(observed), minlength=len(MARGINS) + 1) / len(observed)
    reached = np.ceil(np.cumsum(shares) * examples - 1e-9).astype(int)
    return [int(count) for count in np.diff(reached, prepend=0)]


def chosen(bins: list[list[bytes]], wanted: list[int]) -> list[bytes]:
    """Each bin's share; what a bin lacks comes from the nearest one whose drawings are less sure, if any."""
    found: list[bytes] = []
    spare: list[bytes] = []
    missing = 0
    for have, count in zip(bins, wanted, strict=True):
        found += have[:count]
        spare += have[count:]
        lacks = count - len(have[:count])
        borrowed = spare[len(spare) - lacks :] if lacks else []
        found += borrowed
        spare = spare[: len(spare) - len(borrowed)]
        missing += lacks - len(borrowed)
    return found + spare[:missing]


def _bin_of(values: FloatArray) -> npt.NDArray[np.intp]:
    return np.searchsorted(np.asarray(MARGINS, np.float32), values, side="right")


def draw(count: int, generator: np.random.Generator) -> Images:
    """uint8 [count, 32, 32, 3]: dead leaves, each picture around a colour of its own."""
    rows, columns = np.mgrid[0:_CANVAS, 0:_CANVAS].astype(np.float32)
    tone = generator.uniform(40, 215, (count, 1, 1, 3)).astype(np.float32)
    contrast = generator.uniform(10, 80, (count, 1, 1, 1)).astype(np.float32)
    picture = np.repeat(np.repeat(tone, _CANVAS, 1), _CANVAS, 2)
    for _ in range(_LEAVES):
        cover = _leaf(count, rows, columns, generator)[..., None]
        colour = tone + contrast * generator.standard_normal((count, 1, 1, 3), np.float32)
        picture += cover * (colour - picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _leaf(
    count: int, rows: FloatArray, columns: FloatArray, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Coverage 0–1 of one leaf in each picture: an ellipse or a box, turned, with an edge of a pixel."""

    def uniform(low: float, high: float) -> Any:
        return generator.uniform(low, high, (count, 1, 1)).astype(np.float32)

    x, y = columns - uniform(-3, _CANVAS + 3), rows - uniform(-3, _CANVAS + 3)
    size = (_SMALLEST**-2 - uniform(0, 1) * (_SMALLEST**-2 - _LARGEST**-2)) ** -0.5
    angle, width = uniform(0, np.pi), size * uniform(0.3, 1)
    along = np.abs(x * np.cos(angle) + y * np.sin(angle)) / size
    across = np.abs(y * np.cos(angle) - x * np.sin(angle)) / width
    is_box = uniform(-1, 1) < 0
    distance = np.where(is_box, np.maximum(along, across), np.hypot(along, across))
    return np.asarray(np.clip((1 - distance) * width + 0.5, 0, 1))


def _encoded(drawings: Images, image: ImageSpec) -> list[bytes]:
    resized = tf.image.resize(drawings, [image.height, image.width], tf.image.ResizeMethod.BICUBIC)
    return list(_jpegs(tf.saturate_cast(tf.round(resized), tf.uint8)).numpy())


@tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])  # type: ignore[untyped-decorator]
def _jpegs(pixels: tf.Tensor) -> tf.Tensor:
    return tf.map_fn(
        lambda one: tf.io.encode_jpeg(one, quality=JPEG_QUALITY), pixels, fn_output_signature=tf.string
    )


def _write(model: str, contents: list[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in _requests(model, contents):
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def _requests(model: str, contents: list[bytes]) -> Iterator[predict_pb2.PredictRequest]:
    for start in range(0, len(contents), PER_REQUEST):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.model_spec.signature_name = "serving_bytes"
        tensor = tf.make_tensor_proto(contents[start : start + PER_REQUEST], tf.string)
        request.inputs["encoded_images"].CopyFrom(tensor)
        yield request
