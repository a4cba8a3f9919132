"""Who is it, may it ask like this, and how much: the three questions before any route runs.

Transport-free but for names of headers; gateway.api.protection brings it into HTTP.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from gateway.access.callers import ANYONE, Caller
from gateway.access.proxies import TrustedProxies
from gateway.access.quotas import Quotas
from gateway.access.tokens import Tokens
from gateway.errors import ForeignOriginError, UnauthenticatedError
from gateway.settings import AccessSettings, ServerSettings

COOKIE = "rekindle_session"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """One gateway's rules of access."""

    def __init__(self, access: AccessSettings, server: ServerSettings) -> None:
        """Raises ConfigurationError for tokens, networks or groups that cannot be used."""
        self.tokens = Tokens(access.tokens_file) if access.tokens_file else None
        self.proxies = TrustedProxies(access)
        self.quotas = Quotas(access)
        self.session_seconds = int(access.session_hours * 3600)
        self._hosts = frozenset(host.lower() for host in access.allowed_hosts)
        self._origins = frozenset(access.cors_origins)
        self._is_loopback = is_loopback(server.host)

    @property
    def is_open(self) -> bool:
        """True without tokens and proxies: everybody may do everything."""
        return self.tokens is None and not self.proxies.is_configured

    def identify(self, address: str | None, headers: Mapping[bytes, str]) -> Caller:
        """The caller of a request by proxy, bearer token or session cookie. Raises UnauthenticatedError."""
        if self.proxies.is_trusted(address) and (user := headers.get(self.proxies.user_header)):
            return self.proxies.identify(user, headers.get(self.proxies.groups_header, ""))
        if self.is_open:
            return ANYONE
        secret = _secret(headers)
        if secret is None or self.tokens is None:
            raise UnauthenticatedError("send a token: `Authorization: Bearer <token>`")
        return self.tokens.authenticate(secret)

    def check_site(self, method: str, headers: Mapping[bytes, str]) -> None:
        """Refuse what a page of another site asks for. Raises ForeignOriginError.

        The Host is checked on every request: a name of another's that resolves to loopback (DNS rebinding)
        would let a page read here. The Origin is checked on writes.
        """
        host = headers.get(b"host", "")
        name = _host_name(host)
        if (self._hosts and name not in self._hosts) or (
            not self._hosts and self._is_loopback and not is_loopback(name)
        ):
            raise ForeignOriginError(
                f"the request is addressed to {host[:80]!r}, which is not a name of this gateway; "
                "add it to GATEWAY_ACCESS__ALLOWED_HOSTS if it is"
            )
        origin = headers.get(b"origin")
        if method in _READS or origin is None or origin in self._origins:
            return
        if origin == "null" or urlsplit(origin).netloc.lower() != host.lower():
            raise ForeignOriginError(f"a page of {origin[:80]!r} may not write here")


@lru_cache(maxsize=256)  # a Host header is looked at on every request, and is nearly always the same
def is_loopback(host: str) -> bool:
    """True for loopback's addresses and `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _host_name(host: str) -> str:
    """The name without port, in lower case; an IPv6 address without brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _secret(headers: Mapping[bytes, str]) -> str | None:
    """The token of the Authorization header, else of the session's cookie."""
    kind, _, secret = headers.get(b"authorization", "").partition(" ")
    if secret and kind.lower() == "bearer":
        return secret.strip()
    for pair in headers.get(b"cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE and value:
            return value
    return None
