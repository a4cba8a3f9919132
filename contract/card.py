"""The model card: what a version is, and all that is known of how it was made.

A card holds records of the other files: evaluations, the run's spec, the gate's decision, drift's reference.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from contract.evaluation import Evaluation
from contract.gate import GateDecision
from contract.image_spec import ImageSpec
from contract.reference import ReferenceProfile
from contract.training import Method, TrainingSpec
from contract.values import Name, Record, RunId, Share, VersionNumber, now


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
    int8_label_agreement: Share | None = None
    """Likewise in 8-bit integers."""
    parameters: int = Field(ge=0)
    software: dict[str, str] = Field(default_factory=dict)
    lineage: Lineage | None = None
    """None in cards that were written before there was one, as are `gate` and `reference`."""
    gate: GateDecision | None = None
    reference: ReferenceProfile | None = None
