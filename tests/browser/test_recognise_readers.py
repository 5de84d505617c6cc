"""The tab Recognise with several readers, one of which knows four emotions alone."""

import csv
import shutil

import pytest

from fergan.emotions import EMOTIONS
from tests import factory
from tests.browser.test_recognise import choose, face, said, state  # noqa: F401 - a fixture

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
KNOWN = "happy,neutral,sad,surprise"
UNKNOWN = [name for name in EMOTIONS if name not in KNOWN.split(",")]
NO_READING = "\u2013"


@pytest.fixture
def page(visit_of, weights, tmp_path):
    """The tab, read by M1."""
    shutil.copytree(weights, tmp_path / "weights")
    factory.write_checkpoint(tmp_path / "weights/m1", "classifier", "m1", by=0.1, emotions=KNOWN)
    page = visit_of(tmp_path / "weights", "?tab=recognise")
    page.wait_for_selector(".example img[src]")
    expect(page.locator(".recognise .model-line")).not_to_contain_text("never taught")
    page.get_by_label("Reader").select_option("M1")
    expect(page.locator(".recognise .model-line")).to_contain_text(
        "It was never taught angry or disgust or fear."
    )
    return page


def bar(page, name):
    return page.locator(f".read-bar[data-emotion={name}]")


def test_what_a_reader_was_never_taught_is_no_reading_of_nothing(page, face):
    choose(page, ("face.png", face))
    expect(said(page)).to_contain_text("M1 ")
    for name in UNKNOWN:
        expect(bar(page, name)).to_be_disabled()
        expect(bar(page, name)).to_have_accessible_name(f"{name}, never taught")
        expect(bar(page, name).locator(".percent")).to_have_text(NO_READING)
    for name in KNOWN.split(","):
        expect(bar(page, name)).to_be_enabled()
        expect(bar(page, name).locator(".percent")).to_contain_text("%")
    page.get_by_label("Reader").select_option("The judge")
    expect(said(page)).to_contain_text("The judge")
    for name in UNKNOWN:
        expect(bar(page, name)).to_be_enabled()
        expect(bar(page, name).locator(".percent")).to_contain_text("%")


def test_a_table_leaves_it_empty(page, face):
    choose(page, ("one.png", face), ("two.png", face))
    state(page, "batch-done")
    cells = page.locator(".batch tbody tr").nth(0)
    for name in UNKNOWN:
        expect(cells.locator(f"td[data-emotion={name}]:not(.best)")).to_have_text(NO_READING)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save CSV").click()
    with download.value.path().open(newline="", encoding="utf-8-sig") as file:
        [one, _] = csv.DictReader(file)
    assert [one[name] for name in UNKNOWN] == ["", "", ""]
    assert sum(float(one[name]) for name in KNOWN.split(",")) == pytest.approx(1, abs=1e-3)
