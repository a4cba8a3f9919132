"""What both tests of `helm test` need: calls with the token, and pictures that are drawn here."""

from __future__ import annotations

import io
import json
import os
import random
import time
import urllib.error
import urllib.request
import uuid

from PIL import Image

DEADLINE = time.monotonic() + float(os.environ["TIMEOUT_SECONDS"])


def call(method: str, url: str, body: bytes | None = None, kind: str = "application/json") -> dict:
    """One call to the gateway; anything but 2xx ends the test with what the gateway said."""
    headers = {"Content-Type": kind} if body is not None else {}
    if token := os.environ.get("TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        hint = " (set tests.tokenSecret)" if error.code == 401 else ""
        raise SystemExit(f"{method} {url}: {error.code}{hint} {error.read().decode()[:1000]}") from error


def picture(red: int, green: int, blue: int) -> bytes:
    """A PNG of 32 by 32 pixels: noise around a colour, so that no two are the same."""
    noise = [
        tuple(max(0, min(255, c + random.randint(-40, 40))) for c in (red, green, blue))  # noqa: S311
        for _ in range(1024)
    ]
    image = Image.new("RGB", (32, 32))
    image.putdata(noise)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def form(pictures: list[bytes], field: str, **fields: str) -> tuple[bytes, str]:
    """A multipart body and its content type."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for number, content in enumerate(pictures):
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{number}.png"\r\n'
        parts.append(head.encode() + b"Content-Type: image/png\r\n\r\n" + content + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
