"""The command `python app.py`: its flags, the models that it finds, on the Hub too, and how it refuses."""

import gc
import json
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from starlette.testclient import TestClient

import app
from fergan import hub
from fergan.engine import Engine
from tests import factory, fake_hub
from tests.asking import asking
from tests.test_app import ASKED

ROOT = Path(app.__file__).parent


def _run(*arguments):
    command = [sys.executable, "app.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_help_names_every_flag_and_variable():
    found = _run("--help")
    assert found.returncode == 0
    for flag in ("--host", "--port", "--models", "--real-faces", "--discriminators"):
        assert flag in found.stdout
        assert "FERGAN_" + flag[2:].replace("-", "_").upper() in found.stdout
    assert "--queue" in found.stdout


def test_variables_stand_behind_the_flags(monkeypatch):
    monkeypatch.setenv("FERGAN_HOST", "0.0.0.0")
    monkeypatch.setenv("FERGAN_PORT", "7999")
    monkeypatch.setenv("FERGAN_MODELS", "weights owner/name@v1")
    found = app.parse([])
    assert (found.host, found.port, found.models) == ("0.0.0.0", 7999, ["weights", "owner/name@v1"])
    found = app.parse(["--host", "::1", "--port", "1", "--models", "here"])
    assert (found.host, found.port, found.models) == ("::1", 1, ["here"])


@pytest.mark.parametrize(
    "arguments", [["--port", "0"], ["--port", "70000"], ["--port", "x"], ["--queue", "0"]]
)
def test_flags_out_of_range_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as refusal:
        app.parse(arguments)
    assert refusal.value.code == 2
    assert arguments[1] in capsys.readouterr().err


def test_what_cannot_be_served_gets_a_sentence_and_2(weights, tmp_path, capsys):
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "config.json").write_text((weights / "acgan" / "config.json").read_text())
    (tmp_path / "torn" / "model.safetensors").write_bytes(b"no")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text((weights / "acgan" / "config.json").read_text())
    for source, sentence in (
        ("torn", "do not belong together"),
        ("half", "holds no model.safetensors"),
        ("none", "neither"),
    ):
        assert app.main(["--models", str(tmp_path / source)]) == 2
        assert gc.isenabled()  # it rests while libraries are loaded, and only then
        printed = capsys.readouterr().err
        assert printed.startswith("app.py: ")
        assert sentence in printed
        assert printed.count("\n") == 1


def test_a_taken_port_gets_a_sentence_and_2(weights, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert app.main(["--models", str(weights), "--port", str(port)]) == 2
    assert (
        capsys.readouterr().err
        == f"app.py: The port {port} of 127.0.0.1 is taken; choose another with --port.\n"
    )


def test_a_host_of_elsewhere_gets_a_sentence(capsys):
    assert app.main(["--host", "203.0.113.7", "--port", "7999"]) == 2
    assert "cannot be served at 203.0.113.7" in capsys.readouterr().err


def test_the_command_refuses_in_one_line():
    found = _run("--models", "/nowhere/at/all")
    assert found.returncode == 2
    assert found.stdout == ""
    assert (
        found.stderr == "app.py: /nowhere/at/all is neither a checkpoint folder nor a Hub id (owner/name).\n"
    )


def test_zero_gpu_is_satisfied_and_left_alone(monkeypatch):
    marked = []
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=marked.append))
    assert app.device() is None
    assert marked == []
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    assert app.device() == "cpu"
    assert len(marked) == 1


def imported(**environment):
    """What `import app` does to a new process that has these variables, and none of OMP_NUM_THREADS else."""
    code = """
import app, json, os, sys, torch
from fergan.ui import models, quiz
print(json.dumps({
    "threads": torch.get_num_threads(),
    "analytics": os.environ["GRADIO_ANALYTICS_ENABLED"],
    "opens": [models.default(["acgan", "cgan", "dcgan", "stylegan"]), models.SEED],
    "slow": [name for name in ("torchvision", "matplotlib", "accelerate") if name in sys.modules],
}))"""
    own = {name: value for name, value in factory.environment().items() if name != "OMP_NUM_THREADS"}
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=own | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(said.stdout)


