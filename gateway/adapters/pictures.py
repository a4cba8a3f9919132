"""Pictures of the history as files, each once under its hash: `<root>/<two digits>/<sha256>.<extension>`.

Paths are strings here: a picture of every prediction passes, and a Path costs more than its hash.
"""

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
        self._root = os.fspath(root)

    def put(self, picture: PictureFile) -> None:
        """Write under a dotted name and rename; not synced, since a lost picture is no lost prediction."""
        path = self._path(picture.sha256, picture.extension)
        if os.path.exists(path):
            return
        folder = os.path.dirname(path)
        staging = f"{folder}/.{uuid4().hex}"
        try:
            os.makedirs(folder, exist_ok=True)
            with open(staging, "wb", buffering=0) as file:
                file.write(picture.content)
            os.replace(staging, path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(staging)
            raise StoreError(f"{path} cannot be written: {os.strerror(error.errno or 0)}") from error

    def get(self, sha256: str, extension: str) -> bytes | None:
        """The bytes, or None when retention or a person has removed them."""
        with suppress(FileNotFoundError):
            return Path(self._path(sha256, extension)).read_bytes()
        return None

    def delete(self, sha256: str, extension: str) -> None:
        """Remove the file, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(self._path(sha256, extension))

    def _path(self, sha256: str, extension: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}.{extension}"
