"""Archives of pictures from outside, read as data: nothing in them runs, nothing leaves the folder.

Two layouts: the original CIFAR-10 archive (pickles of raw pixels), and a tar or zip of class folders.
Both become `<folder>/<split>/<class>/<file>`. Where the archive comes from and how the folder gets its
final name is trainer.fetch's business; whether the pictures can be decoded, that of whoever reads them.
"""

from __future__ import annotations

from trainer.archives.cifar10 import is_cifar10, unpack_cifar10
from trainer.archives.class_folders import unpack_class_folders
from trainer.archives.limits import ArchiveError, Limits

__all__ = ["ArchiveError", "Limits", "is_cifar10", "unpack_cifar10", "unpack_class_folders"]
