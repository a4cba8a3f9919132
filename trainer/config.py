"""The recipes behind the presets, one comment per hyper-parameter, and where a run's settings meet.

The recipe follows Keller Jordan's airbench (github.com/KellerJordan/cifar10-airbench) and David Page's
and tysam's work on CIFAR-10 before it. A spec may override epochs and batch size; nothing else varies
between two runs of one preset but the data and the seed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from contract.training import Preset, TrainingSpec


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of one training."""

    epochs: int
    batch_size: int = 512
    widths: tuple[int, ...] = (64, 256, 256)
    """Channels of the stages after the whitening stage."""
    learning_rate: float = 9.0
    """Peak rate per K images, where K = 1024·(1 + 1/(1 − momentum)); `peak_rate` scales it to a batch."""
    shift_rate_factor: float = 64.0
    """Batch normalisation's shifts learn this much faster."""
    momentum: float = 0.85
    """Nesterov."""
    weight_decay: float = 0.012
    """Per K images, scaled like the rate but independent of it."""
    warmup_share: float = 0.1
    """Share of the steps in which the rate climbs from `initial_rate` times its peak; then it falls to 0."""
    initial_rate: float = 0.2
    label_smoothing: float = 0.2
    whitening_bias_epochs: int = 3
    """Epochs in which the bias of the whitening stage trains."""
    lookahead_every: int = 5
    """Steps between two averagings of the weights."""
    lookahead_decay: float = 0.95
    """Decay of the average: lookahead_decay ** lookahead_every × progress³."""
    crop_padding: int = 3
    """Pixels of reflected border that random crops may use."""
    cutout: int = 10
    """Side in pixels of the square that is blanked; at most a third of the picture."""
    reference_requests: int = 2048
    """Drawn inputs that the version brings along, so that a model server may prove that a lower precision
    does no harm: it asks for 2,000 different ones. 0 brings none."""
    patience: int = 20
    """Epochs without a better validation accuracy after which the fit stops early. Generous, because the
    accuracy wavers while the rate is high and climbs when it falls to 0."""

    @property
    def images_per_rate(self) -> float:
        """K: the number of images to which `learning_rate` and `weight_decay` refer."""
        return 1024 * (1 + 1 / (1 - self.momentum))

    def peak_rate(self, batch_size: int) -> float:
        """Learning rate for the mean loss of a batch."""
        return self.learning_rate * batch_size / self.images_per_rate

    def decay_per_step(self, batch_size: int) -> float:
        """Share of each weight that one step at the peak rate removes."""
        return self.weight_decay * batch_size / self.images_per_rate

    def batch_for(self, examples: int) -> int:
        """The batch size, lowered so that a small dataset still gets eight steps an epoch."""
        return max(1, min(self.batch_size, max(8, examples // 8), examples))

    def rate_factor(self, progress: float) -> float:
        """The rate as a share of its peak, at `progress` 0–1 of the training."""
        if progress < self.warmup_share:
            return self.initial_rate + (1 - self.initial_rate) * progress / self.warmup_share
        return (1 - progress) / (1 - self.warmup_share)

    def as_card_entries(self) -> dict[str, str | int | float | bool]:
        """The hyper-parameters as the model card records them."""
        entries = asdict(self)
        return {**entries, "widths": "/".join(str(width) for width in self.widths)}


PRESETS: dict[Preset, Recipe] = {
    # Seconds, for tests: learns colours and coarse shapes.
    "tiny": Recipe(epochs=8, batch_size=32, widths=(16, 32, 32), reference_requests=0),
    # A coffee break: about 88 % on CIFAR-10 in six minutes of two cores.
    "default": Recipe(epochs=6),
    # The bundled model: see docs/training.md for what it reaches.
    "best": Recipe(epochs=36),
}


def recipe_for(spec: TrainingSpec) -> Recipe:
    """The preset's recipe with the spec's overrides."""
    recipe = PRESETS[spec.preset]
    return replace(
        recipe,
        epochs=spec.epochs or recipe.epochs,
        batch_size=spec.batch_size or recipe.batch_size,
    )
