"""Files that move: frames, sizes, speed, and what they say of themselves."""

from io import BytesIO

import av
import numpy as np
import pytest
from PIL import Image

from fergan import provenance
from fergan.animate import KINDS, encode
from fergan.images import resize
from fergan.provenance import Record

HAPPY = Record("stylegan", {"happy": 1.0}, 5, truncation=0.7, coarse_seed=9)
RECORD = Record(
    "stylegan",
    {"happy": 1.0},
    5,
    weights="abc",
    moments=(HAPPY, Record("stylegan", {"sad": 0.5, "fear": 0.5}, 6)),
)


def ramp(count=6, channels=1, side=48):
    """Frames of rising brightness over a gradient."""
    shade = np.linspace(0, 100, side * side).reshape(side, side)
    frames = [(shade + 20 * place).astype(np.uint8) for place in range(count)]
    return frames if channels == 1 else [np.stack([frame, frame // 2, 255 - frame], -1) for frame in frames]


def played(content, kind):
    """The frames of a file, and its duration in seconds."""
    if kind == "mp4":
        with av.open(BytesIO(content)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            return frames, container.duration / 1e6
    frames, milliseconds = [], 0
    with Image.open(BytesIO(content)) as picture:
        for place in range(picture.n_frames):
            picture.seek(place)
            frames.append(np.asarray(picture.convert("RGB")))
            milliseconds += picture.info["duration"]
    return frames, milliseconds / 1000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_all_frames_come_back_in_size_and_time(kind, channels):
    drawn = ramp(channels=channels)
    frames, seconds = played(encode(iter(drawn), kind, RECORD, width=96, rate=10), kind)
    assert len(frames) == 6
    assert frames[0].shape == (96, 96, 3)
    assert seconds == pytest.approx(0.6, abs=0.05)
    small = [np.asarray(Image.fromarray(frame).resize((48, 48))).astype(int) for frame in frames]
    for frame, due in zip(small, drawn, strict=True):
        due = due if channels == 3 else np.repeat(due[..., None], 3, -1)
        assert np.abs(frame - due).mean() < 12


@pytest.mark.parametrize("kind", KINDS)
def test_each_says_that_it_is_synthetic(kind, tmp_path):
    content = encode(ramp(), kind, RECORD)
    assert provenance.read(content) == RECORD
    (tmp_path / f"face.{kind}").write_bytes(content)
    assert (
        provenance.read(tmp_path / f"face.{kind}").sentence().startswith("A synthetic animation, no person")
    )


def test_a_grey_gif_is_less_than_half_of_what_256_levels_would_take_and_looks_the_same():
    place = np.linspace(0, 3, 48)
    waves = np.sin(place[:, None] * 2 + np.cos(place * 3))
    drawn = [(128 + 100 * waves * np.cos(step / 20)).astype(np.uint8) for step in range(25)]
    large = [resize(Image.fromarray(frame), 384) for frame in drawn]
    plain = BytesIO()
    large[0].save(plain, "GIF", save_all=True, append_images=large[1:], optimize=False)
    content = encode(drawn, "gif", RECORD, rate=25)
    assert len(content) < len(plain.getvalue()) / 2
    frames, seconds = played(content, "gif")
    assert seconds == 1
    for frame, due in zip(frames, large, strict=True):
        assert np.abs(frame.astype(int) - np.asarray(due)[..., None]).max() <= 2


def test_frames_are_taken_as_they_come():
    taken = []

    def frames():
        for place, frame in enumerate(ramp()):
            taken.append(place)
            if place == 3:
                raise KeyboardInterrupt
            yield frame

    with pytest.raises(KeyboardInterrupt):
        encode(frames(), "webp", RECORD)
    assert taken == [0, 1, 2, 3]


def test_an_odd_width_is_made_even_where_it_must_be():
    frames, _ = played(encode(ramp(), "mp4", RECORD, width=97), "mp4")
    assert frames[0].shape == (96, 96, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "avi"}, "An animation is a gif, webp, mp4; got 'avi'"),
        ({"frames": []}, "at least one frame"),
        ({"width": 4096}, "16 to 1024 pixels wide .* got 4096 and 24"),
        ({"rate": 0}, "got 384 and 0"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        encode(**{"frames": ramp(), "kind": "gif", "record": RECORD} | change)


def test_a_file_that_is_no_film_is_refused():
    with pytest.raises(ValueError, match="This file is not a picture"):
        provenance.read(b"no film at all" * 100)
