"""A caller and its role. predict < label < operate: each may do what those before it may."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from gateway.errors import ForbiddenError


class Role(IntEnum):
    """What a caller may do."""

    PREDICT = 1
    """Ask for predictions, and read."""
    LABEL = 2
    """Give feedback, upload examples."""
    OPERATE = 3
    """Train, roll out, delete."""

    def __str__(self) -> str:
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Role:
        """A role by its word. Raises ValueError."""
        try:
            return cls[word.upper()]
        except KeyError:
            roles = ", ".join(map(str, cls))
            raise ValueError(f"there is no role {word!r}; the roles are: {roles}") from None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    role: Role

    def require(self, role: Role) -> None:
        """Raises ForbiddenError when the role does not suffice."""
        if self.role < role:
            raise ForbiddenError(f"{self.name!r} has the role {self.role}; this needs the role {role}")


GATEWAY = Caller("gateway", Role.OPERATE)
"""Stands in the audit log for what the gateway does by its own rules."""

ANYONE = Caller("anyone", Role.OPERATE)
"""Every caller of a gateway without tokens, which listens on loopback only unless told otherwise."""
