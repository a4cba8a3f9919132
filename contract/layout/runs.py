"""The directory of a training run, and what its files are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
