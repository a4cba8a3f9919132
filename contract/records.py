"""The records that cross a process boundary as JSON: specs, results, cards, rollouts.

Each is frozen and refuses unknown fields, so that a misspelt key is an error where it was written. Their
base is in contract.values, the gate's part in contract.gate, drift's in contract.reference.
Paths and renames are contract.layout's business; what an image is, contract.images'.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from contract.gate import GateDecision, GateRule
from contract.reference import ReferenceProfile
from contract.values import LabelName as LabelName
from contract.values import Name as Name
from contract.values import Record as Record
from contract.values import RunId as RunId
from contract.values import Share as Share
from contract.values import VersionNumber as VersionNumber
from contract.values import now as now

Resampling = Literal["bilinear", "bicubic", "lanczos"]
Fit = Literal["cover", "stretch"]


class ImageSpec(Record):
    """What a model takes: an RGB image of one size, and the rule that makes it from any picture."""

    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=4096)
    resampling: Resampling = "lanczos"
    fit: Fit = "cover"
    """cover: fill the frame and cut what hangs over, centred; stretch: ignore the aspect ratio."""

    @property
    def bytes_per_image(self) -> int:
        """Bytes of one decoded image: height × width × 3."""
        return self.height * self.width * 3


# --- training -----------------------------------------------------------------------------------


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

    per_new: float = Field(default=20.0, ge=0.0)
    """Old pictures for each new one, within `minimum` and `maximum`, which bound forgetting and cost."""
    minimum: int = Field(default=2000, ge=0)
    maximum: int = Field(default=10_000, ge=0)
    full_above: Share = 0.25
    """New examples as a share of the old ones, above which `auto` trains in full."""


class BackboneSpec(Record):
    """A network that others trained, which a run keeps as it is and gives a head."""

    path: str
    """A `.keras` file."""
    scaling: str
    """How it wants its pixels: a name or six numbers, see trainer.scaling."""
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
    """None: the network of trainer.model, trained from the start."""
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


# --- evaluation ---------------------------------------------------------------------------------


class ClassMetrics(Record):
    """One row of the per-class table."""

    label: str
    examples: int = Field(ge=0)
    precision: Share
    recall: Share
    f1: Share
    roc_auc: Share | None
    """One-vs-rest; None where the split holds no example, or nothing but examples, of the class."""


class AverageMetrics(Record):
    """Precision, recall and F1 averaged over the classes."""

    precision: Share
    recall: Share
    f1: Share


class CalibrationBin(Record):
    """Predictions whose confidence (top score) fell into (lower, upper]."""

    lower: Share
    upper: Share
    examples: int = Field(ge=0)
    confidence: Share
    accuracy: Share


class Evaluation(Record):
    """Metrics of one version on one split."""

    split: str
    examples: int = Field(ge=1)
    accuracy: Share
    macro: AverageMetrics
    weighted: AverageMetrics
    roc_auc: Share | None
    """Macro mean of one-vs-rest ROC-AUC over the classes where it is defined."""
    log_loss: float = Field(ge=0)
    expected_calibration_error: Share
    """Σ_b (n_b/n)·|accuracy_b − confidence_b| over 15 equal-width bins (Guo et al., 2017)."""
    calibration: list[CalibrationBin]
    per_class: list[ClassMetrics]
    confusion_matrix: list[list[int]]
    """[true class][predicted class], in the order of the card's labels."""


# --- model card ---------------------------------------------------------------------------------


class SkippedFile(Record):
    """A file of the dataset that was not used, and why."""

    path: str
    reason: str


class DatasetProfile(Record):
    """What a version was made from."""

    name: str
    digest: str
    """SHA-256 over the sorted (split, label, content hash) of every example used."""
    examples: dict[str, int]
    """Examples per split: train, validation, test."""
    class_counts: dict[str, dict[str, int]]
    """Examples per split and label."""
    skipped: list[SkippedFile] = Field(default_factory=list)
    """The first hundred; `skipped_count` has them all."""
    skipped_count: int = Field(default=0, ge=0)


