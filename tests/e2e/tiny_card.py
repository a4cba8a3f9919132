"""The model card of the tiny version; apart from its export, so that tests need no TensorFlow to read it."""

from contract.card import DatasetProfile, ModelCard
from contract.evaluation import AverageMetrics, Evaluation
from contract.image_spec import ImageSpec

LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def card(run_id: str) -> ModelCard:
    """A card whose metrics say nothing: the tiny version was never trained."""
    average = AverageMetrics(precision=0.1, recall=0.1, f1=0.1)
    evaluation = Evaluation(
        split="validation",
        examples=10,
        accuracy=0.1,
        macro=average,
        weighted=average,
        roc_auc=None,
        log_loss=2.3,
        expected_calibration_error=0.5,
        calibration=[],
        per_class=[],
        confusion_matrix=[],
    )
    return ModelCard(
        model="cifar10",
        run_id=run_id,
        labels=LABELS,
        image=ImageSpec(height=32, width=32),
        temperature=1.0,
        dataset=DatasetProfile(name="none", digest="0" * 64, examples={}, class_counts={}),
        hyper_parameters={},
        validation=evaluation,
        parameters=30,
    )
