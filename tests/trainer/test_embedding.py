"""What the head sees: found in networks of every origin, exported beside the probabilities, stored once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Workshop

from contract.card import Embedding

pytestmark = pytest.mark.tensorflow


def _pictures(count: int, side: int = 24) -> Any:
    return np.random.default_rng(5).integers(0, 256, (count, side, side, 3), np.uint8)


def test_a_version_answers_with_what_its_head_sees(finished: Workshop) -> None:
    """Of any number of pictures, beside the very probabilities of the default signature; the card says so."""
    import keras
    import tensorflow as tf

    from trainer.version.served import read_card

    folder = finished.model.version(1)
    signatures = tf.saved_model.load(str(folder)).signatures
    network = keras.saving.load_model(folder / "model.keras", compile=False)
    head = keras.Model(network.inputs[0], network.get_layer("embedding").output)
    for count in (1, 3, 17):
        pictures = tf.constant(_pictures(count))
        answer = signatures["serving_embedding"](images=pictures)
        plain = signatures["serving_default"](images=pictures)
        assert sorted(answer) == ["embedding", "probabilities"]
        assert sorted(plain) == ["probabilities"]
        np.testing.assert_array_equal(answer["probabilities"], plain["probabilities"])
        np.testing.assert_allclose(answer["embedding"], head(tf.cast(pictures, tf.float32)), atol=1e-4)
    card = read_card(folder)
    assert card.embedding == Embedding(signature="serving_embedding", dimensions=32)
    assert card.reference is not None
    assert len(card.reference.embedding_mean or ()) == 32


def test_the_weights_are_stored_once(finished: Workshop) -> None:
    """However many signatures there are."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    from trainer.version.served import read_card

    folder = finished.model.version(1)
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (meta_graph,) = saved.meta_graphs
    library = meta_graph.graph_def.library.function
    nodes = [*meta_graph.graph_def.node, *(node for each in library for node in each.node_def)]
    constants = sum(len(node.attr["value"].tensor.tensor_content) for node in nodes if node.op == "Const")
    assert constants < 1.1 * 4 * read_card(folder).parameters


def _sequential(*layers: Any) -> Any:
    import keras

    return keras.Sequential([keras.Input((8, 8, 3)), *layers])


def _plain() -> Any:
    from keras import layers

    return _sequential(layers.Flatten(), layers.Dropout(0.5), layers.Dense(3), layers.Softmax())


def _twice() -> Any:
    """A layer that is called twice: the last call counts."""
    import keras

    inputs, dense = keras.Input((8, 8, 3)), keras.layers.Dense(4)
    return keras.Model(inputs, dense(dense(keras.layers.Dense(4)(keras.layers.Flatten()(inputs)))))


def _around_another() -> Any:
    from keras import layers

    return _sequential(_sequential(layers.Flatten(), layers.Dense(5)), layers.Dense(2))


@pytest.mark.parametrize(("make", "width"), [(_plain, 192), (_twice, 4), (_around_another, 5)])
def test_what_the_last_dense_layer_takes_is_found(
    make: Callable[[], Any], width: int, tmp_path: Path
) -> None:
    """In networks built one way or the other, also when they come from a file; the outputs stay."""
    import keras

    from trainer.network.embedding import with_embedding

    network = make()
    pictures = _pictures(4, 8).astype(np.float32)
    for suffix in ("keras", "h5"):
        network.save(tmp_path / f"network.{suffix}")
        loaded = keras.saving.load_model(tmp_path / f"network.{suffix}", compile=False)
        both = with_embedding(loaded)
        assert both is not None
        outputs, embedding = both(pictures)
        np.testing.assert_allclose(outputs, network(pictures), rtol=1e-5)
        assert embedding.shape == (4, width)


def _without_a_dense_layer() -> Any:
    from keras import layers

    return _sequential(layers.Conv2D(3, 8), layers.Flatten())


def _ends_in_another() -> Any:
    from keras import layers

    return _sequential(_sequential(layers.Flatten(), layers.Dense(3)))


def _map_before_the_head() -> Any:
    from keras import layers

    return _sequential(layers.Dense(3), layers.GlobalAveragePooling2D())


def _too_wide() -> Any:
    from keras import layers

    return _sequential(layers.ZeroPadding2D(24), layers.Flatten(), layers.Dense(3))


@pytest.mark.parametrize("make", [_without_a_dense_layer, _ends_in_another, _map_before_the_head, _too_wide])
def test_without_such_a_vector_there_is_no_embedding(make: Callable[[], Any], tmp_path: Path) -> None:
    """And the version is exported all the same, with the two signatures that it always had."""
    import tensorflow as tf

    from contract.image_spec import ImageSpec
    from trainer.network.model import architecture_of
    from trainer.version.export import Exported, save_network

    network = make()
    exported = Exported("any", network, architecture_of(network), ImageSpec(height=8, width=8), 1.0)
    assert save_network(exported, network, tmp_path / "saved") is None
    signatures = tf.saved_model.load(str(tmp_path / "saved")).signatures
    assert sorted(signatures) == ["serving_bytes", "serving_default"]


def test_weights_beside_the_graph_serve_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is too large for constants keeps variables, and both signatures read them."""
    import tensorflow as tf

    from contract.image_spec import ImageSpec
    from trainer.network.model import architecture_of
    from trainer.version import export

    monkeypatch.setattr(export, "MAX_CONSTANT_BYTES", 0)
    network = _around_another()
    exported = export.Exported("any", network, architecture_of(network), ImageSpec(height=8, width=8), 1.0)
    assert export.save_network(exported, network, tmp_path / "saved") is not None
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    assert (tmp_path / "saved" / "variables" / "variables.data-00000-of-00001").stat().st_size > 4 * 965
    answer = saved.signatures["serving_embedding"](images=tf.constant(_pictures(3, 8)))
    expected = tf.nn.softmax(network(_pictures(3, 8).astype(np.float32)))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    assert answer["embedding"].shape == (3, 5)
