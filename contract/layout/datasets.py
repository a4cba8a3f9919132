"""The dataset store: who an example is, in which split, and under which name."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class SplitShares:
    """Shares of a dataset that go to validation and test; the rest is train."""

    validation: float = 0.05
    test: float = 0.1


def sha256_of(content: bytes) -> str:
    """Hex SHA-256: the identity of a picture everywhere."""
    return hashlib.sha256(content).hexdigest()


def split_of(digest: str, shares: SplitShares) -> Split:
    """The split of a picture, a function of its content hash alone.

    It stays the same as the dataset grows, and copies of a picture never lie on both sides. Eight hex
    digits decide test against the rest, the next eight validation against train, so that a dataset that
    brings its own test folder divides the rest exactly as one that does not.
    """
    if _uniform(digest[:8]) < shares.test:
        return "test"
    return "validation" if _uniform(digest[8:16]) < shares.validation else "train"


def _uniform(hex_digits: str) -> float:
    return int(hex_digits, 16) / float(16 ** len(hex_digits))


def example_path(store: Path, dataset: str, split: Split, label: str, digest: str, extension: str) -> Path:
    """`<store>/<dataset>/<split>/<label>/<sha256>.<extension>`."""
    return store / dataset / split / label / f"{digest}.{extension}"


_UPLOAD = re.compile(r"[0-9a-f]{64}\.[a-z0-9]+", re.ASCII)


def is_upload(name: str) -> bool:
    """True for the file name of an example that came through the gateway: its hash and an extension.

    The gateway writes no other name, so what is called otherwise was put there by whoever owns the volume:
    base data. Its test pictures are what the promotion gate is decided on.
    """
    return _UPLOAD.fullmatch(name) is not None
