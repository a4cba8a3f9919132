"""What a model takes: the size of its image, and the rule that makes it from any picture.

How the rule is carried out is contract.images' business.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contract.values import Record

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
