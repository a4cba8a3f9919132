"""Pictures as the body of a request: multipart/form-data, or the bytes themselves."""

from __future__ import annotations

from collections.abc import Sequence

from load_tests.callers.pictures import Picture

BOUNDARY = "rekindle-load-test"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(pictures: Sequence[Picture]) -> bytes:
    """One `images` part for each picture."""
    parts = [
        (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="{picture.name}"\r\n'
            f"Content-Type: {picture.content_type}\r\n\r\n"
        ).encode()
        + picture.content
        + b"\r\n"
        for picture in pictures
    ]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
