import io
import json
import subprocess
import sys

import av
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fergan import provenance
from fergan.provenance import Record

RECORD = Record(
    "owner/name@v1", {"happy": 0.75, "sad": 0.25}, 12, 1, 0.8, sheet=(7, 16), weights="0123456789ab"
)
PICTURE = Image.linear_gradient("L").resize((48, 48))


def test_a_png_says_what_it_was_given():
    assert provenance.read(provenance.png(PICTURE, RECORD)) == RECORD


def test_pixels_stay(tmp_path):
    (tmp_path / "face.png").write_bytes(provenance.png(PICTURE, RECORD))
    with Image.open(tmp_path / "face.png") as found:
        assert found.mode == "L"
        assert found.tobytes() == PICTURE.tobytes()


def test_it_says_openly_that_it_is_synthetic(tmp_path):
    (tmp_path / "face.png").write_bytes(provenance.png(PICTURE, RECORD))
    with Image.open(tmp_path / "face.png") as found:
        assert json.loads(found.info["fergan"])["synthetic"] is True
        assert "synthetic" in found.info["Description"]
        assert "owner/name@v1" in found.info["Description"]
        assert provenance.SOURCE_TYPE.encode() in found.info["xmp"]


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_other_formats_carry_it_as_xmp(tmp_path, suffix):
    PICTURE.save(tmp_path / f"face.{suffix}", xmp=provenance.xmp(RECORD).encode())
    assert provenance.read(tmp_path / f"face.{suffix}") == RECORD


def test_xmp_alone_is_enough_in_a_png():
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", provenance.xmp(RECORD))
    assert provenance.read(_png_with(info)) == RECORD


EDITED = Record("stargan", {"happy": 1.0}, 0, weights="0123456789ab", edited=(0.8, 2))


@pytest.mark.parametrize("write", [provenance.png, provenance.jpeg])
def test_an_edited_photo_says_so(write):
    content = write(PICTURE, EDITED)
    assert provenance.read(content) == EDITED
    with Image.open(io.BytesIO(content)) as found:
        packet = found.info["xmp"]
        said = found.info.get("Description") or found.info["comment"].decode()
    assert provenance.EDITED_TYPE.encode() in packet
    assert provenance.SOURCE_TYPE.encode() + b'"' not in packet
    assert said == EDITED.sentence()
    assert "Edited by AI" in said
    assert "stargan gave 2 faces another expression, happy, at 80% intensity" in said
    settings = json.loads(EDITED.json())
    assert settings["edited"] is True
    assert "seed" not in settings


TRAINING = Record("acgan", {"happy": 1.0, "sad": 1.0}, 0, 6, weights="0123456789ab", training=(23, 391_168))


def test_a_training_says_so():
    assert provenance.read(provenance.png(PICTURE, TRAINING)) == TRAINING
    assert TRAINING.sentence() == (
        "A film of a training, no person: how the model acgan learnt, the same synthetic faces on 23 pages,"
        " the last after 391,168 images seen."
    )
    settings = json.loads(TRAINING.json())
    assert {"synthetic": True, "pages": 23, "images_seen": 391_168}.items() <= settings.items()
    short = Record("acgan", {"happy": 1.0}, 0, training=(1, 0))  # of weights that came without a history
    assert provenance.read(provenance.png(PICTURE, short)) == short
    assert short.sentence().endswith("on 1 page.")


def test_a_jpeg_keeps_its_colour_profile():
    picture = PICTURE.copy()
    picture.info["icc_profile"] = b"a profile"
    with Image.open(io.BytesIO(provenance.jpeg(picture, EDITED))) as found:
        assert found.info["icc_profile"] == b"a profile"


def test_pictures_of_others_are_refused(tmp_path):
    PICTURE.save(tmp_path / "plain.png")
    with pytest.raises(ValueError, match="does not say"):
        provenance.read(tmp_path / "plain.png")
    with pytest.raises(ValueError, match="not a picture"):
        provenance.read(b"hello")
    with pytest.raises(ValueError, match="not a picture"):
        provenance.read(b"")
    with pytest.raises(FileNotFoundError):
        provenance.read(tmp_path / "none.png")


SDP = b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"


