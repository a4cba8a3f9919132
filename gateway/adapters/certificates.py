"""The certificates for the connections to the model servers, from files that are renewed while we run.

A cluster renews certificates by replacing files. What is read is checked before it is used: a pair that
does not match, as seen in the middle of a renewal, leaves the connections as they are. The channels
themselves are gateway.adapters.tfserving's.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.settings import PredictorSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Certificates:
    """PEM, as gRPC takes it."""

    authorities: bytes
    certificate: bytes | None
    key: bytes | None
    server_name: str | None


class CertificateFiles:
    """The files of the settings, and what was last read from them."""

    def __init__(self, settings: PredictorSettings) -> None:
        """Raises ConfigurationError when the files cannot be used."""
        self._settings = settings
        self._is_failing = False
        self.current = self._read()

    def have_changed(self) -> bool:
        """Read again; True when `current` is new. What cannot be used is logged once, and `current` stays."""
        try:
            found = self._read()
        except ConfigurationError as error:
            if not self._is_failing:
                log.error("certificates cannot be renewed", extra={"reason": str(error)})
            self._is_failing = True
            return False
        self._is_failing = False
        is_new = found != self.current
        self.current = found
        return is_new

    def _read(self) -> Certificates | None:
        settings = self._settings
        if settings.tls_ca_file is None:
            return None
        own, key = settings.tls_certificate_file, settings.tls_key_file
        try:
            found = self._read_bytes(settings.tls_ca_file)
            context = ssl.create_default_context(cafile=settings.tls_ca_file)
            if own is not None:
                context.load_cert_chain(own, key)
            # Only the standard library's own reading checks a pair, so what it read may not be what we did.
            if self._read_bytes(settings.tls_ca_file) != found:
                raise OSError("they changed while they were read")
            return found
        except OSError as error:  # ssl.SSLError is one too
            named = ", ".join(str(path) for path in (settings.tls_ca_file, own, key) if path)
            raise ConfigurationError(
                f"the TLS files for the model servers cannot be used ({named}): {error}; they must be PEM, "
                "and the key must belong to the certificate"
            ) from error

    def _read_bytes(self, authorities: Path) -> Certificates:
        own, key = self._settings.tls_certificate_file, self._settings.tls_key_file
        return Certificates(
            authorities.read_bytes(),
            own.read_bytes() if own else None,
            key.read_bytes() if key else None,
            self._settings.tls_server_name,
        )
