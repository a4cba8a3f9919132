"""The records of a training run: what it is told, what it says meanwhile, and how it ended.

Where they lie is contract.layout's business. The gate's rule and decision are in contract.gate.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from contract.gate import GateDecision, GateRule
from contract.image_spec import ImageSpec
from contract.values import Name, Record, RunId, Share, VersionNumber, now


class RunState(StrEnum):
    """Where a training run stands. `rejected` means: trained, but the gate refused it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True once the run can change no more."""
        return self not in (RunState.QUEUED, RunState.RUNNING)


Preset = Literal["tiny", "default", "best"]
Base = Literal["dataset", "none"]
Start = Literal["auto", "stable", "none"]
Method = Literal["full", "fine-tune"]


class ReplayRule(Record):
    """How a fine-tune mixes new examples with old ones, and when there is too much news for one."""

    per_new: float = Field(default=40.0, ge=0.0)
    """Old pictures for each new one, within `minimum` and `maximum`, which bound forgetting and cost."""
    minimum: int = Field(default=2000, ge=0)
    maximum: int = Field(default=20_000, ge=0)
    full_above: Share = 0.25
    """New examples as a share of the old ones, above which `auto` trains in full."""


class BackboneSpec(Record):
    """A network that others trained, which a run keeps as it is and gives a head."""

    path: str
    """A `.keras` file."""
    scaling: str
    """How it wants its pixels: a name or six numbers, see trainer.network.scaling."""
    layer: str | None = None
    """Its features are this layer's outputs; None: its last's."""


class TrainingSpec(Record):
    """Everything a training run needs to know; written to runs/<run_id>/spec.json before it starts."""

    run_id: RunId
    model: Name
    data: str
    """Folder of class folders, or of train/ and test/ with class folders in them."""
    models: str = "models"
    """The model store that the version is published to."""
    preset: Preset = "default"
    backbone: BackboneSpec | None = None
    """None: the network of trainer.network.model, trained from the start."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    is_deterministic: bool = True
    """Equal seeds give equal weights on one machine, bit for bit; see docs/training.md for the cost."""
    epochs: int | None = Field(default=None, ge=1, le=10_000)
    """Overrides the preset's."""
    batch_size: int | None = Field(default=None, ge=1, le=65_536)
    image: ImageSpec | None = None
    """Overrides the size taken from the data."""
    base: Base = "dataset"
    """`dataset`: there must be pictures that were not uploaded; `none`: uploads alone are enough, and what
    the gate judges on."""
    start: Start = "auto"
    """Whose weights the run starts from. `stable`: the stable version's, or it fails; `none`: nobody's, so it
    is a full training; `auto`: stable's where the rule of docs/training.md allows, else nobody's."""
    parent: VersionNumber | None = None
    """The version to start from and to compare with, instead of what is stable when the run starts."""
    replay: ReplayRule = ReplayRule()
    gate: GateRule = GateRule()
    created_at: AwareDatetime = Field(default_factory=now)


class Problem(Record):
    """Why something ended badly: a code for programs, a sentence with the way out for people."""

    code: str
    message: str


class TrainingResult(Record):
    """How a run ended; written once to runs/<run_id>/result.json."""

    run_id: RunId
    model: Name
    state: RunState
    version: VersionNumber | None = None
    """The published version, when the state is `succeeded`."""
    accuracy: Share | None = None
    gate: GateDecision | None = None
    """Why it was published or refused; None when the run did not come to the gate."""
    error: Problem | None = None
    started_at: AwareDatetime
    finished_at: AwareDatetime = Field(default_factory=now)

    @model_validator(mode="after")
    def _ended(self) -> Self:
        if not self.state.is_final:
            raise ValueError(f"a result states how a run ended; {self.state} is no end")
        return self


class ProgressEvent(Record):
    """One line of runs/<run_id>/progress.jsonl."""

    at: AwareDatetime = Field(default_factory=now)
    phase: Literal["load", "fit", "evaluate", "export", "gate", "publish"]
    message: str = ""
    done: int = Field(default=0, ge=0)
    """Steps done in this phase, out of `total`; 0 of 0 when the phase does not count."""
    total: int = Field(default=0, ge=0)
    epoch: int | None = None
    values: dict[str, float] = Field(default_factory=dict)
    """Curve values, e.g. loss, accuracy, validation_loss, validation_accuracy, images_per_second."""
