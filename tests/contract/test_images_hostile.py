"""contract.images and strangers: nothing but ImageError comes out, and little is spent on the way."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from encoding import encoded, noise, plain, png
from PIL import Image, JpegImagePlugin

from contract.image_spec import ImageSpec
from contract.images import FORMATS, ImageError, NotAnImageError, TooManyPixelsError, decode, size_of

SPEC = ImageSpec(height=32, width=32)
ROOT = Path(__file__).resolve().parents[2]

# Pillow warns of oddities in the files that it reads; here they are the point.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::Warning:PIL")

NOT_IMAGES = {
    "text": b"this is no picture",
    "HTML": b"<!doctype html><title>404</title>",
    "zeros": bytes(1000),
    "PDF": b"%PDF-1.7\n",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n",
    "PPM, a format that is left out": b"P6 1 1 255\n\0\0\0",
    "only a JPEG's first bytes": b"\xff\xd8\xff",
    "only a PNG's first bytes": b"\x89PNG\r\n\x1a\n",
}


def test_zero_bytes_have_a_message_of_their_own() -> None:
    """An empty file is the commonest broken upload, and is named."""
    with pytest.raises(NotAnImageError, match=r"the file is empty \(0 bytes\)"):
        decode(b"", SPEC)


@pytest.mark.parametrize("data", NOT_IMAGES.values(), ids=NOT_IMAGES.keys())
def test_what_is_no_picture_is_refused_with_the_accepted_formats(data: bytes) -> None:
    """The message says what would have been right."""
    with pytest.raises(NotAnImageError, match="expected one of JPEG, PNG, WEBP, GIF, BMP, TIFF"):
        decode(data, SPEC)


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_truncated_picture_is_refused_wherever_it_ends(image_format: str) -> None:
    """No part of a picture passes for the whole: either the error, or all of its pixels."""
    whole = encoded(noise(), image_format)
    expected = decode(whole, SPEC)
    refused = 0
    for length in range(0, len(whole), 7):
        try:
            assert decode(whole[:length], SPEC) == expected, f"other pixels after {length} bytes"
        except ImageError:
            refused += 1
    assert refused > 0.9 * len(whole) / 7


@pytest.mark.parametrize(
    "options",
    [
        *({"image_format": name} for name in FORMATS),
        {"image_format": "JPEG", "progressive": True},
        {"image_format": "WEBP", "lossless": True},
        {"image_format": "TIFF", "compression": "tiff_lzw"},
    ],
    ids=str,
)
def test_only_image_error_comes_out_of_corrupt_bytes(
    options: dict[str, object], capfd: pytest.CaptureFixture[str]
) -> None:
    """300 pictures with changed, cut and inserted bytes: pixels of the right size or an ImageError."""
    whole = encoded(noise(), **options)  # type: ignore[arg-type]
    dice = random.Random(str(options))
    for _ in range(300):
        with contextlib.suppress(ImageError):
            assert len(decode(mutated(whole, dice), SPEC)) == SPEC.bytes_per_image
    capfd.readouterr()  # libtiff writes to standard error by itself


def mutated(whole: bytes, dice: random.Random) -> bytes:
    """The bytes with a few of them changed, most of them where the headers are."""
    data = bytearray(whole)
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        data[dice.randrange(min(len(data), dice.choice((30, 200, len(data)))))] = dice.randrange(256)
    start = dice.randrange(len(data))
    return bytes(dice.choice((data, data, data[:start], data + data[start:], data[:start] + data)))


def bomb_png() -> bytes:
    data = bytearray(png(8, 2, b"\0\0\0"))
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def bomb_jpeg() -> bytes:
    data = bytearray(encoded(plain(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(data)


def bomb_gif() -> bytes:
    data = bytearray(encoded(plain(), "GIF"))
    frame = data.index(b"\x2c")
    data[frame + 5 : frame + 9] = struct.pack("<HH", 65_500, 65_500)
    return bytes(data)


def bomb_webp() -> bytes:
    data = bytearray(encoded(plain(), "WEBP", save_all=True, append_images=[noise((8, 8))]))
    canvas = data.index(b"VP8X") + 12
    data[canvas : canvas + 6] = (struct.pack("<I", 16_382)[:3]) * 2
    return bytes(data)


def bomb_bmp() -> bytes:
    data = bytearray(encoded(plain(), "BMP"))
    data[18:26] = struct.pack("<ii", 60_000, 60_000)
    return bytes(data)


@pytest.mark.parametrize("bomb", [bomb_png, bomb_jpeg, bomb_gif, bomb_webp, bomb_bmp])
def test_a_bomb_is_refused_by_its_header(bomb: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that announces too many pixels is enough: no pixel is decoded."""

    def decoded(*arguments: object) -> None:
        pytest.fail("pixels were decoded")

    data = bomb()
    monkeypatch.setattr(Image.Image, "load", decoded)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(TooManyPixelsError, match="pixels; at most 50,000,000 are accepted"):
        decode(data, SPEC)


