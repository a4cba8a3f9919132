"""What goes wrong between here and an object store, as sentences: what, and the way out.

Each cloud's client raises errors of its own, which share nothing but what they are called and say.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

CREDENTIALS = (
    "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "GOOGLE_APPLICATION_CREDENTIALS, or AZURE_STORAGE_CONNECTION_STRING, or give the pod's service account a "
    "cloud identity"
)
_NO_CREDENTIALS = {
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
    *("DefaultCredentialsError", "ClientAuthenticationError", "TokenRetrievalError"),
}


class MirrorError(Exception):
    """Something could not be mirrored; the message is one sentence."""


@contextmanager
def explained(what: str, url: str) -> Iterator[None]:
    """Whatever fails inside becomes a MirrorError that begins with what was tried."""
    try:
        yield
    except MirrorError:
        raise
    except Exception as error:
        raise MirrorError(f"cannot {what} {url}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    name = type(error).__name__
    if name in _NO_CREDENTIALS:
        return CREDENTIALS
    if isinstance(error, ImportError):
        return (
            f"{error}; install the extra of that store: rekindle[mirror-s3], [mirror-gcs] or [mirror-azure]"
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full; give the volume more room, or remove old versions"
    if isinstance(error, FileNotFoundError):
        return f"it is not there ({error}); make the bucket, or correct the address"
    if isinstance(error, PermissionError):
        return f"it is not allowed ({error}); the credentials need to list, read and, to push, write there"
    return f"{name}: {error}" if str(error) else name
