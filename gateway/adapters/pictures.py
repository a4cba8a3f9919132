"""Pictures of the history as files, each once under its hash: `<root>/<two digits>/<sha256>.<extension>`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from gateway.errors import StoreError
from gateway.ports.history import PictureFile


class FilePictureStore:
    """A gateway.ports.history.PictureStore in a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, picture: PictureFile) -> None:
        """Write under a dotted name and rename; not synced, since a lost picture is no lost prediction."""
        path = self._path(picture.sha256, picture.extension)
        if path.exists():
            return
        staging = path.with_name(f".{uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            staging.write_bytes(picture.content)
            staging.replace(path)
        except OSError as error:
            with suppress(OSError):
                staging.unlink(missing_ok=True)
            raise StoreError(f"{path} cannot be written: {os.strerror(error.errno or 0)}") from error

    def get(self, sha256: str, extension: str) -> bytes | None:
        """The bytes, or None when retention or a person has removed them."""
        with suppress(FileNotFoundError):
            return self._path(sha256, extension).read_bytes()
        return None

    def delete(self, sha256: str, extension: str) -> None:
        """Remove the file, if it is there."""
        self._path(sha256, extension).unlink(missing_ok=True)

    def _path(self, sha256: str, extension: str) -> Path:
        return self._root / sha256[:2] / f"{sha256}.{extension}"
