"""Archives of pictures from outside, read as data: nothing in them runs, nothing leaves the folder.

Two layouts: the original CIFAR-10 archive (pickles of raw pixels), and a tar or zip of class folders.
Both become `<folder>/<split>/<class>/<file>`. Where the archive comes from and how the folder gets its
final name is trainer.fetch's business; whether the pictures can be decoded, that of whoever reads them.
"""

from __future__ import annotations

import gzip
import lzma
import pickle
import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, ClassVar

import numpy as np
import numpy.typing as npt

from contract.images import encode_png

CIFAR10_FOLDER = "cifar-10-batches-py"
BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
META = "batches.meta"
SPLITS = ("train", "test")
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
"""Suffixes of the files that are taken out of an archive of class folders; others are left in it."""

_TAIL_BYTES = 2**24

Advance = Callable[[int], None]
"""Called with the number of pictures written since the last call."""


class ArchiveError(ValueError):
    """The archive cannot be used; the message says what in it, and why."""


@dataclass(frozen=True)
class Limits:
    """What an archive of class folders may unpack to, checked before it is written."""

    members: int = 2_000_000
    bytes_in_all: int = 64 * 2**30
    bytes_per_file: int = 64 * 2**20
    ratio: float = 100.0
    """Unpacked to packed size: pictures are compressed already, so more is a bomb …"""
    bytes_without_ratio: int = 256 * 2**20
    """… once the archive unpacks to more than this."""


# --- the original CIFAR-10 archive --------------------------------------------------------------


