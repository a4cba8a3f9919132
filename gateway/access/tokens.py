"""Bearer tokens: a file with a line for each, which holds only the token's SHA-256.

A token is 256 random bits, so its plain hash cannot be guessed back. The file is read again when it
changes: adding, rotating and revoking need no restart. A file that cannot be read leaves the last good
one in force.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from gateway.access.callers import Caller, Role
from gateway.errors import ConfigurationError, UnauthenticatedError

log = logging.getLogger(__name__)

PREFIX = "rk_"
"""By which secret scanners, and people, recognise one of ours."""
LOOK_SECONDS = 1.0
"""How often the file's time is looked at."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class NewToken:
    """A token that was just made; `secret` is shown once and stored nowhere."""

    secret: str
    line: str


def create(name: str, role: Role) -> NewToken:
    """Make a token, and the line for the tokens file. Raises ValueError for a name that cannot be one."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"the name {name!r} must be letters, digits, '.', '_', '@' or '-', 63 at most")
    secret = PREFIX + secrets.token_urlsafe(32)
    return NewToken(secret, f"{name} {role} {_digest(secret)}")


class Tokens:
    """The tokens of one file."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigurationError for a file that cannot be used."""
        self._path = path
        self._looked_at = monotonic()
        self._stamp = self._stamp_now()
        self._callers = read(path)
        self._shown: dict[str, Caller] = {}

    def authenticate(self, secret: str) -> Caller:
        """The caller whose token this is. Raises UnauthenticatedError."""
        self._follow()
        # A token that was right is looked up, not hashed, until the file changes; in memory, never written.
        caller = self._shown.get(secret)
        if caller is None:
            caller = self._shown[secret] = self._known(_digest(secret))
        return caller

    def _known(self, digest: str) -> Caller:
        known = self._callers.get(digest)
        # The lookup is by a hash, which tells nothing of the secret; the comparison takes constant time.
        if known is None or not hmac.compare_digest(known[0], digest):
            raise UnauthenticatedError("the token is not known; it may have been revoked or rotated")
        return known[1]

    def _follow(self) -> None:
        if monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = monotonic()
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._callers = read(self._path)
            self._shown.clear()
        except ConfigurationError as error:
            log.error("tokens stay as they were", extra={"reason": str(error)})
        else:
            log.info("tokens read again", extra={"tokens": len(self._callers)})

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size


def read(path: Path) -> Mapping[str, tuple[str, Caller]]:
    """The callers by digest. Raises ConfigurationError, naming the line and never what it holds."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the tokens file {path} cannot be read: {error}") from error
    callers = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            digest, caller = _parsed(line, f"{path}, line {number}")
            callers[digest] = (digest, caller)
    if not callers:
        raise ConfigurationError(f"{path} holds no token; `python -m gateway token NAME ROLE` makes one")
    return callers


def _parsed(line: str, where: str) -> tuple[str, Caller]:
    words = line.split()
    if len(words) != 3 or not _NAME.fullmatch(words[0]) or not _DIGEST.fullmatch(words[2]):
        raise ConfigurationError(f"{where}: expected `<name> <role> <sha256 of the token, 64 hex digits>`")
    try:
        return words[2], Caller(words[0], Role.of(words[1]))
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
