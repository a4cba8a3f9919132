"""`make recipe-trial`: one variant of the recipe for some epochs, judged on validation alone.

The test pictures are never opened here, so that a recipe may be chosen by what this prints.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from trainer.config import PRESETS, Recipe
from trainer.dataset import loading
from trainer.errors import TrainerError
from trainer.fitting.fit import EpochReport, Fit, Hooks
from trainer.hardware import begin, training_devices, training_precision
from trainer.network import model
from trainer.networks import WHITENING_EXAMPLES

VARIANTS: dict[str, Recipe] = {
    "as-is": PRESETS["best"],
    "less-smoothing": replace(PRESETS["best"], label_smoothing=0.1),
    "less-cutout": replace(PRESETS["best"], cutout=6),
    "more-crop": replace(PRESETS["best"], crop_padding=4),
    "less-decay": replace(PRESETS["best"], weight_decay=0.008),
    "more-decay": replace(PRESETS["best"], weight_decay=0.018),
    "longer-warmup": replace(PRESETS["best"], warmup_share=0.2),
    "wide-end": replace(PRESETS["best"], widths=(64, 224, 384)),
    "wide-start": replace(PRESETS["best"], widths=(80, 224, 256)),
}


def mega_operations(architecture: model.Architecture) -> float:
    """Millions of multiplications and additions a picture (a pair counts as two) in layers with weights."""
    height, width, channels = architecture.height - 1, architecture.width - 1, 24
    products = height * width * channels * 3 * model.WHITENING_KERNEL**2
    for out in architecture.widths:
        products += height * width * 9 * channels * out
        height, width, channels = height // 2, width // 2, out
        products += height * width * 9 * channels * out
    return 2 * (products + channels * architecture.classes) / 1e6


def try_recipe(
    recipe: Recipe, pictures: loading.TrainingData, seed: int, folder: Path, *, is_deterministic: bool = False
) -> list[EpochReport]:
    """Train as a run does, with checkpoints in `folder`; how each epoch went."""
    begin(seed, is_deterministic=is_deterministic)
    image, train, devices = pictures.image, pictures.train, training_devices()
    architecture = model.Architecture(image.height, image.width, len(pictures.labels), recipe.widths)
    mean, deviation = model.channel_statistics(train.images)
    with devices.strategy.scope():
        network = model.build(
            architecture, mean, deviation, seed, training_precision(), norm=model.FusedBatchNormalization
        )
    model.whiten(network, train.images[:WHITENING_EXAMPLES], mean, deviation)
    print(
        f"{network.count_params():,} parameters, {mega_operations(architecture):.0f} MFLOP a picture",
        flush=True,
    )
    reports: list[EpochReport] = []

    def on_epoch(report: EpochReport) -> None:
        reports.append(report)
        print(
            f"epoch {report.epoch}: loss {report.loss:.4f}, validation {report.validation_accuracy:.4f}, "
            f"{report.images_per_second:.0f} images/s",
            flush=True,
        )

    hooks = Hooks(on_epoch=on_epoch)
    Fit(network, recipe, train, pictures.validation, seed, folder, hooks, devices).run()
    return reports


def changed(recipe: Recipe, changes: list[str]) -> Recipe:
    """The recipe with `field=value` of each change. Raises TrainerError."""
    kinds: dict[str, Any] = {field.name: type(getattr(recipe, field.name)) for field in fields(recipe)}
    for change in changes:
        name, _, text = change.partition("=")
        if name not in kinds:
            raise TrainerError(f"the recipe has no {name!r}; it has {', '.join(kinds)}")
        try:
            value: Any = tuple(map(int, text.split("/"))) if kinds[name] is tuple else kinds[name](text)
        except ValueError as error:
            raise TrainerError(f"{name} cannot be {text!r}: {error}") from error
        recipe = replace(recipe, **{name: value})
    return recipe


def main() -> None:
    """Try one variant."""
    parser = argparse.ArgumentParser(prog="make recipe-trial", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/cifar10"), help="default: %(default)s")
    parser.add_argument("--variant", choices=VARIANTS, default="as-is", help="default: %(default)s")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="of trainer.config.Recipe"
    )
    parser.add_argument("--epochs", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    flags = parser.parse_args()
    try:
        recipe = replace(changed(VARIANTS[flags.variant], flags.set), epochs=flags.epochs)
        pictures = loading.load_training(flags.data)
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="rekindle-trial-") as folder:
            reports = try_recipe(recipe, pictures, flags.seed, Path(folder))
    except TrainerError as error:
        parser.exit(1, f"error: {error}\n")
    changes = " ".join([flags.variant, *flags.set])
    print(
        f"{changes}, {flags.epochs} epochs, seed {flags.seed}: validation accuracy "
        f"{reports[-1].validation_accuracy:.4f} on {len(pictures.validation)} pictures, "
        f"{(time.perf_counter() - started) / 60:.1f} minutes"
    )


if __name__ == "__main__":
    main()
