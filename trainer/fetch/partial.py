"""What of a download is on disk: whether and how the next attempt may go on from there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx


@dataclass(frozen=True)
class Partial:
    """What of a download is on disk, and which file on the server it is the beginning of."""

    target: Path
    url: str

    @property
    def path(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    @property
    def _origin(self) -> Path:
        return self.target.with_name(self.target.name + ".part.origin")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def resume_headers(self) -> dict[str, str]:
        """Ask for the rest, provided that the server's file is still the one that was begun."""
        if not self.size or not self._origin.is_file():
            return {}
        url, _, validator = self._origin.read_text().partition("\n")
        return (
            {"Range": f"bytes={self.size}-", "If-Range": validator} if url == self.url and validator else {}
        )

    def begin(self, response: httpx.Response) -> None:
        """Start with nothing on disk, and note what the server calls this state of the file."""
        self.discard()
        etag = response.headers.get("ETag", "")
        # A weak ETag promises the same meaning, not the same bytes.
        validator = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
        self._origin.write_text(f"{self.url}\n{validator}")

    def finish(self) -> None:
        self.path.replace(self.target)
        self._origin.unlink(missing_ok=True)

    def mismatch(self) -> httpx.RemoteProtocolError:
        """Drop what is there, which does not fit the server's file, so that the next attempt starts anew."""
        self.discard()
        return httpx.RemoteProtocolError("the server's answer does not continue what was downloaded before")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._origin.unlink(missing_ok=True)
