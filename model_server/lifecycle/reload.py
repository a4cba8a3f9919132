"""Replaces the list of models on request, and waits for the models that are new."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from contract import tfserving_api
from model_server.errors import Code, ServingError, invalid_argument
from model_server.lifecycle import model_config
from model_server.lifecycle.polling import Poller
from model_server.lifecycle.repository import Repository

log = logging.getLogger(__name__)


class Reloader:
    """HandleReloadConfigRequest without its transport."""

    def __init__(self, repository: Repository[Any], poller: Poller) -> None:
        self._repository = repository
        self._poller = poller

    def reload(self, request: Any, is_cancelled: Callable[[], bool]) -> Any:
        """Apply a ReloadConfigRequest; returns once each new model has an AVAILABLE version.

        A new *version* of a model that is known is not waited for, as upstream. Raises ServingError;
        the configuration is then as it was, unless a new model did not become available.
        """
        models = None
        if request.config.WhichOneof("config") == "model_config_list":
            models = model_config.from_message(request.config)
        if models is None:
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        new = self._repository.configure(models)
        log.info("configuration replaced on request", extra={"models": [model.name for model in models]})
        self._poller.wake()
        if not self._repository.wait_until_available(new, is_cancelled):
            message = f"given up waiting for {', '.join(sorted(new))}: the call has ended"
            raise ServingError(Code.CANCELLED, message)
        response = tfserving_api.ReloadConfigResponse()
        response.status.error_code = Code.OK
        return response
