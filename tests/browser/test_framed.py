"""The page in a frame as the Hub shows a Space: in a sandbox, where the browser may let it store nothing."""

import zipfile

import pytest

from fergan.ui import TABS

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

SANDBOX = (
    "allow-downloads allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-same-origin"
    " allow-scripts allow-storage-access-by-user-activation"
)
PLACES = dict(
    zip(
        TABS,
        (".generate", ".mix", ".translate", ".recognise", ".gallery", ".evo", ".quiz"),
        strict=True,
    )
)
STORES_NOTHING = """Object.defineProperty(window, 'localStorage', {
    get() { throw new DOMException('Access is denied for this document.', 'SecurityError'); },
});"""


@pytest.fixture
def framed(visit, address):
    """The page in a frame of another, and that other page."""
    page = visit(before=lambda page: page.add_init_script(STORES_NOTHING))
    page.evaluate(
        """([source, sandbox]) => {
            const frame = document.createElement('iframe');
            frame.sandbox = sandbox;
            frame.allow = 'camera; clipboard-write';
            Object.assign(frame, {src: source, width: 1400, height: 840});
            document.body.replaceChildren(frame);
        }""",
        [address, SANDBOX],
    )
    frame = page.frame_locator("iframe")
    expect(frame.locator(".cell img[src]")).to_have_count(16, timeout=30_000)
    return frame, page


def test_faces_are_drawn_and_saved_in_a_frame(framed):
    frame, page = framed
    frame.get_by_role("radio", name="sad").evaluate("chip => chip.click()")
    expect(frame.locator(".said")).to_contain_text("16 sad faces by AC-GAN")
    with page.expect_download() as download:
        frame.get_by_role("button", name="Save as zip").click()
    assert len(zipfile.ZipFile(download.value.path()).namelist()) >= 16


def test_every_tab_opens_in_a_frame_and_a_setting_that_is_not_stored_lasts_the_visit(framed):
    frame, _ = framed
    frame.locator(".generate .advanced summary").click()
    frame.locator(".generate").get_by_label("Keys 1 to 7 and N").uncheck()
    for title, place in PLACES.items():
        frame.get_by_role("tab", name=title, exact=True).click()
        expect(frame.locator(place)).to_be_visible()
    expect(frame.locator(".mix [data-field=shortcuts]")).not_to_be_checked()