class _Array:
    """Stands in for numpy.ndarray in a pickle: keeps (version, shape, dtype, is_fortran, raw bytes)."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _DataType:
    """Stands in for numpy.dtype in a pickle; byte order means nothing for single bytes."""

    def __init__(self, name: object = "", *_: object) -> None:
        self.name = name

    def __setstate__(self, _: Any) -> None:
        pass


def _empty_array(*_: object) -> _Array:
    return _Array()


class _CifarUnpickler(pickle.Unpickler):
    """Builds lists, dicts, strings, numbers and the two classes above; every other name is refused."""

    _ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): _empty_array,
        ("numpy._core.multiarray", "_reconstruct"): _empty_array,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _DataType,
    }

    def find_class(self, module: str, name: str) -> Any:
        """One of the four names that the archive needs; anything else ends the reading."""
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise ArchiveError(f"a pickle asks for {module}.{name}; it holds more than pictures") from None


@dataclass(frozen=True)
class _Batch:
    pixels: npt.NDArray[np.uint8]
    """[N, 32, 32, 3], RGB."""
    classes: list[int]


def is_cifar10(archive: Path) -> bool:
    """True for a tar whose first entry lies in the folder of the original archive."""
    try:
        with tarfile.open(archive) as tar:
            first = tar.next()
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error):
        return False
    return first is not None and PurePosixPath(first.name).parts[:1] == (CIFAR10_FOLDER,)


def unpack_cifar10(archive: Path, folder: Path, advance: Advance) -> None:
    """Write every picture as a lossless PNG to `<folder>/{train,test}/<class>/<nnnn>.png`.

    Raises:
        ArchiveError: a file is missing, asks for code, or does not hold 32 × 32 pictures with labels.
        OSError: the disk is full, …
    """
    pickles = _read_pickles(archive)
    labels = _labels(pickles.pop(META, None))
    numbers: Counter[tuple[str, str]] = Counter()
    for split, name in [(split, name) for split, names in BATCHES.items() for name in names]:
        batch = _batch(name, pickles.pop(name, None), len(labels))
        for pixels, class_ in zip(batch.pixels, batch.classes, strict=True):
            place = split, labels[class_]
            _write(folder.joinpath(*place, f"{numbers[place]:04}.png"), encode_png(pixels.tobytes(), 32, 32))
            numbers[place] += 1
            advance(1)


def _read_pickles(archive: Path) -> dict[str, Any]:
    """The unpickled files of the archive by their base names."""
    wanted = {f"{CIFAR10_FOLDER}/{name}" for name in (META, *BATCHES["train"], *BATCHES["test"])}
    with _readable(archive), tarfile.open(archive) as tar:
        return {
            PurePosixPath(member.name).name: _unpickle(member, tar.extractfile(member))
            for member in tar
            if member.isreg() and member.name in wanted
        }


def _unpickle(member: tarfile.TarInfo, file: IO[bytes] | None) -> Any:
    if file is None or member.size > Limits.bytes_per_file:
        raise ArchiveError(f"{member.name} holds {member.size:,} bytes; a batch of CIFAR-10 holds 31 million")
    try:
        return _CifarUnpickler(file, encoding="bytes").load()
    except ArchiveError:
        raise
    except Exception as error:  # a corrupt pickle raises nearly anything
        raise ArchiveError(f"{member.name} is no pickle of CIFAR-10: {error!r}") from error


def _labels(meta: Any) -> list[str]:
    names = meta.get(b"label_names") if isinstance(meta, Mapping) else None
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise ArchiveError(f"{CIFAR10_FOLDER}/{META} is missing or names no labels; is the archive whole?")
    return [_class_name(name.decode("utf-8", "replace")) for name in names]


def _batch(name: str, content: Any, classes: int) -> _Batch:
    try:
        indices = [int(label) for label in content[b"labels"]]
        _, shape, data_type, is_fortran, raw = content[b"data"].state
        if data_type.name not in (b"u1", "u1") or tuple(shape) != (len(indices), 3072):
            raise ValueError(f"{shape} of type {data_type.name} with {len(indices)} labels")
        if not all(0 <= index < classes for index in indices):
            raise ValueError(f"a label outside 0 to {classes - 1}")
        planes = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if is_fortran else "C")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArchiveError(
            f"{CIFAR10_FOLDER}/{name} is missing, or does not hold 3072 bytes and a label a picture: {error}"
        ) from error
    return _Batch(planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), indices)


# --- class folders ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    read: Callable[[], bytes]


def unpack_class_folders(archive: Path, folder: Path, advance: Advance, limits: Limits | None = None) -> None:
    """Write the pictures of a tar or zip to `<folder>/<split>/<class>/<file>`, or `<folder>/<class>/<file>`.

    What stands before the split (or the class, where no path names a split) is dropped. Hidden files and
    files that are no pictures are left out.

    Raises:
        ArchiveError: neither tar nor zip, a link or device, a path that leaves the folder, two files at one
            path, no pictures, splits beside folders that are none, or more than the limits.
        OSError: the disk is full, …
    """
    budget = _Budget(archive.stat().st_size, limits or Limits())
    with_split: set[bool] = set()
    for member in _members(archive):
        budget.spend(member)
        place = _place(_safe_path(member.name))
        if place is None:
            continue
        with_split.add(len(place.parts) == 3)
        if len(with_split) == 2:
            raise ArchiveError(
                f"{member.name!r}: some pictures lie below {' or '.join(SPLITS)}, others do not; expected "
                "train/<class>/<file> and test/<class>/<file>, or <class>/<file> throughout"
            )
        with _readable(archive):
            content = member.read()
        _write(folder / place, content)
        advance(1)
    if not with_split:
        raise ArchiveError(f"{archive} holds no pictures in class folders (train/<class>/<file>.png)")


@dataclass
class _Budget:
    packed: int
    limits: Limits
    members: int = 0
    unpacked: int = 0

    def spend(self, member: _Member) -> None:
        """Count a member by what its header announces, before a byte of it is unpacked."""
        self.members += 1
        self.unpacked += member.size
        if self.members > self.limits.members:
            raise ArchiveError(f"more than {self.limits.members:,} files; that many are not accepted")
        if member.size > self.limits.bytes_per_file:
            limit = self.limits.bytes_per_file
            raise ArchiveError(f"{member.name!r} holds {member.size:,} bytes; at most {limit:,} are accepted")
        if self.unpacked > self.limits.bytes_in_all:
            raise ArchiveError(f"more than {self.limits.bytes_in_all:,} bytes unpacked; that is not accepted")
        is_bomb = self.unpacked > self.limits.ratio * self.packed
        if is_bomb and self.unpacked > self.limits.bytes_without_ratio:
            raise ArchiveError(
                f"{self.packed:,} bytes unpack to more than {self.unpacked:,}; pictures do not pack so well"
            )


def _members(archive: Path) -> Iterator[_Member]:
    with _readable(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                yield from (_zip_member(file, entry) for entry in file.infolist() if not entry.is_dir())
        else:
            with tarfile.open(archive) as tar:
                yield from (_tar_member(tar, entry) for entry in tar if not entry.isdir())
                _check_end(tar)


def _zip_member(file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> _Member:
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if mode not in (0, stat.S_IFREG):
        raise ArchiveError(f"{entry.filename!r} is a link or device; only files and folders are accepted")
    if entry.flag_bits & 1:
        raise ArchiveError(f"{entry.filename!r} is encrypted; unpack it and pass the folder to training")
    return _Member(entry.filename, entry.file_size, lambda: file.read(entry))


def _tar_member(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> _Member:
    if not entry.isreg():
        raise ArchiveError(f"{entry.name!r} is a link or device; only files and folders are accepted")

    def read() -> bytes:
        content = tar.extractfile(entry)
        return b"" if content is None else content.read()

    return _Member(entry.name, entry.size, read)


def _check_end(tar: tarfile.TarFile) -> None:
    """tarfile takes any broken header for the end of the archive; a whole one ends in a block of zeros."""
    assert tar.fileobj is not None  # noqa: S101  (only a closed TarFile has none)
    tar.fileobj.seek(tar.offset)
    tail = tar.fileobj.read(_TAIL_BYTES)  # to the very end, where gzip and xz keep their checksums
    if len(tail) < tarfile.BLOCKSIZE or any(tail[: tarfile.BLOCKSIZE]):
        raise tarfile.ReadError(f"it breaks off after {tar.offset:,} bytes")


def _safe_path(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable():
        raise ArchiveError(f"{name!r} is no plain path inside the archive; nothing was kept")
    return path


def _place(path: PurePosixPath) -> PurePosixPath | None:
    """Where a member belongs: split/class/file or class/file; None for what is left out."""
    is_hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    if is_hidden or path.suffix.lower() not in PICTURES or len(path.parts) < 2:
        return None
    has_split = len(path.parts) >= 3 and path.parts[-3] in SPLITS
    return PurePosixPath(*path.parts[-3:] if has_split else path.parts[-2:])


# --- both ---------------------------------------------------------------------------------------


def _class_name(name: str) -> str:
    if not name or name.startswith(".") or "/" in name or "\\" in name or not name.isprintable():
        raise ArchiveError(f"a class is called {name!r}; that cannot be a folder's name")
    return name


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise ArchiveError(f"two pictures would both be {path.parent.name}/{path.name}") from error


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """One error for the many that a damaged archive raises while it is read."""
    try:
        yield
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        lzma.LZMAError,
        zlib.error,
        EOFError,
        NotImplementedError,
    ) as error:
        raise ArchiveError(f"{archive} cannot be read as a tar or zip: {error}. Is it complete?") from error
