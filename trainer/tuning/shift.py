"""How pictures have changed since the parent was trained, estimated from labelled new ones.

A few hundred corrections are too few to teach a network a changed camera, but enough to measure the change,
where it is the same for every picture: a linear map of the colours and a filter. Old pictures that are
changed likewise then teach it, with their own labels. Nothing is known beforehand of what may change.

* The colours: base and new colours have a mean and a covariance each, and the linear maps that carry one
  pair to the other along the principal axes differ in the axes' signs alone, so there are eight. The labels
  choose: undone by the right one, the new pictures are what the parent recognises best.
* The filter: the square root of the ratio of the power spectra of luminance, averaged over directions, as
  Yang and Soatto (FDA, CVPR 2020) exchange amplitudes between domains. By cosine transforms, which go on in
  mirror images beyond the border: Fourier's jumps there, and the jump's high frequencies, which no blur
  takes away, would hide what is missing inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn, idctn  # type: ignore[import-untyped]
from scipy.special import log_softmax  # type: ignore[import-untyped]

Pictures = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Answer = Callable[[Pictures], npt.NDArray[np.float32]]
"""uint8 [N, H, W, 3] → logits [N, classes]."""

MINIMUM_EXAMPLES = 100
MINIMUM_LOSS = 0.05
"""Of the parent's accuracy, from old to new pictures; below it there is nothing to explain."""
CLEARLY = 3.0
"""Standard errors by which a map of the colours must explain the labels better than none."""
BANDS = 16
GAINS = (0.02, 4.0)
LUMINANCE = np.array([0.299, 0.587, 0.114])
BATCH = 1000


@dataclass(frozen=True)
class Shift:
    """A change of every picture."""

    matrix: Floats
    """[3, 3]: colours, 0–255, are multiplied by it."""
    offset: Floats
    """[3]."""
    gains: Floats
    """[BANDS]: of the amplitude, from the lowest to the highest frequency."""

    def apply(self, pictures: Pictures) -> Pictures:
        """uint8 [N, H, W, 3], changed."""
        parts = [self._changed(pictures[at : at + BATCH]) for at in range(0, len(pictures), BATCH)]
        return np.concatenate(parts) if parts else pictures

    def _changed(self, pictures: Pictures) -> Pictures:
        coloured = _mapped(pictures, self.matrix, self.offset)
        gains = self.gains[_bands(*pictures.shape[1:3])][None, :, :, None]
        return _as_bytes(idctn(dctn(coloured, axes=(1, 2)) * gains, axes=(1, 2)))

    def __str__(self) -> str:
        rows = "; ".join(" ".join(f"{value:.2f}" for value in row) for row in self.matrix)
        offset = " ".join(f"{value:.0f}" for value in self.offset)
        sharpness = self.gains[-BANDS // 4 :].mean()
        return f"colours × [{rows}] + [{offset}], highest frequencies × {sharpness:.2f}"


def estimate(new: Pictures, truth: npt.NDArray[np.int64], old: Pictures, answer: Answer) -> Shift | None:
    """The change from old to new pictures; None where there is none, or too little to measure it by.

    Args:
        new: uint8 [N, H, W, 3], with its labels in `truth`.
        truth: int64 [N], indices of classes that `answer` knows.
        old: uint8 [M, H, W, 3], of pictures that `answer` recognises.
        answer: the parent's logits.
    """
    if len(new) < MINIMUM_EXAMPLES or len(old) < MINIMUM_EXAMPLES:
        return None
    matrix, offset = _colours(new, truth, old, answer)
    bands = _bands(*old.shape[1:3])
    before = _spectrum(_as_bytes(_mapped(old, matrix, offset)), bands)
    gains = np.sqrt(_spectrum(new, bands) / np.maximum(before, 1e-9)).clip(*GAINS)
    gains[0] = 1.0  # the mean is the colours' affair
    return Shift(matrix, offset, gains)


def is_worth_it(right_on_new: float, right_on_old: float) -> bool:
    """Whether the parent's accuracy has fallen enough for a change to be looked for."""
    return right_on_old - right_on_new >= MINIMUM_LOSS


def _colours(
    new: Pictures, truth: npt.NDArray[np.int64], old: Pictures, answer: Answer
) -> tuple[Floats, Floats]:
    best = np.eye(3), np.zeros(3)
    without = _surprise(new, truth, answer)
    least = without.mean()
    for matrix, offset in _maps(old, new):
        inverse = np.asarray(np.linalg.inv(matrix), np.float64)
        undone = _mapped(new, inverse, -inverse @ offset)
        surprise = _surprise(_as_bytes(undone), truth, answer)
        gain = without - surprise
        if surprise.mean() < least and gain.mean() > CLEARLY * gain.std() / np.sqrt(len(gain)):
            least, best = surprise.mean(), (matrix, offset)
    return best


def _maps(old: Pictures, new: Pictures) -> Iterator[tuple[Floats, Floats]]:
    """The eight linear maps along the principal axes."""
    (mean_old, values_old, axes_old), (mean_new, values_new, axes_new) = _moments(old), _moments(new)
    scale = np.sqrt(values_new / values_old)
    for signs in product((1.0, -1.0), repeat=3):
        matrix = axes_new @ np.diag(scale * np.array(signs)) @ axes_old.T
        yield matrix, mean_new - matrix @ mean_old


def _moments(pictures: Pictures) -> tuple[Floats, Floats, Floats]:
    """Mean [3], variances along the principal axes [3], the axes as columns [3, 3]."""
    colours = pictures.reshape(-1, 3).astype(np.float64)
    values, axes = np.linalg.eigh(np.cov(colours, rowvar=False))
    return colours.mean(axis=0), np.maximum(values, 1e-3), axes


def _surprise(pictures: Pictures, truth: npt.NDArray[np.int64], answer: Answer) -> Floats:
    """Negative log-likelihood of each label."""
    return np.asarray(-log_softmax(answer(pictures), axis=1)[np.arange(len(truth)), truth], np.float64)


def _mapped(pictures: npt.NDArray[np.generic], matrix: Floats, offset: Floats) -> Floats:
    return np.asarray(pictures.astype(np.float64) @ matrix.T + offset).clip(0, 255)


def _as_bytes(pictures: Floats) -> Pictures:
    return pictures.round().clip(0, 255).astype(np.uint8)


def _bands(height: int, width: int) -> npt.NDArray[np.int64]:
    """[H, W]: the band of each frequency of a cosine transform, in cycles a pixel: 0 to a half."""
    rows, columns = np.arange(height)[:, None] / (2 * height), np.arange(width)[None, :] / (2 * width)
    return np.asarray(np.minimum(np.hypot(rows, columns) * 2 * BANDS, BANDS - 1).round(), np.int64)


def _spectrum(pictures: Pictures, bands: npt.NDArray[np.int64]) -> Floats:
    """[BANDS]: mean power of the luminance around its mean."""
    luminance = pictures[:: max(1, len(pictures) // BATCH)].astype(np.float64) @ LUMINANCE
    centred = luminance - luminance.mean(axis=(1, 2), keepdims=True)
    power = (dctn(centred, axes=(1, 2)) ** 2).mean(axis=0)
    total = np.bincount(bands.ravel(), power.ravel(), BANDS)
    return np.asarray(total / np.maximum(1, np.bincount(bands.ravel(), minlength=BANDS)))
