"""Where things lie on the shared volumes, and how they get there whole.

Everything a reader may see arrives by one rename in its own directory; names that begin with a dot
are never read. Attributes may be stale and locks absent (the volume may be NFS), renames are atomic.
What the files say is the records' business: contract.training, contract.card, contract.rollout.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from contract.card import ModelCard

CARD = "model_card.json"
SAVED_MODEL = "saved_model.pb"
UPLOADS = "uploads.json"
"""In a version: the uploaded examples that it has seen, by label. What is not in it is new."""
RESERVED_MODEL_NAMES = frozenset({"config"})
"""models/config/ holds the model servers' configuration, so no model can have that name."""

Split = Literal["train", "validation", "test"]


# --- writing whole files ------------------------------------------------------------------------


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` so that a reader sees the old or the new file, never a part.

    Raises OSError and leaves the old file as it was, e.g. when the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _fsync(path.parent)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(root: Path) -> None:
    """Sync every file and folder, so that a rename makes nothing visible that a power cut could empty."""
    for folder, _, files in os.walk(root):
        for name in files:
            _fsync(Path(folder, name))
        _fsync(Path(folder))


# --- the model store ----------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelPaths:
    """The directory of one model in a model store, and what lies in it."""

    store: Path
    model: str

    @property
    def root(self) -> Path:
        """`<store>/<model>`."""
        return self.store / self.model

    @property
    def rollout(self) -> Path:
        """`<store>/<model>/rollout.json`."""
        return self.root / "rollout.json"

    def version(self, version: int) -> Path:
        """`<store>/<model>/<version>`, whether it exists or not."""
        return self.root / str(version)

    def card(self, version: int) -> Path:
        """`<store>/<model>/<version>/model_card.json`, whether it exists or not."""
        return self.version(version) / CARD

    def plots(self, version: int) -> Path:
        """`<store>/<model>/<version>/plots`, whether it exists or not."""
        return self.version(version) / "plots"

    def versions(self) -> list[int]:
        """The complete versions, ascending. Directories with any other name are not versions."""
        try:
            names = os.listdir(self.root)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []  # PermissionError: `lost+found` of a fresh disk is none of ours
        numbers = (int(name) for name in names if is_version_name(name))
        return sorted(number for number in numbers if (self.version(number) / SAVED_MODEL).is_file())


def is_version_name(name: str) -> bool:
    """True for a positive integer in its shortest decimal form, small enough for int64."""
    return len(name) <= 19 and name.isascii() and name.isdigit() and name[0] != "0" and int(name) < 2**63


def models_config(store: Path, model: str | None = None) -> Path:
    """The model servers' configuration file, derived from the rollouts; with a model, that model's alone."""
    folder = store / "config"
    return folder / "models.config" if model is None else folder / "models" / f"{model}.config"


def model_names(store: Path) -> list[str]:
    """Names of the models that have a complete version, sorted."""
    try:
        folders = sorted(entry.name for entry in store.iterdir() if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [name for name in folders if is_model_name(name) and ModelPaths(store, name).versions()]


def is_model_name(name: str) -> bool:
    """Whether a folder of a model store may be a model's: not hidden, not above, and not ours."""
    return name != "" and not name.startswith(".") and name not in RESERVED_MODEL_NAMES


def published_version(paths: ModelPaths, run_id: str) -> int | None:
    """The version that this run published, if it did: what makes publishing repeatable."""
    for version in reversed(paths.versions()):
        try:
            card = ModelCard.model_validate_json(paths.card(version).read_bytes())
        except (OSError, ValueError):
            continue
        if card.run_id == run_id:
            return version
    return None


def publish(candidate: Path, paths: ModelPaths, run_id: str) -> int:
    """Copy a candidate into the model store and make it visible by one rename; return its version.

    The copy is staged under a dotted name and synced before the rename, so that a death at any moment
    leaves at most a staging directory, which the next publication of the run removes. Publishing a run
    twice returns the version of the first time. Two publishers at once get two numbers: a rename onto a
    directory that is not empty fails, and the next number is tried.

    Raises OSError (e.g. ENOSPC) and removes the staged copy.
    """
    paths.root.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(paths.root, run_id)
    if (version := published_version(paths, run_id)) is not None:
        return version
    staging = paths.root / f".staging-{run_id}.{uuid4().hex}"
    try:
        shutil.copytree(candidate, staging)
        fsync_tree(staging)
        version = _rename_to_next(staging, paths)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _fsync(paths.root)
    return version


def _remove_leftovers(root: Path, run_id: str) -> None:
    """Remove what a dead publication of the run left; the dot ends the id, so no other run's is taken.

    It is renamed before it is emptied: should its publisher live after all, that one's rename fails,
    instead of making visible a directory that is being emptied.
    """
    for staging in root.glob(f".staging-{run_id}.*"):
        with suppress(OSError):
            staging.rename(root / f".trash-{run_id}.{uuid4().hex}")
    for trash in root.glob(f".trash-{run_id}.*"):
        shutil.rmtree(trash, ignore_errors=True)


def _rename_to_next(staging: Path, paths: ModelPaths) -> int:
    taken = [int(name) for name in os.listdir(paths.root) if is_version_name(name)]
    version = max(taken, default=0) + 1
    while is_version_name(str(version)):
        try:
            staging.rename(paths.version(version))
            return version
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            version += 1
    raise OSError(errno.EOVERFLOW, f"no version number is left after {max(taken)}", str(paths.root))


# --- training runs ------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunPaths:
    """The directory of one training run: the trainer writes here, the gateway reads."""

    runs: Path
    run_id: str

    @property
    def root(self) -> Path:
        """`<runs>/<run_id>`."""
        return self.runs / self.run_id

    @property
    def spec(self) -> Path:
        """spec.json: written first, by whoever wants the run."""
        return self.root / "spec.json"

    @property
    def plan(self) -> Path:
        """plan.json: what the trainer decided at its first start, so that a resumed run does the same."""
        return self.root / "plan.json"

    @property
    def progress(self) -> Path:
        """progress.jsonl: one ProgressEvent a line, appended."""
        return self.root / "progress.jsonl"

    @property
    def result(self) -> Path:
        """result.json: written once, last."""
        return self.root / "result.json"

    @property
    def cancel(self) -> Path:
        """cancel: its existence asks the trainer to stop."""
        return self.root / "cancel"

    @property
    def claim(self) -> Path:
        """claim: who creates it carries the run out, where several wait for runs."""
        return self.root / "claim"

    @property
    def log(self) -> Path:
        """log.txt: what the trainer printed."""
        return self.root / "log.txt"

    @property
    def checkpoint(self) -> Path:
        """checkpoint/: what a resumed run starts from."""
        return self.root / "checkpoint"

    @property
    def candidate(self) -> Path:
        """candidate/: the version, until it is published or retention takes it."""
        return self.root / "candidate"


# --- the dataset store --------------------------------------------------------------------------


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


def walk_files(
    root: Path, keep: Callable[[str], bool] = lambda name: not name.startswith(".")
) -> Iterator[Path]:
    """Every file below `root` in sorted order, without hidden files and folders."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if keep(name))
        for name in sorted(files):
            if keep(name):
                yield Path(folder, name)