def test_a_new_process_has_one_thread_no_analytics_and_what_ships():
    """What ships opens with the StyleGAN and its people (here the fixture `favourites` has others), and imports little."""
    assert imported(GRADIO_ANALYTICS_ENABLED="True") == {
        "threads": 1,
        "analytics": "False",
        "opens": ["stylegan", 198],
        "slow": [],
    }


def test_one_thread_draws_a_face_unless_the_environment_says_more():
    assert imported(OMP_NUM_THREADS="2")["threads"] == 2
    assert imported(OMP_NUM_THREADS="3500m")["threads"] == 1  # of a container's share, which OpenMP ignores


def test_a_start_writes_no_stubs_of_gradios_components(weights):
    """In a new process: how many of their sources are parsed, which takes half of Gradio's import."""
    code = """
import ast, sys
parse, parsed = ast.parse, []
ast.parse = lambda source, *rest, **named: (parsed.append(str(source)), parse(source, *rest, **named))[1]
import app
from fergan.engine import Engine
app.build_app(Engine([sys.argv[1]], device="cpu"))
print(sum("gradio.events" in source for source in parsed))
"""
    command = [sys.executable, "-c", code, str(weights)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "0\n"


@pytest.fixture
def shared(weights, monkeypatch, tmp_path):
    """A Hub in memory that holds two of the models."""
    with fake_hub.serving(monkeypatch, tmp_path) as server:
        hub.push(weights / "acgan", "tester/faces")
        hub.push(weights / "cgan", "tester/others", tag="v1")
        yield server


def test_models_of_the_hub_stand_next_to_the_bundled_ones(weights, shared):
    engine = Engine([weights, "tester/faces", "tester/others@v1"], device="cpu")
    assert engine.generators == ["acgan", "cgan", "tester/faces", "tester/others@v1"]
    rows, seeds = np.eye(7)[[3, 4]], [5, 6]
    for name, bundled in (("tester/faces", "acgan"), ("tester/others@v1", "cgan")):
        assert np.array_equal(engine.generate(name, rows, seeds), engine.generate(bundled, rows, seeds))
    page = app.build_app(engine)
    tabs = {found["props"].get("elem_id"): found for found in page.config["components"]}
    for tab in ("generate-tab", "mix-tab"):
        told = {model["name"]: model["title"] for model in tabs[tab]["props"]["props"]["facts"]["models"]}
        assert told["tester/others@v1"] == "tester/others@v1"
    cards = {card["name"]: card for card in tabs["models-tab"]["props"]["props"]["facts"]["cards"]}
    assert cards["tester/faces"]["title"] == "tester/faces"

    with TestClient(gr.routes.App.create_app(page)) as http:
        asked = {**ASKED, "model": "tester/others@v1"}
        face = asking(page, http, "generate-tab")("save", {**asked, "kind": "face", "face": 6})
        assert face["name"] == "happy_tester-others-v1_seed000006.png"  # a slash would be a folder
        assert asking(page, http, "generate-tab")("restore", face["content"])["model"] == "tester/others@v1"
        assert len(asking(page, http, "generate-tab")("save", {**asked, "kind": "zip"})["content"]) > 100
        moment = {"emotion": {"happy": 1}, "seed": 6, "truncation": 1.0, "coarse_seed": None}
        mixed = asking(page, http, "mix-tab")(
            "save", {"model": "tester/faces", "moment": moment, "kind": "face"}
        )
        assert mixed["name"] == "happy_tester-faces_seed000006.png"
        assert len(asking(page, http, "models-tab")("draw", {**asked, "count": 2})["faces"]) == 2


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        (["tester/faces", "tester/faces"], "Two models are named tester/faces: "),
        (["tester/faces", "tester/none"], "The Hub has no model tester/none, or HF_TOKEN may not see it."),
        (
            ["tester/faces", "tester/bert"],
            "tester/bert: format None came, 1 was due. It is no model that fergan",
        ),
        (["tester/faces@v9"], "tester/faces has no revision 'v9'."),
    ],
)
def test_what_the_hub_cannot_give_gets_a_sentence_and_2(shared, capsys, models, sentence):
    shared.repos["model", "tester/bert"] = fake_hub.Repo(private=False)
    shared.repos["model", "tester/bert"].commit({"config.json": b"{}", "model.safetensors": b"x"})
    assert app.main(["--models", *models]) == 2
    last = capsys.readouterr().err.splitlines()[-1]  # after the bars of what was fetched
    assert last.startswith(f"app.py: {sentence}")
