"""Metrics against figures worked out by hand, and every refusal of bad arrays."""

import csv
import io
import json

import numpy as np
import pytest

from contract.evaluation import Evaluation
from trainer.evaluation.evaluate import (
    CALIBRATION_BINS,
    TEMPERATURE_BOUNDS,
    evaluate,
    fit_temperature,
    probabilities_csv,
)

LABELS = ("cat", "dog", "ship")
TRUTH = np.array([0, 0, 1, 1, 2, 2])
PROBABILITIES = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.3, 0.6, 0.1],
        [0.2, 0.7, 0.1],
        [0.1, 0.8, 0.1],
        [0.1, 0.1, 0.8],
        [0.5, 0.1, 0.4],
    ],
    dtype=np.float32,
)


@pytest.fixture
def evaluation() -> Evaluation:
    """Six pictures, four right: predicted 0, 1, 1, 1, 2, 0."""
    return evaluate("test", LABELS, TRUTH, PROBABILITIES)


def test_counts_and_accuracy(evaluation: Evaluation) -> None:
    """Four of six right; rows of the confusion matrix are the true classes."""
    assert evaluation.split == "test"
    assert evaluation.examples == 6
    assert evaluation.accuracy == pytest.approx(4 / 6)
    assert evaluation.confusion_matrix == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]


def test_per_class_table(evaluation: Evaluation) -> None:
    """Precision divides by what was predicted, recall by what is true, F1 is their harmonic mean."""
    cat, dog, ship = evaluation.per_class
    assert (cat.label, cat.examples) == ("cat", 2)
    assert (cat.precision, cat.recall, cat.f1) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert (dog.precision, dog.recall, dog.f1) == pytest.approx((2 / 3, 1, 4 / 5))
    assert (ship.precision, ship.recall, ship.f1) == pytest.approx((1, 1 / 2, 2 / 3))


def test_averages_weigh_classes_equally_or_by_examples() -> None:
    """Macro is the plain mean of the classes, weighted the mean by their examples."""
    truth = np.array([0, 0, 0, 1])
    evaluation = evaluate("test", ("a", "b"), truth, np.array([[0.9, 0.1]] * 4))
    assert evaluation.macro.recall == pytest.approx(1 / 2)
    assert evaluation.weighted.recall == pytest.approx(3 / 4)
    assert evaluation.macro.precision == pytest.approx((3 / 4 + 0) / 2)
    assert evaluation.weighted.precision == pytest.approx(3 / 4 * 3 / 4)


def test_roc_auc_is_the_share_of_pairs_in_order(evaluation: Evaluation) -> None:
    """For cat, 7 of the 8 pairs (a cat, another) have the cat's score above: its second cat loses one."""
    assert [row.roc_auc for row in evaluation.per_class] == pytest.approx([7 / 8, 1.0, 1.0])
    assert evaluation.roc_auc == pytest.approx((7 / 8 + 1 + 1) / 3)


def test_roc_auc_is_none_where_it_is_undefined() -> None:
    """A split without an example of a class has no curve for it; the mean is over those that have one."""
    evaluation = evaluate("test", LABELS, np.array([0, 1]), PROBABILITIES[:2])
    assert [row.roc_auc is None for row in evaluation.per_class] == [False, False, True]
    assert evaluation.roc_auc is not None
    single = evaluate("test", LABELS, np.array([1]), PROBABILITIES[:1])
    assert single.roc_auc is None
    assert [row.roc_auc for row in single.per_class] == [None, None, None]


def test_log_loss_is_the_mean_surprise(evaluation: Evaluation) -> None:
    """The mean of −log of the true class's probability."""
    true_scores = PROBABILITIES[np.arange(6), TRUTH]
    assert evaluation.log_loss == pytest.approx(-np.log(true_scores).mean(), rel=1e-5)


