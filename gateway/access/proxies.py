"""Identity from a proxy in front (oauth2-proxy): believed from its address only, mapped to roles by group."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from gateway.access.callers import Caller, Role
from gateway.errors import ConfigurationError, UnauthenticatedError
from gateway.settings import AccessSettings


class TrustedProxies:
    """The proxies whose word counts."""

    def __init__(self, settings: AccessSettings) -> None:
        """Raises ConfigurationError for what is no network, or no `group=role`."""
        try:
            self._networks = [ipaddress.ip_network(text) for text in settings.trusted_proxies]
        except ValueError as error:
            raise ConfigurationError(f"GATEWAY_ACCESS__TRUSTED_PROXIES: {error}") from error
        self._roles = _group_roles(settings)
        self.user_header = settings.user_header.lower().encode()
        self.groups_header = settings.groups_header.lower().encode()

    @property
    def is_configured(self) -> bool:
        """True when there are any."""
        return bool(self._networks)

    def is_trusted(self, address: str | None) -> bool:
        """True for the address of a proxy."""
        if not self._networks or address is None:
            return False
        try:
            client = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(client in network for network in self._networks)

    def identify(self, user: str, groups: str) -> Caller:
        """The caller that the proxy names. Raises UnauthenticatedError when no group has a role."""
        roles = [self._roles[group] for group in map(str.strip, groups.split(",")) if group in self._roles]
        if "*" in self._roles:
            roles.append(self._roles["*"])
        if not roles:
            raise UnauthenticatedError(f"{user[:80]!r} is in no group that has a role here")
        return Caller(user[:128], max(roles))


def _group_roles(settings: AccessSettings) -> Mapping[str, Role]:
    roles = {}
    for pair in settings.group_roles:
        group, _, role = pair.rpartition("=")
        try:
            roles[group.strip()] = Role.of(role.strip())
        except ValueError as error:
            raise ConfigurationError(f"GATEWAY_ACCESS__GROUP_ROLES: {pair!r}: {error}") from error
    return roles
