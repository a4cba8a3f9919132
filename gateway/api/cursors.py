"""Where a page ends, as one opaque word for the caller."""

from __future__ import annotations

import base64
import binascii

from gateway.errors import InvalidParameterError
from gateway.ports.history import Cursor


def encoded(cursor: Cursor) -> str:
    """A cursor as one opaque word."""
    return base64.urlsafe_b64encode(f"{cursor[0]}.{cursor[1]}".encode()).decode().rstrip("=")


def decoded(text: str) -> Cursor:
    """The cursor of a word that `encoded` made. Raises InvalidParameterError."""
    try:
        at, _, id_ = (
            base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            .decode("ascii")
            .partition(".")
        )
        if len(id_) != 32 or not at.isdigit() or int(at) >= 2**63:
            raise ValueError(text)
    except (ValueError, binascii.Error) as error:
        raise InvalidParameterError(
            f"the cursor {text[:80]!r} is not one of ours; pass `next_cursor` of a page, or none"
        ) from error
    return int(at), id_
