"""Folders and files on their way into zips."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from rekindle import uploads


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two labels, one of them in a test split too, and a file that is no picture."""
    for name in ("cat/a.png", "cat/b.JPG", "dog/a.png", "test/cat/c.png", "cat/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def names(pictures: list[uploads.Labelled]) -> list[str]:
    """Where they go."""
    return [picture.name for picture in pictures]


def test_a_folder_of_folders_keeps_its_labels_and_splits(folder: Path) -> None:
    """Pictures only, by their place below the folder."""
    assert names(uploads.found([folder], None)) == ["cat/a.png", "cat/b.JPG", "dog/a.png", "test/cat/c.png"]


def test_one_label_for_all(folder: Path) -> None:
    """Files of one name in two folders stay apart."""
    found = names(uploads.found([folder / "cat", folder / "dog" / "a.png"], "pet"))
    assert found == ["pet/a.png", "pet/b.JPG", "pet/a.png"]
    assert names(uploads.found([folder], "pet"))[0] == "pet/cat-a.png"


@pytest.mark.parametrize(
    ("path", "sentence"), [("cat/a.png", "--label"), ("nowhere", "does not exist"), ("empty", "no picture")]
)
def test_what_cannot_be_sent(folder: Path, path: str, sentence: str) -> None:
    """A file without a label, nothing there, no picture in it."""
    (folder / "empty").mkdir()
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        uploads.found([folder / path], None)


def test_batches_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By files and by bytes; together they hold every picture once."""
    pictures = uploads.found([folder], None)
    monkeypatch.setattr(uploads, "BATCH_FILES", 3)
    assert [count for count, _ in uploads.batches(pictures)] == [3, 1]
    monkeypatch.setattr(uploads, "BATCH_BYTES", 20)
    packed = [content for _, content in uploads.batches(pictures)]
    inside = [name for content in packed for name in zipfile.ZipFile(io.BytesIO(content)).namelist()]
    assert inside == names(pictures)
    assert len(packed) > 2