class EncodedImages(Record):
    """How `serving_bytes`, which decodes with TensorFlow, compares to contract.images."""

    formats: list[str]
    label_agreement: Share
    """Share of `examples` for which both paths name the same label."""
    examples: int = Field(ge=1)


class Embedding(Record):
    """A vector for a picture, by which pictures can be compared: what the network's last layer sees."""

    signature: str
    """Takes what `serving_default` takes; answers with its output and with `embedding`, float32 [N, D]."""
    dimensions: int = Field(ge=1)


class Lineage(Record):
    """From what, by whom and how a version was made: what `trainer reproduce` repeats.

    With the card's dataset digest before it, and the gate's decision behind it.
    """

    spec: TrainingSpec
    method: Method
    reason: str
    """Why this method, in a sentence."""
    parent_fingerprint: str | None = None
    """SHA-256 of the weights file that a fine-tune started from."""
    base_examples: int = Field(default=0, ge=0)
    """Pictures to train on that were not uploaded."""
    new_examples: int = Field(default=0, ge=0)
    """Uploads to train on that the parent had not seen."""
    replayed_examples: int = Field(default=0, ge=0)
    new_labels: list[str] = Field(default_factory=list)
    """Classes that the parent did not know."""


class ModelCard(Record):
    """model_card.json in every version directory. The version's number is the directory's name."""

    schema_version: Literal[1] = 1
    model: Name
    run_id: RunId
    parent_version: VersionNumber | None = None
    created_at: AwareDatetime = Field(default_factory=now)
    labels: list[str] = Field(min_length=2)
    """In the order of the model's outputs."""
    image: ImageSpec
    input_name: str = "images"
    output_name: str = "probabilities"
    """Names in the signature `serving_default`: uint8 [N, H, W, 3] → float32 [N, classes], rows sum to 1."""
    allowed_batch_sizes: list[int] = Field(default_factory=list)
    """Ascending; the sizes that were warmed up, to which a model server may pad."""
    embedding: Embedding | None = None
    """None: the version gives none, as those that were made before there were any."""
    temperature: float = Field(gt=0)
    dataset: DatasetProfile
    hyper_parameters: dict[str, str | int | float | bool]
    validation: Evaluation
    test: Evaluation | None = None
    """None when the data holds no test split."""
    encoded_images: EncodedImages | None = None
    bfloat16_label_agreement: Share | None = None
    """The share of labels that a model server must find unchanged to compute in bfloat16; None: its own."""
    parameters: int = Field(ge=0)
    software: dict[str, str] = Field(default_factory=dict)
    lineage: Lineage | None = None
    """None in cards that were written before there was one, as are `gate` and `reference`."""
    gate: GateDecision | None = None
    reference: ReferenceProfile | None = None


# --- rollout ------------------------------------------------------------------------------------


class Rollout(Record):
    """models/<model>/rollout.json: which version answers. One writer: the gateway's rollout service."""

    schema_version: Literal[1] = 1
    model: Name
    policy: Literal["follow-latest", "gated"] = "follow-latest"
    stable: VersionNumber | None = None
    previous_stable: VersionNumber | None = None
    promoting: VersionNumber | None = None
    """Becomes stable as soon as it is AVAILABLE on every replica."""
    canary: VersionNumber | None = None
    canary_share: Share = 0.0
    """Of the requests that name no version."""
    shadow: VersionNumber | None = None
    """Answers copies of requests; its answers are compared with stable's and never returned."""
    shadow_share: Share = 1.0
    pinned: list[VersionNumber] = Field(default_factory=list, max_length=16)
    """Stay loaded, and are never deleted."""
    updated_at: AwareDatetime = Field(default_factory=now)

    @property
    def loaded(self) -> list[int]:
        """The versions that every model server must hold, ascending."""
        named = [self.stable, self.previous_stable, self.promoting, self.canary, self.shadow, *self.pinned]
        return sorted({version for version in named if version is not None})
