"""The composition root: from flags to a server, the only module that names every part.

TensorFlow is imported when the first version is loaded (loading.py), not here.
"""

from __future__ import annotations

import logging
from pathlib import Path

from model_server import config_files
from model_server.flags import Flags
from model_server.fronts import serving, tls
from model_server.fronts.asgi import Application
from model_server.fronts.endpoints import Endpoint
from model_server.fronts.grpc_api import GrpcApi
from model_server.fronts.grpc_server import GrpcSettings
from model_server.fronts.health import Health
from model_server.fronts.rest_api import RestApi
from model_server.fronts.serving import GrpcFront, RestFront
from model_server.inference import batch_parameters
from model_server.inference.batch_parameters import BatchParameters
from model_server.inference.batching import BatchingRun
from model_server.inference.merging import MergingRun
from model_server.inference.predict import Predictor, Run, run_alone
from model_server.lifecycle.model_config import ModelConfig
from model_server.lifecycle.polling import ConfigurationFile, Poller
from model_server.lifecycle.reload import Reloader
from model_server.lifecycle.repository import Repository
from model_server.lifecycle.transitions import AtOnce, RetryPolicy
from model_server.metrics.recorder import Metrics
from model_server.runtime.cpus import schedulable_cpus
from model_server.runtime.interface import Servable
from model_server.runtime.lite import LiteSettings
from model_server.runtime.loading import SavedModelLoader
from model_server.runtime.memory import MemoryGuard, give_back
from model_server.runtime.precision import Decision, Precisions
from model_server.runtime.precision import Observer as PrecisionObserver
from model_server.runtime.reduced import BFLOAT16, INT8
from model_server.runtime.session import SessionSettings, Threads

log = logging.getLogger(__name__)

THREADS_PER_CPU = 4
"""Of each front, as upstream."""

METRICS_PATH = "/monitoring/prometheus/metrics"
"""Where Prometheus looks unless the monitoring configuration says otherwise."""


class ModelServer:
    """Models on their way in, and the fronts that answer once they are there."""

    def __init__(self, flags: Flags) -> None:
        """Check ports and files, read the configuration and begin to load.

        Raises PortError; ServingError or OSError for a configuration that cannot be used.
        """
        self._flags = flags
        for sentence in flags.without_effect():
            log.warning(sentence)
        for endpoint in (self._grpc_endpoint(), self._rest_endpoint()):
            if endpoint is not None:
                endpoint.check_free()
        self._credentials = tls.credentials(Path(flags.ssl_config_file)) if flags.ssl_config_file else None
        self._metrics_path = _metrics_path(flags)
        self.metrics = Metrics(lambda model: self.repository.is_known(model))
        self.repository: Repository[Servable] = _repository(flags, self.metrics, self._precision_chosen)
        self._run = _run(flags, self.metrics)
        self.repository.observe(self.metrics.load, give_back)
        file = _configuration_file(flags, self.repository)
        models = file.read() if file else _single_model(flags, self.repository)
        self._models = [model.name for model in models]
        self._poller = Poller(
            self.repository,
            flags.file_system_poll_wait_seconds,
            file,
            flags.model_config_file_poll_wait_seconds,
        )
        self._fronts: list[GrpcFront | RestFront] = []
        self._poller.start()

    def open(self, stop: serving.Stop) -> bool:
        """Wait until every configured model answers, then open the ports; False when stopped before.

        Raises ServingError when a model does not load, PortError when a port was taken meanwhile.
        """
        if not self.repository.wait_until_available(self._models, stop):
            return False
        predictor = Predictor(self.repository, self._run, self.metrics.ran)
        automatic = THREADS_PER_CPU * schedulable_cpus()
        self._fronts.append(self._grpc_front(predictor, automatic))
        if endpoint := self._rest_endpoint():
            self._fronts.append(self._rest_front(predictor, endpoint, automatic))
        return True

    def close(self, seconds: float = serving.DRAIN_SECONDS) -> None:
        """Load nothing more, let running calls end within `seconds`, close the ports."""
        self._poller.stop()
        self.repository.close()
        serving.drain(self._fronts, seconds)

    def _precision_chosen(self, path: str, decision: Decision) -> None:
        found = decision.agreement
        share = found.share if found else None
        self.metrics.precision(path, decision.precision, decision.is_chosen, share)

    def _grpc_front(self, predictor: Predictor, automatic_threads: int) -> GrpcFront:
        flags = self._flags
        api = GrpcApi(
            self.repository,
            predictor,
            Reloader(self.repository, self._poller),
            self.metrics,
            tensor_content=flags.enable_serialization_as_tensor_content,
            is_method_checked=flags.enable_signature_method_name_check,
        )
        endpoint, socket = self._grpc_endpoint(), flags.grpc_socket_path
        addresses = [str(endpoint)] if endpoint else []
        addresses += [f"unix:{socket}"] if socket else []
        settings = GrpcSettings(
            tuple(addresses),
            flags.grpc_max_threads or automatic_threads,
            flags.grpc_channel_arguments,
            self._credentials,
        )
        return GrpcFront(api, settings, self._health())

    def _health(self) -> Health | None:
        if not self._flags.enable_grpc_healthcheck_service:
            return None
        health = Health()
        self.repository.subscribe(lambda: health.set(self.repository.is_ready()))
        health.set(self.repository.is_ready())
        return health

    def _rest_front(self, predictor: Predictor, endpoint: Endpoint, automatic_threads: int) -> RestFront:
        flags = self._flags
        api = RestApi(
            self.repository,
            predictor,
            self.metrics,
            flags.rest_api_timeout_in_ms / 1000,
            is_method_checked=flags.enable_signature_method_name_check,
        )
        application = Application(
            api,
            flags.rest_api_num_threads or automatic_threads,
            {self._metrics_path: self.metrics.exposition} if self._metrics_path else {},
            has_cors=flags.rest_api_enable_cors_support,
        )
        return RestFront(application, endpoint)

    def _grpc_endpoint(self) -> Endpoint | None:
        return Endpoint(self._flags.bind_address, self._flags.port) if self._flags.port else None

    def _rest_endpoint(self) -> Endpoint | None:
        port = self._flags.rest_api_port
        return Endpoint(self._flags.bind_address, port) if port else None


