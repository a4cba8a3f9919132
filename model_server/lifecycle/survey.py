"""Looks into the base paths of the models and says, once, what keeps a version from being found."""

from __future__ import annotations

import logging

from model_server.lifecycle.model_config import ModelConfig, Specific
from model_server.lifecycle.versions import Listing, list_versions
from model_server.logs import Notices

log = logging.getLogger(__name__)


class Survey:
    """One look after the other; remembers what it has said."""

    def __init__(self) -> None:
        self._notices = Notices(log)

    def look(self, config: ModelConfig) -> Listing | None:
        """What lies in the model's base path; None when it cannot be read."""
        try:
            listing = list_versions(config.base_path)
        except OSError as error:
            self._say(
                config,
                f"Could not find base path {config.base_path} for servable {config.name}: "
                f"{error.strerror or error}; waiting for a version in {config.base_path}",
            )
            return None
        for name in listing.ignored:
            message = f"ignoring {config.base_path / name}: its name is no version number of its own"
            self._notices.say(f"{config.name}/{name}", message, model=config.name)
        self._tell_what_is_missing(config, listing)
        return listing

    def _tell_what_is_missing(self, config: ModelConfig, listing: Listing) -> None:
        missing: frozenset[int] = frozenset()
        if isinstance(config.policy, Specific):
            missing = config.policy.versions - listing.versions.keys()
        if not listing.versions:
            self._say(
                config,
                f"No versions of servable {config.name} found under base path {config.base_path}; "
                f"waiting for a version in {config.base_path} (a directory named by a number, e.g. 1)",
            )
        elif missing:
            numbers = ", ".join(str(number) for number in sorted(missing))
            self._say(
                config,
                f"versions that the configuration of {config.name} names are not there: {numbers}; "
                f"waiting for them in {config.base_path}",
            )
        else:
            self._notices.clear(config.name)

    def _say(self, config: ModelConfig, message: str) -> None:
        self._notices.say(config.name, message, model=config.name)
