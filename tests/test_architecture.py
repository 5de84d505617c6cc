"""The tree is the architecture: who may import whom, read off the syntax trees."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([ROOT / "app.py", *(ROOT / "fergan").rglob("*.py"), *(ROOT / "train").rglob("*.py")])
ONLY_IN = {
    "av": ("fergan/animate.py", "fergan/provenance.py"),
    "gradio": ("app.py", "fergan/ui/"),
    "starlette": ("fergan/ui/",),
    "huggingface_hub": ("fergan/hub.py",),
    "argparse": ("app.py", "train/", "fergan/provenance.py"),
    "accelerate": ("train/",),
    "cv2": ("fergan/faces.py",),
    "matplotlib": ("train/",),
    "optuna": ("train/",),
    "tqdm": ("train/",),
    "torchvision": ("train/",),
}
TORCH_ALONE = ("fergan/losses.py", "fergan/augment.py", "fergan/metrics.py")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def uses(path: Path, package: str) -> bool:
    return any(name == package or name.startswith(package + ".") for name in imported(path))


def faults(path: Path, relative: str) -> list[str]:
    found = [
        f"{relative} imports {package}, which only {', '.join(places)} may"
        for package, places in ONLY_IN.items()
        if uses(path, package) and not relative.startswith(places)
    ]
    if relative.startswith("fergan/"):
        found += [f"{relative} imports {above}" for above in ("train", "app") if uses(path, above)]
        if not relative.startswith("fergan/ui/") and uses(path, "fergan.ui"):
            found.append(f"{relative} imports fergan.ui")
        if not relative.startswith(("fergan/ui/", "fergan/quiz.py")) and uses(path, "fergan.engine"):
            found.append(f"{relative} imports fergan.engine")
    if relative.startswith("fergan/models/"):
        found += [
            f"{relative} imports {name}"
            for name in imported(path)
            if name.startswith("fergan.") and not name.startswith(("fergan.models", "fergan.emotions"))
        ]
    if relative.startswith("train/") and (uses(path, "app") or uses(path, "fergan.ui")):
        found.append(f"{relative} imports the page")
    if relative in TORCH_ALONE and {name.split(".")[0] for name in imported(path)} != {"torch"}:
        found.append(f"{relative} may import torch alone")
    if relative.startswith("fergan/ui/"):
        allowed = tuple(
            f"fergan.{name}"
            for name in (
                "animate",
                "engine",
                "emotions",
                "images",
                "metrics",
                "provenance",
                "quiz",
                "tally",
                "ui",
            )
        )
        found += [
            f"{relative} imports {name}"
            for name in imported(path)
            if name.startswith("fergan.") and not name.startswith(allowed)
        ]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    assert faults(path, str(path.relative_to(ROOT))) == []


@pytest.mark.parametrize(
    ("relative", "line"),
    [
        ("fergan/engine.py", "import gradio"),
        ("fergan/data.py", "from train import run"),
        ("fergan/losses.py", "import numpy"),
        ("fergan/models/cgan.py", "from fergan.ui import theme"),
        ("fergan/models/cgan.py", "from fergan import images"),
        ("fergan/data.py", "from fergan.engine import Engine"),
        ("fergan/ui/generate.py", "from fergan import checkpoint"),
        ("train/gan.py", "import app"),
    ],
)
def test_a_planted_import_is_found(tmp_path, relative, line):
    path = tmp_path / "planted.py"
    path.write_text(line + "\n")
    assert faults(path, relative)


def silent(path: Path) -> list[str]:
    """Calls that read or write text in whatever encoding the machine happens to have."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        mode = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else "b"
        text = {
            "read_text": not node.args,
            "write_text": len(node.args) < 2,
            "open": not node.args or (isinstance(mode, str) and "b" not in mode),
        }
        given = {keyword.arg for keyword in node.keywords}
        if text.get(node.func.attr) and not given & {"encoding", "fileobj"}:  # an archive's, of bytes
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_text_has_one_encoding(path):
    assert silent(path) == []


def test_a_planted_encoding_is_found(tmp_path):
    lines = ["p.read_text()", "p.write_text('x')", "p.open()", "p.open('a')"]
    lines += ["p.read_text('utf-8')", "p.open('rb')", "Image.open(p)", "p.open(encoding='utf-8')"]
    (tmp_path / "planted.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert [line.partition(":")[0] for line in silent(tmp_path / "planted.py")] == [
        f"line {number}" for number in (1, 2, 3, 4)
    ]


def test_emotions_are_listed_once():
    """The seven names, in order, stand in emotions.py alone."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Tuple | ast.List):
                values = [item.value for item in node.elts if isinstance(item, ast.Constant)]
                if values[:3] == ["angry", "disgust", "fear"]:
                    assert path.name == "emotions.py", path


def test_readme_tree_is_the_tree():
    """Every file that the README's tree names exists, and every package module is named there."""
    tree = (ROOT / "README.md").read_text().split("## The tree", 1)[1].split("```")[1]
    named = set(re.findall(r"\w+\.py", tree)) - {"__init__.py"}
    assert named == {path.name for path in SOURCES} - {"__init__.py"}
