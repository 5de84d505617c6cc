"""The page without a server: what its folder holds, and what is refused. Its look and its life are in browser/."""

import hashlib
import io
import json
import re
import sys
import tarfile
from base64 import b64encode

import pytest

from fergan import checkpoint
from fergan.emotions import EMOTIONS
from fergan.ui import theme
from tests.test_export import saved
from train import export, web

pytest.importorskip("onnxscript", reason="onnxscript is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
huggingface_hub = pytest.importorskip("huggingface_hub")

RUNTIME = {name: f"// {name}".encode() for name in web.PARTS}


@pytest.fixture(scope="module")
def files(weights):
    """The page's files, over a runtime that is none."""
    return web.page([weights / name for name in ("cgan", "judge", "acgan")], RUNTIME)


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Runs `python -m train.export --web` and returns what it prints, to either stream."""

    def call(*words):
        out = ("--out", str(tmp_path / "out"))
        monkeypatch.setattr(sys, "argv", ["export", "--web", *map(str, words), *out])
        try:
            export.main()
        except SystemExit as left:
            assert left.code
        return "".join(capsys.readouterr())

    return call


def facts(files):
    return json.loads(files["facts.js"].decode().removeprefix("export default ").rstrip(";\n"))


def test_the_folder_holds_the_page_its_networks_and_the_runtime(files):
    page = {path.name for path in web.PAGE.iterdir()}
    made = {"fergan.css", "fergan.js", "facts.js", "icon.svg", "README.md"}
    models = {f"models/{name}.onnx" for name in ("acgan", "cgan", "judge")}
    assert set(files) == page | made | models | {f"runtime/{name}" for name in web.PARTS}
    assert b'id="icon-happy"' in files["index.html"]


def test_everything_named_is_there_and_relative(files):
    named = re.findall(rb'(?:src|href)="([^"#]+)"', files["index.html"])
    for name, content in files.items():
        if name.endswith(".js"):
            found = re.findall(rb"""(?:from |import |URL\()['"]\./([^'"]+)['"]""", content)
            named += [part for part in found if part != b"runtime/"]
    told = facts(files)
    named += [one["file"].split("?")[0].encode() for one in (*told["models"], told["judge"], told["wasm"])]
    assert len(named) > 12
    assert {name.decode() for name in named} <= set(files)


def test_no_other_host_is_named(files):
    """But in namespaces, which nobody asks for anything."""
    namespaces = {"http://www.w3.org", "http://ns.adobe.com", "http://purl.org", "http://iptc.org"}
    hosts = set()
    for name, content in files.items():
        if name.endswith((".html", ".js", ".css", ".svg")):
            hosts |= set(re.findall(r"https?://[\w.-]+", content.decode()))
    # the app's shared script tells a Space's frame of a new address; that is a message, and no request
    assert hosts - namespaces - {"https://huggingface.co", "http://cv.iptc.org"} == set()
    assert b"default-src 'self'" in files["index.html"]


def test_facts_are_those_of_the_checkpoints(files, weights):
    told = facts(files)
    assert [model["name"] for model in told["models"]] == ["cgan", "acgan"]
    for one in (*told["models"], told["judge"]):
        assert one["bytes"] == len(files[one["file"].split("?")[0]])
        assert one["weights"] == checkpoint.fingerprint(weights / one["name"])
        assert one["emotions"] == list(EMOTIONS)
        assert (one["size"], one["channels"]) == (48, 1)
    assert told["models"][0]["noise"] == checkpoint.describe(weights / "cgan").build_config().noise_dim


def test_an_address_changes_with_its_file(weights, files, tmp_path):
    other = saved(tmp_path / "acgan", "acgan", "fixed")
    address = {model["name"]: model["file"] for model in facts(files)["models"]}["acgan"]
    assert facts(web.page([other], RUNTIME))["models"][0]["file"] != address
    again = facts(web.page([weights / "acgan"], RUNTIME))
    assert (again["models"][0]["file"], again["judge"]) == (address, None)


@pytest.fixture
def unexported(monkeypatch):
    """Networks that no test reads are not written: that takes seconds each."""
    monkeypatch.setattr(export, "export", lambda folder, half: (b"a network", checkpoint.describe(folder)))


def test_models_of_one_kind_are_told_apart(weights, unexported, tmp_path):
    other = saved(tmp_path / "later", "acgan", "fixed")
    titles = [model["title"] for model in facts(web.page([weights / "acgan", other], RUNTIME))["models"]]
    assert titles == ["AC-GAN (acgan)", "AC-GAN (later)"]


def test_networks_are_in_half_precision_and_the_same(tmp_path):
    folder = saved(tmp_path / "acgan", "acgan", "fixed", width=32)
    content = web.page([folder], RUNTIME)["models/acgan.onnx"]
    numbers = sum(tensor.numel() for tensor in checkpoint.load(folder)[1].parameters())
    assert len(content) < 0.65 * 4 * numbers
    assert export.difference(content, folder) < 5e-3


def test_a_bank_says_which_emotions_it_draws(unexported, tmp_path):
    folder = saved(tmp_path / "few", "dcgan", "fixed", emotions="happy,sad")
    [model] = facts(web.page([folder], RUNTIME))["models"]
    assert model["emotions"] == ["happy", "sad"]


def test_the_readme_makes_it_a_static_space(files, tmp_path, weights):
    path = tmp_path / "README.md"
    path.write_bytes(files["README.md"])
    head = huggingface_hub.metadata_load(path)
    assert (head["sdk"], head["app_file"]) == ("static", "index.html")
    assert len(head["short_description"]) <= 60
    assert checkpoint.fingerprint(weights / "judge") in path.read_text()


def test_grounds_are_the_apps():
    css = (web.PAGE / "page.css").read_text()
    light, dark = re.search(r":root {(.*?)}\n\.dark {(.*?)}", css, re.DOTALL).groups()
    for block, place in ((light, 0), (dark, 1)):
        colours = dict(re.findall(r"--([\w-]+): (#\w+);", block))
        due = {name.replace("_", "-"): pair[place] for name, pair in theme._PAPER.items()}
        assert colours.items() <= due.items()
        assert len(colours) == 8


def test_the_command_writes_the_folder(call, weights, monkeypatch, tmp_path):
    monkeypatch.setattr(web, "runtime", lambda: RUNTIME)
    assert "python -m http.server" in call(weights / "acgan")
    assert (tmp_path / "out" / "models" / "acgan.onnx").stat().st_size > 1000
    assert (tmp_path / "out" / "runtime" / web.PARTS[0]).read_bytes() == RUNTIME[web.PARTS[0]]
    assert "is not empty" in call(weights / "acgan")


def test_refusals(call, weights, monkeypatch, tmp_path):
    monkeypatch.setattr(web, "runtime", lambda: pytest.fail("refused too late"))
    translator = saved(tmp_path / "star", "stargan", "fixed")
    large = saved(tmp_path / "large", "acgan", "fixed", image_size=64)
    other = saved(tmp_path / "other", "classifier", "m1")
    judge, acgan = weights / "judge", weights / "acgan"
    assert "at least one checkpoint" in call()
    assert "needs a generator" in call(judge)
    assert "is a translator" in call(acgan, translator)
    assert "one classifier reads the faces" in call(acgan, judge, other)
    assert "reads 48x48 faces" in call(large, judge)
    assert "nowhere" in call(tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()


# --- the runtime, from an npm that is none ---


@pytest.fixture
def npm(monkeypatch, tmp_path):
    """Makes `npm` do what a line of shell says; the package that is due lies at $PACKAGE, $4 is where to put it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in RUNTIME.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    package = archive.getvalue()
    (tmp_path / "package").write_bytes(package)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PACKAGE", str(tmp_path / "package"))
    monkeypatch.setenv("FERGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(web, "SHA512", b64encode(hashlib.sha512(package).digest()).decode())

    def npm(line):
        script = tmp_path / "bin" / "npm"
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)

    return npm


def test_the_runtime_comes_from_npm_once(npm):
    npm('[ "$2" = onnxruntime-web@' + web.VERSION + ' ] && /bin/cp "$PACKAGE" "$4/one.tgz"')
    assert web.runtime() == RUNTIME
    npm("exit 1")
    assert web.runtime() == RUNTIME


def test_a_damaged_cache_is_not_used(npm, tmp_path):
    npm('/bin/cp "$PACKAGE" "$4/one.tgz"')
    web.runtime()
    [kept] = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])
    assert web.runtime() == RUNTIME
    assert (
        hashlib.sha512(kept.read_bytes()).digest()
        == hashlib.sha512((tmp_path / "package").read_bytes()).digest()
    )


@pytest.mark.parametrize(
    ("line", "due"),
    [
        (None, "npm is missing"),
        (
            "echo 'npm warn old' >&2; echo 'npm error code ENOTFOUND' >&2; exit 1",
            "(code ENOTFOUND): is there a network?",
        ),
        ("exit 3", "npm ended with 3"),
        ('echo other > "$4/one.tgz"', "its sha512 differs"),
    ],
)
def test_no_runtime_in_words(npm, line, due, call, weights, tmp_path):
    if line:
        npm(line)
    said = call(weights / "acgan")
    assert due in said
    assert "Nothing was exported" in said
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "cache").exists()


def test_npm_that_hangs(npm, monkeypatch):
    monkeypatch.setattr(web, "NPM_SECONDS", 0.3)
    npm("exec /bin/sleep 60")
    with pytest.raises(ValueError, match="within 0.3 seconds"):
        web.runtime()
