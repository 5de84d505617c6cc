"""fergan.readers, through fergan.data.load: every form of FER2013, and what each refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fergan.data import SPLITS, load
from fergan.emotions import EMOTIONS
from tests import factory
from tests.test_data import N, same, votes_of
from tests.test_images import sideways

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def faces():
    return factory.draw_faces(N)


def test_every_form_gives_the_same_faces(tmp_path, faces):
    votes = [votes_of(happiness=row % 10, neutral=10 - row % 10) for row in range(N)]
    for name in ("plain", "spaced", "folders"):
        (tmp_path / name).mkdir()
        factory.write_ferplus(tmp_path / name / "fer2013new.csv", votes)
    plain = load(factory.write_csv(tmp_path / "plain" / "fer2013.csv", faces))
    spaced = load(factory.write_csv(tmp_path / "spaced" / "my.csv", faces, spaced=True))
    folders = load(factory.write_folders(tmp_path / "folders", faces))
    sheet = load(factory.write_packed(tmp_path / "packed", faces, votes=votes))
    assert same(plain, spaced) and same(plain, folders) and same(plain, sheet)
    assert torch.equal(plain.images, torch.from_numpy(faces)[:, None])
    assert plain.labels.tolist() == factory.labels_for(N)
    assert [SPLITS[split] for split in plain.splits] == factory.splits_for(N)
    assert plain.votes is not None and plain.votes.tolist() == votes
    assert (plain.images.dtype, plain.labels.dtype, plain.splits.dtype) == (
        torch.uint8,
        torch.int64,
        torch.uint8,
    )


def test_a_folder_with_the_kaggle_csv_is_read(tmp_path, faces):
    file = factory.write_csv(tmp_path / "icml_face_data.csv", faces, spaced=True)
    assert same(load(tmp_path), load(file))


def test_a_byte_order_mark_blank_lines_and_windows_line_ends_are_read(tmp_path, faces):
    plain = factory.write_csv(tmp_path / "plain.csv", faces)
    text = plain.read_text().replace("\n", "\r\n")
    (tmp_path / "odd.csv").write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n\r\n")
    assert same(load(tmp_path / "odd.csv"), load(plain))


def test_a_jpeg_sheet_is_read_where_there_is_no_png(tmp_path, faces):
    folder = factory.write_packed(tmp_path / "packed", faces)
    lossless = load(folder)
    Image.open(folder / "faces.png").save(folder / "faces.jpg", quality=95)
    (folder / "faces.png").unlink()
    lossy = load(folder)
    assert (lossy.images.float() - lossless.images.float()).abs().mean() < 4
    assert torch.equal(lossy.labels, lossless.labels)


@pytest.mark.parametrize(
    "names",
    [
        ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"),
        ("anger", "disgusted", "fearful", "happiness", "sadness", "surprised", "NEUTRAL"),
        ("0", "1", "2", "3", "4", "5", "6"),
    ],
)
def test_folder_names_as_they_occur(tmp_path, faces, names):
    assert load(factory.write_folders(tmp_path, faces, names=names)).labels.tolist() == factory.labels_for(N)


@pytest.mark.parametrize("tests", [("validation", "test"), ("val", "Test"), ("PublicTest", "PrivateTest")])
def test_split_folders_as_they_occur(tmp_path, faces, tests):
    found = load(factory.write_folders(tmp_path, faces, tests=tests))
    assert [SPLITS[split] for split in found.splits] == factory.splits_for(N)


def test_files_without_a_usage_go_by_their_split_folder(tmp_path, faces):
    for folder, face in zip(("train", "val", "test"), faces, strict=False):
        (tmp_path / folder / "happy").mkdir(parents=True)
        Image.fromarray(face).save(tmp_path / folder / "happy" / "face.png")
    assert sorted(load(tmp_path).splits.tolist()) == [0, 1, 2]


def test_folders_of_emotions_alone_lend_a_tenth_to_each_test(tmp_path, faces):
    for row in range(25):
        folder = tmp_path / ("happy" if row < 20 else "sad")
        folder.mkdir(exist_ok=True)
        Image.fromarray(faces[row % N]).save(folder / f"{row:02d}.png")
    splits = load(tmp_path).splits.tolist()
    assert splits == [*[0] * 8, 1, 2, *[0] * 8, 1, 2, *[0] * 5]


def test_few_faces_are_training_alone(tmp_path, faces):
    for row in range(3):
        (tmp_path / EMOTIONS[row]).mkdir()
        Image.fromarray(faces[row]).save(tmp_path / EMOTIONS[row] / "a.png")
    (tmp_path / EMOTIONS[0] / "Thumbs.db").write_text("left by a system")
    (tmp_path / "__MACOSX").mkdir()
    found = load(tmp_path)
    assert found.labels.tolist() == [0, 1, 2] and found.splits.tolist() == [0, 0, 0]


def test_votes_find_images_named_as_ferplus_names_them(tmp_path, faces):
    votes = [votes_of(neutral=row % 9 + 1) for row in range(N)]
    factory.write_ferplus(tmp_path / "fer2013new.csv", votes)
    (tmp_path / "happy").mkdir()
    for row in (28, 3):
        Image.fromarray(faces[row]).save(tmp_path / "happy" / f"fer{row:07d}.png")
    found = load(tmp_path)
    assert found.votes is not None and found.votes[:, 0].tolist() == [4, 2]


# Size and channels


def test_colour_at_another_size(tmp_path):
    colour = factory.draw_faces(14, size=96, channels=3)
    found = load(factory.write_folders(tmp_path, colour, splits=["Training"] * 14), size=32, channels=3)
    assert found.images.shape == (14, 3, 32, 32)
    area = colour.reshape(14, 32, 3, 32, 3, 3).mean((2, 4)).transpose(0, 3, 1, 2)
    assert np.abs(found.images.numpy() - area).max() <= 1
    assert load(tmp_path, size=64).images.shape == (14, 1, 64, 64)


def test_sixteen_bits_and_clear_pixels_are_read_as_photos_are(tmp_path):
    (tmp_path / "sad").mkdir()
    ramp = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (48, 1))
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "sad" / "a.png")
    clear = Image.merge("LA", (Image.fromarray(ramp), Image.new("L", (48, 48), 0)))
    clear.save(tmp_path / "sad" / "b.png")
    deep, white = load(tmp_path, cache=None).images[:, 0].numpy()
    assert np.array_equal(deep, ramp)
    assert (white == 255).all()
    Image.fromarray(ramp.astype(np.float32)).save(tmp_path / "sad" / "c.tiff")
    with pytest.raises(ValueError, match="c.tiff cannot be read as an image: its pixels are floating-point"):
        load(tmp_path, cache=None)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_pictures_that_lie_on_their_side_are_turned(tmp_path, suffix):
    (tmp_path / "sad").mkdir()
    upright = np.repeat(np.linspace(0, 255, 48).astype(np.uint8)[:, None], 48, axis=1)
    lying = Image.fromarray(upright).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    # of BitsPerSample no JPEG and no PNG says 70,000: Pillow itself could not write it again
    lying.save(tmp_path / "sad" / f"a.{suffix}", exif=exif if suffix == "tif" else sideways(258, 70_000))
    found = load(tmp_path, cache=None).images[0, 0].numpy()
    assert np.abs(found.astype(int) - upright).max() <= 12


def test_wide_photos_keep_their_middle_square(tmp_path):
    (tmp_path / "sad").mkdir()
    wide = np.zeros((48, 144), np.uint8)
    wide[:, 48:96] = factory.draw_faces(1)[0]
    Image.fromarray(wide).save(tmp_path / "sad" / "a.png")
    assert np.array_equal(load(tmp_path).images[0, 0].numpy(), wide[:, 48:96])


@pytest.mark.parametrize("form", ["csv", "packed"])
def test_grey_sources_at_another_size_in_three_channels(tmp_path, faces, form):
    path = (
        factory.write_csv(tmp_path / "f.csv", faces)
        if form == "csv"
        else factory.write_packed(tmp_path, faces)
    )
    found = load(path, size=24, channels=3)
    assert found.images.shape == (N, 3, 24, 24)
    assert torch.equal(found.images[:, 0], found.images[:, 2])
    area = faces.reshape(N, 24, 2, 24, 2).mean((2, 4))
    assert np.abs(found.images[:, 0].numpy() - area).max() <= 1


@pytest.mark.parametrize("wanted", [{"size": 0}, {"channels": 2}])
def test_impossible_sizes_are_refused(tmp_path, faces, wanted):
    with pytest.raises(ValueError, match="1 or 3 channels"):
        load(factory.write_packed(tmp_path, faces), **wanted)


# Refusals


def spoil_csv(tmp_path, row: int, change) -> Path:
    """A CSV of five faces whose data row `row` has gone through `change(cells) -> cells`."""
    path = factory.write_csv(tmp_path / "fer.csv", factory.draw_faces(5))
    lines = path.read_text().splitlines()
    lines[row + 1] = ",".join(change(lines[row + 1].split(",")))
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: ["7", *c[1:]], r"emotion is '7', due is a whole number from 0 to 6"),
        (lambda c: ["happy", *c[1:]], r"emotion is 'happy'"),
        (lambda c: ["-1", *c[1:]], r"emotion is '-1'"),
        (lambda c: [c[0], c[1] + " 9", c[2]], r"2305 pixels where 2304 are due"),
        (lambda c: [c[0], c[1].rsplit(" ", 1)[0] + " 256", c[2]], r"a pixel is '256'.* from 0 to 255"),
        (lambda c: [c[0], c[1].rsplit(" ", 1)[0] + " -3", c[2]], r"a pixel is '-3'"),
        (lambda c: [c[0], c[1].rsplit(" ", 1)[0] + " 1.5", c[2]], r"a pixel is '1.5'"),
        (lambda c: [c[0], c[1], "Testing"], r"Usage is 'Testing', due is one of Training"),
        (lambda c: [c[0], c[1][:99]], r"2 columns where 3 are due; is the file cut short"),
    ],
)
def test_a_bad_csv_row_is_refused_by_file_and_row(tmp_path, change, words):
    with pytest.raises(ValueError, match=rf"fer\.csv, row 3 \(line 5\): {words}"):
        load(spoil_csv(tmp_path, 3, change))


def test_a_csv_cut_short_is_refused(tmp_path, faces):
    path = factory.write_csv(tmp_path / "fer.csv", faces, spaced=True)
    path.write_text(path.read_text()[:-3000])
    with pytest.raises(
        ValueError, match=rf"fer\.csv, row {N - 1} .* pixels where 2304 are due; is the file cut"
    ):
        load(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("emotion,pixels\n0,1 2\n", r"no column 'Usage'; its first line is 'emotion,pixels'"),
        ("", r"no column 'emotion', 'pixels', 'Usage'"),
        ("emotion,pixels,Usage\n", r"holds no face"),
        ('emotion,pixels,Usage\n0,"' + "1 " * 99999, r"row 0 .*field"),
    ],
)
def test_a_csv_without_what_is_due_is_refused(tmp_path, text, words):
    (tmp_path / "fer.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"fer\.csv.*{words}"):
        load(tmp_path / "fer.csv")


def test_ferplus_of_other_rows_is_refused(tmp_path, faces):
    path = factory.write_csv(tmp_path / "fer2013.csv", faces)
    factory.write_ferplus(tmp_path / "fer2013new.csv", [votes_of(fear=1)] * (N - 1))
    with pytest.raises(
        ValueError, match=r"fer2013new\.csv has not the rows of .*fer2013\.csv \(29 against 30"
    ):
        load(path)


def test_a_vote_that_is_no_number_is_refused(tmp_path, faces):
    path = factory.write_csv(tmp_path / "fer2013.csv", faces)
    factory.write_ferplus(tmp_path / "fer2013new.csv", [["many"] * 10] * N)
    with pytest.raises(ValueError, match=r"fer2013new\.csv, row 0 \(line 2\): vote is 'many'"):
        load(path)


def test_ferplus_beside_images_that_tell_no_row_is_refused(tmp_path, faces):
    (tmp_path / "sad").mkdir()
    Image.fromarray(faces[0]).save(tmp_path / "sad" / "Training_10118481.png")
    factory.write_ferplus(tmp_path / "fer2013new.csv", [votes_of(fear=1)])
    with pytest.raises(ValueError, match=r"fer2013new\.csv has no row for .*Training_10118481\.png"):
        load(tmp_path)


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv does not exist"):
        load(tmp_path / "nowhere.csv")


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"is an empty folder: due is"):
        load(tmp_path)
    (tmp_path / "fer2013.tar.gz").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"fer2013\.tar\.gz is no data set known here: due is"):
        load(tmp_path / "fer2013.tar.gz")
    (tmp_path / "holidays").mkdir()
    with pytest.raises(ValueError, match=r"is no data set known here: due is"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("train/contempt", r"contempt: 'contempt' is no emotion; due is one of angry"),
        ("extra/happy", r"extra: 'extra' is no split"),
        ("train/fear", r"fear holds no image"),
        ("val", r"val holds no folder of an emotion"),
        ("train/happy/more", r"more: a folder of one emotion holds images"),
    ],
)
def test_folders_that_cannot_be_placed_are_refused(tmp_path, faces, folder, words):
    factory.write_folders(tmp_path, faces[3:4], labels=[3], splits=["Training"])
    (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(ValueError, match=words):
        load(tmp_path)


@pytest.mark.parametrize("content", ["cut short", "no image"])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_an_unreadable_image_is_refused(tmp_path, faces, content, suffix):
    factory.write_folders(tmp_path, faces)
    bad = tmp_path / "train" / "happy" / f"bad.{suffix}"
    Image.fromarray(faces[0]).save(bad)
    bad.write_bytes(bad.read_bytes()[:-400] if content == "cut short" else b"no image")
    with pytest.raises(ValueError, match=rf"bad\.{suffix} cannot be read as an image"):
        load(tmp_path)


def test_a_bad_sheet_is_refused(tmp_path, faces):
    sheet = factory.write_packed(tmp_path, faces) / "faces.png"
    whole = sheet.read_bytes()
    sheet.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"faces\.png cannot be read as an image"):
        load(tmp_path)
    Image.new("L", (480, 50)).save(sheet)
    with pytest.raises(ValueError, match=r"faces\.png: 480x50 pixels are no whole number of 48x48 tiles"):
        load(tmp_path)
    Image.new("L", (480, 96)).save(sheet)
    with pytest.raises(
        ValueError, match=r"labels\.csv, row 20 \(line 22\): tile is '20', due .* from 0 to 19"
    ):
        load(tmp_path)
    (tmp_path / "labels.csv").write_text("emotion,Usage\n0,Training\n")
    with pytest.raises(ValueError, match=r"labels\.csv: no column 'tile'"):
        load(tmp_path)
