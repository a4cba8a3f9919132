"""How numbers are written in JSON: the shortest of upstream's two forms that reads back the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

from model_server.fronts.json_answers import write
from model_server.fronts.json_inputs import Format


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1.0"),
        (1 / 3, "0.333333343"),
        (9_000_000, "9e+06"),
        (3e-05, "3e-05"),
        (16_777_217, "16777216.0"),
        (-0.0, "-0.0"),
    ],
)
def test_a_float_is_written_as_upstream_writes_it(value: float, text: str) -> None:
    """Six digits where they suffice, nine where not, and a point in whole numbers."""
    body = write({"y": np.array([value], np.float32)}, Format.ROW)
    assert body.decode() == f'{{\n    "predictions": [{text}\n    ]\n}}'


def test_every_float_reads_back_the_same() -> None:
    """Nothing is lost on the way through JSON."""
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    read = json.loads(write({"y": values}, Format.COLUMN))["outputs"]
    np.testing.assert_array_equal(np.array(read, np.float32), values)
    wide = values.astype(np.float64) / 3
    assert json.loads(write({"y": wide}, Format.COLUMN))["outputs"] == wide.tolist()


def test_other_types_are_written_by_their_kind() -> None:
    """Whole numbers, truth values, and empty tensors."""
    outputs = {"a": np.array([[1], [2]], np.int64), "b": np.array([True, False]), "c": np.zeros([2, 0])}
    rows = json.loads(write(outputs, Format.ROW))["predictions"]
    assert rows == [{"a": [1], "b": True, "c": []}, {"a": [2], "b": False, "c": []}]
