"""The pickles of the original CIFAR-10 archive, read as data: no name in them is imported."""

from __future__ import annotations

import pickle
import tarfile
from typing import IO, Any, ClassVar

from trainer.archives.limits import ArchiveError, Limits


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


def unpickle(member: tarfile.TarInfo, file: IO[bytes] | None) -> Any:
    if file is None or member.size > Limits.bytes_per_file:
        raise ArchiveError(f"{member.name} holds {member.size:,} bytes; a batch of CIFAR-10 holds 31 million")
    try:
        return _CifarUnpickler(file, encoding="bytes").load()
    except ArchiveError:
        raise
    except Exception as error:  # a corrupt pickle raises nearly anything
        raise ArchiveError(f"{member.name} is no pickle of CIFAR-10: {error!r}") from error