def test_the_limit_is_the_callers() -> None:
    """Exactly the limit passes, one pixel more does not."""
    data = encoded(plain(size=(10, 10)))
    assert decode(data, SPEC, max_pixels=100)
    with pytest.raises(TooManyPixelsError, match="10 × 10 pixels; at most 99 are accepted"):
        decode(data, SPEC, max_pixels=99)


def test_size_of_reads_the_header_alone() -> None:
    """The size is known without decoding, also of a bomb; what is no picture has none."""
    assert size_of(bomb_jpeg()) == (65_500, 65_500)
    with pytest.raises(NotAnImageError):
        size_of(b"nothing")


@pytest.mark.parametrize(
    ("mode", "image_format"),
    [("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "MPO")],  # MPO: what some telephones write
)
def test_a_large_photo_is_decoded_at_an_eighth(
    mode: str, image_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libjpeg scales 12 megapixels while it decodes, so that a 64th of the pixels is ever made."""
    image = Image.new(mode, (4000, 3000))
    more = {"save_all": True, "append_images": [image]} if image_format == "MPO" else {}
    data = encoded(image, image_format, **more)
    assert decoded_size(data, SPEC, monkeypatch) == (500, 375)


@pytest.mark.parametrize("size", [(4000, 70), (70, 4000), (6000, 129), (511, 513), (64, 64), (4000, 3000)])
@pytest.mark.parametrize(
    "spec", [SPEC, ImageSpec(height=16, width=64), ImageSpec(height=32, width=32, fit="stretch")]
)
def test_scaled_decoding_never_undercuts_twice_the_models_size(
    size: tuple[int, int], spec: ImageSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with extreme proportions both sides keep twice what the model takes, or all they had."""
    data = encoded(plain(size=size), "JPEG")
    width, height = decoded_size(data, spec, monkeypatch)
    assert width >= min(size[0], 2 * spec.width)
    assert height >= min(size[1], 2 * spec.height)


def decoded_size(data: bytes, spec: ImageSpec, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """The size at which libjpeg was asked for the pixels."""
    sizes: list[tuple[int, int]] = []
    load = JpegImagePlugin.JpegImageFile.load

    def spy(image: Image.Image) -> object:
        sizes.append(image.size)
        return load(image)  # type: ignore[arg-type]

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", spy)
    decode(data, spec)
    return sizes[0]


def test_scaled_decoding_shows_the_same_picture() -> None:
    """The shortcut changes what a model sees by little: a mean difference below 2 of 255."""
    gradient = Image.merge("RGB", [Image.linear_gradient("L").resize((1600, 1200))] * 3)
    data = encoded(gradient, "JPEG", quality=95)
    exact = gradient.resize((32, 32), Image.Resampling.LANCZOS).tobytes()
    drafted = decode(data, ImageSpec(height=32, width=32, fit="stretch"))
    assert sum(abs(one - other) for one, other in zip(exact, drafted, strict=True)) / len(exact) < 2


MEMORY_OF_A_PHOTO = """
import resource, sys
from contract.images import decode
from contract.image_spec import ImageSpec
spec = ImageSpec(height=32, width=32)
warm, photo = (open(path, "rb").read() for path in sys.argv[1:])
decode(warm, spec)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode(photo, spec)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts KiB on Linux only")
def test_a_12_megapixel_photo_needs_little_memory(tmp_path: Path) -> None:
    """36 MB of pixels are never made: the peak grows by less than 8 MiB."""
    warm, photo = tmp_path / "warm.jpg", tmp_path / "photo.jpg"
    warm.write_bytes(encoded(plain(size=(600, 400)), "JPEG"))
    photo.write_bytes(encoded(Image.effect_noise((4000, 3000), 40).convert("RGB"), "JPEG", quality=60))
    command = [sys.executable, "-c", MEMORY_OF_A_PHOTO, str(warm), str(photo)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(answer.stdout) < 8 * 1024


def test_a_picture_is_read_once_from_memory() -> None:
    """Decoding leaves the caller's bytes alone, and the same bytes give the same pixels."""
    data = encoded(noise(), "JPEG")
    copy = io.BytesIO(data).getvalue()
    assert decode(data, SPEC) == decode(data, SPEC)
    assert data == copy
