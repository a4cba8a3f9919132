"""A whole run by its command line: what it leaves, how it ends, how it is stopped."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Workshop
from drawing import draw_folder

from contract.card import ModelCard
from contract.layout import RunPaths, publish
from contract.training import RunState, TrainingResult, TrainingSpec
from trainer.spec import write_spec

pytestmark = pytest.mark.tensorflow

OPENS_IN_ORDER = Path(__file__).with_name("opens_in_order.py")


def _result(paths: RunPaths) -> TrainingResult:
    return TrainingResult.model_validate_json(paths.result.read_bytes())


def test_a_run_publishes_a_complete_version(finished: Workshop) -> None:
    """The version holds the SavedModel, warm-up, card, plots, and both Keras files."""
    folder = finished.model.version(1)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        "saved_model.pb",
        "variables/variables.index",
        "assets.extra/tf_serving_warmup_requests",
        "model_card.json",
        "model.keras",
        "model.h5",
        "plots/confusion_matrix.png",
        "plots/reliability.png",
        "plots/training_curves.png",
    } <= names
    assert _result(finished.run_paths("first")).version == 1


def test_the_card_states_what_the_version_is(finished: Workshop) -> None:
    """Labels, splits, metrics and settings in the card are those of the run."""
    card = ModelCard.model_validate_json(finished.model.card(1).read_bytes())
    assert card.labels == ["blue", "green", "red"]
    assert card.dataset.examples.keys() == {"train", "validation", "test"}
    assert card.dataset.examples["test"] == 60
    assert card.test is not None
    assert card.test.accuracy >= 0.9
    assert card.test.examples == 60
    assert sum(map(sum, card.test.confusion_matrix)) == 60
    assert card.hyper_parameters["preset"] == "tiny"
    assert card.encoded_images is not None
    assert card.encoded_images.label_agreement >= 0.995


def test_the_saved_model_answers_with_probabilities(finished: Workshop) -> None:
    """Both signatures give rows that sum to 1, and agree on pictures of the model's size."""
    from trainer.dataset.loading import load_test
    from trainer.version.served import SavedVersion, read_card

    folder = finished.model.version(1)
    card = read_card(folder)
    examples, _ = load_test(finished.data, card.labels, card.image)
    served = SavedVersion(folder)
    pixels = served.probabilities(examples.images)
    encoded = served.probabilities_of_files([finished.data / path for path in examples.paths])
    np.testing.assert_allclose(pixels.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoded, pixels, atol=1e-5)


def test_a_session_loads_the_saved_model(finished: Workshop) -> None:
    """TensorFlow Serving restores versions in a session: there the answers are the same."""
    import tensorflow as tf

    from trainer.version.served import SavedVersion

    folder = finished.model.version(1)
    images = np.random.default_rng(0).integers(0, 256, (5, 24, 24, 3), np.uint8)
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], str(folder)).signature_def
        signature = signatures["serving_default"]
        feed = {signature.inputs["images"].name: images}
        answered = session.run(signature.outputs["probabilities"].name, feed)
    np.testing.assert_allclose(answered, SavedVersion(folder).probabilities(images), atol=1e-6)


def test_encoded_pictures_of_other_sizes_are_cropped_and_resized(finished: Workshop) -> None:
    """TensorFlow's decoding of a large picture is near that of contract.images."""
    import io

    import tensorflow as tf
    from PIL import Image

    from contract import images
    from contract.image_spec import ImageSpec
    from trainer.version.export import decode_in_graph

    ramp = np.linspace(0, 255, 200).astype(np.uint8)
    pixels = np.stack(
        [np.tile(ramp, (120, 1)), np.full((120, 200), 90, np.uint8), np.tile(ramp[::-1], (120, 1))], 2
    )
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    spec = ImageSpec(height=24, width=24)
    ours = np.frombuffer(images.decode(content.getvalue(), spec), np.uint8).reshape(24, 24, 3)
    theirs = decode_in_graph(tf.constant(content.getvalue()), spec).numpy()
    assert np.abs(ours.astype(int) - theirs).max() <= 2


def test_warmup_records_are_predict_requests_for_each_batch_size(finished: Workshop) -> None:
    """The warm-up file holds one request for each allowed batch size."""
    import tensorflow as tf

    from contract.tfserving_api import PredictionLog, shape_of
    from trainer.version.export import ALLOWED_BATCH_SIZES, WARMUP

    records = tf.data.TFRecordDataset(str(finished.model.version(1) / WARMUP))
    logs = [PredictionLog.FromString(record.numpy()) for record in records]
    shapes = [shape_of(log.predict_log.request.inputs["images"]) for log in logs]
    assert shapes == [[size, 24, 24, 3] for size in ALLOWED_BATCH_SIZES]
    assert {log.predict_log.request.model_spec.name for log in logs} == {"colours"}


def test_the_same_command_again_changes_nothing(finished: Workshop) -> None:
    """A run that succeeded answers with its result and publishes no second version."""
    code, output = finished.call(*finished.run_arguments("first"))
    assert code == 0, output
    assert "colours version 1" in output
    assert finished.model.versions() == [1]


def test_the_test_pictures_stay_closed_until_the_candidate_is_frozen(workshop: Workshop) -> None:
    """No file below test/ is opened before the SavedModel is written."""
    code, output = workshop.call(str(workshop.data), *workshop.run_arguments("order"), script=OPENS_IN_ORDER)
    assert code == 0, output
    before, after = output.split("FROZEN")
    assert "TEST PICTURE" not in before
    assert after.count("TEST PICTURE") >= 60


