"""A prefix of an object store, by fsspec: s3://, gs://, abfs://, or file:// for a mounted folder.

Paths are relative to the prefix. Nothing is cached: another process writes there, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from mirror.errors import MirrorError, explained


class Remote:
    """One prefix. Every method raises MirrorError."""

    def __init__(self, url: str) -> None:
        if not url.partition("://")[2].strip("/"):
            raise MirrorError(f"{url!r} names no bucket; give an address such as s3://bucket/models")
        self.url = url.rstrip("/")
        with explained("open", self.url):
            options = {"use_listings_cache": False, "skip_instance_cache": True}
            self._files, root = fsspec.url_to_fs(self.url, **options)
            self._root = root.rstrip("/")

    def check(self) -> None:
        """The bucket is there and may be listed; the prefix may be empty."""
        is_folder = isinstance(self._files, LocalFileSystem)
        with explained("list", self.url):
            self._files.ls(self._root if is_folder else self._root.partition("/")[0], detail=False)

    def sizes(self) -> dict[str, int]:
        """Every file's path and size in bytes."""
        with explained("list", self.url):
            found = self._files.find(self._root, detail=True)
        return {name[len(self._root) + 1 :]: int(about["size"]) for name, about in sorted(found.items())}

    def read(self, path: str) -> bytes:
        """A small file as a whole."""
        with explained("read", f"{self.url}/{path}"):
            return bytes(self._files.cat_file(f"{self._root}/{path}"))

    def write(self, path: str, content: bytes) -> None:
        """A small file as a whole: readers see the old or the new one."""
        with explained("write", f"{self.url}/{path}"):
            self._make_folder(path)
            self._files.pipe_file(f"{self._root}/{path}", content)

    def get(self, files: Mapping[str, Path]) -> None:
        """Download, several at a time; the folders are made."""
        for target in files.values():
            target.parent.mkdir(parents=True, exist_ok=True)
        with explained("download from", self.url):
            self._files.get(self._absolute(files), [str(each) for each in files.values()])

    def put(self, files: Mapping[str, Path]) -> None:
        """Upload, several at a time."""
        with explained("upload to", self.url):
            for path in files:
                self._make_folder(path)
            self._files.put([str(each) for each in files.values()], self._absolute(files))

    def remove(self, path: str) -> None:
        """Delete one file."""
        with explained("delete", f"{self.url}/{path}"):
            self._files.rm_file(f"{self._root}/{path}")

    def _absolute(self, paths: Iterable[str]) -> list[str]:
        return [f"{self._root}/{path}" for path in paths]

    def _make_folder(self, path: str) -> None:
        """Object stores have none; a mounted folder does."""
        if isinstance(self._files, LocalFileSystem):
            self._files.makedirs(f"{self._root}/{path}".rpartition("/")[0], exist_ok=True)
