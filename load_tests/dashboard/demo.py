"""The whole loop in a real browser, as numbered pictures and a video: `make demo`.

On a stack of its own with drawn pictures; everything it starts it ends. Needs chromium, and for the video
ffmpeg.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from load_tests.dashboard.browsing import Visit, chromium, tab
from load_tests.dashboard.film import Film, filming
from load_tests.dashboard.scenes import SCENES, Demo, Scene
from load_tests.dashboard.stack import MODEL, draw_base, fill, running_stack

FOLDER = Path("build/demo")
READING_SECONDS = 6.0
VIDEO = "demo.mp4"
COUNTING_SECONDS = 90.0
NO_FFMPEG = "There is no video, because ffmpeg is not installed (apt-get install ffmpeg)"


def main() -> int:
    """Start, film, join; the exit status is 1 where a page did not show what it should."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER, help="default: %(default)s, emptied")
    parser.add_argument("--reading-seconds", type=float, default=READING_SECONDS, help="default: %(default)s")
    options = parser.parse_args()
    say = spoken(time.monotonic())
    with tempfile.TemporaryDirectory(prefix="rekindle-demo-") as name, chromium() as browser:
        say("Drawing pictures, starting the model server and the gateway")
        draw_base(Path(name))
        with running_stack(Path(name)) as stack:
            say("Filling the history")
            prepare(stack.url)
            with tab(browser, stack.url) as visit, filming(visit.page, options.folder) as film:
                act(Demo(visit, film, Path(name), options.reading_seconds), SCENES, say)
    develop(film, options.folder, say)
    return _judge(visit)


def spoken(start: float) -> Callable[[str], None]:
    """Lines of progress with the seconds since the start."""
    return lambda sentence: print(f"[{time.monotonic() - start:4.0f} s] {sentence}", flush=True)


def prepare(url: str) -> None:
    """Something to look at, and no promotion without a person."""
    fill(url, examples=12, predictions=90, looked_at=40)
    wanted = {"policy": "gated", "reason": "a person promotes"}
    httpx.put(f"{url}/v1/models/{MODEL}/rollout", json=wanted, trust_env=False).raise_for_status()
    _until_counted(url)


def _until_counted(url: str) -> None:
    """The statistics are some seconds late; the overview would show that nobody asked anything."""
    deadline = time.monotonic() + COUNTING_SECONDS
    while not httpx.get(f"{url}/v1/stats", trust_env=False).raise_for_status().json()["requests"]["answered"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the statistics count no request after {COUNTING_SECONDS:.0f} s")
        time.sleep(0.5)


def act(demo: Demo, scenes: Sequence[Scene], say: Callable[[str], None]) -> None:
    """One scene after the other."""
    for number, scene in enumerate(scenes, start=1):
        say(f"{number}/{len(scenes)} {scene.__name__.replace('_', ' ')}")
        scene(demo)


def develop(film: Film, folder: Path, say: Callable[[str], None]) -> None:
    """Make the video, where ffmpeg is; the frames go."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        say(NO_FFMPEG)
    else:
        say(f"Making a video of {film.seconds():.0f} s")
        film.develop(ffmpeg, folder / VIDEO)
    shutil.rmtree(folder / "frames")
    made = f" and {VIDEO} ({(folder / VIDEO).stat().st_size / 1e6:.1f} MB)" if ffmpeg else ""
    say(f"{len(film.pictures)} pictures{made} in {folder}")


def _judge(visit: Visit) -> int:
    for complaint in visit.complaints:
        print(f"the page complained: {complaint}", file=sys.stderr)
    return int(bool(visit.complaints))


if __name__ == "__main__":
    sys.exit(main())
