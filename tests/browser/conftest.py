"""A served page and a browser for it; the tests here skip, and say why, where there is no browser."""

import shutil
import urllib.parse

import pytest

import app
from fergan.engine import Engine

try:
    from playwright.sync_api import Error, expect, sync_playwright
except ImportError:
    sync_playwright = None
else:
    expect.set_options(timeout=20_000)  # another process has tests of its own, and there may be two cores

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHELL = shutil.which("chromium-headless-shell") or CHROMIUM
"""What tests run in: the same browser without its windows, where it is there, takes the processor 40 % less."""
CAMERA = ("--use-fake-device-for-media-stream", "--auto-accept-camera-and-microphone-capture")
"""A fake one, and yes to who asks for it: without windows nobody else can say so. Tests that are refused refuse themselves."""


def cut_off(page):
    """Lets no request through; one that is sent at once might still slip by, so this waits until one fails."""
    page.route("**/component_server/**", lambda route: route.abort())
    page.wait_for_function(
        "fetch('/gradio_api/component_server/', {method: 'POST'}).then(() => false, () => true)"
    )


def ask_a_camera_that_is_not_allowed(page):
    """Clicks for a camera that the person, or the browser, then refuses."""
    page.evaluate(
        """() => { navigator.mediaDevices.getUserMedia =
            async () => { throw new DOMException('', 'NotAllowedError'); }; }"""
    )
    page.get_by_role("button", name="Use camera").click()


def ask_for_the_camera_twice(page):
    """Clicks twice before the camera is there: one is on, and none once it is stopped."""
    page.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            window.cameras = [];
            navigator.mediaDevices.getUserMedia = async (wish) => {
                const stream = await ask(wish);
                window.cameras.push(stream);
                return stream;
            };
        }"""
    )
    on = "window.cameras.length === 2 && window.cameras.filter((stream) => stream.active).length === "
    page.get_by_role("button", name="Use camera").evaluate("button => { button.click(); button.click(); }")
    page.wait_for_function(on + "1")
    page.get_by_role("button", name="Stop camera").click()
    page.wait_for_function(on + "0")


def held_back(page, verb):
    """Holds requests for a verb: the list of them, and what lets go of them and of all that follow."""
    held, free = [], []

    def hold(route):
        if free or (route.request.post_data_json or {}).get("fn_name") != verb:
            route.continue_()
        else:
            held.append(route)

    def let_go():
        free.append(True)
        for route in held:
            route.continue_()

    page.route("**/component_server/**", hold)
    return held, let_go


def until(page, so):
    """Waits, while the page goes on, until something here is so."""
    for _ in range(200):
        if so():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come about")


@pytest.fixture(scope="session")
def address(engine):
    """Where the page over two tiny models is served."""
    page = app.build_app(engine)
    yield app.serve(page, "127.0.0.1")
    page.close(verbose=False)


@pytest.fixture(scope="session")
def browser():
    if sync_playwright is None:
        pytest.skip("playwright is not installed")
    with sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(
                executable_path=SHELL,
                args=["--no-sandbox", "--disable-gpu", *CAMERA],
            )
        except Error as error:
            pytest.skip(f"no Chromium starts here: {error.message.splitlines()[0]}")
        yield found
        found.close()


@pytest.fixture(scope="session")
def known(browser):
    """A context that has fetched the page's files before: in a new one each visit costs a third more."""
    return browser.new_context()


@pytest.fixture
def visit(browser, known, address):
    """Opens the page with a query; no other host may be asked, nor any script fail, while the test runs.

    Each visit finds nothing stored: a test's first one, where it has no options, in `known`, all others in new contexts.
    """
    contexts, pages, hosts, faults = [], [], set(), []

    def visit(query="", width=1440, height=900, before=lambda page: None, **options):
        if options or pages:
            contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
            page = contexts[-1].new_page()
        else:
            page = known.new_page()
            page.set_viewport_size({"width": width, "height": height})
            pages.append(page)
        page.set_default_timeout(10_000)
        page.on("request", lambda request: hosts.add(urllib.parse.urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: faults.append(str(error)))
        before(page)
        page.goto(address + query)
        page.wait_for_selector(".cell img[src]", state="attached")  # hidden where a link opens another tab
        return page

    yield visit
    for context in contexts:
        context.close()
    for page in pages:
        page.close()
        blank = known.new_page()
        storage = {"origin": address.rstrip("/"), "storageTypes": "cookies,local_storage"}
        known.new_cdp_session(blank).send("Storage.clearDataForOrigin", storage)
        blank.close()
    assert hosts - {""} == {urllib.parse.urlsplit(address).netloc}
    assert faults == []


@pytest.fixture
def visit_of(browser):
    """Opens the page over the models of another folder; no script may fail while the test runs."""
    served, contexts, faults = [], [], []

    def visit_of(folder, query=""):
        served.append(app.build_app(Engine([folder], device="cpu")))
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(app.serve(served[-1], "127.0.0.1") + query)
        return page

    yield visit_of
    for context in contexts:
        context.close()
    for page in served:
        page.close(verbose=False)
    assert faults == []


@pytest.fixture
def opened_late(visit):
    """Opens a tab by a click, and holds it to asking for its first thing then, once, and not before."""

    def opened_late(tab, verb, ready):
        asked = []
        page = visit(
            before=lambda page: page.on("request", lambda request: asked.append(request.post_data or ""))
        )
        page.wait_for_timeout(300)
        assert not [body for body in asked if f'"{verb}"' in body]
        page.get_by_role("tab", name=tab).click()
        ready(page)
        assert len([body for body in asked if f'"{verb}"' in body]) == 1
        return page

    return opened_late
