"""What counts as a picture and nothing else; what is taken out of every other."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from contract import bare_pictures, images
from contract.image_spec import ImageSpec

SPEC = ImageSpec(height=16, width=24, resampling="bilinear", fit="stretch")
SECRET = b"47.3769 N, 8.5417 E"


def drawn(mode: str = "RGB") -> Image.Image:
    """24 × 16 pixels, no two rows alike."""
    return Image.frombytes("RGB", (24, 16), bytes(value % 251 for value in range(24 * 16 * 3))).convert(mode)


def saved(form: str, mode: str = "RGB", **options: Any) -> bytes:
    """The drawn picture as a file."""
    file = io.BytesIO()
    drawn(mode).save(file, form, **options)
    return file.getvalue()


def with_exif(form: str) -> bytes:
    """Orientation 1 and a description that nobody should keep."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    return saved(form, exif=exif)


def noted_png() -> bytes:
    """A PNG with a text chunk."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", SECRET.decode())
    return saved("PNG", pnginfo=notes)


def animated_webp() -> bytes:
    """Two frames."""
    file = io.BytesIO()
    drawn().save(file, "WEBP", save_all=True, append_images=[drawn("L").convert("RGB")])
    return file.getvalue()


BARE = {
    "jpeg": saved("JPEG"),
    "progressive": saved("JPEG", progressive=True),
    "grey": saved("JPEG", "L"),
    "cmyk": saved("JPEG", "CMYK"),
    "jpeg with profile": saved("JPEG", icc_profile=b"a profile" * 20),
    "png": saved("PNG"),
    "palette": saved("PNG", "P"),
    "transparent": saved("PNG", "RGBA"),
    "webp": saved("WEBP"),
    "lossless": saved("WEBP", lossless=True),
    "transparent webp": saved("WEBP", "RGBA"),
}
LADEN = {
    **{f"exif in {form}": with_exif(form) for form in ("JPEG", "PNG", "WEBP")},
    "comment": saved("JPEG", comment=SECRET),
    "text": noted_png(),
    "xmp": saved("JPEG", xmp=SECRET),
    "xmp in webp": saved("WEBP", xmp=SECRET),
    **{f"behind {name}": data + SECRET for name, data in BARE.items()},
    "another form": saved("BMP"),
    "gif": saved("GIF"),
    "animation": animated_webp(),
}


@pytest.mark.parametrize("name", BARE)
def test_a_bare_picture_stays_as_it_is(name: str) -> None:
    """Byte for byte, with the extension of its format."""
    assert bare_pictures.is_bare(BARE[name])
    assert images.without_metadata(BARE[name])[0] is BARE[name]


@pytest.mark.parametrize("name", LADEN)
def test_what_is_not_the_picture_goes(name: str) -> None:
    """The secret is gone, the result is bare, its size is the same, and once is enough."""
    assert not bare_pictures.is_bare(LADEN[name])
    bare, _ = images.without_metadata(LADEN[name])
    assert SECRET not in bare
    assert bare_pictures.is_bare(bare)
    assert images.size_of(bare) == images.size_of(LADEN[name])
    assert images.without_metadata(bare)[0] is bare


@pytest.mark.parametrize("name", [name for name in LADEN if "exif in PNG" in name or name.startswith("text")])
def test_without_loss_where_the_picture_had_none(name: str) -> None:
    """Whoever decodes the bare file sees the same pixels."""
    bare, _ = images.without_metadata(LADEN[name])
    assert images.decode(bare, SPEC) == images.decode(LADEN[name], SPEC)


@given(st.sampled_from(sorted(BARE)), st.integers(0, 2000), st.binary(min_size=1, max_size=12))
def test_broken_files_are_no_accident(name: str, place: int, found: bytes) -> None:
    """Whatever stands in the file: true or false, and nothing is raised."""
    data = BARE[name]
    for broken in (data[:place], data[:place] + found + data[place + len(found) :]):
        assert bare_pictures.is_bare(broken) in (True, False)
