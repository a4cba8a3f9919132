"""Classify, Regress and MultiInference as one thing: tasks that share one Input and one run of the graph.

MultiInference asks several signatures that read the same tensor; the two others are its case of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contract import tfserving_api
from model_server.errors import Code, ServingError, invalid_argument
from model_server.inference import classification, examples, regression
from model_server.inference.examples import INPUTS, Compute
from model_server.runtime.interface import Servable
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array

_KINDS = {classification.METHOD: classification, regression.METHOD: regression}
_RESULT_FIELDS = {
    classification.METHOD: "classification_result",
    regression.METHOD: "regression_result",
}


@dataclass(frozen=True)
class Task:
    """One signature of a request, and how its outputs are to be read."""

    signature: Signature
    method: str
    aliases: tuple[str, ...]

    def result(self, outputs: Mapping[str, Array], count: int) -> Any:
        """A ClassificationResult or a RegressionResult. Raises ServingError."""
        return _KINDS[self.method].result(outputs, count)


class Tasks:
    """Answers requests whose inputs are tf.Examples, on one servable."""

    def __init__(self, servable: Servable, compute: Compute, is_method_checked: bool = False) -> None:
        """`is_method_checked`: refuse signatures whose method_name says something else."""
        self._servable = servable
        self._compute = compute
        self._is_method_checked = is_method_checked

    def one(self, request: Any, method: str) -> Any:
        """The result of a ClassificationRequest or RegressionRequest. Raises ServingError."""
        words = "No signature was found with the name"
        signature = examples.signature_named(self._servable, request.model_spec.signature_name, words)
        task = self._task(signature, method)
        rows = examples.serialized(request.input)
        arrays = self._compute(signature, {INPUTS: rows}, task.aliases)
        return task.result(dict(zip(task.aliases, arrays, strict=True)), len(rows))

    def many(self, request: Any, version: int) -> Any:
        """The MultiInferenceResponse for a MultiInferenceRequest. Raises ServingError."""
        tasks = self._tasks(request)
        rows = examples.serialized(request.input)
        response = tfserving_api.MultiInferenceResponse()
        for asked, task, outputs in zip(request.tasks, tasks, self._run(tasks, rows), strict=True):
            entry = response.results.add()
            getattr(entry, _RESULT_FIELDS[task.method]).CopyFrom(task.result(outputs, len(rows)))
            entry.model_spec.name = asked.model_spec.name
            entry.model_spec.version.value = version
            entry.model_spec.signature_name = task.signature.name
        return response

    def _tasks(self, request: Any) -> list[Task]:
        tasks: list[Task] = []
        for asked in request.tasks:
            words = "Requested signature not found in model graph"
            signature = examples.signature_named(self._servable, asked.model_spec.signature_name, words)
            if any(task.signature.name == signature.name for task in tasks):
                raise invalid_argument(f"Duplicate evaluation of signature: {signature.name}")
            task = self._task(signature, asked.method_name)
            if tasks and _tensor(task) != _tensor(tasks[0]):
                raise invalid_argument("Input tensor must be the same for all Signatures.")
            tasks.append(task)
        return tasks

    def _task(self, signature: Signature, method: str) -> Task:
        kind = _KINDS.get(method)
        if kind is None:
            raise ServingError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {method}")
        return Task(signature, method, kind.aliases(signature, self._is_method_checked))

    def _run(self, tasks: Sequence[Task], rows: Array) -> list[dict[str, Array]]:
        """The outputs of each task, by alias; the graph runs once for all of them."""
        wanted = {(task.signature.name, alias): task for task in tasks for alias in task.aliases}
        outputs = {f"{name}/{alias}": task.signature.outputs[alias] for (name, alias), task in wanted.items()}
        first = tasks[0].signature
        together = Signature("+".join(outputs), "", first.inputs, outputs, {})
        arrays = dict(zip(outputs, self._compute(together, {INPUTS: rows}, tuple(outputs)), strict=True))
        return [{alias: arrays[f"{task.signature.name}/{alias}"] for alias in task.aliases} for task in tasks]


def _tensor(task: Task) -> str:
    return task.signature.inputs[INPUTS].tensor_name


def model_of(request: Any) -> Any:
    """The ModelSpec that all tasks of a MultiInferenceRequest share. Raises ServingError."""
    if not request.tasks:
        raise invalid_argument("ModelSpec has no name specified.")
    specs = [task.model_spec for task in request.tasks]
    if not all(spec.name for spec in specs):
        raise invalid_argument("Found ModelSpec with an empty model name.")
    if any(spec.name != specs[0].name for spec in specs):
        raise invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    return specs[0]
