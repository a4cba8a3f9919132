"""Reference requests: drawn, spread like the validation pictures' margins, readable by a model server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from contract.image_spec import ImageSpec
from trainer.version import reference_requests as references
from trainer.version.served import SavedVersion

pytestmark = pytest.mark.tensorflow


def test_drawings_are_pictures_of_many_tones_and_always_the_same() -> None:
    """uint8 RGB, no two equal, and a seed decides all of them."""
    first, again = (references.draw(32, np.random.default_rng(5)) for _ in range(2))
    assert first.shape == (32, 32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert len({picture.tobytes() for picture in first}) == 32
    assert first.std(axis=(1, 2, 3)).min() > 3


def test_a_margin_is_the_best_less_the_second_best() -> None:
    """Wherever the two are in the row."""
    rows = np.asarray([[0.2, 0.7, 0.1], [0.4, 0.3, 0.3]], np.float32)
    assert references.margins(rows).tolist() == pytest.approx([0.5, 0.1])


def test_quotas_follow_what_was_observed_and_round_to_the_unsure_side() -> None:
    """Half below 0.01, a quarter at 0.5, a quarter at 1: of 9, five, two and two."""
    observed = np.asarray([0, 0, 0.5, 1], np.float32)
    quotas = references.quotas(observed, 9)
    assert sum(quotas) == 9
    assert {place: count for place, count in enumerate(quotas) if count} == {0: 5, 6: 2, 12: 2}


@pytest.mark.parametrize(
    ("bins", "wanted", "expected"),
    [
        ([[b"a", b"b"], [b"c"]], [1, 1], [b"a", b"c"]),
        ([[b"a", b"b"], []], [1, 1], [b"a", b"b"]),  # the unsure stand in for the sure
        ([[], [b"c", b"d"]], [1, 1], [b"c", b"d"]),  # the other way round only where there is no choice
        ([[b"a"], []], [1, 2], [b"a"]),  # there are no more
    ],
)
def test_what_a_bin_lacks_is_borrowed_from_the_less_sure(
    bins: list[list[bytes]], wanted: list[int], expected: list[bytes]
) -> None:
    """A set that is harder than the data refuses bfloat16 too often, never too rarely."""
    assert references.chosen(bins, wanted) == expected


class Unsure(tf.Module):  # type: ignore[misc]
    """Two classes; the brighter a picture, the surer of the second."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="encoded_images")])
    def serving_bytes(self, encoded_images: tf.Tensor) -> dict[str, tf.Tensor]:
        def mean(content: tf.Tensor) -> tf.Tensor:
            return tf.reduce_mean(tf.cast(tf.io.decode_jpeg(content, channels=3), tf.float32)) / 255

        bright = tf.map_fn(mean, encoded_images, fn_output_signature=tf.float32)
        return {"probabilities": tf.stack([1 - bright, bright], axis=1)}


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of one that is Unsure."""
    folder, module = tmp_path_factory.mktemp("version"), Unsure()
    tf.saved_model.save(module, str(folder), signatures={"serving_bytes": module.serving_bytes})
    return folder


OBSERVED = np.asarray([[0.5, 0.5], [0.35, 0.65], [0.35, 0.65], [0.65, 0.35]], np.float32)
"""Margins of 0 and, three times, 0.3."""


def test_the_requests_are_written_as_a_model_server_reads_them(version: Path, tmp_path: Path) -> None:
    """PredictionLogs for serving_bytes, as many as asked for, of the card's size, margins as observed."""
    path, served = tmp_path / references.REFERENCES, SavedVersion(version)
    references.write_references("shades", ImageSpec(height=20, width=24), served, OBSERVED, path, 100)
    for record in tf.data.TFRecordDataset(str(path)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        assert (request.model_spec.name, request.model_spec.signature_name) == ("shades", "serving_bytes")
    contents = references.read_references(path)
    assert len(set(contents)) == 100
    assert tf.io.decode_jpeg(contents[0]).shape == (20, 24, 3)
    found = references.margins(served.probabilities_of(contents))
    assert (found < 0.01).sum() == pytest.approx(25, abs=1)
    assert ((found >= 0.2) & (found < 0.4)).sum() == pytest.approx(75, abs=1)


def test_what_the_parent_had_serves_again_and_only_what_lacks_is_drawn(
    version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100 that are all right, none is drawn anew; of half of them the other half, and no two are equal."""
    served, image = SavedVersion(version), ImageSpec(height=32, width=32)
    path, drawn, draw = tmp_path / "requests", [], references.draw
    monkeypatch.setattr(references, "draw", lambda *given: drawn.append(given) or draw(*given))

    def written(kept: list[bytes]) -> list[bytes]:
        drawn.clear()
        references.write_references("shades", image, served, OBSERVED, path, 100, kept)
        return references.read_references(path)

    first = written([])
    assert drawn
    assert set(written(first)) == set(first)
    assert not drawn
    again = written(first[::2])
    assert drawn
    assert set(again) > set(first[::2])
    assert len(set(again)) == 100


def test_a_file_that_is_gone_or_broken_holds_nothing_to_keep(tmp_path: Path) -> None:
    """The fine-tune then draws all of its own."""
    path = tmp_path / "requests"
    assert references.read_references(path) == []
    path.write_bytes(b"no records")
    assert references.read_references(path) == []
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"no message")
    assert references.read_references(path) == []
