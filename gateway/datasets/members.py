"""One file of an upload, wherever it comes from, and the bounds of an archive.

A member is read only after everything that can be known without reading was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import TooLargeError
from gateway.settings import DatasetSettings

HARMLESS_BYTES = 64 * 1024 * 1024
"""An archive that unpacks to less is no bomb, however small it is packed."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file."""

    name: str
    """As the uploader called it; shown, never used as a path."""
    size: int
    read: Callable[[], bytes]
    """All of it. Raises RequestError when what follows cannot be read either, ValueError when only this."""
    label: str | None = None
    """Given beside the file; None: its folder is its label."""
    refusal: str | None = None
    """Why it cannot be imported, known without reading it."""


class Members(Protocol):
    """The files of one upload. Iterating raises RequestError where it must end early."""

    @property
    def total(self) -> int | None:
        """How many files there are, when that is known before the end."""

    @property
    def bytes_done(self) -> int:
        """How many bytes of the spooled upload have been worked off."""

    def __iter__(self) -> Iterator[Member]: ...


class Bounds:
    """Counts what an archive unpacks to, whether it is kept or skipped."""

    def __init__(self, settings: DatasetSettings, packed_bytes: int) -> None:
        self._settings = settings
        self._packed_bytes = max(1, packed_bytes)
        self._files = 0
        self._bytes = 0

    def file(self) -> None:
        """One more file. Raises TooLargeError."""
        self._files += 1
        check_files(self._files, self._settings)

    def unpacked(self, count: int) -> None:
        """`count` more bytes. Raises TooLargeError."""
        self._bytes += count
        if self._bytes > self._settings.archive_bytes:
            raise TooLargeError(
                f"the archive unpacks to more than {self._settings.archive_bytes:,} bytes "
                "(GATEWAY_DATASETS__ARCHIVE_BYTES); send it in parts"
            )
        if self._bytes > max(HARMLESS_BYTES, self._settings.archive_ratio * self._packed_bytes):
            raise TooLargeError(
                f"the archive unpacks to more than {self._settings.archive_ratio:g} times its "
                f"{self._packed_bytes:,} bytes (GATEWAY_DATASETS__ARCHIVE_RATIO); pictures do not"
            )


def check_files(count: int, settings: DatasetSettings) -> None:
    """Raises TooLargeError."""
    if count > settings.archive_files:
        raise TooLargeError(
            f"the upload holds more than {settings.archive_files:,} files "
            "(GATEWAY_DATASETS__ARCHIVE_FILES); send it in parts"
        )