def test_evaluate_prints_the_cards_figures(finished: Workshop, tmp_path: Path) -> None:
    """`trainer evaluate` finds what the run found, and writes each picture's two best labels."""
    table = tmp_path / "predictions.csv"
    code, output = finished.call(
        "evaluate",
        "--version",
        str(finished.model.version(1)),
        "--data",
        str(finished.data),
        "--predictions",
        str(table),
    )
    assert code == 0, output
    card = ModelCard.model_validate_json(finished.model.card(1).read_bytes())
    assert card.test is not None
    assert f"accuracy {card.test.accuracy:.4f}" in output
    rows = table.read_text().splitlines()
    assert rows[0] == "path,true_label,label,score,second_label,second_score"
    assert len(rows) == 61
    assert rows[1].startswith("test/blue/0000.png,blue,")


@pytest.mark.parametrize("how", ["signal", "file"])
def test_a_run_can_be_cancelled_and_started_again(workshop: Workshop, how: str) -> None:
    """SIGTERM or the cancel file end the run as cancelled; without them it goes on to its end."""
    paths = workshop.run_paths("stopped")
    arguments = workshop.run_arguments("stopped", "--epochs", "200")
    process = workshop.start(*arguments)
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 1/200" in line:
            break
    if how == "signal":
        process.send_signal(signal.SIGTERM)
    else:
        paths.cancel.touch()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 143, output
    assert _result(paths).state is RunState.CANCELLED
    assert workshop.model.versions() == []
    assert "python -m trainer run --spec" in output


def test_a_full_disk_loses_nothing(finished: Workshop, tmp_path: Path, monkeypatch: Any) -> None:
    """When staging does not fit, nothing becomes visible, nothing stays behind, and a rerun publishes."""
    from trainer.run import execute

    paths = RunPaths(tmp_path / "runs", "full")
    shutil.copytree(finished.run_paths("first").root, paths.root)
    paths.result.unlink()
    paths.spec.unlink()
    model = Workshop(tmp_path, finished.data).model
    write_spec(paths, TrainingSpec(run_id="full", model="colours", data="gone", models=str(model.store)))

    def no_space(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "variables")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copytree", no_space)
        failed = execute(paths)
    assert failed.state is RunState.FAILED
    assert failed.error is not None
    assert failed.error.code == "disk_full"
    assert list(model.root.iterdir()) == []
    assert execute(paths).version == 1


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda data: None, "is not a folder"),
        (lambda data: (data / "only").mkdir(parents=True), "at least two class folders"),
        (lambda data: draw_folder(data, 20).joinpath("empty").mkdir(), "class 'empty'"),
    ],
)
def test_unusable_data_fails_the_run_in_one_sentence(tmp_path: Path, prepare: Any, message: str) -> None:
    """The run ends as failed with the sentence in its result and no traceback."""
    shop = Workshop(tmp_path, tmp_path / "data")
    prepare(shop.data)
    code, output = shop.call(*shop.run_arguments("bad"))
    assert code == 1
    assert message in output
    assert "Traceback" not in output
    error = _result(shop.run_paths("bad")).error
    assert error is not None
    assert error.code == "data_unusable"


def test_a_run_id_belongs_to_one_spec(finished: Workshop) -> None:
    """The same id with other settings is refused, and nothing is changed."""
    code, output = finished.call(*finished.run_arguments("first", "--seed", "5"))
    assert code == 1
    assert "exists with other settings" in output


@pytest.mark.parametrize("name", ["config", "../up", "a b", "", "x" * 64])
def test_unusable_model_names_are_refused(workshop: Workshop, name: str) -> None:
    """A model's name is one safe path segment."""
    arguments = workshop.run_arguments("named")
    arguments[arguments.index("--model") + 1] = name
    code, output = workshop.call(*arguments)
    assert code == 1
    assert output.startswith("error: ")
    assert not workshop.model.store.exists()


def test_junk_in_the_model_directory_is_no_version(finished: Workshop, tmp_path: Path) -> None:
    """Odd names beside the versions neither count nor stop a publication."""
    model = Workshop(tmp_path, finished.data).model
    for name in ("007", "-3", "latest", ".staging-x", "4"):
        (model.root / name).mkdir(parents=True)
    assert model.versions() == []
    assert publish(finished.run_paths("first").candidate, model, "first") == 5
    assert model.versions() == [5]


def test_watch_carries_out_waiting_specs(workshop: Workshop) -> None:
    """`trainer watch` trains a spec that appears, ignores one that it cannot read, and stops on SIGTERM."""
    paths = workshop.run_paths("waiting")
    broken = workshop.run_paths("broken")
    broken.root.mkdir(parents=True)
    broken.spec.write_text("{")
    process = workshop.start("watch", "--runs", str(paths.runs), "--poll-seconds", "0.1")
    spec = TrainingSpec(
        run_id="waiting",
        model="colours",
        data=str(workshop.data),
        models=str(workshop.model.store),
        preset="tiny",
    )
    write_spec(paths, spec)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "colours version 1" in line:
            break
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0
    assert workshop.model.versions() == [1]
    assert "broken" in "".join(lines)
