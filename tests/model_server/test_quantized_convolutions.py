"""--quantization=int8: which convolutions are rewritten, that they answer nearly the same, and who serves."""

from __future__ import annotations

import platform
import shutil
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.activations import MAXIMA, ActivationMaxima
from model_server.runtime.precision import Decision, Precisions
from model_server.runtime.reduced import BFLOAT16, INT8
from model_server.runtime.session import SessionSettings, session_options

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="oneDNN's integer kernels are x86-64's"),
]

BUNDLED = Path(__file__).parents[2] / "models" / "cifar10" / "1"
SIDE = 12
ABLE = BFLOAT16.features | INT8.features


@pytest.fixture(scope="module")
def options() -> Any:
    """What sessions are made with."""
    return session_options(SessionSettings())


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Convolutions of every kind that is rewritten and of some that are not; Relus are named r0, r1 …"""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("quantized") / "1"
    generator = np.random.default_rng(3)
    sizes = {"c0": (3, 8), "c1": (8, 16), "c2": (16, 16), "c3": (16, 24), "c4": (24, 8)}
    filters = {  # arrays, since tensors from outside a function become its arguments
        name: generator.normal(0, (9 * into) ** -0.5, (3, 3, into, out)).astype(np.float32)
        for name, (into, out) in sizes.items()
    }
    bias = {name: generator.normal(size=out).astype(np.float32) for name, (_, out) in sizes.items()}
    scale, mean, variance = (np.full(16, value, np.float32) for value in (0.8, 0.2, 1.7))
    factors = generator.uniform(-1, 2, (1, 1, 1, 24)).astype(np.float32)
    rows = generator.normal(size=(SIDE, 1, 1)).astype(np.float32)
    module = tf.Module()
    module.variable = tf.Variable(filters["c1"])

    def convolved(pixels: Any, name: str, weights: Any = None, **more: Any) -> Any:
        weights = filters[name] if weights is None else weights
        return tf.nn.conv2d(pixels, weights, 1, "SAME", name=name, **more)

    def biased(pixels: Any, name: str, **more: Any) -> Any:
        return tf.nn.bias_add(convolved(pixels, name, **more), bias[name])

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.uint8, name="images")])
    def scores(images: Any) -> dict[str, Any]:
        r0 = tf.nn.relu(biased(tf.cast(images, tf.float32) / 255, "c0"), name="r0")
        r1 = tf.nn.relu(tf.nn.max_pool2d(biased(r0, "c1"), 2, 2, "VALID"), name="r1")  # pooled, then cut
        normal, _, _ = tf.compat.v1.nn.fused_batch_norm(
            convolved(r1, "c2"), scale, bias["c2"], mean, variance, 0.001, is_training=False
        )
        r2 = tf.nn.relu(normal, name="r2")
        scaled = biased(tf.nn.max_pool2d(r2, 2, 2, "VALID"), "c3") * factors + 0.1  # cut, then pooled
        r3 = tf.nn.relu(scaled, name="r3")
        return {"scores": tf.reduce_mean(biased(r3, "c4"), [1, 2]), "middle": r2}

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="images")])
    def others(images: Any) -> dict[str, Any]:
        a0 = tf.nn.relu(biased(images, "c0"), name="a0")
        by_variable = tf.nn.relu(tf.nn.bias_add(convolved(a0, "c1", module.variable), bias["c1"]), name="a1")
        dilated = tf.nn.relu(biased(a0, "c1", dilations=2), name="a2")
        twice = biased(a0, "c1")
        unobserved = tf.nn.relu(biased(a0, "c1"), name="a4")
        by_row = tf.nn.relu(biased(a0, "c1") + rows, name="a5")
        found = [by_variable, dilated, tf.nn.relu(twice, name="a3") + twice, unobserved, by_row]
        return {"scores": tf.reduce_mean(tf.add_n(found), [1, 2])}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signatures = {"serving_default": scores, "others": others}
        tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def noise(images: int) -> Any:
    """Pixels, the same every time."""
    return np.random.default_rng(5).integers(0, 256, (images, SIDE, SIDE, 3), np.uint8)


def answers(servable: Any, signature: str, images: Any, outputs: Sequence[str]) -> Any:
    """What a servable says."""
    return servable.run(servable.signatures[signature], {"images": images}, outputs)


def load(options: Any, rewrite: Any = None) -> Any:
    """Loads a version."""
    from model_server.runtime.servable import loader

    return loader(options, rewrite, tags=("serve",))


def test_convolutions_between_relus_answer_nearly_the_same(version: Path, options: Any) -> None:
    """With a bias or a normalisation, a pool before or after the Relu; what is read elsewhere stays float."""
    from model_server.runtime.quantized_convolutions import quantize_convolutions

    images, found = noise(64), []
    maxima = {f"r{number}": 8.0 for number in range(4)}
    rewritten = load(options, lambda graph: found.extend(quantize_convolutions(graph, maxima)))(version)
    expected, said = (
        answers(one, "serving_default", images, ["scores", "middle"])
        for one in (load(options)(version), rewritten)
    )
    assert found == ["c1", "c2", "c3"]
    for exact, near in zip(expected, said, strict=True):
        apart = np.abs(exact - near).max() / np.abs(exact).max()
        assert 0 < apart < 0.05, "some steps of 255 are lost, and no more"


def test_numbers_beyond_what_was_observed_are_cut(version: Path, options: Any) -> None:
    """So the ranges that are written are those that are used."""
    from model_server.runtime.quantized_convolutions import quantize_convolutions

    maxima = {"r0": 8.0, "r1": 8.0, "r2": 0.5}
    cut = load(options, lambda graph: quantize_convolutions(graph, maxima))(version)
    (middle,) = answers(cut, "serving_default", noise(8), ["middle"])
    assert middle.max() == pytest.approx(0.5, rel=0.01)


def test_other_convolutions_are_left_alone(version: Path, options: Any) -> None:
    """Weights in a variable, a dilation, a sum read twice, an unobserved Relu, a bias for each row."""
    from model_server.runtime.quantized_convolutions import quantize_convolutions

    found: list[str] = []
    maxima = dict.fromkeys(("a0", "a1", "a2", "a3", "a5"), 8.0)
    rewritten = load(options, lambda graph: found.extend(quantize_convolutions(graph, maxima)))(version)
    images = noise(4).astype(np.float32) / 255
    expected, said = (
        answers(one, "others", images, ["scores"])[0] for one in (load(options)(version), rewritten)
    )
    assert not found
    assert np.array_equal(expected, said)


def test_a_plain_graph_refers_to_outputs_by_number(options: Any) -> None:
    """Without functions: `name:1`, and the Relu's own name stays."""
    import tensorflow as tf

    from model_server.runtime.quantized_convolutions import quantize_convolutions

    weights = np.random.default_rng(2).normal(size=(3, 3, 4, 4)).astype(np.float32)
    pixels = np.random.default_rng(3).uniform(0, 1, (2, 6, 6, 4)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        given = tf.compat.v1.placeholder(tf.float32, pixels.shape, name="given")
        sums = tf.nn.conv2d(tf.nn.relu(given, name="first"), tf.constant(weights), 1, "SAME")
        tf.nn.relu(tf.nn.bias_add(sums, tf.constant([0.1, 0.2, 0.3, 0.4])), name="last")
    meta_graph = tf.compat.v1.MetaGraphDef(graph_def=graph.as_graph_def())

    def said() -> Any:
        with tf.Graph().as_default(), tf.compat.v1.Session(config=options) as session:
            tf.import_graph_def(meta_graph.graph_def, name="")
            return session.run("last:0", {"given:0": pixels})

    exact = said()
    # Twice what there is: processors without VNNI add two products in 16 bits, and saturate.
    assert quantize_convolutions(meta_graph, {"first": 2.0, "last": float(exact.max())}) == ["Conv2D"]
    assert 0 < np.abs(said() - exact).max() < 0.05 * exact.max()


def test_the_bundled_version_serves_in_8_bits(options: Any) -> None:
    """All but its first convolution, by the ranges that it brings; enough labels stay."""
    decisions: list[Decision] = []
    chooser = Precisions([INT8, BFLOAT16], lambda path, said: decisions.append(said), lambda: ABLE)
    servable = chooser.chooser(load, options, lambda path: nullcontext())(BUNDLED)
    assert [(said.precision, said.is_chosen) for said in decisions] == [("int8", True)], decisions
    names = {node.op for function in _functions(servable) for node in function.node_def}
    assert "QuantizedConv2DWithBiasAndReluAndRequantize" in names


def _functions(servable: Any) -> Any:
    return servable._session.graph.as_graph_def().library.function


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "the version has no assets.extra/activation_maxima.json"),
        (b"{", "assets.extra/activation_maxima.json cannot be read"),
        (b'{"examples": 1, "maxima": {"r0": -1}}', "assets.extra/activation_maxima.json cannot be read"),
        (
            ActivationMaxima(examples=1, maxima={"other": 1.0}).to_json(),
            "no convolution with constant weights",
        ),
    ],
)
def test_without_ranges_the_next_precision_is_tried(
    version: Path, tmp_path: Path, options: Any, content: bytes | None, reason: str
) -> None:
    """The reason is said, nothing fails, and float32 serves when the last one is refused too."""
    own = Path(shutil.copytree(version, tmp_path / "1"))
    if content is not None:
        (own / MAXIMA).parent.mkdir(exist_ok=True)
        (own / MAXIMA).write_bytes(content)
    decisions: list[Decision] = []
    chooser = Precisions([INT8, BFLOAT16], lambda path, said: decisions.append(said), lambda: ABLE)
    servable = chooser.chooser(load, options, lambda path: nullcontext())(own)
    assert [said.precision for said in decisions] == ["int8", "bfloat16"]
    assert not any(said.is_chosen for said in decisions)
    assert reason in decisions[0].reason
    assert answers(servable, "serving_default", noise(1), ["scores"])[0].shape == (1, 8)
