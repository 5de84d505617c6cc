"""What the tab Translate hands out: photos and films, without a browser."""

import base64
import dataclasses
import io
import time

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from fergan import provenance
from fergan.animate import few_greys
from fergan.emotions import only
from fergan.engine import Face
from fergan.ui import blend, edit
from fergan.ui.edit import Edit, Film
from tests.asking import awaited
from tests.test_recognise import png
from tests.test_translate import (  # noqa: F401 - fixtures
    ASKED,
    FACE,
    GREY,
    HAPPY,
    ask,
    face,
    page,
    photo,
    sent,
    translating,
    translating_weights,
)


def saved(ask, content, **more):
    answer = ask("save", sent(content, **more))
    return answer, base64.b64decode(answer["content"])


def test_a_lossless_photo_is_saved_lossless(ask, translating, photo):
    answer, content = saved(ask, png(photo), emotion={"happy": 3, "sad": 1})
    assert (answer["name"], answer["type"]) == ("edited_happy75-sad25_stargan.png", "image/png")
    changed = translating.translate("stargan", photo, [0, 0, 0, 3, 1, 0, 0], 0.8, [face(FACE)]).photo
    assert np.array_equal(np.array(Image.open(io.BytesIO(content))), changed)
    found = provenance.read(content)
    assert (found.model, found.emotion, found.edited) == ("stargan", {"happy": 0.75, "sad": 0.25}, (0.8, 1))
    assert found.weights == translating.fingerprint("stargan")
    with pytest.raises(ValueError, match="an edited photo"):
        blend.settings(content, translating)


@pytest.mark.parametrize(("kind", "size"), [("JPEG", (120, 160)), ("WEBP", (160, 120))])
def test_a_lossy_photo_is_saved_as_jpeg_as_it_is_seen_and_without_its_place(ask, photo, kind, size):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side, but in a browser's WebP
    exif.get_ifd(0x8825)[2] = (48.0, 12.0, 0.0)  # GPS latitude
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = io.BytesIO()
    photo.save(file, kind, exif=exif, icc_profile=profile, comment=b"my street")
    answer, content = saved(ask, file.getvalue(), faces=[{**FACE, "x": 60, "y": 80}])
    assert answer["name"].endswith(".jpg")
    with Image.open(io.BytesIO(content)) as found:
        assert found.size == size
        assert not found.getexif()
        assert found.info["icc_profile"] == profile
    assert b"my street" not in content
    assert provenance.read(content).edited == (0.8, 1)


def test_a_photo_that_is_not_changed_keeps_its_profile(ask, photo):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = io.BytesIO()
    photo.save(file, "PNG", icc_profile=profile)
    _, content = saved(ask, file.getvalue(), intensity=0)
    with Image.open(io.BytesIO(content)) as found:
        assert found.info["icc_profile"] == profile
        assert np.array_equal(found, photo)


def test_a_profile_of_other_colours_is_left_out(ask, photo):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = io.BytesIO()
    photo.convert("L").save(file, "PNG", icc_profile=profile)
    _, content = saved(ask, file.getvalue())
    with Image.open(io.BytesIO(content)) as found:
        assert found.mode == "L"
        assert "icc_profile" not in found.info


def test_a_profile_that_came_in_part_is_left_out(ask, photo):
    file = io.BytesIO()
    part = b"ICC_PROFILE\0\x01\x02" + b"x" * 20  # the first of two
    photo.save(file, "JPEG", extra=b"\xff\xe2" + (len(part) + 2).to_bytes(2, "big") + part)
    with Image.open(io.BytesIO(file.getvalue())) as found:
        assert found.info["icc_profile"] is None
    _, content = saved(ask, file.getvalue())
    with Image.open(io.BytesIO(content)) as found:
        assert found.size == photo.size
        assert "icc_profile" not in found.info


# --- films ---


def a_film(kind="gif", start="photo", **changes):
    asked = Edit("stargan", only("happy"), 0.8, (Face(60, 60, 100),))
    return Film(dataclasses.replace(asked, **changes), start, 0.4, kind)


@pytest.fixture(scope="module")
def grey(photo):
    return ImageOps.grayscale(photo).resize((320, 240))


