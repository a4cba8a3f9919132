"""What a version's inputs and answers looked like when it was made: drift is measured from there.

Made by the trainer on held-out pictures through the exported SavedModel, read by the gateway, which has no
numpy: every value is plain, and `contract.images.statistics_of` computes the same pixel values of a live
picture. What score is computed from both, and when it alarms, is the gateway's business.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from contract.values import Record, Share

QUANTILES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
CONFIDENCE_BINS = 20
SAMPLE_ROWS = 1000


class ReferenceSample(Record):
    """Some reference pictures one by one, as columns of equal length, to resample windows from."""

    label: list[int]
    """Index of the predicted label among the card's labels."""
    confidence: list[Share]
    """The predicted label's score."""
    red: list[float]
    """Mean of the channel over the picture, 0–255."""
    green: list[float]
    blue: list[float]
    contrast: list[float]
    """Standard deviation of the luminance over the picture, 0–127.5."""

    @model_validator(mode="after")
    def _is_rectangular(self) -> Self:
        lengths = {len(getattr(self, name)) for name in type(self).model_fields}
        if len(lengths) != 1:
            raise ValueError(f"columns of {sorted(lengths)} rows; expected one length")
        return self

    def __len__(self) -> int:
        return len(self.label)


class ReferenceProfile(Record):
    """Of the pictures that the version was evaluated on."""

    split: str
    """Whence: `test`, or `validation` where the data holds no test split."""
    examples: int = Field(ge=1)
    class_shares: dict[str, Share]
    """Predicted labels; sums to 1."""
    confidence_counts: list[int] = Field(min_length=CONFIDENCE_BINS, max_length=CONFIDENCE_BINS)
    """Top scores in equal bins of 0–1; a score on an edge belongs to the bin above it, 1 to the last."""
    channel_means: list[float] = Field(min_length=3, max_length=3)
    """Red, green, blue over all pixels of all pictures, 0–255."""
    channel_deviations: list[float] = Field(min_length=3, max_length=3)
    brightness_quantiles: list[float] = Field(min_length=len(QUANTILES), max_length=len(QUANTILES))
    """Of the pictures' mean luminance (ITU-R 601, as Pillow's mode L), 0–255, at QUANTILES."""
    contrast_quantiles: list[float] = Field(min_length=len(QUANTILES), max_length=len(QUANTILES))
    """Of the pictures' standard deviation of luminance, at QUANTILES."""
    embedding_mean: list[float] | None = None
    """Of what the network's last layer sees; None where the version gives no embedding."""
    sample: ReferenceSample
    """At most SAMPLE_ROWS of the pictures, drawn without replacement."""
