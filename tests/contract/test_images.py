"""contract.images: every way to encode a picture comes to the same RGB pixels."""

from __future__ import annotations

import struct

import pytest
from encoding import BLUE, GREEN, RED, WHITE, Colour, encoded, middle, near, noise, plain, png
from PIL import Image

from contract import images
from contract.image_spec import Fit, ImageSpec
from contract.images import FORMATS, decode, encode_png, size_of

CORNERS = {1: "TL", 2: "TR", 3: "BR", 4: "BL", 5: "TL", 6: "TR", 7: "BR", 8: "BL"}
"""Where the upper left corner of the stored picture belongs, by EXIF orientation (tag 0x0112)."""

EXIF_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")


def red_corner(width: int = 48, height: int = 32) -> Image.Image:
    """A blue picture whose upper left corner is red."""
    image = plain(BLUE, (width, height))
    image.paste(RED, (0, 0, width // 4, height // 4))
    return image


def corners(pixels: bytes, width: int, height: int) -> list[str]:
    """The corners that are red."""
    places = {"TL": (2, 2), "TR": (width - 3, 2), "BL": (2, height - 3), "BR": (width - 3, height - 3)}
    return [name for name, (x, y) in places.items() if pixels[(y * width + x) * 3] > 128]


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_format_is_decoded(image_format: str) -> None:
    """Each accepted format gives height × width × 3 bytes of the colour that was encoded."""
    assert near(middle(encoded(plain((200, 30, 60)), image_format)), (200, 30, 60))


def test_a_picture_of_the_models_size_is_not_changed() -> None:
    """Without loss in the file there is none in the pixels: rows first, then columns, then RGB."""
    image = noise((5, 3))
    assert decode(encoded(image), ImageSpec(height=3, width=5)) == image.tobytes()


@pytest.mark.parametrize("image_format", EXIF_FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_the_pixels(image_format: str, orientation: int) -> None:
    """All eight orientations come out upright, also where they swap height and width."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = (
        {"tiffinfo": {0x0112: orientation}} if image_format == "TIFF" else {"exif": exif}
    )
    data = encoded(red_corner(), image_format, **options)
    width, height = (48, 32) if orientation < 5 else (32, 48)
    pixels = decode(data, ImageSpec(height=height, width=width))
    assert corners(pixels, width, height) == [CORNERS[orientation]]


def test_a_drafted_photo_is_turned_too() -> None:
    """libjpeg's scaled decoding and the orientation do not get into each other's way."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(red_corner(2400, 1600), "JPEG", exif=exif)
    assert corners(decode(data, ImageSpec(height=48, width=32)), 32, 48) == ["TR"]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_a_broken_exif_block_counts_as_none() -> None:
    """A picture is not refused for what its camera wrote beside it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(red_corner(), "JPEG", exif=exif)
    broken = data.replace(b"Exif\0\0MM", b"Exif\0\0XX").replace(b"Exif\0\0II", b"Exif\0\0XX")
    assert broken != data
    assert corners(decode(broken, ImageSpec(height=32, width=48)), 48, 32) == ["TL"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(encoded(plain((200, 0, 0, 0), mode="RGBA")), WHITE, id="transparent RGBA"),
        pytest.param(
            encoded(plain((0, 0, 0, 128), mode="RGBA")), (127, 127, 127), id="half transparent RGBA"
        ),
        pytest.param(encoded(plain((0, 128), mode="LA")), (127, 127, 127), id="half transparent grey"),
        pytest.param(encoded(plain((0, 0, 0, 0), mode="RGBA"), "WEBP"), WHITE, id="WebP"),
        pytest.param(encoded(plain((0, 0, 0, 0), mode="RGBA"), "TIFF"), WHITE, id="TIFF"),
        pytest.param(png(8, 2, bytes([9, 8, 7]), struct.pack(">HHH", 9, 8, 7)), WHITE, id="key colour RGB"),
        pytest.param(png(8, 0, b"\x64", struct.pack(">H", 100)), WHITE, id="key colour grey"),
        pytest.param(png(8, 0, b"\x64", struct.pack(">H", 99)), (100, 100, 100), id="another key colour"),
        pytest.param(png(1, 0, b"\0", struct.pack(">H", 0), size=8)[:], WHITE, id="key colour 1 bit"),
    ],
)
def test_transparency_lies_on_white(data: bytes, expected: Colour) -> None:
    """What shows through is white, whichever way a format says that it does."""
    assert near(middle(data), expected, tolerance=2)


@pytest.mark.parametrize("size", [8, 4])
def test_transparency_is_flattened_before_resizing(size: int) -> None:
    """The hidden colour of a transparent half does not bleed into the visible half."""
    image = plain((0, 0, 0, 255), mode="RGBA")
    image.paste((255, 0, 0, 0), (0, 0, 8, 4))
    pixels = decode(encoded(image), ImageSpec(height=size, width=size, resampling="bilinear"))
    assert all(pixels[at] == pixels[at + 1] == pixels[at + 2] for at in range(0, len(pixels), 3))


@pytest.mark.parametrize("transparent", [None, 0, bytes([0, 255])])
def test_a_palette_is_looked_up(transparent: int | bytes | None) -> None:
    """Palette pictures come out in their colours; a transparent entry as white."""
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 255, 0, 0, 0, 255])
    options = {} if transparent is None else {"transparency": transparent}
    expected = GREEN if transparent is None else WHITE
    assert middle(encoded(image, "PNG", **options)) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0), (255, 0), (256, 1), (32768, 128), (65534, 255), (65535, 255)]
)
@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_high_byte(value: int, expected: int, image_format: str) -> None:
    """16 bits become 8 as libpng does it for colours, over the whole range and not just its ends."""
    assert middle(encoded(plain(value, mode="I;16"), image_format)) == (expected, expected, expected)


def test_16_bit_colours_keep_their_high_byte() -> None:
    """16-bit RGB and RGBA are reduced by the same rule as 16-bit grey."""
    assert middle(png(16, 2, struct.pack(">HHH", 65535, 32768, 1000))) == (255, 128, 3)
    assert middle(png(16, 6, struct.pack(">HHHH", 65535, 0, 0, 65535))) == RED


@pytest.mark.parametrize("key", [1000, 3])
def test_a_16_bit_key_colour_hides_nothing(key: int) -> None:
    """A 16-bit transparent colour is not mistaken for the 8-bit value of other pixels."""
    assert middle(png(16, 0, struct.pack(">H", 1000), struct.pack(">H", key))) == (3, 3, 3)


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF", "GIF"])
def test_one_bit_is_black_or_white(image_format: str) -> None:
    """1-bit pictures use the whole range."""
    assert middle(encoded(plain(1, mode="1"), image_format)) == WHITE
    assert middle(encoded(plain(0, mode="1"), image_format)) == (0, 0, 0)


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk_is_converted(image_format: str) -> None:
    """Full cyan is no red, in files that store the inks plain (TIFF) and inverted (Adobe's JPEG)."""
    data = encoded(plain((255, 0, 0, 0), mode="CMYK"), image_format)
    assert near(middle(data), (0, 255, 255))


def test_an_adobe_cmyk_jpeg_is_recognised_as_inverted() -> None:
    """Without ink the paper is white: the inverted storage is undone, also when decoded at an eighth."""
    data = encoded(plain((0, 0, 0, 0), (800, 800), mode="CMYK"), "JPEG")
    assert b"Adobe" in data
    assert near(middle(data), WHITE)


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_counts(image_format: str) -> None:
    """Further frames and pages are not looked at."""
    data = encoded(plain(RED), image_format, save_all=True, append_images=[plain(GREEN), plain(BLUE)])
    assert near(middle(data), RED)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_of_unknown_range_are_refused(mode: str) -> None:
    """32-bit numbers say nothing of what is white; the message says what is accepted."""
    with pytest.raises(
        images.NotAnImageError, match="32-bit numbers of unknown range; expected 8 or 16 bits"
    ):
        decode(encoded(plain(1, mode=mode), "TIFF"), ImageSpec(height=8, width=8))


@pytest.mark.parametrize(("fit", "expected"), [("cover", [BLUE, BLUE, BLUE]), ("stretch", [RED, BLUE, RED])])
def test_cover_cuts_the_sides_and_stretch_keeps_them(fit: Fit, expected: list[Colour]) -> None:
    """A wide picture loses its ends under `cover`, centred, and its proportions under `stretch`."""
    image = plain(BLUE, (120, 40))
    image.paste(RED, (0, 0, 40, 40))
    image.paste(RED, (80, 0, 120, 40))
    pixels = decode(encoded(image), ImageSpec(height=12, width=12, fit=fit))
    row = [tuple(pixels[(6 * 12 + x) * 3 :][:3]) for x in (1, 6, 10)]
    assert all(near(colour, wanted) for colour, wanted in zip(row, expected, strict=True)), row


@pytest.mark.parametrize("size", [(3000, 1), (1, 3000), (1, 1), (4000, 3), (33, 32)])
@pytest.mark.parametrize("fit", ["cover", "stretch"])
def test_extreme_proportions_come_to_size(size: tuple[int, int], fit: Fit) -> None:
    """One row of pixels, or one pixel, fills the frame with its colour."""
    pixels = decode(encoded(plain(RED, size), "JPEG", quality=95), ImageSpec(height=32, width=20, fit=fit))
    assert len(pixels) == 32 * 20 * 3
    assert near(tuple(pixels[:3]), RED)
    assert near(tuple(pixels[-3:]), RED)


def test_resampling_is_the_specs() -> None:
    """The three filters are really three: a model card's choice changes the pixels."""
    data = encoded(noise())
    specs = [ImageSpec(height=9, width=7, resampling=name) for name in ("bilinear", "bicubic", "lanczos")]
    assert len({decode(data, spec) for spec in specs}) == 3


def test_encode_png_is_undone_by_decode() -> None:
    """The lossless encoding keeps every byte, and refuses a wrong number of them."""
    pixels = noise((7, 5)).tobytes()
    data = encode_png(pixels, height=5, width=7)
    assert decode(data, ImageSpec(height=5, width=7)) == pixels
    assert size_of(data) == (7, 5)
    with pytest.raises(ValueError, match="104 bytes of pixels; expected 5 × 7 × 3"):
        encode_png(pixels[:-1], height=5, width=7)
