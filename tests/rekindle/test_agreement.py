"""`rekindle agreement` and the other commands, through their one entrance, against a real local server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gateway_server import GatewayServer, failure, gateway_server, prediction, predictions

from rekindle.__main__ import main

HEADER = "path,true_label,label,score,second_label,second_score\n"


def by_name(method: str, path: str, parts: list[tuple[str, bytes]]) -> tuple[int, object]:
    """A picture's content is its label; `broken` fails."""
    if method == "GET":
        model = {"name": "pets", "stable": 3, "versions": [3], "labels": ["cat", "dog"]}
        return 200, {"models": [model]}
    named = [(name, content.decode()) for name, content in parts]
    items = [failure(name) if label == "broken" else prediction(name, (label, 0.9)) for name, label in named]
    return 200, predictions(*items)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Five pictures in two class folders; the server answers with what they contain."""
    folder = tmp_path / "pictures"
    for label in ("cat", "dog"):
        (folder / "test" / label).mkdir(parents=True)
    for name, content in {
        "cat/1.jpg": "cat",
        "cat/2.jpg": "cat",
        "cat/3.jpg": "dog",
        "dog/4.jpg": "dog",
        "dog/5.jpg": "dog",
    }.items():
        (folder / "test" / name).write_text(content)
    (folder / "test" / "README.txt").write_text("not in a class folder")
    return folder


def table(folder: Path, **changed: str) -> Path:
    """The trainer's table; by default it agrees. `third="cat,0.50005,dog,0.49995"` replaces that row."""
    rows = {
        "first": "test/cat/1.jpg,cat,cat,0.9,dog,0.1",
        "second": "test/cat/2.jpg,cat,cat,0.9,dog,0.1",
        "third": "test/cat/3.jpg,cat,dog,0.6,cat,0.4",
        "fourth": "test/dog/4.jpg,dog,dog,0.9,cat,0.1",
        "fifth": "test/dog/5.jpg,dog,dog,0.9,cat,0.1",
    }
    path = folder.parent / "out.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in {**rows, **changed}.values() if row))
    return path


def compare(server: GatewayServer, folder: Path, csv: Path, *more: str) -> int:
    """The exit status of the command."""
    return main(["agreement", str(folder), "--predictions", str(csv), "--url", server.url, *more])


def test_agreement_is_status_0(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All labels equal: the counts are zero and the accuracy is the gateway's own."""
    with gateway_server(by_name) as server:
        assert compare(server, pictures, table(pictures)) == 0
    output = capsys.readouterr().out
    assert "5 pictures compared, versions [3], accuracy 0.8000" in output
    assert "disagreements: 0\n" in output


def test_pictures_go_in_batches(pictures: Path) -> None:
    """Five pictures in batches of two are three calls, each for one class."""
    with gateway_server(by_name) as server:
        compare(server, pictures, table(pictures), "--batch", "2", "--model", "pets")
    assert server.requests == [("POST", "/v1/models/pets/predictions?top_k=1")] * 3


def test_a_disagreement_is_status_1_and_named(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another label where the trainer was sure."""
    csv = table(pictures, third="test/cat/3.jpg,cat,cat,0.6,dog,0.4")
    with gateway_server(by_name) as server:
        assert compare(server, pictures, csv) == 1
    assert "disagreements: 1  test/cat/3.jpg" in capsys.readouterr().out


@pytest.mark.parametrize(("second", "status"), [("0.49995", 0), ("0.4998", 1)])
def test_a_tie_is_counted_apart(
    pictures: Path, second: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another label where the two best scores differ by less than 1e-4 is no disagreement."""
    csv = table(pictures, third=f"test/cat/3.jpg,cat,cat,0.5,dog,{second}")
    with gateway_server(by_name) as server:
        assert compare(server, pictures, csv, "--json") == status
    found = json.loads(capsys.readouterr().out)
    counts = [len(found["ties"]), len(found["disagreements"])]
    assert counts == ([1, 0] if status == 0 else [0, 1])


def test_missing_extra_and_failed_pictures_are_status_1(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row without a picture, a picture without a row, a picture that the gateway refuses: each counted."""
    (pictures / "test" / "cat" / "1.jpg").unlink()
    (pictures / "test" / "dog" / "4.jpg").write_text("broken")
    csv = table(pictures, fifth="")
    with gateway_server(by_name) as server:
        assert compare(server, pictures, csv, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == ["test/cat/1.jpg"]
    assert found["extra"] == ["test/dog/5.jpg"]
    assert found["failed"] == ["test/dog/4.jpg"]
    assert found["holds"] is False


def test_class_folders_may_lie_at_the_top(pictures: Path) -> None:
    """Without test/ the class folders are the folder's own, and paths begin with them."""
    csv = table(pictures)
    csv.write_text(csv.read_text().replace("test/", ""))
    with gateway_server(by_name) as server:
        assert compare(server, pictures / "test", csv) == 0


@pytest.mark.parametrize(
    "content", ["", "a,b\n1,2\n", HEADER + "x,cat,cat,much,dog,0.1\n", HEADER + "x,cat\n"]
)
def test_another_file_than_the_trainers_is_one_sentence(
    pictures: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of another kind is status 1 with what was expected, not a traceback."""
    csv = pictures.parent / "out.csv"
    csv.write_text(content)
    with gateway_server(by_name) as server:
        assert compare(server, pictures, csv) == 1
    assert "--predictions" in capsys.readouterr().err


def test_no_pictures_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder is not perfect agreement."""
    csv = tmp_path / "out.csv"
    csv.write_text(HEADER + "x,cat,cat,0.9,dog,0.1\n")
    (tmp_path / "empty").mkdir()
    with gateway_server(by_name) as server:
        assert compare(server, tmp_path / "empty", csv) == 1
    assert "holds no pictures" in capsys.readouterr().err


def test_predict_shows_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row a picture, brackets in a name and all; a picture that fails makes the status 1."""
    monkeypatch.chdir(tmp_path)
    Path("a[b].jpg").write_text("cat")
    Path("c.jpg").write_text("broken")
    with gateway_server(by_name) as server:
        assert main(["predict", "a[b].jpg", "--url", server.url]) == 0
        assert main(["predict", "a[b].jpg", "c.jpg", "--url", server.url]) == 1
    output = capsys.readouterr().out
    assert "pets, version 3" in output
    assert "a[b].jpg" in output
    assert "cat" in output


def test_models_shows_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Name, stable version and labels."""
    with gateway_server(by_name) as server:
        assert main(["models", "--url", server.url]) == 0
    assert "cat, dog" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 and the file's name."""
    with gateway_server(by_name) as server:
        assert main(["predict", "no-such.jpg", "--url", server.url]) == 1
    assert "no-such.jpg" in capsys.readouterr().err


def test_two_models_need_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With more than one model, the sentence lists them and names the option."""
    models = {"models": [{"name": "pets"}, {"name": "birds"}]}
    with gateway_server(lambda *request: (200, models)) as server:
        assert main(["predict", "x.jpg", "--url", server.url]) == 1
    assert "name one with --model; the gateway has pets, birds" in capsys.readouterr().err


def test_an_embedding_needs_json(capsys: pytest.CaptureFixture[str]) -> None:
    """It fits no table: one sentence, before anything is sent."""
    with gateway_server(by_name) as server:
        assert main(["predict", "any.jpg", "--embedding", "--url", server.url]) == 1
    assert "add --json" in capsys.readouterr().err
    assert server.requests == []
