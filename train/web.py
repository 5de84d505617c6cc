"""A page of static files that draws faces in the browser, with no server: `python -m train.export --web`.

The folder works from any web server, under any path, and as a static Space. The networks are run by
onnxruntime-web, which comes from npm while the folder is made; the page itself asks no other host.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from tqdm import tqdm

import fergan
from fergan import checkpoint, provenance
from fergan.about import LICENCE, kind
from fergan.checkpoint import Checkpoint
from fergan.data import cache_folder
from fergan.emotions import EMOTIONS
from fergan.models import preset
from fergan.moments import LAST_SEED
from train import export
from train.push import write_folder

PAGE = Path(__file__).parent / "static"
LOOK = Path(fergan.__file__).parent / "ui" / "static"
"""The app's own colours, icons and bars."""
SHARED = ("fillBars", "isTyping", "memory", "percents", "reading", "writeLink")
"""Of the app's script, fergan.js."""
RUNTIME = "onnxruntime-web"
VERSION = "1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of its package, as npm's registry has it."""
PARTS = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
NPM_SECONDS = 300
FACTS, EXPORT = "facts.js", "export default "
"""What the page knows of its networks: the file, and how it begins."""
README = """---
title: fergan in the browser
emoji: 🙂
colorFrom: yellow
colorTo: indigo
sdk: static
app_file: index.html
license: other
license_name: research-only
short_description: Seven sliders move a face, in your browser alone
tags: [faces, emotion, gan, fer2013, onnx]
---

# fergan in the browser

Seven sliders blend emotions on one synthetic face; a classifier says what it sees. These are files alone: put them on
any web server, or try them with `python -m http.server`. Written by `python -m train.export --web`.

| model | file | weights (sha256) |
| --- | --- | --- |
{rows}

`runtime/` is {runtime} {version}, copyright Microsoft Corporation, under the MIT licence.

{licence}
"""


def write(folders: Sequence[Path], out: Path) -> str:
    """Writes the page of these checkpoints into a new or empty folder; returns a line on what came of it.

    Raises:
        OSError, ValueError: a folder that is no checkpoint, checkpoints that make no page, no runtime to be had,
            or a folder that holds something or cannot be written to.
    """
    write_folder({}, out)  # refuses now, writes nothing yet
    _choose(folders)
    files = page(folders, runtime())
    write_folder(files, out)
    size = sum(map(len, files.values())) / 1e6
    return f"{out}: {len(files)} files, {size:.1f} MB. See it with `python -m http.server --directory {out}`."


def read(folder: Path) -> dict[str, bytes]:
    """The files of a page that `write` has written, by name, but hidden ones.

    Raises:
        ValueError: no such page, or a file that is missing or not as it was written.
    """
    paths = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    files = {
        name.as_posix(): path.read_bytes()
        for name, path in paths.items()
        if not any(part.startswith(".") for part in name.parts)
    }
    try:
        facts = json.loads(files[FACTS].decode().removeprefix(EXPORT).rstrip(";\n"))
        named = [one for one in (*facts["models"], facts["judge"], facts["wasm"]) if one]
        broken = [
            name
            for one in named
            if (name := one["file"].partition("?")[0]) not in files
            or _file(files, name)["file"] != one["file"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder} holds no page of train.export --web: {FACTS} is not there or torn."
        ) from error
    missing = [name for name in ("index.html", "README.md") if name not in files]
    if broken or missing:
        raise ValueError(f"{folder} is not as it was written: {', '.join(broken + missing)}; export it anew.")
    return files


def page(folders: Sequence[Path], runtime: dict[str, bytes]) -> dict[str, bytes]:
    """The folder's files by name.

    Raises:
        OSError, ValueError: a folder that is no checkpoint, or checkpoints that make no page.
    """
    generators, judge = _choose(folders)
    files = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.is_file()}
    files |= {name: (LOOK / name).read_bytes() for name in ("fergan.css", "icon.svg")}
    icons, shared = ((LOOK / name).read_text("utf-8") for name in ("icons.svg", "fergan.js"))
    files["index.html"] = files["index.html"].replace(b"<!-- icons -->", icons.encode())
    files["fergan.js"] = (
        f"export const EMOTIONS = {json.dumps(EMOTIONS)};\n{shared}\nexport {{{', '.join(SHARED)}}};\n"
    ).encode()
    files |= {f"runtime/{name}": content for name, content in runtime.items()}
    facts: dict[str, Any] = {
        "models": [],
        "judge": None,
        "wasm": _file(files, f"runtime/{PARTS[-1]}"),
        "lastSeed": LAST_SEED,
        "sourceType": provenance.SOURCE_TYPE,
    }
    rows = []
    for folder in tqdm([*generators, *([judge] if judge else [])], unit="model"):
        name = folder.resolve().name
        content, described = export.export(folder, half=True)
        files[f"models/{name}.onnx"] = content
        told = {**_file(files, f"models/{name}.onnx"), **_facts(folder, described)}
        if folder == judge:
            facts["judge"] = told
        else:
            facts["models"].append(told)
        rows.append(f"| {name}: {told['title']} | `models/{name}.onnx` | `{told['weights']}` |")
    titles = [one["title"] for one in facts["models"]]
    for one in facts["models"]:
        if titles.count(one["title"]) > 1:
            one["title"] += f" ({one['name']})"
    files[FACTS] = f"{EXPORT}{json.dumps(facts, indent=2)};\n".encode()
    files["README.md"] = README.format(
        rows="\n".join(rows), runtime=RUNTIME, version=VERSION, licence=LICENCE
    ).encode()
    return files


