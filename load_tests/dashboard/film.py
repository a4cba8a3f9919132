"""A film of a page: what the browser draws, with captions, as numbered pictures and one video.

Chromium sends each frame that it draws (the DevTools protocol's screencast); Debian's ffmpeg joins them.
Without ffmpeg there are the pictures alone. What is shown, and in which order, is the scenes' business.
"""

from __future__ import annotations

import base64
import itertools
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page

FRAMES_PER_SECOND = 12
LONGEST_STILL_SECONDS = 7.0
"""Of a wait without any change the film keeps this much."""
_CAPTION = """([number, text]) => {
  const id = "film-caption";
  const bar = document.getElementById(id) ?? document.body.appendChild(document.createElement("div"));
  bar.id = id;
  bar.ariaHidden = "true";
  bar.textContent = number + "   " + text;
  Object.assign(bar.style, {
    position: "fixed", left: "0", right: "0", bottom: "0", zIndex: "2147483647", padding: "14px 28px",
    background: "rgb(17 24 39 / 0.94)", color: "white", font: "600 20px/1.35 system-ui, sans-serif",
    pointerEvents: "none",
  });
}"""


@dataclass
class Film:
    """What was recorded so far: frames with the moment that each was drawn, and the pictures."""

    page: Page
    folder: Path
    pictures: list[Path] = field(default_factory=list)
    _frames: list[tuple[Path, float]] = field(default_factory=list)
    _scene: int = 0

    def caption(self, text: str) -> None:
        """Begin a scene: its number and a sentence at the bottom of the page."""
        self._scene += 1
        self.page.evaluate(_CAPTION, [str(self._scene), text])

    def picture(self, name: str) -> None:
        """Keep what is seen as `NN-name.png`."""
        path = self.folder / f"{self._scene:02}-{name}.png"
        self.page.screenshot(path=path)
        self.pictures.append(path)

    def keep_frame(self, session: CDPSession, event: Mapping[str, Any]) -> None:
        """A frame that Chromium drew; it sends the next one after the acknowledgement."""
        path = self.folder / "frames" / f"{len(self._frames):06}.jpg"
        path.write_bytes(base64.b64decode(event["data"]))
        self._frames.append((path, float(event["metadata"]["timestamp"])))
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    def seconds(self) -> float:
        """How long the video is."""
        return sum(duration for _, duration in self._durations())

    def _durations(self) -> Iterator[tuple[Path, float]]:
        for (path, start), (_, end) in itertools.pairwise(self._frames):
            yield path, min(end - start, LONGEST_STILL_SECONDS)
        if self._frames:
            yield self._frames[-1][0], LONGEST_STILL_SECONDS

    def develop(self, ffmpeg: str, video: Path) -> None:
        """Join the frames to a video. Raises RuntimeError with ffmpeg's complaint."""
        shown = [f"file '{path.resolve()}'\nduration {duration:.3f}" for path, duration in self._durations()]
        listing = self.folder / "frames" / "frames.txt"
        listing.write_text("\n".join([*shown, shown[-1].partition("\n")[0], ""]))
        command = [ffmpeg, "-y", "-loglevel", "error", "-f", "concat", "-safe", "0", "-i", str(listing)]
        command += ["-vf", f"fps={FRAMES_PER_SECOND},format=yuv420p", "-c:v", "libx264", "-crf", "24"]
        done = subprocess.run(
            [*command, "-movflags", "+faststart", str(video)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"ffmpeg could not make {video}: {done.stderr}")


@contextmanager
def filming(page: Page, folder: Path) -> Iterator[Film]:
    """Record a page until the end of the block."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "frames").mkdir(parents=True)
    film = Film(page, folder)
    session = page.context.new_cdp_session(page)
    session.on("Page.screencastFrame", lambda event: film.keep_frame(session, event))
    session.send("Page.startScreencast", {"format": "jpeg", "quality": 80})
    try:
        yield film
    finally:
        session.send("Page.stopScreencast")
        session.detach()
