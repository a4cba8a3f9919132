"""The one rule that turns the bytes of a picture into what a model sees.

The trainer and the gateway call the same `decode`, so training and serving cannot disagree. Strangers'
bytes are parsed here: only the formats named below, never more pixels than the limit, every failure an
ImageError. The only module that knows Pillow; it returns plain bytes, so that no caller needs numpy.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from math import sqrt
from operator import mul

from PIL import ExifTags, Image, ImageOps

from contract import bare_pictures
from contract.image_spec import ImageSpec

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Pillow's names. Formats that call other programs (EPS) or have rarely fuzzed parsers stay out."""

MAX_PIXELS = 50_000_000
"""Default limit of width × height: above the largest phone cameras that deliver files, below a bomb."""

STATISTICS_SIDE = 32

# Pillow's own limit warns at one size and raises at twice that; ours is checked before decoding instead.
Image.MAX_IMAGE_PIXELS = None

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_WHITE = (255, 255, 255)


class ImageError(ValueError):
    """The bytes are not a picture that can be used; the message says why."""


class NotAnImageError(ImageError):
    """The bytes are empty, of no known format, truncated or corrupt."""


class TooManyPixelsError(ImageError):
    """The header announces more pixels than the limit; nothing was decoded."""


class Encoded:
    """A picture whose header was read, and no pixel of which was decoded yet."""

    def __init__(self, data: bytes, max_pixels: int = MAX_PIXELS) -> None:
        """Raises NotAnImageError, TooManyPixelsError."""
        self._image = _open(data, max_pixels)

    @property
    def pixels(self) -> int:
        """Width × height, as the header states them."""
        return self._image.width * self._image.height

    def decode(self, spec: ImageSpec) -> bytes:
        """Once: as the function of this name. Raises NotAnImageError."""
        return _decoded(self._image, spec).tobytes()


def decode(data: bytes, spec: ImageSpec, max_pixels: int = MAX_PIXELS) -> bytes:
    """Decode, orient, flatten and resize one picture.

    Args:
        data: an encoded picture in one of FORMATS; of an animation, the first frame counts.
        spec: the model's size, resampling filter and fit.
        max_pixels: limit of width × height, read from the header before any pixel is decoded.

    Returns:
        uint8, [height, width, 3], RGB, 0–255, row-major, as bytes.

    Raises:
        NotAnImageError, TooManyPixelsError.
    """
    return Encoded(data, max_pixels).decode(spec)


