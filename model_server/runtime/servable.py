"""One loaded SavedModel: its signatures, and the call into TensorFlow.

A session, as TensorFlow Serving itself uses, because its call costs a tenth of a concrete function's
(about 30 µs against 280 µs for a one-image model on two cores): names are resolved once, when the version
is loaded, and the arrays go straight to TF_SessionRun, which releases the GIL. Nothing here knows of
requests, of versions or of batches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session as tf_session
from tensorflow.python.saved_model import loader_impl

from contract import tfserving_api
from contract.layout import SAVED_MODEL
from model_server.errors import Code, ServingError
from model_server.runtime.short_runs import ShortRuns
from model_server.runtime.signatures import Signature, signature_of
from model_server.runtime.tensors import Array

_INITIALISATION = "__saved_model_init_op"
"""Listed among the signatures, but it has no inputs or outputs to serve."""


class Servable:
    """A SavedModel in a session of its own. `run` may be called from many threads at once."""

    def __init__(
        self, session: Any, signatures: Mapping[str, Signature], definitions: Any, short_runs: ShortRuns
    ) -> None:
        self.signatures = signatures
        self.model, self.version, self.path = "", 0, Path()
        """Whose it is and where it lies; the loader says so."""
        self.definitions = definitions
        """A SignatureDefMap: the signatures as the SavedModel states them."""
        self._session = session
        self._short_runs = short_runs

    def run(
        self,
        signature: Signature,
        inputs: Mapping[str, Array],
        outputs: Sequence[str],
        timeout_seconds: float | None = None,
    ) -> list[Array]:
        """Run the graph once: arrays by input alias in, one array for each output alias out.

        Raises ServingError with TensorFlow's code and words (DEADLINE_EXCEEDED after the timeout).
        """
        feeds = {signature.inputs[alias].endpoint: array for alias, array in inputs.items()}
        fetches = [signature.outputs[alias].endpoint for alias in outputs]
        rows = max((len(array) for array in inputs.values() if array.ndim), default=1)
        short = self._short_runs.options(signature.name, rows)
        options = short or _options(timeout_seconds)
        started = time.perf_counter()
        try:
            found = tf_session.TF_SessionRun_wrapper(
                self._session._session, options, feeds, fetches, [], None
            )
        except tf.errors.OpError as error:
            raise ServingError(_code(error), error.message + signature.mismatch(inputs)) from None
        finally:
            if options is not None and short is None:
                tf_session.TF_DeleteBuffer(options)
        self._short_runs.took(signature.name, rows, time.perf_counter() - started)
        return found  # type: ignore[no-any-return]

    def close(self) -> None:
        """Give back the session's memory."""
        self._session.close()


def loader(
    session_options: Any,
    rewrite: Callable[[Any], object] | None = None,
    *,
    tags: Sequence[str],
    hands_over: bool = False,
) -> Callable[[Path], Servable]:
    """A function that loads the meta graph with `tags`; every session gets `session_options`.

    `rewrite` may change the MetaGraphDef before it is imported.
    `hands_over`: every run goes to TensorFlow's pool, also a short one (short_runs.py).
    """

    def load(path: Path) -> Servable:
        if not (path / SAVED_MODEL).is_file() and not (path / "saved_model.pbtxt").is_file():
            raise ServingError(
                Code.NOT_FOUND,
                f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}",
            )
        graph = tf.Graph()
        session = tf.compat.v1.Session(graph=graph, config=session_options)
        try:
            with graph.as_default():
                saved = loader_impl.SavedModelLoader(str(path))
                if rewrite is not None:
                    rewrite(saved.get_meta_graph_def_from_tags(list(tags)))
                meta_graph = saved.load(session, list(tags))
            session._extend_graph()
            signatures, definitions = _signatures(meta_graph, graph)
            short_runs = ShortRuns(meta_graph.graph_def, signatures, is_allowed=not hands_over)
            return Servable(session, signatures, definitions, short_runs)
        except Exception as error:
            session.close()
            raise _load_error(error, path) from error

    return load


def _load_error(error: Exception, path: Path) -> Exception:
    """TensorFlow's Python loader raises what comes; upstream's has a code for each."""
    if isinstance(error, tf.errors.OpError):
        return ServingError(_code(error), error.message)
    if isinstance(error, OSError):
        return ServingError(Code.DATA_LOSS, f"Can't parse {path / SAVED_MODEL} as binary proto: {error}")
    if isinstance(error, RuntimeError) and "tag" in str(error):
        return ServingError(Code.NOT_FOUND, str(error))
    return error


def _signatures(meta_graph: Any, graph: Any) -> tuple[dict[str, Signature], Any]:
    definitions = tfserving_api.SignatureDefMap()
    signatures = {}
    for name, definition in meta_graph.signature_def.items():
        own = definitions.signature_def[name]
        own.MergeFromString(definition.SerializeToString())
        if name != _INITIALISATION:
            signatures[name] = signature_of(name, own, graph)
    return signatures, definitions


def _options(timeout_seconds: float | None) -> Any:
    if timeout_seconds is None:
        return None
    milliseconds = max(1, min(int(timeout_seconds * 1000), 2**62))
    options = tf.compat.v1.RunOptions(timeout_in_ms=milliseconds)
    return tf_session.TF_NewBufferFromString(options.SerializeToString())


def _code(error: tf.errors.OpError) -> Code:
    try:
        return Code(error.error_code)
    except ValueError:
        return Code.UNKNOWN
