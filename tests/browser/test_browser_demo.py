"""The demo: its scenes find what they show, and what was filmed becomes pictures and a video."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from load_tests.dashboard import demo
from load_tests.dashboard.browsing import Visit
from load_tests.dashboard.film import filming
from load_tests.dashboard.scenes import LOOKING, Demo, load_tests

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow, pytest.mark.timeout(600)]


def test_the_scenes_before_a_training_run_find_what_they_show(
    open_tab: Callable[..., Visit], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the time to read; `make demo` plays the others, too, which are those of the whole loop."""
    visit = open_tab()
    scenes = (*LOOKING, load_tests)
    with filming(visit.page, tmp_path / "film") as film:
        demo.act(Demo(visit, film, tmp_path, reading_seconds=0), scenes, print)
    demo.develop(film, tmp_path / "film", print)
    assert visit.complaints == []
    assert {int(picture.name[:2]) for picture in film.pictures} == set(range(1, len(scenes) + 1))
    assert not (tmp_path / "film" / "frames").exists()
    video = tmp_path / "film" / demo.VIDEO
    if shutil.which("ffmpeg") is None:
        assert demo.NO_FFMPEG in capsys.readouterr().out
        return
    asked = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(video)]
    seconds = float(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    assert seconds == pytest.approx(film.seconds(), abs=1)


def test_without_ffmpeg_the_pictures_are_there(
    open_tab: Callable[..., Visit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence says what is missing and how to get it."""
    said: list[str] = []
    visit = open_tab()
    with filming(visit.page, tmp_path / "film") as film:
        demo.act(Demo(visit, film, tmp_path, reading_seconds=0), LOOKING[:1], said.append)
    monkeypatch.setenv("PATH", os.devnull)
    demo.develop(film, tmp_path / "film", said.append)
    assert demo.NO_FFMPEG in said
    assert [path.name for path in (tmp_path / "film").iterdir()] == ["01-overview.png"]