@pytest.mark.parametrize("kind", ["mp4", "matroska"])
def test_of_films_only_our_own_kind_is_opened(tmp_path, kind):
    """An SDP would be listened for: FFmpeg is told what a film is, and guesses nothing."""
    file = io.BytesIO()
    with av.open(
        file, "w", format=kind, options={"movflags": "use_metadata_tags"} if kind == "mp4" else {}
    ) as film:
        film.metadata[provenance.KEY] = RECORD.json()
        stream = film.add_stream("libx264", rate=1)
        stream.width = stream.height = 16
        film.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))))
        film.mux(stream.encode())
    (tmp_path / "film").write_bytes(file.getvalue())
    for source in (file.getvalue(), tmp_path / "film"):
        if kind == "mp4":
            assert provenance.read(source) == RECORD
        else:
            with pytest.raises(ValueError, match="not a picture"):
                provenance.read(source)


def test_a_text_that_names_a_port_is_not_listened_for(monkeypatch):
    opened, told = av.open, []
    monkeypatch.setattr(av, "open", lambda *given, **named: told.append(named) or opened(*given, **named))
    with pytest.raises(ValueError, match="not a picture"):
        provenance.read(SDP)
    assert told == [{"format": "mp4"}]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"model": "m", "emotion": {"happy": 1}}',
        '{"model": "m", "emotion": "happy", "seed": 1}',
        '{"model": "m", "emotion": {"happy": -1}, "seed": 1}',
        '{"model": "m", "emotion": {"happy": NaN}, "seed": 1}',
        '{"model": "m", "emotion": {}, "seed": 1}',
        '{"model": "", "emotion": {"happy": 1}, "seed": 1}',
        '{"model": "m", "emotion": {"happy": 1}, "seed": 1.5}',
        '{"model": "m", "emotion": {"happy": 1}, "seed": true}',
        '{"model": "m", "emotion": {"happy": 1}, "seed": 1, "count": 0}',
        '{"model": "m", "emotion": {"happy": 1}, "seed": 1, "sheet": [1]}',
        '{"model": "m", "emotion": {"happy": 1}, "seed": 1, "pages": 0}',
        '{"model": "m", "emotion": {"happy": 1}, "seed": 1, "pages": 2, "images_seen": "many"}',
        '{"edited": true, "model": "m", "emotion": {"happy": 1}}',
        '{"edited": true, "model": "m", "emotion": {"happy": 1}, "intensity": "1", "faces": 1}',
        '{"edited": true, "model": "m", "emotion": {"happy": 1}, "intensity": 1, "faces": 0.5}',
        "[" * 100_000,
    ],
)
def test_damaged_settings_are_refused_in_words(tmp_path, text):
    info = PngInfo()
    info.add_text(provenance.KEY, text)
    PICTURE.save(tmp_path / "odd.png", pnginfo=info)
    with pytest.raises(ValueError, match="damaged"):
        provenance.read(tmp_path / "odd.png")


@pytest.mark.parametrize(
    "fields", [{"emotion": None}, {"sheet": 5}, {"moments": None}, {"edited": 3}, {"training": (0, 3)}]
)
def test_settings_of_the_wrong_kind_are_refused(fields):
    with pytest.raises(ValueError, match="do not hold together"):
        Record(**{"model": "cgan", "emotion": {"happy": 1.0}, "seed": 0} | fields)


def test_settings_of_a_later_version_are_read():
    later = json.loads(RECORD.json()) | {"camera": "none"}
    info = PngInfo()
    info.add_text(provenance.KEY, json.dumps(later))
    assert provenance.read(_png_with(info)) == RECORD


def test_the_command_prints_what_files_say(tmp_path):
    (tmp_path / "face.png").write_bytes(provenance.png(PICTURE, RECORD))
    (tmp_path / "note.txt").write_text("hello")
    found = _command(tmp_path / "face.png")
    assert found.returncode == 0
    assert "synthetic" in found.stdout
    assert json.loads(found.stdout.splitlines()[-1])["seed"] == 12
    found = _command(tmp_path / "note.txt", tmp_path / "none.png")
    assert found.returncode == 1
    assert [line.rpartition(": ")[2] for line in found.stderr.splitlines()] == [
        "This file is not a picture.",
        "No such file or directory",
    ]


def test_reading_needs_neither_torch_nor_gradio():
    code = "import sys, fergan.provenance; print({'torch', 'gradio'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def _command(*paths):
    command = [sys.executable, "-m", "fergan.provenance", *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _png_with(info):
    file = io.BytesIO()
    PICTURE.save(file, "PNG", pnginfo=info)
    return file.getvalue()
