"""Which network a spec asks for: ours from the start, or a head on a backbone."""

from __future__ import annotations

from pathlib import Path

import keras

from contract.image_spec import ImageSpec
from contract.training import BackboneSpec, TrainingSpec
from trainer.dataset.loading import TrainingData
from trainer.hardware import training_precision
from trainer.network import model, transfer
from trainer.network.scaling import scaling_of

WHITENING_EXAMPLES = 5000


def build(spec: TrainingSpec, architecture: model.Architecture, data: TrainingData) -> keras.Model:
    """The network that trains on `data`, with its first weights. Raises TrainerError."""
    train = data.train
    if spec.backbone:
        classes = len(data.labels)
        return transfer.build(backbone_of(spec.backbone), data.image, train.images, train.truth, classes)
    mean, deviation = model.channel_statistics(train.images)
    network = model.build(
        architecture, mean, deviation, spec.seed, training_precision(), norm=model.FusedBatchNormalization
    )
    model.whiten(network, train.images[:WHITENING_EXAMPLES], mean, deviation)
    return network


def image_for(spec: TrainingSpec) -> ImageSpec | None:
    """The pictures' size where spec or backbone decide it; None: the data does. Raises TrainerError."""
    return backbone_of(spec.backbone).image_for(spec.image) if spec.backbone else spec.image


def backbone_of(spec: BackboneSpec) -> transfer.Backbone:
    """The backbone of a spec. Raises TrainerError."""
    return transfer.open_backbone(Path(spec.path), scaling_of(spec.scaling), spec.layer)
