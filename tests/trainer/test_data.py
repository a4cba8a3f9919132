"""Folders of pictures become arrays, and what cannot be used is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawing import COLOURS, draw_folder, picture

from contract import images
from contract.image_spec import ImageSpec
from contract.layout import SplitShares, sha256_of, split_of
from trainer.dataset import loading
from trainer.errors import DataError

pytestmark = pytest.mark.tensorflow  # numpy, which the gateway's environment lacks


def test_a_plain_folder_is_divided_by_content_hash(tmp_path: Path) -> None:
    """Each picture lies in the split that its hash names, and in no other."""
    root = draw_folder(tmp_path / "all", per_class=60)
    loaded = loading.load_training(root)
    test, _ = loading.load_test(root, loaded.labels, loaded.image, seen=loaded.digests)
    splits = {"train": loaded.train, "validation": loaded.validation, "test": test}
    for split, examples in splits.items():
        assert len(examples) > 0
        for path, digest in zip(examples.paths, examples.digests, strict=True):
            assert sha256_of((root / path).read_bytes()) == digest
            assert split_of(digest, SplitShares()) == split
    assert sum(map(len, splits.values())) == 180


def test_splits_stay_as_the_data_grows(tmp_path: Path) -> None:
    """A picture that was validation stays validation when pictures are added."""
    root = draw_folder(tmp_path / "all", per_class=60)
    before = loading.load_training(root)
    for number in range(20):
        (root / "red" / f"new{number}.png").write_bytes(picture(COLOURS["red"], 90_000 + number))
    after = loading.load_training(root)
    assert set(before.validation.digests) <= set(after.validation.digests)
    assert set(before.train.digests) <= set(after.train.digests)


def test_pixels_and_truth_are_those_of_the_files(drawn_data: Path) -> None:
    """The arrays hold what contract.images decodes, under the class of the folder."""
    loaded = loading.load_training(drawn_data)
    assert loaded.labels == ["blue", "green", "red"]
    assert loaded.image == ImageSpec(height=24, width=24)
    index = 17
    path = drawn_data / loaded.train.paths[index]
    expected = np.frombuffer(images.decode(path.read_bytes(), loaded.image), np.uint8)
    np.testing.assert_array_equal(loaded.train.images[index].reshape(-1), expected)
    assert loaded.labels[loaded.train.truth[index]] == path.parent.name


def test_the_test_folder_is_not_read_for_training(drawn_data: Path, tmp_path: Path) -> None:
    """Training data of a dataset with test/ comes from train/ alone."""
    loaded = loading.load_training(drawn_data)
    assert {Path(path).parts[0] for path in loaded.train.paths + loaded.validation.paths} == {"train"}
    assert len(loaded.train) + len(loaded.validation) == 240


def test_what_cannot_be_used_is_skipped_and_named(tmp_path: Path) -> None:
    """Unreadable files, duplicates and contradictory labels are left out, each with its reason."""
    root = draw_folder(tmp_path / "all", per_class=40)
    (root / "red" / "notes.txt").write_text("no picture")
    (root / "red" / "cut.png").write_bytes(picture(COLOURS["red"], 1)[:200])
    (root / "red" / "twice.png").write_bytes(picture(COLOURS["red"], 20_000))
    (root / "red" / "is_blue.png").write_bytes(picture(COLOURS["blue"], 0))
    (root / "red" / ".hidden").write_text("not even looked at")
    shares = SplitShares(validation=0.1, test=0.0)
    loaded = loading.load_training(root, shares=shares)
    reasons = {file.path: file.reason for file in loaded.skipped}
    assert set(reasons) == {
        "red/notes.txt",
        "red/cut.png",
        "red/twice.png",
        "red/is_blue.png",
        "blue/0000.png",
    }
    assert "not a picture" in reasons["red/notes.txt"]
    assert "truncated" in reasons["red/cut.png"]
    assert reasons["red/twice.png"] == "the same picture as red/0000.png"
    assert "under another label" in reasons["red/is_blue.png"]
    assert len(loaded.train) + len(loaded.validation) == 119


def test_test_pictures_that_were_trained_on_do_not_count(tmp_path: Path) -> None:
    """A picture in both train/ and test/ is dropped from the test split."""
    draw_folder(tmp_path / "d" / "train", 40)
    draw_folder(tmp_path / "d" / "test", 5, first_seed=38)  # seeds 38 and 39 are in train/ too
    loaded = loading.load_training(tmp_path / "d")
    test, skipped = loading.load_test(tmp_path / "d", loaded.labels, loaded.image, seen=loaded.digests)
    assert len(test) == 9
    assert {file.reason for file in skipped} == {"the same picture was trained on"}


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda root: None, "is not a folder"),
        (lambda root: root.mkdir(), "at least two class folders, found none"),
        (lambda root: (root / "cat").mkdir(parents=True), "at least two class folders, found only 'cat'"),
        (
            lambda root: (draw_folder(root, 30) / "yellow").mkdir(),
            "no usable training picture in class 'yellow'",
        ),
        (lambda root: draw_folder(root, 1), "no usable training picture|too few"),
        (
            lambda root: (
                draw_folder(root / "train", 30),
                draw_folder(root / "test", 1).joinpath("dog").mkdir(),
            ),
            r"\['dog'\] are not among the training classes",
        ),
    ],
)
def test_unusable_folders_are_one_clear_sentence(tmp_path: Path, prepare: object, message: str) -> None:
    """A folder that cannot be trained on is refused with what to change."""
    root = tmp_path / "data"
    prepare(root)  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        loading.load_training(root)


def test_large_pictures_are_brought_to_one_size(tmp_path: Path) -> None:
    """Pictures of several or large sizes are decoded to the default size."""
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(30):
            content = picture((number, 99, 9), hash(label) % 1000 + number, side=100 + number)
            (tmp_path / label / f"{number}.png").write_bytes(content)
    assert loading.load_training(tmp_path).image == ImageSpec(height=64, width=64)


def test_the_digest_names_the_content(drawn_data: Path, tmp_path: Path) -> None:
    """The dataset's digest ignores file names and changes with any picture."""
    first = loading.load_training(draw_folder(tmp_path / "a", 30))
    second_root = draw_folder(tmp_path / "b", 30)
    (second_root / "red" / "0000.png").rename(second_root / "red" / "renamed.png")
    second = loading.load_training(second_root)
    (second_root / "red" / "added.png").write_bytes(picture(COLOURS["red"], 777))
    third = loading.load_training(second_root, shares=SplitShares(test=0.0))
    digests = [loading.profile(loaded, None, []).digest for loaded in (first, second, third)]
    assert digests[0] == digests[1] != digests[2]


def test_a_folder_of_test_pictures_alone_is_a_test_split(tmp_path: Path) -> None:
    """`trainer evaluate` takes `DIR/test/<class>/…` without any training pictures beside it."""
    draw_folder(tmp_path / "test", per_class=4)
    image = ImageSpec(height=24, width=24)
    examples, skipped = loading.load_test(tmp_path, ["blue", "green", "red"], image)
    assert (len(examples), skipped) == (12, [])
