"""A SavedModel of TensorFlow 1's kind: classify and regress over tf.Examples that share one input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contract import tfserving_api as api


def export(path: Path) -> None:
    """Signatures `classify` (labels and scores), `scores` (no labels), `regress`, `wide` and `elsewhere`.

    Feature `x` (float): the scores are x and 1 − x, the regression is 2x.
    """
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="serialized")
        x = v1.io.parse_example(serialized, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]
        scores = tf.concat([x, 1 - x], axis=1)
        labels = tf.tile(tf.constant([["yes", "no"]]), [tf.shape(x)[0], 1])
        others = v1.placeholder(tf.string, [None], name="others")

        def signature(method: str, outputs: dict[str, Any], inputs: Any = serialized) -> Any:
            info = v1.saved_model.utils.build_tensor_info
            return v1.saved_model.build_signature_def(
                {"inputs": info(inputs)}, {name: info(tensor) for name, tensor in outputs.items()}, method
            )

        classify, regress = "tensorflow/serving/classify", "tensorflow/serving/regress"
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "classify": signature(classify, {"classes": labels, "scores": scores}),
                "scores": signature(classify, {"scores": scores}),
                "regress": signature(regress, {"outputs": 2 * x}),
                "wide": signature(regress, {"outputs": scores}),
                "elsewhere": signature(regress, {"outputs": tf.strings.length(others)}, others),
            },
        )
        builder.save()


def example(**features: float) -> Any:
    """A tf.Example with one float in each feature."""
    message = api.Example()
    for name, value in features.items():
        message.features.feature[name].float_list.value.append(value)
    return message


def fill(request: Any, signature: str, *values: float) -> Any:
    """Ask `signature` of the model `examples` about a feature `x` of each value."""
    request.model_spec.name, request.model_spec.signature_name = "examples", signature
    request.input.example_list.examples.extend(example(x=value) for value in values)
    return request


def multi_inference(*tasks: tuple[str, str], values: tuple[float, ...] = (0.25,)) -> Any:
    """A MultiInferenceRequest with a task for each (signature, method)."""
    request = api.MultiInferenceRequest()
    for signature, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "examples", signature
    request.input.example_list.examples.extend(example(x=value) for value in values)
    return request
