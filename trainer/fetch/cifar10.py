"""CIFAR-10 as a folder of class folders, from its origin or from an archive that one has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rich.console import Console

from contract.layout import walk_files
from trainer.archives import ArchiveError, is_cifar10, unpack_cifar10, unpack_class_folders
from trainer.fetch.bars import counted
from trainer.fetch.download import Retry, check_digest, download_once
from trainer.fetch.failures import FetchError, explained, only_one

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR10_NAME = "cifar-10-python.tar.gz"
CIFAR10_MD5 = "c58f30108f718f92721af3b95e74349a"
"""As published beside the link on https://www.cs.toronto.edu/~kriz/cifar.html."""
CIFAR10_PICTURES = 60_000


def fetch_cifar10(
    destination: Path,
    archive: Path | None = None,
    url: str = CIFAR10_URL,
    *,
    md5: str = CIFAR10_MD5,
    retry: Retry | None = None,
) -> Path:
    """Make `<destination>/{train,test}/<class>/<file>`, unless pictures lie there already.

    Args:
        destination: the dataset's folder, e.g. data/cifar10. The download and what is being unpacked lie
            beside it, so that the last step is a rename.
        archive: the original archive, or a tar or zip of class folders, in place of a download.
        url: where the original archive, or a mirror's copy of it, is downloaded from.
        md5: hex digest of the original archive. An archive of class folders has none.
        retry: of the download.

    Returns:
        `destination`.

    Raises:
        FetchError: no connection, another digest, an unusable archive, a full disk, …
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    with explained(destination.parent), only_one(destination.parent):
        if _is_there(destination, console):
            return destination
        if archive is not None:
            _unpack(_existing(archive), destination, md5, console)
        else:
            target = destination.parent / CIFAR10_NAME
            download_once(target, url, md5, retry or Retry(), console)
            _unpack(target, destination, md5, console)
            target.unlink()
    return destination


def _is_there(destination: Path, console: Console) -> bool:
    if not destination.exists() or (destination.is_dir() and not any(destination.iterdir())):
        return False
    pictures = list(walk_files(destination)) if destination.is_dir() else []
    if not pictures:
        raise FetchError(f"{destination} exists and holds no pictures; remove it or pass another --data")
    labels = {path.parent.name for path in pictures}
    console.print(
        f"{destination} is already there: {len(pictures):,} files in {len(labels)} classes. "
        "Remove it to fetch it anew."
    )
    return True


def _existing(archive: Path) -> Path:
    if archive.is_dir():
        raise FetchError(
            f"--archive {archive} is a folder; train on it with `python -m trainer run --data …`"
        )
    if not archive.is_file():
        raise FetchError(f"--archive {archive} does not exist")
    return archive


def _unpack(archive: Path, destination: Path, md5: str, console: Console) -> None:
    """Unpack beside the destination under a dotted name, then rename."""
    is_original = archive.name == CIFAR10_NAME or is_cifar10(archive)
    if is_original:
        check_digest(archive, md5)
    else:
        console.print(
            f"{archive} is not the original archive, so there is no published digest to check it by."
        )
    staging = destination.parent / f".{destination.name}.unpacking"
    shutil.rmtree(staging, ignore_errors=True)
    unpack = unpack_cifar10 if is_original else unpack_class_folders
    try:
        with counted("unpacking", CIFAR10_PICTURES if is_original else None, console) as advance:
            unpack(archive, staging, advance)
        os.sync()  # one call in place of 60,000: the rename must not outlive the pictures in a power cut
        staging.rename(destination)
    except ArchiveError as error:
        raise FetchError(str(error)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    console.print(f"{destination} holds {sum(1 for _ in walk_files(destination)):,} pictures.")
