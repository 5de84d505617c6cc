import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fergan.images import enlarge, fit, from_array, from_photo, sheet, to_array, to_model, to_pixels, upright
from tests import factory


def test_every_level_survives_the_round_trip():
    levels = torch.arange(256, dtype=torch.uint8)
    images = to_model(levels)
    assert float(images.min()) == -1
    assert float(images.max()) == 1
    assert torch.equal(to_pixels(images), levels)


def test_to_pixels_rounds_and_clamps():
    assert to_pixels(torch.tensor([-3.0, 0.0, 3.0, 1 / 127.5 * 0.6 - 1])).tolist() == [0, 128, 255, 1]


@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 5, 4, 3)])
def test_arrays_round_trip(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images = from_array(pixels)
    assert images.shape == (3, 3 if len(shape) == 4 else 1, 5, 4)
    assert np.array_equal(to_array(images), pixels)


def test_sheet_places_faces_row_by_row():
    faces = np.stack([np.full((4, 4), value, np.uint8) for value in (10, 20, 30)])
    picture = np.asarray(sheet(faces, columns=2, gap=1))
    assert picture.shape == (9, 9)
    assert (picture[0, 0], picture[0, 5], picture[5, 0], picture[5, 5], picture[4, 4]) == (
        10,
        20,
        30,
        255,
        255,
    )


def test_sheet_refuses_nothing():
    with pytest.raises(ValueError, match="0 faces, 2 columns"):
        sheet(np.empty((0, 4, 4), np.uint8), columns=2)


def test_enlarge_keeps_the_mean():
    picture = sheet(np.random.default_rng(0).integers(0, 256, (1, 8, 8), np.uint8), 1)
    large = enlarge(picture, 4)
    assert large.size == (32, 32)
    assert abs(np.asarray(large).mean() - np.asarray(picture).mean()) < 3


def test_fit_turns_colour_to_grey_and_changes_the_size():
    colour = torch.tensor([1.0, -1.0, -1.0])[None, :, None, None].expand(2, 3, 64, 64)
    grey = fit(colour, 48, 1)
    assert grey.shape == (2, 1, 48, 48)
    assert torch.allclose(grey, torch.full_like(grey, 0.299 - 0.701), atol=1e-5)
    assert fit(grey, 48, 3).shape == (2, 3, 48, 48)


def test_fit_leaves_what_fits():
    images = torch.rand(2, 1, 48, 48)
    assert torch.equal(fit(images, 48, 1), images)


# --- photos ---


def saved(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_photos_are_read(kind):
    photo = from_photo(saved(Image.new("RGB", (30, 20), (200, 100, 50)), kind))
    assert (photo.mode, photo.size) == ("RGB", (30, 20))
    assert np.abs(np.asarray(photo, int) - (200, 100, 50)).max() < 12


@pytest.mark.parametrize(("turn", "corner"), [(3, (19, 29)), (6, (29, 0)), (8, (0, 19)), (2, (19, 0))])
def test_exif_turns_the_photo(turn, corner):
    """The first pixel lies where the orientation says: below right, above right, below left; mirrored."""
    picture = Image.new("L", (20, 30))
    picture.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = turn
    photo = from_photo(saved(picture, exif=exif))
    assert photo.getpixel(corner) == 255
    assert np.asarray(photo).sum() == 255


def sideways(tag: int, value: int) -> bytes:
    """EXIF of a picture that lies on its side, with one more tag, as a number of 4 bytes."""
    entries = sorted([(0x0112, 3, 6 << 16), (tag, 4, value)])  # kinds 3 and 4: 2 bytes on the left, and 4
    body = b"".join(struct.pack(">HHII", number, kind, 1, held) for number, kind, held in entries)
    return b"Exif\0\0MM\0*\0\0\0\x08\0\x02" + body + bytes(4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_that_cannot_be_written_again_turns_the_photo(kind):
    """Pillow's own exif_transpose packs all of it anew: 70,000 bits a sample are too many for it."""
    picture = Image.new("RGB", (40, 20), "red")
    photo = from_photo(saved(picture, kind, exif=sideways(258, 70_000)))
    assert (photo.size, "exif" in photo.info) == ((20, 40), False)


@pytest.mark.parametrize("harm", [b"", b"II", b"hello", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0"])
def test_harmed_exif_turns_nothing(harm):
    photo = from_photo(saved(Image.new("L", (40, 20)), exif=b"Exif\0\0" + harm))
    assert photo.size == (40, 20)


@pytest.mark.parametrize("turn", [3, 6])
def test_exif_of_webp_turns_nothing(turn):
    """As in Chromium (see `tests.browser.test_translate_photos`), which shows the photo that faces are chosen on."""
    picture = Image.new("RGB", (40, 20), "black")
    picture.paste("white", (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = turn
    photo = from_photo(saved(picture, "WEBP", exif=exif))
    assert photo.size == (40, 20)
    assert min(photo.getpixel((2, 2))) > 200


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_xmp_turns_nothing(kind):
    """As in browsers, which show the photo that faces are chosen on."""
    packet, info = '<rdf:Description tiff:Orientation="6"/>', PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet)
    more = {"pnginfo": info} if kind == "PNG" else {"xmp": packet.encode()}
    assert from_photo(saved(Image.new("L", (40, 20)), kind, **more)).size == (40, 20)


def test_what_is_clear_becomes_white():
    picture = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    picture.putpixel((1, 0), (10, 20, 30, 0))
    assert np.asarray(from_photo(saved(picture))).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    grey = from_photo(saved(Image.merge("LA", (Image.new("L", (1, 1), 100), Image.new("L", (1, 1), 51)))))
    assert (grey.mode, grey.getpixel((0, 0))) == ("L", 224)  # a fifth of 100, four fifths of 255
    palette = picture.convert("P")
    palette.info["transparency"] = palette.getpixel((0, 0))
    assert from_photo(saved(palette, transparency=palette.getpixel((0, 0)))).getpixel((0, 0)) == (
        255,
        255,
        255,
    )


def test_sixteen_bits_become_eight():
    levels = np.array([[0, 257 * 100, 65535]], np.uint16)
    photo = from_photo(saved(Image.fromarray(levels)))
    assert photo.mode == "L"
    assert np.asarray(photo).tolist() == [[0, 100, 255]]


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_each_level_of_sixteen_bits_is_rounded(mode):
    levels = np.arange(65536).reshape(128, 512)
    deep = Image.frombytes(
        mode, (512, 128), levels.astype({"I;16": "<u2", "I;16B": ">u2", "I": "i4"}[mode]).tobytes()
    )
    assert np.array_equal(upright(deep), (levels / 257).round())


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA"])
def test_every_share_of_what_is_clear_is_laid_on_white(mode, monkeypatch):
    """By strips of some rows each, of which the last is shorter."""
    monkeypatch.setattr("fergan.images._STRIP", 256 * 10)
    levels, clear = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    grey = Image.merge("LA", (Image.fromarray(levels), Image.fromarray(clear)))
    picture = upright(grey.convert("RGBA").convert(mode))
    share = clear / 255
    found = np.asarray(picture, int).reshape(256, 256, -1)
    assert picture.mode == ("L" if mode == "LA" else "RGB")
    assert np.abs(found - (share * levels + (1 - share) * 255)[..., None]).max() <= 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory was held")
@pytest.mark.parametrize(("mode", "most"), [("I;16", 5), ("LA", 7)])
def test_a_large_photo_is_held_about_once(tmp_path, mode, most):
    """What Pillow opens takes 2 and 4 bytes a pixel, what is made of it 1."""
    (tmp_path / "photo.png").write_bytes(saved(Image.new(mode, (4096, 4096)), compress_level=1))
    code = (
        "import sys; from pathlib import Path; from fergan.images import from_photo, Image\n"
        "def held(key): return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith(key))\n"
        "content = Path(sys.argv[1]).read_bytes(); Image.init(); before = held('VmRSS')\n"
        "from_photo(content); print((held('VmHWM') - before) / 4096**2 * 1024)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "photo.png")]
    said = subprocess.run(command, env=factory.environment(), capture_output=True, text=True, check=True)
    assert float(said.stdout) < most


@pytest.mark.parametrize(("mode", "due"), [("1", "L"), ("L", "L"), ("P", "L"), ("RGB", "RGB")])
def test_other_modes_become_these(mode, due):
    assert from_photo(saved(Image.new(mode, (3, 3)))).mode == due


def test_a_grey_palette_is_grey():
    assert from_photo(saved(Image.new("RGB", (3, 3), "red").convert("P"))).mode == "RGB"
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    grey = ramp.convert("P")
    assert (grey.mode, from_photo(saved(grey)).mode) == ("P", "L")
    assert np.array_equal(np.asarray(from_photo(saved(grey))), np.asarray(ramp))


def test_a_profile_of_inks_does_not_stay_with_rgb():
    inks, light = (
        from_photo(saved(Image.new(mode, (3, 3)), "JPEG", icc_profile=b"x" * 200)) for mode in ("CMYK", "RGB")
    )
    assert "icc_profile" not in inks.info
    assert light.info["icc_profile"] == b"x" * 200


def test_cmyk_becomes_rgb():
    assert from_photo(saved(Image.new("CMYK", (8, 8)), "JPEG")).getpixel((0, 0)) == (255, 255, 255)


def test_twelve_megapixels_are_read():
    assert from_photo(saved(Image.new("L", (4000, 3000)), "JPEG")).size == (4000, 3000)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_photos_cut_short_get_a_sentence(kind, share):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = saved(Image.fromarray(pixels), kind)
    with pytest.raises(ValueError, match=r"^This (picture|file) .*\.$"):
        from_photo(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a picture that can be read"),
        (b"hello", "not a picture that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture that can be read"),
        (b"\0\0\0\x18ftypheic", "HEIC or AVIF"),
    ],
)
def test_what_is_no_photo_gets_a_sentence(content, words):
    with pytest.raises(ValueError, match=words):
        from_photo(content)


@pytest.mark.parametrize("size", [(8001, 8000), (20000, 20000)])
def test_bombs_are_refused_unopened(size):
    bomb = saved(Image.new("1", (8, 8)))
    header = bomb[12:16] + size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big") + bomb[24:29]
    content = bomb[:12] + header + zlib.crc32(header).to_bytes(4, "big") + bomb[33:]
    with pytest.raises(ValueError, match="more than 64 million pixels"):
        from_photo(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(("turn", "corner"), [(6, (27, 2)), (8, (2, 17)), (3, (17, 27))])
def test_exif_turns_the_photo_of_a_phone(kind, turn, corner):
    picture = Image.new("RGB", (20, 30), "black")
    picture.paste("white", (0, 0, 6, 6))
    exif = Image.Exif()
    exif[0x0112] = turn
    photo = from_photo(saved(picture, kind, exif=exif))
    assert photo.size == ((30, 20) if turn in (6, 8) else (20, 30))
    assert min(photo.getpixel(corner)) > 200
    assert max(photo.getpixel((2, 2))) < 50


def test_two_pictures_in_one_file_are_the_first():
    """A phone's MPO: the photo, and another one for its depth."""
    content = saved(
        Image.new("L", (16, 8), 200), "MPO", append_images=[Image.new("L", (4, 4))], save_all=True
    )
    assert from_photo(content).size == (16, 8)


def test_clear_webp_becomes_white():
    picture = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert from_photo(saved(picture, "WEBP", lossless=True)).getpixel((1, 1)) == (255, 255, 255)


def test_sixteen_bits_of_colour_become_eight():
    """Pillow writes no such PNG: header, one row of two pixels, end."""

    def chunk(name, body):
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    levels = np.array([[0, 257 * 100, 65535], [257 * 7, 0, 0]], ">u2")
    header = (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([16, 2, 0, 0, 0])
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + levels.tobytes()))
    photo = from_photo(b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))
    assert np.asarray(photo).tolist() == [[[0, 100, 255], [7, 0, 0]]]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_twelve_megapixels_of_colour_are_turned(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = from_photo(saved(Image.new("RGB", (4000, 3000), "red"), kind, exif=exif))
    assert (photo.mode, photo.size) == ("RGB", (3000, 4000))