def _run(flags: Flags, metrics: Metrics) -> Run:
    """How requests become calls into TensorFlow. Raises ServingError for parameters that cannot be used."""
    if flags.enable_batching:
        file = flags.batching_parameters_file
        parameters = batch_parameters.read(Path(file)) if file else BatchParameters()
        return BatchingRun(parameters, metrics, flags.enable_per_model_batching_parameters)
    return MergingRun(metrics) if flags.merge_waiting_requests else run_alone


def _metrics_path(flags: Flags) -> str:
    """Where the metrics are served; empty where they are not."""
    if not flags.monitoring_config_file:
        return ""
    config = config_files.read("MonitoringConfig", Path(flags.monitoring_config_file)).prometheus_config
    return (config.path or METRICS_PATH) if config.enable else ""


def _repository(flags: Flags, metrics: Metrics, precision_chosen: PrecisionObserver) -> Repository[Servable]:
    threads = Threads(
        flags.tensorflow_intra_op_parallelism or flags.tensorflow_session_parallelism,
        flags.tensorflow_inter_op_parallelism or flags.tensorflow_session_parallelism,
    )
    file = flags.tensorflow_session_config_file
    sessions = SessionSettings(threads, Path(file) if file else None, flags.per_process_gpu_memory_fraction)
    iterations = max(1, flags.num_request_iterations_for_warmup) if flags.enable_model_warmup else 0
    memory = MemoryGuard() if flags.check_memory else None
    asked = [*([INT8] if flags.quantization else []), *([BFLOAT16] if flags.mixed_precision else [])]
    precisions = Precisions(asked, precision_chosen) if asked else None
    return Repository(
        SavedModelLoader(
            sessions,
            flags.saved_model_tags.split(","),
            iterations,
            memory,
            precisions,
            preferred_lite=_lite(flags, threads) if flags.prefer_tflite_model else None,
            flushes_caches=flags.flush_filesystem_caches,
            on_warmup=metrics.warmed_up,
        ),
        RetryPolicy(flags.max_num_load_retries, max(0, flags.load_retry_interval_micros) / 1e6),
        flags.allow_version_labels_for_unavailable_models,
        AtOnce(flags.num_load_threads or AtOnce.loads, flags.num_unload_threads or AtOnce.unloads),
    )


def _lite(flags: Flags, threads: Threads) -> LiteSettings:
    pools, in_each = flags.num_tflite_pools, flags.num_tflite_interpreters_per_pool
    chosen = max(1, pools) * max(1, in_each) if pools or in_each else LiteSettings.interpreters
    return LiteSettings(chosen, threads.intra_op)


def _configuration_file(flags: Flags, repository: Repository[Servable]) -> ConfigurationFile | None:
    return ConfigurationFile(Path(flags.model_config_file), repository) if flags.model_config_file else None


def _single_model(flags: Flags, repository: Repository[Servable]) -> tuple[ModelConfig, ...]:
    models = (ModelConfig(flags.model_name, Path(flags.model_base_path).absolute()),)
    repository.configure(models)
    return models
