"""Image files as rows: what is unusual is read as documented, what is hostile or broken is refused in one line."""

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from softmaxclf.datasets.images import MAX_BYTES, MAX_PIXELS, find_images, read_image
from softmaxclf.errors import DataError

SHAPE = (3, 32, 32)
MOST_EXTRA_MEMORY = 800  # MB
PIXELS = np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)
Pixels = np.ndarray[Any, Any]


def planes(pixels: Pixels) -> Pixels:
    """Pixels (H, W, C) as a row in plane order."""
    return pixels.transpose(2, 0, 1).reshape(-1)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def rgb(file_format: str, **options: Any) -> bytes:
    return encoded(Image.fromarray(PIXELS), file_format, **options)


# Bytes of files, part by part


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def idat(count: int) -> bytes:
    return chunk(b"IDAT", zlib.compress(bytes(count)))


def gif(width: int, height: int, *blocks: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + b"".join(blocks) + b";"


def bmp(width: int, height: int, compression: int = 0, bits: int = 24, body: bytes = b"") -> bytes:
    body = bytes(1024 if bits == 8 else 0) + body
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 1078 if bits == 8 else 54) + header + body


def tiff(*entries: tuple[int, int, int, int], body: bytes = b"") -> bytes:
    """Entries (tag, type, count, value) of a directory at 8, then `body` at 1000."""
    content = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *each) for each in entries)
    return (b"II*\0" + struct.pack("<I", 8) + content + bytes(4)).ljust(1000, b"\0") + body


def grey_tiff(width: int, height: int, *entries: tuple[int, int, int, int], body: bytes = b"") -> bytes:
    size = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8)]
    return tiff(*sorted([*size, (262, 3, 1, 1), (277, 3, 1, 1), *entries]), body=body)