def smaller(data: bytes, side: int, max_pixels: int = MAX_PIXELS) -> bytes:
    """The whole picture, upright and on white, at most `side` pixels wide and high, as WebP for people.

    Never larger than it was, and without metadata. Raises NotAnImageError, TooManyPixelsError.
    """
    image = _open(data, max_pixels)
    try:
        small = _to_rgb(_oriented(_drafted(image, side)))
        small.thumbnail((side, side))
        file = io.BytesIO()
        _without_info(small, "RGB").save(file, "WEBP", quality=75)
    except ImageError:
        raise
    except Exception as error:  # as in `decode`
        raise NotAnImageError(f"the {image.format} data is truncated or corrupt: {error}") from error
    return file.getvalue()


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels as the header states them; nothing is decoded. Raises NotAnImageError."""
    return _open(data, sys.maxsize).size


def check(data: bytes, max_pixels: int = MAX_PIXELS) -> str:
    """Decode a picture once as training will, to the smallest size; return its usual file extension.

    Raises NotAnImageError, TooManyPixelsError.
    """
    image = _open(data, max_pixels)
    _decoded(image, _SMALLEST)
    kind = image.format or ""
    return {"TIFF": "tif", "MPO": "jpg"}.get(kind) or _EXTENSIONS[kind]


_SMALLEST = ImageSpec(height=1, width=1, resampling="bilinear", fit="stretch")
_EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
"""Formats that are kept as they are when nothing is in them but the picture."""


def bare_extension(data: bytes) -> str:
    """The usual file extension of data that hold a picture and nothing else; else an empty string."""
    return _EXTENSIONS[bare_pictures.kind_of(data)] if bare_pictures.is_bare(data) else ""


def without_metadata(data: bytes) -> tuple[bytes, str]:
    """The picture without EXIF, GPS, XMP, comments or anything behind it; and its usual file extension.

    Bytes that hold nothing but the picture come back as they are. Otherwise the pixels are turned upright
    and encoded anew: JPEG at quality 95, everything else as PNG without loss. Of an animation the first
    frame stays, which is the one that `decode` looks at.

    Raises NotAnImageError.
    """
    if extension := bare_extension(data):
        return data, extension
    kind = bare_pictures.kind_of(data)
    image = _open(data, MAX_PIXELS)
    try:
        upright = _oriented(image)
        file = io.BytesIO()
        if kind == "JPEG":
            _without_info(upright, "RGB").save(file, "JPEG", quality=95)
            return file.getvalue(), "jpg"
        bare = _without_info(upright, "RGBA")
        is_opaque = bare.getchannel("A").getextrema() == (255, 255)
        (bare.convert("RGB") if is_opaque else bare).save(file, "PNG")
    except Exception as error:  # as in `decode`
        raise NotAnImageError(f"the {image.format} data is truncated or corrupt: {error}") from error
    return file.getvalue(), "png"


def _without_info(image: Image.Image, mode: str) -> Image.Image:
    """The pixels alone: `save` writes comments and more from what else Pillow read."""
    return Image.frombytes(mode, image.size, image.convert(mode).tobytes())


@dataclass(frozen=True, slots=True)
class PixelStatistics:
    """What drift compares of one picture; all 0–255, of luminance ITU-R 601."""

    red: float
    green: float
    blue: float
    """Means of the channels."""
    brightness: float
    """Mean of the luminance."""
    contrast: float
    """Standard deviation of the luminance."""


def statistics_of(pixels: bytes, height: int, width: int) -> PixelStatistics:
    """Of what `decode` gave: uint8, [height, width, 3], RGB. The same numbers in gateway and trainer.

    A larger picture is averaged down to 32×32 first: Pillow's own ImageStat takes several times as long.
    """
    image = Image.frombytes("RGB", (width, height), pixels)
    if max(image.size) > STATISTICS_SIDE:
        size = (min(width, STATISTICS_SIDE), min(height, STATISTICS_SIDE))
        image = image.resize(size, Image.Resampling.BOX)
    colours, luminance = image.tobytes(), image.convert("L").tobytes()
    count = len(luminance)
    red, green, blue = (sum(colours[channel::3]) / count for channel in range(3))
    brightness = sum(luminance) / count
    variance = sum(map(mul, luminance, luminance)) / count - brightness**2
    return PixelStatistics(red, green, blue, brightness, sqrt(max(0.0, variance)))


def encode_png(pixels: bytes, height: int, width: int) -> bytes:
    """Encode pixels without loss, so that `decode` at this size gives the same bytes back.

    Args:
        pixels: uint8, [height, width, 3], RGB, 0–255, row-major.

    Raises:
        ValueError: the number of bytes is not height × width × 3.
    """
    if len(pixels) != height * width * 3:
        raise ValueError(f"{len(pixels)} bytes of pixels; expected {height} × {width} × 3")
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(file, format="PNG")
    return file.getvalue()


def _open(data: bytes, max_pixels: int) -> Image.Image:
    if not data:
        raise NotAnImageError("the file is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:
        raise NotAnImageError(f"not a picture; expected one of {', '.join(FORMATS)}") from error
    width, height = image.size
    if width * height > max_pixels:
        raise TooManyPixelsError(f"{width} × {height} pixels; at most {max_pixels:,} are accepted")
    return image


def _decoded(image: Image.Image, spec: ImageSpec) -> Image.Image:
    try:
        side = max(spec.height, spec.width)
        return _fit(_to_rgb(_oriented(_drafted(image, side))), spec)
    except ImageError:
        raise
    except Exception as error:  # Pillow's parsers raise a dozen types on corrupt data
        raise NotAnImageError(f"the {image.format} data is truncated or corrupt: {error}") from error


def _drafted(image: Image.Image, wanted: int) -> Image.Image:
    """Let libjpeg decode at 1/2, 1/4 or 1/8 of the size, never below twice the wanted side.

    Colours are left alone: a CMYK file must not be read as RGB.
    """
    if image.format in ("JPEG", "MPO"):  # MPO: a JPEG with further pictures behind it, from telephones
        image.draft(None, (2 * wanted, 2 * wanted))
    return image


def _oriented(image: Image.Image) -> Image.Image:
    """Turn the picture upright by its EXIF orientation; a broken EXIF block counts as none."""
    try:
        image.load()  # of a PNG the block may come after the pixels
        if ExifTags.Base.Orientation not in image.getexif():
            return image  # `exif_transpose` would copy the pixels
        return ImageOps.exif_transpose(image)
    except (OSError, TypeError, ValueError, KeyError, SyntaxError, ZeroDivisionError):
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any colour mode to RGB: 16 bits by their high byte, transparency on white."""
    image.load()
    if image.mode in ("I", "F"):
        raise NotAnImageError("the pixels are 32-bit numbers of unknown range; expected 8 or 16 bits")
    if image.mode.startswith("I;16"):
        # A transparent colour is dropped: it is a 16-bit number, and would be compared with 8 bits.
        image.info.pop("transparency", None)
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _on_white(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    flat = Image.new("RGB", image.size, _WHITE)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def _fit(image: Image.Image, spec: ImageSpec) -> Image.Image:
    size = (spec.width, spec.height)
    if image.size == size:
        return image
    if spec.fit == "cover":
        return ImageOps.fit(image, size, method=_FILTERS[spec.resampling])
    return image.resize(size, _FILTERS[spec.resampling])
