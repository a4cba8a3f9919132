"""Precisions below float32: who computes in them, and that nobody's answers suffer."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_servers import image_request, running, value_of

from contract import tfserving_api as api
from model_server.runtime import precision
from model_server.runtime.agreement import REFERENCES
from model_server.runtime.precision import Decision, Precisions
from model_server.runtime.reduced import BFLOAT16, INT8, Load, Reduced, cpu_features
from model_server.runtime.session import SessionSettings, session_options

pytestmark = pytest.mark.tensorflow

CARD = Path(__file__).parents[2] / "models" / "cifar10" / "1" / "model_card.json"
SIDE = 8
ABLE = BFLOAT16.features | INT8.features


@pytest.fixture(scope="module")
def options() -> Any:
    """What sessions are made with."""
    return session_options(SessionSettings())


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of a small network, the second with other weights; `floats` takes pixels of 0 to 1."""
    import tensorflow as tf

    root = tmp_path_factory.mktemp("convolutional")
    for number in (1, 2):
        generator = np.random.default_rng(number)
        module = tf.Module()
        first = tf.Variable(generator.normal(size=(3, 3, 3, 16)).astype(np.float32))
        second = tf.constant(generator.normal(size=(3, 3, 16, 10)).astype(np.float32))
        module.first = first

        def scores(pixels: Any, first: Any = first, second: Any = second) -> dict[str, Any]:
            hidden = tf.nn.relu(tf.nn.conv2d(pixels, first, 1, "SAME"))
            return {"scores": tf.reduce_mean(tf.nn.conv2d(hidden, second, 1, "SAME"), [1, 2])}

        @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.uint8, name="images")])
        def integers(images: Any, scores: Any = scores) -> Any:
            return scores(tf.cast(images, tf.float32))

        @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="images")])
        def floats(images: Any, scores: Any = scores) -> Any:
            return scores(images)

        signatures = {"serving_default": integers, "floats": floats}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tf.saved_model.save(module, str(root / str(number)), signatures=signatures)
    return root


@pytest.fixture
def version(convolutional: Path, tmp_path: Path) -> Path:
    """A copy of the first version, to put references and a card into."""
    return Path(shutil.copytree(convolutional / "1", tmp_path / "network" / "1"))


@pytest.fixture
def decisions() -> list[Decision]:
    """What was decided."""
    return []


@pytest.fixture
def mixed(decisions: list[Decision]) -> Precisions:
    """Decides as if this CPU could compute in bfloat16."""
    return Precisions([BFLOAT16], lambda path, decision: decisions.append(decision), lambda: ABLE)


def noise(images: int) -> Any:
    """Pixels, the same every time."""
    return np.random.default_rng(5).integers(0, 256, (images, SIDE, SIDE, 3), np.uint8)


def write_references(version: Path, *batches: Any) -> None:
    """A record for each batch of images."""
    import tensorflow as tf

    path = version / REFERENCES
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for images in batches:
            entry = api.PredictionLog()
            inputs = entry.predict_log.request.inputs
            api.fill_uint8_tensor(inputs["images"], images.tobytes(), list(images.shape))
            writer.write(entry.SerializeToString())


def state_in_card(version: Path, agreement: float) -> None:
    """Let the version's card ask for that share."""
    card = json.loads(CARD.read_text())
    card["bfloat16_label_agreement"] = card["int8_label_agreement"] = agreement
    (version / "model_card.json").write_text(json.dumps(card))


def load(options: Any, rewrite: Callable[[Any], object] | None = None) -> Load:
    """Loads in float32."""
    from model_server.runtime.servable import loader

    return loader(options, rewrite, tags=("serve",))


def scores(servable: Any, signature: str, images: Any) -> Any:
    """What a servable answers."""
    (found,) = servable.run(servable.signatures[signature], {"images": images}, ["scores"])
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\n", True),
        ("flags : fpu amx_bf16\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("flags : fpu avx512f avx512_fp16\nmodel name : bf16\n", False),
        ("", False),
    ],
)
def test_the_cpu_says_what_it_can(tmp_path: Path, text: str, expected: bool) -> None:
    """x86-64 and ARM name the instructions differently; other lines do not count."""
    (tmp_path / "cpuinfo").write_text(text)
    assert bool(cpu_features(tmp_path / "cpuinfo") & BFLOAT16.features) is expected


def test_a_system_that_does_not_describe_its_cpu_has_none(tmp_path: Path) -> None:
    """No /proc/cpuinfo: float32."""
    assert not cpu_features(tmp_path / "cpuinfo")


@pytest.mark.parametrize("signature", ["serving_default", "floats"])
def test_splitting_changes_nothing_in_float32(version: Path, options: Any, signature: str) -> None:
    """Two or three products add up to the convolution, with variables and for both kinds of input."""
    from model_server.runtime.split_convolutions import split_first_convolutions

    split: list[str] = []
    rewritten = load(options, lambda graph: split.extend(split_first_convolutions(graph)))(version)
    images = noise(4) if signature == "serving_default" else noise(4).astype(np.float32) / 255
    expected, found = (scores(one, signature, images) for one in (load(options)(version), rewritten))
    assert len(split) == 2, "the first convolution of each signature, and only that"
    assert not np.array_equal(expected, found)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