def webp_header(width: int, height: int) -> bytes:
    canvas = bytes([0x10, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def with_jpeg_size(width: int, height: int) -> bytes:
    content = bytearray(rgb("JPEG"))
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def exif(value: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = value
    return block.tobytes()


TRUNCATED = [
    (f"{name} cut at {share:.0%}", content[: int(share * len(content))])
    for name, content in [
        ("PNG", rgb("PNG")), ("JPEG", rgb("JPEG", quality=95)), ("progressive JPEG", rgb("JPEG", progressive=True)),
        ("BMP", rgb("BMP")), ("WEBP", rgb("WEBP")),
        ("TIFF", rgb("TIFF", compression="tiff_lzw")), ("GIF", rgb("GIF")),
    ]
    for share in (0.02, 0.5, 0.8)
]  # fmt: skip

Builder = Callable[[Path], object]


def holding(content: bytes) -> Builder:
    return lambda path: path.write_bytes(content)


def sparse(start: bytes, size: int) -> Builder:
    def build(path: Path) -> None:
        path.write_bytes(start)
        os.truncate(path, size)

    return build


BYTES: list[tuple[str, bytes]] = [
    *TRUNCATED,
    ("an empty file", b""),
    ("text named .png", b"This is not an image.\n"),
    ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"),
    ("HTML", b"<!doctype html><title>404</title>"),
    ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    ("PostScript, which Pillow gives to Ghostscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    ("a pickle", b"cos\nsystem\n(S'true'\ntR."),
    ("zeros", bytes(4096)),
    ("PNG of 20,000 x 20,000", png(20_000, 20_000, idat(1000))),
    ("PNG of 2,147,483,647 x 2,147,483,647", png(2**31 - 1, 2**31 - 1, idat(1000))),
    ("PNG of one line of 100,000,000 pixels", png(100_000_000, 1, idat(1000))),
    ("PNG decompression bomb, cut short", png(6_000, 6_000, idat(6_000 * 17_000))),
    ("PNG of no size", png(0, 0, idat(1))),
    ("PNG with a text of 64 MB in 64 KB", png(32, 32, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(64 << 20))))),
    ("PNG without data", png(32, 32)),
    ("PNG with a wrong checksum", png(32, 32).replace(b"IHDR", b"IHDr")),
    ("PNG with a palette that it lacks", png(32, 32, idat(33 * 32), colour=3, depth=3)),
    ("PNG with a palette of 7 bytes and no data", png(9, 9, chunk(b"PLTE", bytes(7)), colour=3)),
    ("GIF of 65,535 x 65,535", gif(65_535, 65_535)),
    ("GIF whose frame is larger than its screen", gif(9, 9, b"," + struct.pack("<HHHHB", 0, 0, 65_535, 60_000, 0))),
    ("GIF of no frame", gif(32, 32)),
    ("GIF of broken codes", gif(32, 32, b"," + struct.pack("<HHHHB", 0, 0, 32, 32, 0) + b"\x0d\x02\xff\xff\0")),
    ("BMP of 20,000 x 20,000", bmp(20_000, 20_000)),
    ("BMP of a negative width", bmp(-32, 32)),
    ("JPEG of 65,000 x 65,000", with_jpeg_size(65_000, 65_000)),
    ("JPEG of 20,000 x 20,000", with_jpeg_size(20_000, 20_000)),
    ("JPEG of 8,000 x 7,900 with the data of a small one", with_jpeg_size(8_000, 7_900)[:-2]),
    ("JPEG of fill bytes", b"\xff\xd8" + b"\xff" * 1_000_000),
    ("WEBP with a canvas of 16,000 x 16,000", webp_header(16_000, 16_000)),
    ("WEBP of a header alone", webp_header(32, 32)),
    ("TIFF with a tile of 40,000 x 40,000", grey_tiff(32, 32, (259, 3, 1, 8), (322, 4, 1, 40_000), (323, 4, 1, 40_000),
        (324, 4, 1, 1000), (325, 4, 1, 8), body=bytes(8))),
    ("TIFF with 60 tags of the same 20 MB", grey_tiff(32, 32, *[(40_000 + n, 7, 20_000_000, 1000) for n in range(60)],
        body=bytes(20_000_000))),
    ("TIFF of no directory", b"II*\0\xff\xff\xff\x7f"),
    ("TIFF whose directory holds itself", tiff((0x8769, 4, 1, 8))),
    ("TIFF of broken deflate data", grey_tiff(32, 32, (259, 3, 1, 8), (273, 4, 1, 1000), (278, 4, 1, 32),
        (279, 4, 1, 9), body=bytes(9))),
    ("TIFF of 600 samples a pixel", grey_tiff(32, 32, (259, 3, 1, 1)).replace(
        struct.pack("<HHII", 277, 3, 1, 1), struct.pack("<HHII", 277, 3, 1, 600))),
    ("BigTIFF", b"II+\0\x08\0\0\0" + bytes(100)),
    ("TIFF of floating-point numbers", encoded(Image.new("F", (32, 32)), "TIFF")),
    ("TIFF of 32-bit numbers", encoded(Image.new("I", (32, 32)), "TIFF")),
    ("TIFF of LAB colours", encoded(Image.new("LAB", (32, 32)), "TIFF")),
]  # fmt: skip

CASES: list[tuple[str, str, Builder]] = [
    *(("image", name, holding(content)) for name, content in BYTES),
    ("image", "a folder named .png", lambda path: path.mkdir()),
    ("image", "no such file", lambda path: None),
    ("image", "a pipe that nobody writes to", lambda path: os.mkfifo(path)),
    ("image", "a device", lambda path: path.symlink_to("/dev/zero")),
    ("image", "a link to itself", lambda path: path.symlink_to(path)),
    ("image", "a file of 10 GB", sparse(rgb("BMP"), 10 << 30)),
]


@pytest.mark.parametrize("build", [each[2] for each in CASES], ids=[each[1] for each in CASES])
def test_a_hostile_or_broken_image_is_refused_in_one_line(
    build: Builder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "the picture.png"
    build(path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError) as caught:
        read_image(path, SHAPE)
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert message.startswith(f"{path}: expected ") and ", found " in message and "; " in message
    assert message.isprintable() and len(message) < len(str(path)) + 250
    assert sorted(tmp_path.rglob("*")) == before
    assert capfd.readouterr() == ("", "")  # libtiff and Pillow's log would write here


MEASURE = """
import sys
from pathlib import Path
import PIL.Image
from softmaxclf.datasets.images import read_image
from softmaxclf.errors import DataError

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

PIL.Image.init()
before = peak()
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read_image(path, (3, 32, 32))
    except DataError:
        pass
print((peak() - before) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_no_image_takes_800_mb(tmp_path: Path) -> None:
    for number, (_, _, build) in enumerate(CASES):
        build(tmp_path / f"{number}.png")
    side = int(MAX_PIXELS**0.5)
    (tmp_path / "largest.png").write_bytes(png(side, side, idat(side * (4 * side + 1)), colour=6))
    done = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 250 < int(done.stdout) < MOST_EXTRA_MEMORY  # the largest that is read takes 4 bytes a pixel


def test_the_message_says_what_was_found(tmp_path: Path) -> None:
    def message(content: bytes) -> str:
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(DataError) as caught:
            read_image(tmp_path / "x.png", SHAPE)
        return str(caught.value)

    assert "at most 64 megapixels and 65,535 pixels a side, found more; make a smaller copy" in message(
        bmp(20_000, -19_000)
    )
    assert "found 8,000 x 9,000 pixels; make a smaller copy" in message(bmp(8_000, -9_000))
    assert "found 1 x 60,000,000 pixels; make a smaller copy" in message(png(1, 60_000_000))
    assert "text that begins with '<svg version=1.1'" in message(b"<svg version=1.1 width='9'/>")
    assert "HEIC, AVIF or a video" in message(b"\0\0\0\x18ftypheic")
    assert "an empty file" in message(b"")
    assert "truncated" in message(rgb("PNG")[:1000])
    with pytest.raises(
        DataError, match=r"found a folder, pipe or device; check the path and its permissions$"
    ):
        read_image(tmp_path, SHAPE)


def test_a_name_with_a_line_break_or_no_utf_8_stays_on_one_line(tmp_path: Path) -> None:
    for name in ("two\nlines.png", os.fsdecode(b"\xff\xfe.png"), "zero\0byte.png", "\x1b[31mred.png"):
        with pytest.raises(DataError) as caught:
            read_image(tmp_path / name, SHAPE)
        assert str(caught.value).isprintable()


def test_a_file_over_the_limit_is_not_opened_by_pillow(tmp_path: Path) -> None:
    sparse(rgb("PNG"), MAX_BYTES + 1)(tmp_path / "x.png")
    with pytest.raises(DataError, match="50,331,648 bytes, found 50,331,649 bytes"):
        read_image(tmp_path / "x.png", SHAPE)


SMALL = [
    rgb("PNG"), rgb("JPEG"), rgb("JPEG", progressive=True, exif=exif(6)), rgb("GIF"), rgb("BMP"), rgb("WEBP"),
    rgb("WEBP", lossless=True, exif=exif(3)), rgb("TIFF"), rgb("TIFF", compression="tiff_adobe_deflate"),
    encoded(Image.fromarray(PIXELS).quantize(9), "PNG", transparency=3),
    encoded(Image.fromarray(PIXELS).convert("CMYK"), "JPEG"),
    bmp(9, 9, 1, 8, b"\x09\x01\0\0" * 9 + b"\0\x01"),
]  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SMALL),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4)), min_size=1, max_size=4),
    st.floats(0, 2),
)
def test_changed_bytes_give_a_row_or_a_data_error(
    tmp_path: Path, content: bytes, changes: list[tuple[float, bytes]], kept: float
) -> None:
    changed = bytearray(content)
    for share, patch in changes:
        # The square prefers the start of the file, where the headers are.
        place = int(share * share * len(changed))
        changed[place : place + len(patch)] = patch
    path = tmp_path / "x.png"
    path.write_bytes(changed[: int(kept * len(changed))])
    with np.errstate(all="raise"):
        try:
            row = read_image(path, SHAPE)
        except DataError as error:
            assert str(error).isprintable()
        else:
            assert row.shape == (3072,) and row.dtype == np.uint8


@pytest.mark.parametrize("content", SMALL)
def test_what_is_changed_there_can_be_read_unchanged(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    assert read_image(tmp_path / "x", SHAPE).shape == (3072,)


# What is read


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Pixels]:
    """A function that saves an image (or bytes) and gives what is read of it, as pixels (H, W, C)."""

    def saved(
        image: Image.Image | bytes,
        file_format: str = "PNG",
        shape: tuple[int, int, int] = SHAPE,
        **options: Any,
    ) -> Pixels:
        path = tmp_path / "x"
        path.write_bytes(image if isinstance(image, bytes) else encoded(image, file_format, **options))
        channels, height, width = shape
        return read_image(path, shape).reshape(channels, height, width).transpose(1, 2, 0)

    return saved


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
    ],
)  # fmt: skip
def test_an_image_of_the_models_size_is_taken_pixel_for_pixel(
    file_format: str, options: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(rgb(file_format, **options))
    row = read_image(tmp_path / "x", SHAPE)
    assert row.dtype == np.uint8 and (row == planes(PIXELS)).all()


def test_a_jpeg_is_close_to_what_was_saved(read: Callable[..., Pixels]) -> None:
    smooth = np.linspace(0, 255, 32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8)
    assert np.abs(read(Image.fromarray(smooth), "JPEG", quality=95).astype(int) - smooth).max() < 8


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize(
    ("file_format", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
)
def test_the_exif_orientation_is_applied(
    value: int, file_format: str, options: dict[str, Any], read: Callable[..., Pixels]
) -> None:
    upright = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    turns = [
        lambda a: a, lambda a: a[:, ::-1], lambda a: a[::-1, ::-1], lambda a: a[::-1], lambda a: a.transpose(1, 0, 2),
        lambda a: np.rot90(a, 1), lambda a: a[::-1, ::-1].transpose(1, 0, 2), lambda a: np.rot90(a, -1),
    ]  # fmt: skip
    stored = np.ascontiguousarray(turns[value - 1](upright))
    found = read(Image.fromarray(stored), file_format, shape=(3, 4, 6), exif=exif(value), **options)
    assert (found == upright).all()


def test_a_jpeg_is_turned_too_and_resized_after_the_turn(read: Callable[..., Pixels]) -> None:
    top_dark = np.zeros((400, 200, 3), np.uint8)
    top_dark[200:] = 250
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(top_dark, 1)))
    found = read(stored, "JPEG", exif=exif(6), shape=(3, 8, 4))
    assert found[:3].max() < 10 and found[-3:].min() > 240


def test_a_list_of_further_pictures_before_the_exif_does_not_hide_the_orientation(
    read: Callable[..., Pixels],
) -> None:
    top_dark = np.zeros((32, 32, 3), np.uint8)
    top_dark[16:] = 250
    content = encoded(Image.fromarray(top_dark[::-1]), "JPEG", exif=exif(3))
    pictures = b"\xff\xe2" + struct.pack(">H", 14) + b"MPF\0II*\0\x08\0\0\0"
    found = read(content[:2] + pictures + content[2:])
    assert found[:8].max() < 10 and found[-8:].min() > 240


def test_broken_exif_counts_as_none(read: Callable[..., Pixels]) -> None:
    assert (read(Image.fromarray(PIXELS), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01") == PIXELS).all()
    for block in (b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", exif(9)):
        assert (read(Image.fromarray(PIXELS), exif=block) == PIXELS).all()


GREY = PIXELS[:, :, 0]
ALPHA = np.arange(1024).reshape(32, 32).astype(np.uint8)


def over_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    share = alpha[:, :, None] / 255
    return pixels * share + 255 * (1 - share)


def as_rgb(grey: Pixels) -> Pixels:
    return np.repeat(np.asarray(grey)[:, :, None], 3, axis=2)


def _big_endian_tiff() -> bytes:
    tags = [(256, 32), (257, 32), (258, 16), (259, 1), (262, 1), (273, 200), (277, 1), (278, 32), (279, 2048)]
    directory = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    head = b"MM\0*" + struct.pack(">IH", 8, len(tags)) + directory
    return head.ljust(200, b"\0") + (GREY.astype(">u2") * 257).tobytes()


UNUSUAL: list[tuple[str, Callable[[], bytes], Pixels]] = [
    ("grey", lambda: encoded(Image.fromarray(GREY), "PNG"), as_rgb(GREY)),
    ("one bit", lambda: encoded(Image.fromarray(GREY > 127), "PNG"), as_rgb((GREY > 127) * 255)),
    ("16-bit grey", lambda: encoded(Image.fromarray(GREY.astype(np.uint16) * 256 + 100), "PNG"), as_rgb(GREY)),
    ("16-bit grey TIFF", lambda: encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF"), as_rgb(GREY)),
    ("16-bit grey, big-endian TIFF", _big_endian_tiff, as_rgb(GREY)),
    (
        "16-bit colours",
        lambda: png(32, 32, _colours_of_16_bits(), depth=16),
        PIXELS,
    ),
    ("RGBA over white", lambda: encoded(Image.fromarray(np.dstack([PIXELS, ALPHA])), "PNG"), over_white(PIXELS, ALPHA)),
    (
        "grey with alpha over white",
        lambda: encoded(Image.fromarray(np.dstack([GREY, ALPHA]), "LA"), "PNG"),
        over_white(as_rgb(GREY), ALPHA),
    ),
    (
        "a colour that is transparent",
        lambda: encoded(Image.new("RGB", (32, 32), (9, 8, 7)), "PNG", transparency=(9, 8, 7)),
        np.full((32, 32, 3), 255),
    ),
    (
        "palette",
        lambda: encoded(Image.fromarray((PIXELS // 128) * 255).quantize(8), "PNG"),
        (PIXELS // 128) * 255,
    ),
    (
        "a palette with a transparent entry, GIF",
        lambda: encoded(_half_transparent(), "GIF", transparency=0),
        np.where(np.arange(32)[None, :, None] < 16, 255, np.array([10, 20, 30])[None, None]) * np.ones((32, 1, 1)),
    ),
    ("CMYK", lambda: encoded(Image.new("CMYK", (32, 32), (255, 0, 0, 0)), "TIFF"), np.full((32, 32, 3), [0, 255, 255])),
    ("CMYK JPEG", lambda: encoded(Image.new("CMYK", (32, 32), (0, 0, 0, 255)), "JPEG"), np.zeros((32, 32, 3))),
    (
        "animated: the first frame",
        lambda: encoded(
            Image.new("RGB", (32, 32), "red"), "GIF", save_all=True, append_images=[Image.new("RGB", (32, 32), "blue")]
        ),
        np.full((32, 32, 3), [255, 0, 0]),
    ),
    (
        "animated WEBP: the first frame",
        lambda: encoded(
            Image.new("RGB", (32, 32), "red"), "WEBP", lossless=True, save_all=True,
            append_images=[Image.new("RGB", (32, 32), "blue")],
        ),
        np.full((32, 32, 3), [255, 0, 0]),
    ),
    ("1 x 1", lambda: encoded(Image.new("RGB", (1, 1), (5, 6, 7)), "PNG"), np.full((32, 32, 3), [5, 6, 7])),
    ("1 x 9,000", lambda: encoded(Image.new("RGB", (1, 9000), (5, 6, 7)), "PNG"), np.full((32, 32, 3), [5, 6, 7])),
]  # fmt: skip


def _colours_of_16_bits() -> bytes:
    lines = [b"\0" + (line.astype(">u2") * 257).tobytes() for line in PIXELS]
    return chunk(b"IDAT", zlib.compress(b"".join(lines)))


def _half_transparent() -> Image.Image:
    image = Image.new("P", (32, 32))
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.paste(1, (16, 0, 32, 32))
    return image


@pytest.mark.parametrize(
    ("build", "expected"), [each[1:] for each in UNUSUAL], ids=[each[0] for each in UNUSUAL]
)
def test_an_unusual_image_is_read_as_documented(
    build: Callable[[], bytes], expected: Pixels, read: Callable[..., Pixels]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Pillow's own, while it saves
        content = build()
    assert np.abs(read(content).astype(float) - expected).max() <= 1


def test_a_grey_model_sees_luma(read: Callable[..., Pixels]) -> None:
    luma = PIXELS @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(read(Image.fromarray(PIXELS), shape=(1, 32, 32))[:, :, 0] - luma).max() <= 1
    assert (read(Image.fromarray(GREY), shape=(1, 32, 32))[:, :, 0] == GREY).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
def test_a_larger_image_is_averaged_over_areas(mode: str, read: Callable[..., Pixels]) -> None:
    generator = np.random.default_rng(5)
    coarse = generator.integers(0, 256, (32, 32), dtype=np.uint8)
    fine = generator.integers(-20, 21, (32, 20, 32, 20))
    grey = np.clip(coarse[:, None, :, None] + fine, 0, 255).reshape(640, 640)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey.astype(np.uint8)).convert(mode)
    means = grey.reshape(32, 20, 32, 20).mean(axis=(1, 3))
    assert np.abs(read(image) - as_rgb(means)).max() <= 1


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (30, 10), (10, 30)])
def test_the_centre_is_cropped_to_the_models_aspect_ratio(
    size: tuple[int, int], read: Callable[..., Pixels]
) -> None:
    image = Image.new("RGB", size, "red")
    width, height = size
    side = min(size)
    image.paste(
        "blue", ((width - side) // 2, (height - side) // 2, (width + side) // 2, (height + side) // 2)
    )
    centre = read(image)[12:20, 12:20]
    assert (centre == [0, 0, 255]).all()
    tall = read(Image.new("RGB", (60, 30), "green"), shape=(3, 40, 20))
    assert tall.shape == (40, 20, 3) and (tall == [0, 128, 0]).all()


def test_a_large_jpeg_gives_nearly_what_its_png_gives(read: Callable[..., Pixels]) -> None:
    y, x = np.mgrid[0:1600, 0:1200] / 100
    pixels = np.stack([np.sin(y), np.cos(x), np.sin(x + y)], axis=2) * 120 + 128
    image = Image.fromarray(pixels.astype(np.uint8))
    difference = read(image, "JPEG", quality=95).astype(int) - read(image, "PNG", compress_level=1)
    assert np.abs(difference).max() <= 8


def test_other_than_one_or_three_channels_is_a_bug_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 or 3 channels, got 4"):
        read_image(tmp_path, (4, 32, 32))


def test_pillows_own_warnings_stay_quiet_and_its_limits_as_they_were(read: Callable[..., Pixels]) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError):
            read(png(10_000, 10_000, idat(100)))
    assert limit == Image.MAX_IMAGE_PIXELS


# Folders


def test_folders_give_their_images_in_order_and_files_are_always_tried(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "sub/c.webp", "sub/.hidden.png", ".git/d.png", "notes.txt", "noending"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "z.png").symlink_to(tmp_path / "a.jpg")
    named = [tmp_path / "notes.txt", tmp_path, tmp_path / "missing.png"]
    expected = ["notes.txt", "a.jpg", "b.PNG", "z.png", "sub/c.webp", "missing.png"]
    assert find_images(named) == [tmp_path / name for name in expected]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        DataError, match=r"expected image files \(\.png, .*found none in this folder; name another"
    ):
        find_images([tmp_path])


def test_a_folder_that_cannot_be_read_is_listed_for_the_reader_to_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def refusing(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert find_images([tmp_path]) == [tmp_path / "a.png", tmp_path / "closed"]