def test_calibration_bins_are_open_below_and_closed_above() -> None:
    """A confidence of exactly 0.8 = 12/15 lies in (11/15, 12/15]; each bin holds its own mean."""
    scores = np.array([[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [0.61, 0.39]])
    evaluation = evaluate("test", ("a", "b"), np.array([0, 1, 1, 1]), scores)
    assert len(evaluation.calibration) == CALIBRATION_BINS
    filled = {index: bin_ for index, bin_ in enumerate(evaluation.calibration) if bin_.examples}
    assert {index: bin_.examples for index, bin_ in filled.items()} == {9: 1, 11: 3}
    assert filled[11].confidence == pytest.approx(0.8)
    assert filled[11].accuracy == pytest.approx(2 / 3)
    expected = 3 / 4 * abs(2 / 3 - 0.8) + 1 / 4 * abs(0 - 0.61)
    assert evaluation.expected_calibration_error == pytest.approx(expected)


def test_perfect_confidence_lies_in_the_last_bin() -> None:
    """Probability 1 is counted, and a perfect model has no calibration error and no loss."""
    evaluation = evaluate("test", ("a", "b"), np.array([0, 1]), np.eye(2))
    assert evaluation.calibration[-1].examples == 2
    assert evaluation.expected_calibration_error == 0
    assert evaluation.log_loss == pytest.approx(0, abs=1e-6)


def test_the_record_is_plain_json(evaluation: Evaluation) -> None:
    """No numpy type remains: the record survives JSON and comes back equal."""
    assert Evaluation.model_validate_json(evaluation.to_json()) == evaluation
    assert json.loads(evaluation.to_json())["confusion_matrix"][0] == [1, 1, 0]


def test_half_precision_rows_are_accepted() -> None:
    """A float16 softmax whose rows miss 1 by a rounding error is normalised, not refused."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(200, 10)).astype(np.float16)
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    evaluation = evaluate("test", [str(n) for n in range(10)], generator.integers(0, 10, 200), scores)
    assert evaluation.examples == 200


@pytest.mark.parametrize(
    ("truth", "probabilities", "message"),
    [
        (TRUTH, PROBABILITIES[:5], r"truth of shape \(6,\); expected \(5,\)"),
        (TRUTH, PROBABILITIES[:, :2], "2 classes for 3 labels"),
        (TRUTH, PROBABILITIES[0], r"shape \(3,\); expected \[N"),
        (np.array([], dtype=int), np.zeros((0, 3)), r"shape \(0, 3\)"),
        (np.array([0, 0, 1, 1, 2, 3]), PROBABILITIES, "class 3; expected 0 to 2"),
        (np.array([0, 0, 1, 1, 2, -1]), PROBABILITIES, "class -1; expected 0 to 2"),
        (TRUTH.astype(float), PROBABILITIES, "float64; expected integers"),
        (TRUTH, np.where(PROBABILITIES == 0.7, np.nan, PROBABILITIES), "row 2, column 1"),
        (TRUTH, PROBABILITIES * 0.99, "sums to 0.99; expected 1"),
        (TRUTH, PROBABILITIES * 10, "reach from 1 to 8; expected 0 to 1"),
        (TRUTH, PROBABILITIES - 0.3, "expected 0 to 1"),
    ],
)
def test_bad_arrays_are_refused(truth: np.ndarray, probabilities: np.ndarray, message: str) -> None:
    """Each kind of wrong input is a ValueError that quotes what arrived."""
    with pytest.raises(ValueError, match=message):
        evaluate("test", LABELS, truth, probabilities)


# --- temperature --------------------------------------------------------------------------------


def _drawn_truth(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Classes drawn from softmax(logits / temperature), by the Gumbel trick."""
    noise = np.random.default_rng(2).gumbel(size=logits.shape)
    return (logits / temperature + noise).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.3, 0.6, 1.0, 2.5])
def test_temperature_is_recovered(temperature: float) -> None:
    """Labels drawn at a temperature give that temperature back, within sampling error."""
    logits = np.random.default_rng(1).normal(scale=2, size=(5000, 10))
    assert fit_temperature(logits, _drawn_truth(logits, temperature)) == pytest.approx(temperature, rel=0.05)


def test_temperature_calibrates() -> None:
    """An over-confident model's calibration error falls when its logits are divided by the temperature."""
    logits = np.random.default_rng(3).normal(scale=2, size=(5000, 10))
    truth = _drawn_truth(logits, 2.0)
    labels = [str(n) for n in range(10)]
    temperature = fit_temperature(logits[:2500], truth[:2500])
    raw, scaled = (
        evaluate("test", labels, truth[2500:], np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
        for z in (logits[2500:], logits[2500:] / temperature)
    )
    assert scaled.accuracy == raw.accuracy
    assert scaled.expected_calibration_error < 0.3 * raw.expected_calibration_error


@pytest.mark.parametrize("truth", [[0], [1]])
def test_one_example_claims_no_certainty(truth: list[int]) -> None:
    """A single right or wrong answer moves the temperature a little, and never to a bound."""
    temperature = fit_temperature(np.array([[4.0, 0.0]]), np.array(truth))
    assert 0.2 < temperature < 8


def test_temperature_of_huge_and_of_equal_logits() -> None:
    """Logits of any scale stay finite; logits that say nothing leave the temperature at 1."""
    huge = fit_temperature(np.array([[1e6, 0.0], [0.0, 1e6]]), np.array([0, 0]))
    assert TEMPERATURE_BOUNDS[0] <= huge <= TEMPERATURE_BOUNDS[1]
    assert fit_temperature(np.zeros((4, 3)), np.array([0, 1, 2, 0])) == pytest.approx(1, abs=1e-3)


def test_temperature_refuses_what_is_not_finite() -> None:
    """An infinite logit is named with its place."""
    with pytest.raises(ValueError, match="logits are not finite, the first is inf in row 0, column 1"):
        fit_temperature(np.array([[0.0, np.inf]]), np.array([0]))


# --- predictions --------------------------------------------------------------------------------


def test_csv_names_the_two_best_classes() -> None:
    """A row a picture, quoted as CSV wants it, the second class beside the first."""
    text = probabilities_csv(['a, "b".jpg', "c.jpg"], LABELS, TRUTH[:2], PROBABILITIES[:2])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0] == {
        "path": 'a, "b".jpg',
        "true_label": "cat",
        "label": "cat",
        "score": "0.800000",
        "second_label": "dog",
        "second_score": "0.100000",
    }
    assert (rows[1]["label"], rows[1]["second_label"]) == ("dog", "cat")


def test_csv_wants_a_path_a_picture() -> None:
    """Another number of paths than pictures is refused."""
    with pytest.raises(ValueError, match="1 paths for 2 pictures"):
        probabilities_csv(["a.jpg"], LABELS, TRUTH[:2], PROBABILITIES[:2])
