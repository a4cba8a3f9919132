"""The composition root: from flags to a server, the only module that names every part.

TensorFlow is imported when the first version is loaded (loading.py), not here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from model_server.flags import Flags
from model_server.fronts import serving
from model_server.fronts.asgi import Application
from model_server.fronts.grpc_api import GrpcApi
from model_server.fronts.rest_api import RestApi
from model_server.fronts.serving import Endpoint, GrpcFront, RestFront
from model_server.inference.predict import Predictor
from model_server.lifecycle.model_config import ModelConfig
from model_server.lifecycle.polling import ConfigurationFile, Poller
from model_server.lifecycle.reload import Reloader
from model_server.lifecycle.repository import Repository, RetryPolicy
from model_server.runtime.cpus import schedulable_cpus
from model_server.runtime.loading import SavedModelLoader
from model_server.runtime.session import Threads

if TYPE_CHECKING:
    from model_server.runtime.servable import Servable

THREADS_PER_CPU = 4
"""Of each front, as upstream."""


class ModelServer:
    """Models on their way in, and the fronts that answer once they are there."""

    def __init__(self, flags: Flags) -> None:
        """Check the ports, read the configuration and begin to load.

        Raises PortError; ServingError or OSError for a configuration that cannot be used.
        """
        self._flags = flags
        for endpoint in self._endpoints():
            serving.check_free(endpoint)
        self.repository: Repository[Servable] = _repository(flags)
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
        flags = self._flags
        predictor = Predictor(self.repository)
        service = GrpcApi(
            self.repository,
            predictor,
            Reloader(self.repository, self._poller),
            flags.enable_serialization_as_tensor_content,
        )
        automatic = THREADS_PER_CPU * schedulable_cpus()
        grpc_endpoint, *rest_endpoints = self._endpoints()
        self._fronts.append(GrpcFront(service, grpc_endpoint, flags.grpc_max_threads or automatic))
        for endpoint in rest_endpoints:
            api = RestApi(self.repository, predictor, flags.rest_api_timeout_in_ms / 1000)
            application = Application(api, flags.rest_api_num_threads or automatic)
            self._fronts.append(RestFront(application, endpoint))
        return True

    def close(self, seconds: float = serving.DRAIN_SECONDS) -> None:
        """Load nothing more, let running calls end within `seconds`, close the ports."""
        self._poller.stop()
        self.repository.close()
        serving.drain(self._fronts, seconds)

    def _endpoints(self) -> list[Endpoint]:
        """gRPC's, then REST's if there is one."""
        ports = [self._flags.port, self._flags.rest_api_port]
        return [Endpoint(self._flags.bind_address, port) for port in ports if port]


def _repository(flags: Flags) -> Repository[Servable]:
    threads = Threads(
        flags.tensorflow_intra_op_parallelism or flags.tensorflow_session_parallelism,
        flags.tensorflow_inter_op_parallelism or flags.tensorflow_session_parallelism,
    )
    return Repository(
        SavedModelLoader(threads, flags.enable_model_warmup),
        RetryPolicy(flags.max_num_load_retries, flags.load_retry_interval_micros / 1e6),
        flags.allow_version_labels_for_unavailable_models,
    )


def _configuration_file(flags: Flags, repository: Repository[Servable]) -> ConfigurationFile | None:
    return ConfigurationFile(Path(flags.model_config_file), repository) if flags.model_config_file else None


def _single_model(flags: Flags, repository: Repository[Servable]) -> tuple[ModelConfig, ...]:
    models = (ModelConfig(flags.model_name, Path(flags.model_base_path).absolute()),)
    repository.configure(models)
    return models
