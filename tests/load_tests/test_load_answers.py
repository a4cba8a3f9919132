"""Which answers a load test accepts, and which pictures it sends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lying_gateway import MODEL, Answer, right_answer

from contract import images
from contract.image_spec import ImageSpec
from load_tests.callers import answers, forms, pictures

A, B = (pictures.Picture(name, "image/png", name.encode(), name) for name in ("a.png", "b.png"))


def test_a_right_answer_names_its_predictions() -> None:
    """The ids, in the order of the pictures."""
    answer = right_answer(["a.png", "b.png"])
    ids = answers.Answers(MODEL).check(json.dumps(answer).encode(), [A, B], are_named=True)
    assert ids == [prediction["id"] for prediction in answer["predictions"]]


def _changed(path: list[Any], value: Any) -> Callable[[Answer], None]:
    def change(answer: Answer) -> None:
        *way, last = path
        place: Any = answer
        for step in way:
            place = place[step]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_changed(["model"], "other"), "model 'shades'"),
        (_changed(["version"], None), "a version"),
        (_changed(["predictions"], []), "2 predictions"),
        (_changed(["predictions", 0, "filename"], "b.png"), "filename 'a.png'"),
        (_changed(["predictions", 1, "classifications"], []), "labels of b.png"),
        (_changed(["predictions", 1, "error"], {"code": "x"}), "labels of b.png"),
        (_changed(["predictions", 0, "classifications", 1, "label"], "dark"), "each label once"),
        (_changed(["predictions", 0, "classifications", 1, "score"], 0.95), "the best score first"),
        (_changed(["predictions", 0, "classifications", 0, "score"], 1.5), "scores from 0 to 1"),
    ],
)
def test_an_answer_to_something_else_is_refused(change: Callable[[Answer], None], complaint: str) -> None:
    """What is wrong is said."""
    answer = json.loads(json.dumps(right_answer(["a.png", "b.png"])))
    change(answer)
    with pytest.raises(answers.WrongAnswerError, match=complaint):
        answers.Answers(MODEL).check(json.dumps(answer).encode(), [A, B], are_named=True)


def test_another_label_for_the_same_picture_is_refused() -> None:
    """The first answer of a version is what its later ones are held against; another version may differ."""
    known = answers.Answers(MODEL)
    known.check(json.dumps(right_answer([None])).encode(), [A], are_named=False)
    answer = json.loads(json.dumps(right_answer([None])))
    ranked = answer["predictions"][0]["classifications"]
    ranked[0]["label"], ranked[1]["label"] = "light", "dark"
    with pytest.raises(answers.WrongAnswerError, match=r"for a\.png by version 1"):
        known.check(json.dumps(answer).encode(), [A], are_named=False)
    known.check(json.dumps(answer | {"version": 2}).encode(), [A], are_named=False)


def test_no_json_is_refused() -> None:
    """An error page of a proxy, say."""
    with pytest.raises(answers.WrongAnswerError, match="no JSON"):
        answers.check_history(b"<html>", MODEL, 1)


def test_drawn_pictures_have_several_sizes() -> None:
    """Every one decodes, has its own content, and none is larger than asked for."""
    found = pictures.load(None, 512)
    sides = {images.size_of(picture.content)[0] for picture in found}
    assert sides == {32, 64, 256, 512}
    assert len({picture.digest for picture in found}) == len(found)
    assert {images.size_of(picture.content)[0] for picture in pictures.load(None, 64)} == {32, 64}
    for picture in found:
        assert len(images.decode(picture.content, ImageSpec(height=8, width=8))) == 192


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    """Pictures of all folders below; without one a clear error."""
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.png").write_bytes(b"a")
    (tmp_path / "notes.txt").write_bytes(b"b")
    assert [picture.name for picture in pictures.load(tmp_path, 1)] == ["a.png"]
    with pytest.raises(FileNotFoundError, match="no picture in"):
        pictures.load(tmp_path / "none", 1)


def test_a_form_holds_every_picture() -> None:
    """A part for each, with its name, and the end."""
    body = forms.form([A, B])
    assert body.count(b'name="images"') == 2
    assert body.index(b'filename="a.png"') < body.index(b'filename="b.png"')
    assert body.endswith(f"--{forms.BOUNDARY}--\r\n".encode())