@pytest.mark.parametrize("start", edit.STARTS)
def test_a_film_goes_there_and_back(translating, grey, start):
    film, told = a_film(start=start), []
    content = film.file(translating, grey, told.append).content
    assert told == list(range(1, film.steps + 2))
    with Image.open(io.BytesIO(content)) as moving:
        frames, durations = [], []
        for number in range(moving.n_frames):
            moving.seek(number)
            frames.append(np.array(moving.convert("L")))
            durations.append(moving.info["duration"])
        assert moving.info["loop"] == 0
    first = film.at(0).apply(translating, grey).photo
    last = film.edit.apply(translating, grey).photo
    assert np.array_equal(frames[0], few_greys(first))
    assert np.array_equal(first, grey) == (start == "photo")
    assert any(np.array_equal(frame, few_greys(last)) for frame in frames)
    assert sum(durations) == pytest.approx(1000 * 2 * (film.seconds + edit.HOLD), abs=1)
    assert durations[0] >= 1000 * edit.HOLD  # equal frames become one, held longer
    way = frames[1 : len(frames) // 2]
    assert all(np.array_equal(one, other) for one, other in zip(way, frames[:0:-1], strict=False))


def test_a_neutral_start_leads_from_neutral_to_the_expression():
    film = a_film(start="neutral", emotion=(0, 0, 0, 0.5, 0.5, 0, 0))
    assert film.at(0).emotion == only("neutral")
    assert film.at(0.5).emotion == (0, 0, 0, 0.25, 0.25, 0, 0.5)
    assert film.at(1).emotion == film.edit.emotion
    assert {film.at(share).intensity for share in (0, 0.5, 1)} == {0.8}
    assert [a_film().at(share).intensity for share in (0, 0.5, 1)] == [0, 0.4, 0.8]


@pytest.mark.parametrize("kind", ["gif", "webp", "mp4"])
def test_a_film_of_a_colour_photo_says_that_it_is_edited(translating, photo, kind):
    file = a_film(kind).file(translating, photo)
    assert file.name == f"edited_film_happy_stargan.{kind}"
    found = provenance.read(file.content)
    assert (found.emotion, found.edited) == ({"happy": 1.0}, (0.8, 1))
    if kind != "mp4":
        with Image.open(io.BytesIO(file.content)) as film:
            assert film.size == (320, 240)  # a small photo is enlarged
            assert np.abs(np.array(film.convert("RGB").resize((160, 120)), int) - photo).mean() < 12


def test_a_gif_stores_of_each_frame_only_what_moves(translating, photo):
    large = photo.resize((640, 480))
    film = a_film(faces=(Face(60, 60, 64),)).file(translating, large)
    still = io.BytesIO()
    large.quantize(256).save(still, "GIF")
    assert len(film.content) < 3 * len(still.getvalue())  # of 20 frames


def test_a_film_is_made_aside(ask, photo):
    begun = ask("film", sent(png(photo), start="neutral", kind="webp", seconds=0.4))
    answer = awaited(ask, begun["job"], 11)
    assert answer["type"] == "image/webp"
    assert provenance.read(base64.b64decode(answer["content"])).edited == (0.8, 1)
    assert ask("progress", begun["job"])["content"] == answer["content"]  # an answer may be lost on its way
    ask("stop", begun["job"])
    assert "not being made any more" in ask("progress", begun["job"])["error"]


def test_a_film_can_be_stopped(ask, photo):
    begun = ask("film", sent(png(photo), start="photo", kind="gif", seconds=4))
    ask("stop", begun["job"])
    deadline = time.monotonic() + 30
    while "of" in (answer := ask("progress", begun["job"])) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert answer == {"error": "Stopped."}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kind": "avi"}, "A film is one of gif, webp, mp4; got 'avi'."),
        ({"start": "sad"}, "A film starts at one of photo, neutral; got 'sad'."),
        ({"seconds": 5}, "The way there takes 0.4 to 4.0 seconds; got 5.0."),
        ({"seconds": "1"}, "The time of the way there is a number; got '1'."),
        ({"photo": base64.b64encode(png(Image.linear_gradient("L").resize((721, 90)))).decode()}, "at most 720"),
    ],
)  # fmt: skip
def test_a_film_that_cannot_be_made_is_refused_at_once(ask, wrong, words):
    fields = {**ASKED, "photo": GREY, "start": "photo", "kind": "gif", "seconds": 0.4, **wrong}
    assert words in ask("film", fields)["error"]
