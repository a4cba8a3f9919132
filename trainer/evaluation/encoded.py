"""How `serving_bytes`, which decodes with TensorFlow, compares to contract.images on real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from contract.card import EncodedImages
from contract.training import ProgressEvent
from trainer.arrays import FloatArray
from trainer.version.export import ENCODED_FORMATS, ENCODED_SUFFIXES
from trainer.version.served import SavedVersion

MIN_LABEL_AGREEMENT = 0.995
"""Below this share of equal labels, `serving_bytes` is reported as differing from contract.images."""


def compare_decoders(
    served: SavedVersion, root: Path, paths: list[str], probabilities: FloatArray
) -> EncodedImages | None:
    """Label agreement on the files whose format `serving_bytes` decodes; None where there is none.

    Args:
        served: the version.
        root, paths: the pictures' files, and
        probabilities: float [N, C], what `serving_default` answered for them.
    """
    chosen = [index for index, path in enumerate(paths) if Path(path).suffix.lower() in ENCODED_SUFFIXES]
    if not chosen:
        return None
    ours = probabilities[chosen].argmax(axis=1)
    theirs = served.probabilities_of_files([root / paths[index] for index in chosen]).argmax(axis=1)
    return EncodedImages(
        formats=list(ENCODED_FORMATS), label_agreement=float(np.mean(theirs == ours)), examples=len(chosen)
    )


def agreement_event(encoded: EncodedImages) -> ProgressEvent:
    """The agreement in one sentence."""
    agreement = encoded.label_agreement
    message = f"serving_bytes names the same label for {agreement:.2%} of {encoded.examples} pictures"
    if agreement < MIN_LABEL_AGREEMENT:
        message += f", less than {MIN_LABEL_AGREEMENT:.1%}: prefer serving_default"
    return ProgressEvent(phase="evaluate", message=message, values={"label_agreement": agreement})
