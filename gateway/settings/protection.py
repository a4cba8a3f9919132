"""Who may do what, and how much."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from gateway.settings.base import Group, Texts


class AccessSettings(Group):
    """Tokens, sites, proxies, and the quota of one caller."""

    @property
    def is_protected(self) -> bool:
        """True when callers must say who they are."""
        return self.tokens_file is not None or bool(self.trusted_proxies)

    tokens_file: Path | None = None
    """Lines `<name> <role> <sha256 of the token>`; read again when it changes. None: no tokens."""
    session_hours: float = Field(default=12.0, gt=0)
    """How long a browser keeps the cookie that POST /v1/session sets."""
    allowed_hosts: Texts = ()
    """Names by which the gateway may be addressed, without port. Empty: on loopback only loopback's names,
    elsewhere any."""
    cors_origins: Texts = ()
    """Other sites whose pages may call the API, as `https://name`. Empty: none."""
    trusted_proxies: Texts = ()
    """Addresses or networks of proxies that authenticate people, and whose headers are believed."""
    user_header: str = "X-Forwarded-User"
    groups_header: str = "X-Forwarded-Groups"
    group_roles: Texts = ()
    """`group=role` pairs for people whom a proxy names; the group `*` is everyone."""
    requests_per_minute: int = Field(default=0, ge=0)
    """Of one caller, counted by each gateway process, up to a hundredth of them ahead; 0: no limit. Beyond it
    429."""
    requests_at_once: int = Field(default=0, ge=0)
    """Of one caller, counted by each gateway process; 0: no limit. Beyond it 429."""
