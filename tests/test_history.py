"""train.history: a run's log and frames -> history.json and curves.png."""

import io
import json

import pytest
from PIL import Image

from fergan import hub
from fergan.ui import film
from train import history, record

LOG = [
    {"images_seen": 100, "d_loss": 1.0, "images_per_second": 9.0},
    {"images_seen": 150, "note": "The faces collapse.", "about": "faces"},
    {"images_seen": 150, "note": "Pushed to me/secret.", "about": "hub"},
    {"images_seen": 200, "d_loss": 0.123456789, "r1": 0.5, "images_per_second": 9.0},
    {"images_seen": 300, "d_loss": 3.0},
]


def test_a_log_becomes_curves_and_notes():
    found = history.history(LOG, [64, 128, 256])
    assert found == {
        "frames": [64, 128, 256],
        "curves": {"d_loss": [(100, 1.0), (200, 0.1235), (300, 3.0)], "r1": [(200, 0.5)]},
        "notes": [(150, "The faces collapse.")],
    }


def test_what_came_after_the_checkpoint_is_left_out():
    found = history.history(LOG, [64, 128, 256], until=149)
    assert found == {"frames": [64, 128], "curves": {"d_loss": [(100, 1.0)]}, "notes": []}


def test_runs_are_told_together_at_equal_images_seen(tmp_path):
    logs = {
        "happy": [
            {"images_seen": 100, "d_loss": 1.0, "r1": 4.0},
            {"images_seen": 200, "d_loss": 3.0},
            {"images_seen": 200, "note": "The faces collapse.", "about": "faces"},
            {"images_seen": 300, "d_loss": 9.0},
        ],
        "sad": [
            {"images_seen": 100, "d_loss": 2.0},
            {"images_seen": 150, "note": "Pushed.", "about": "hub"},
            {"images_seen": 200, "d_loss": 5.0},
        ],
    }
    for name, log in logs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    log = history.together({name: tmp_path / name for name in logs})
    assert history.history(log, [64]) == {
        "frames": [64],
        "curves": {"d_loss": [(100, 1.5), (200, 4.0)]},  # what one of them alone says is no mean
        "notes": [(200, "happy: The faces collapse.")],
    }
    assert history.together({"happy": tmp_path / "none"}) == []


def test_notes_of_older_logs_are_about_the_faces():
    assert history.history([{"images_seen": 5, "note": "x"}], [])["notes"] == [(5, "x")]


def test_thinning_takes_means_of_neighbours():
    points = [(10 * step, float(step)) for step in range(7)]
    assert history.thin(points, most=7) == points
    assert history.thin(points, most=3) == [(10, 1.0), (40, 4.0), (60, 6.0)]
    assert history.thin([], most=3) == []


@pytest.mark.parametrize("count", [299, 300, 301, 5000])
def test_a_curve_has_few_points_and_keeps_its_mean(count):
    found = history.thin([(step, 2.0) for step in range(count)])
    assert len(found) <= history.POINTS
    assert {value for _, value in found} == {2.0}


def test_the_file_is_named_alike_wherever_it_is_read():
    assert history.HISTORY == hub.HISTORY == film.HISTORY
    assert history.HISTORY in hub.FILES
    assert record.CAPTION == film.CAPTION


def test_curves_are_drawn_with_and_without_diversity():
    def size(told):
        with Image.open(io.BytesIO(history.draw(told))) as picture:
            return picture.size

    plain = history.history(LOG, [])
    both = history.history([*LOG, {"images_seen": 400, "diversity": 0.4, "twins": 0.6}], [])
    assert size(both)[1] == pytest.approx(2 * size(plain)[1], abs=2)
    assert size(history.history([], [])) == size(plain)


# --- for weights that were trained before ---


@pytest.fixture
def run(tmp_path):
    """A run's folder: a log, and frames of which each is another grey."""
    folder = tmp_path / "run"
    (folder / "frames").mkdir(parents=True)
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LOG))
    for seen in (64, 128, 256):
        Image.new("L", (48, 48), seen // 2).save(folder / "frames" / f"{seen:010d}.png")
    return folder


@pytest.fixture
def trained(weights, tmp_path):
    """A folder with a checkpoint's config."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text((weights / "acgan" / "config.json").read_text())
    return folder


def test_the_command_makes_it_for_older_weights(run, trained, capsys):
    (trained / "evolution.webp").write_bytes(record.evolution(run / "frames", "acgan"))
    assert history.main([str(run), str(trained)]) == 0
    assert "3 pages, 2 curves" in capsys.readouterr().out
    told = json.loads((trained / "history.json").read_text())
    assert told["frames"] == [64, 128, 256]
    assert told["curves"]["r1"] == [[200, 0.5]]
    assert told["notes"] == [[150, "The faces collapse."]]
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_an_evolution_of_another_run_is_refused(run, trained, capsys):
    (trained / "evolution.webp").write_bytes(record.evolution(run / "frames", "acgan"))
    (run / "frames" / "0000000064.png").unlink()
    assert history.main([str(run), str(trained)]) == 1
    assert "has 3 pages" in capsys.readouterr().err
    assert not (trained / "history.json").exists()


def test_what_is_not_there_gets_a_sentence(run, trained, tmp_path, capsys):
    assert history.main([str(tmp_path / "none"), str(trained)]) == 1
    assert "holds no log.jsonl" in capsys.readouterr().err
    assert history.main([str(run), str(tmp_path / "none")]) == 1
    assert "none" in capsys.readouterr().err
    (run / "log.jsonl").write_text("{torn")
    assert history.main([str(run), str(trained)]) == 1
    assert "is damaged" in capsys.readouterr().err