def test_channels_may_come_first_in_a_plain_graph() -> None:
    """NCHW in the main graph: joined along axis 1, references without output names."""
    from tensorflow.core.protobuf import meta_graph_pb2

    from model_server.runtime.split_convolutions import split_first_convolutions

    meta_graph = meta_graph_pb2.MetaGraphDef()
    nodes = meta_graph.graph_def.node
    nodes.add(name="pixels", op="Placeholder")
    nodes.add(name="weights", op="Const")
    node = nodes.add(name="convolution", op="Conv2D", input=["pixels:0", "weights"])
    node.attr["T"].type = 1
    node.attr["data_format"].s = b"NCHW"
    assert split_first_convolutions(meta_graph) == ["convolution"]
    by_name = {node.name: node for node in nodes}
    joined = by_name[by_name["convolution"].input[0]]
    assert joined.attr["N"].i == 3
    assert by_name[joined.input[-1]].attr["value"].tensor.int_val[0] == 1


def test_a_cpu_without_bfloat16_serves_float32(
    version: Path, options: Any, decisions: list[Decision]
) -> None:
    """The version is not even loaded a second time, and the log says what is missing."""
    mixed = Precisions([BFLOAT16], lambda path, decision: decisions.append(decision), frozenset)
    servable = load(options)(version)
    assert mixed.choose(version, servable, lambda precision, path: pytest.fail("loaded")) is servable
    assert not decisions[0].is_chosen
    assert "this CPU has none of amx_bf16" in decisions[0].reason
    assert scores(servable, "serving_default", noise(1)).shape == (1, 10)


def test_bfloat16_serves_where_the_labels_stay(
    version: Path, options: Any, mixed: Precisions, decisions: list[Decision]
) -> None:
    """Loaded for real, with grappler's rewriting where this CPU has it; the figure decides."""
    images = noise(precision.LEAST_EXAMPLES)
    write_references(version, images[:1500], images[1500:])
    state_in_card(version, 0.5)
    servable = mixed.chooser(load, options, lambda path: nullcontext())(version)
    agreement = decisions[0].agreement
    assert decisions[0].is_chosen, decisions[0].reason
    assert agreement is not None
    assert agreement.examples == precision.LEAST_EXAMPLES
    assert agreement.share >= 0.5
    assert scores(servable, "serving_default", images[:3]).shape == (3, 10)


def test_labels_that_change_keep_float32(
    version: Path, convolutional: Path, options: Any, mixed: Precisions, decisions: list[Decision]
) -> None:
    """A candidate that answers otherwise, here with other weights, is closed; the first one goes on."""
    write_references(version, noise(precision.LEAST_EXAMPLES))
    servable = load(options)(version)
    chosen = mixed.choose(version, servable, lambda precision, path: load(options)(convolutional / "2"))
    assert chosen is servable
    assert not decisions[0].is_chosen
    assert "below 99.80%" in decisions[0].reason
    assert scores(servable, "serving_default", noise(1)).shape == (1, 10)


@pytest.mark.parametrize("reduced", [BFLOAT16, INT8], ids=lambda reduced: reduced.name)
def test_the_card_states_how_many_labels_have_to_stay(version: Path, reduced: Reduced) -> None:
    """Its figure holds; a card without one, none, or one that cannot be read leave the default."""
    assert precision.least_agreement(reduced, version) == reduced.least_agreement
    state_in_card(version, 0.97)
    assert precision.least_agreement(reduced, version) == 0.97
    shutil.copy(CARD, version / "model_card.json")
    assert precision.least_agreement(reduced, version) == reduced.least_agreement
    (version / "model_card.json").write_text("{")
    assert precision.least_agreement(reduced, version) == reduced.least_agreement


@pytest.mark.parametrize(("repeated", "counted"), [(0, 0), (3, 200)])
def test_too_few_references_keep_float32(
    version: Path,
    options: Any,
    mixed: Precisions,
    decisions: list[Decision],
    repeated: int,
    counted: int,
) -> None:
    """Without references nothing is known, and repeating a few tells nothing new."""
    if repeated:
        write_references(version, *[noise(200)] * repeated)
    servable = load(options)(version)
    assert mixed.choose(version, servable, lambda precision, path: load(options)(path)) is servable
    assert decisions[0].reason.startswith(f"{counted} different reference inputs")


@pytest.mark.parametrize("failing", ["load", "request"])
def test_a_failure_in_bfloat16_fails_no_load(
    version: Path, options: Any, mixed: Precisions, decisions: list[Decision], failing: str
) -> None:
    """Whatever goes wrong with the second session or with a reference, float32 serves."""
    (version / REFERENCES).parent.mkdir(exist_ok=True)
    (version / REFERENCES).write_bytes(b"no record" * 9 if failing == "request" else b"")
    lying = version if failing == "request" else version / "nowhere"
    servable = load(options)(version)
    assert mixed.choose(version, servable, lambda precision, path: load(options)(lying)) is servable
    assert decisions[0].reason.startswith("bfloat16 fails: ServingError")


def test_the_server_answers_and_shows_what_was_chosen(
    tmp_path: Path, publish: Callable[[Path, int], Path]
) -> None:
    """A version without references is served in float32, which the metrics tell."""
    path = publish(tmp_path / "tiny", 1)
    flags = ("--model_name=tiny", f"--model_base_path={path.parent}", "--mixed_precision=bfloat16")
    with running(*flags) as server:
        assert value_of(server.call(api.PREDICT, image_request(), api.PredictResponse)) == 1
        exposition = server.server.metrics.exposition().decode()
    assert f'rekindle_model_server_precision{{model_path="{path}",precision="bfloat16"}} 0.0' in exposition
