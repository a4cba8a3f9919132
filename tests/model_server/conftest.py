"""Tiny SavedModels whose versions answer their own number, and a server that has two of them."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from model_servers import Running, running


def pytest_configure(config: pytest.Config) -> None:
    """Warnings of TensorFlow's own modules are not ours."""
    for line in (
        "ignore::DeprecationWarning:tensorflow",
        "ignore::DeprecationWarning:keras",
        "ignore:In the future `np.object`:FutureWarning",
    ):
        config.addinivalue_line("filterwarnings", line)


def _export(number: int, path: Path) -> None:
    """Signatures: the default one, two named inputs, text, and one that takes a given time."""
    import tensorflow as tf

    module = tf.Module()
    module.number = tf.Variable(float(number))

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.uint8, name="images")])
    def classify(images: Any) -> dict[str, Any]:
        pixels = tf.cast(tf.reshape(images, [-1, 3072]), tf.float32)
        return {"probabilities": module.number + tf.zeros([1, 10]) * pixels[:, :1]}

    number_spec = tf.TensorSpec([None], tf.float32)

    @tf.function(input_signature=[number_spec, number_spec])
    def combine(a: Any, b: Any) -> dict[str, Any]:
        return {"sum": a + b, "product": a * b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def echo(text: Any) -> dict[str, Any]:
        return {"text": text, "text_bytes": text}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float64, name="seconds")])
    def wait(seconds: Any) -> dict[str, Any]:
        end = tf.timestamp() + seconds
        (turns,) = tf.while_loop(
            lambda _: tf.timestamp() < end, lambda turn: (turn + 1,), (tf.constant(0, tf.int64),)
        )
        return {"turns": turns}

    signatures = {"serving_default": classify, "combine": combine, "echo": echo, "wait": wait}
    tf.saved_model.save(module, str(path), signatures=signatures)


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with versions 1, 2 and 3."""
    root = tmp_path_factory.mktemp("exports")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in (1, 2, 3):
            _export(number, root / str(number))
    return root


@pytest.fixture
def publish(exports: Path) -> Callable[[Path, int], Path]:
    """Makes an exported version appear in a base path by one rename, as the trainer does."""

    def publish_version(base_path: Path, number: int) -> Path:
        base_path.mkdir(parents=True, exist_ok=True)
        staging = base_path / f".staging-{number}"
        shutil.copytree(exports / str(number), staging)
        return staging.rename(base_path / str(number))

    return publish_version


@pytest.fixture(scope="module")
def tiny(exports: Path) -> Iterator[Running]:
    """A server that has versions 1 and 2 of `tiny`, label `stable` on 1."""
    config = exports.parent / "tiny.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "tiny" base_path: "{exports}" model_platform: "tensorflow" '
        "model_version_policy { specific { versions: 1 versions: 2 } } "
        'version_labels { key: "stable" value: 1 } } }'
    )
    with running(f"--model_config_file={config}", "--allow_version_labels_for_unavailable_models") as server:
        yield server