def _choose(folders: Sequence[Path]) -> tuple[list[Path], Path | None]:
    """Generators, and the classifier that reads them, if any.

    Raises:
        FileNotFoundError, ValueError: no checkpoint, another kind of network, no generator, two classifiers, or a
            classifier of other faces.
    """
    generators: list[Path] = []
    judges: list[Path] = []
    for folder in folders:
        described = checkpoint.describe(folder)
        kind = preset(described.model, described.preset).kind
        if kind not in ("generator", "classifier"):
            raise ValueError(f"{folder} is a {kind}; the page runs generators and a classifier.")
        (generators if kind == "generator" else judges).append(folder)
    if not generators:
        raise ValueError("the page needs a generator, a model that draws faces from noise: name one.")
    if len(judges) > 1:
        raise ValueError(f"one classifier reads the faces; got {', '.join(map(str, judges))}.")
    judge = next(iter(judges), None)
    if judge:
        due = checkpoint.describe(judge).build_config().image_size
        for folder in generators:
            size = checkpoint.describe(folder).build_config().image_size
            if size != due:
                raise ValueError(f"{judge} reads {due}x{due} faces; {folder} draws {size}x{size}.")
    return generators, judge


def _file(files: dict[str, bytes], name: str) -> dict[str, Any]:
    """Where the page finds a file, by an address that changes with its content, and its bytes."""
    return {
        "file": f"{name}?{hashlib.sha256(files[name]).hexdigest()[:12]}",
        "bytes": len(files[name]),
    }


def _facts(folder: Path, described: Checkpoint) -> dict[str, Any]:
    """What the page tells of a network, and what it needs to ask it."""
    config, title = described.build_config(), kind(described.model).title
    seen = f"it has seen {described.images_seen:,} faces" if described.images_seen else "not trained yet"
    return {
        "name": folder.resolve().name,
        "title": title,
        "line": f"{title}, preset {described.preset}: {seen}.",
        "emotions": getattr(config, "emotions", ",".join(EMOTIONS)).split(","),
        "size": config.image_size,
        "channels": config.channels,
        "noise": getattr(config, "noise_dim", 0),
        "weights": checkpoint.fingerprint(folder),
    }


def runtime() -> dict[str, bytes]:
    """What the page needs of onnxruntime-web, by name: from the cache, else from npm.

    Raises:
        ValueError: no npm, no network, or a package that is not the one that is due.
    """
    cache = cache_folder()
    kept = cache / f"{RUNTIME}-{VERSION}.tgz" if cache else None
    package = kept.read_bytes() if kept and kept.is_file() else b""
    if not _is_due(package):
        package = _pack()
        if not _is_due(package):
            raise ValueError(
                f"{RUNTIME} {VERSION} from npm is not the package that is due: its sha512 differs."
            )
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            checkpoint.replace_file(kept, package)
    with tarfile.open(fileobj=BytesIO(package)) as archive:
        return {name: _member(archive, f"package/dist/{name}") for name in PARTS}


def _is_due(package: bytes) -> bool:
    return b64encode(hashlib.sha512(package).digest()).decode() == SHA512


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    assert found is not None  # the sha512 is right
    return found.read()


def _pack() -> bytes:
    """The package, downloaded by npm.

    Raises:
        ValueError: npm is missing or cannot download it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(f"npm is missing, which brings {RUNTIME}: install Node.js.")
    with tempfile.TemporaryDirectory() as place:
        command = [npm, "pack", f"{RUNTIME}@{VERSION}", "--pack-destination", place]
        try:
            subprocess.run(
                command, cwd=place, check=True, capture_output=True, text=True, timeout=NPM_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"npm did not bring {RUNTIME} within {NPM_SECONDS} seconds.") from None
        except subprocess.CalledProcessError as error:
            said = [line for line in error.stderr.splitlines() if line.startswith("npm error")]
            reason = (said or [f"npm ended with {error.returncode}"])[0].removeprefix("npm error ")
            raise ValueError(
                f"npm could not download {RUNTIME} {VERSION} ({reason}): is there a network?"
            ) from None
        return next(Path(place).glob("*.tgz")).read_bytes()
