"""The tab Mix in a browser, where answers come late or not at all."""

import numpy as np
import pytest

from fergan.ui.sheet import data_uri
from tests.browser.conftest import cut_off, held_back, until
from tests.browser.test_mix import REQUESTS, address, drawn, face, mix, said  # noqa: F401 - fixtures
from tests.test_mix import styled, styled_weights  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_two_requests_at_a_time_and_the_last_wins(mix, styled):
    page = mix()
    expect(said(page)).to_contain_text("seed 7")
    flying, most = [], []

    def begun(request):
        body = (request.post_data or "").replace(" ", "")
        if '"fn_name":"draw"' in body and body.count('"seed"') == 1:  # not the small faces, many at once
            flying.append(request)
            most.append(len(flying))

    page.on("request", begun)
    page.on("requestfinished", lambda request: request in flying and flying.remove(request))
    page.evaluate(
        """async () => {
            const slider = document.querySelector('#mix-sad');
            for (let value = 1; value <= 80; value++) {
                slider.value = value;
                slider.dispatchEvent(new Event('input', {bubbles: true}));
                await new Promise((done) => setTimeout(done, 5));
            }
        }"""
    )
    expect(said(page)).to_contain_text("44\u00a0% sad")
    assert np.array_equal(face(page), drawn(styled, happy=100, sad=80))
    assert len(most) < 80
    assert max(most) == 2


def test_an_answer_that_was_overtaken_is_not_shown(mix, styled):
    page, held = mix(), []
    expect(said(page)).to_contain_text("seed 7")

    def hold(route):
        first = '"sad":0.01' in route.request.post_data.replace(" ", "")
        held.append(route) if first else route.continue_()

    page.route(REQUESTS, hold)
    slide = """value => {
        const slider = document.querySelector('#mix-sad');
        slider.value = value;
        slider.dispatchEvent(new Event('input', {bubbles: true}));
    }"""
    page.evaluate(
        """() => {
            const face = document.querySelector('.mix-face img');
            window.shown = [];
            new MutationObserver(() => shown.push(face.src)).observe(face, {attributeFilter: ['src']});
        }"""
    )
    page.evaluate(slide, 1)
    page.evaluate(slide, 60)
    page.wait_for_function("shown.length")
    assert len(held) == 1
    with page.expect_response(REQUESTS):
        held[0].continue_()
    expect(said(page)).to_contain_text("37\u00a0% sad")  # once nothing is on its way
    assert page.evaluate("shown") == [data_uri(drawn(styled, happy=100, sad=60))]


def test_a_first_face_that_does_not_come_is_told_and_retried(visit):
    page = visit()
    cut_off(page)
    page.get_by_role("tab", name="Mix").click()
    expect(page.locator(".mix-face .failed")).to_contain_text("The server does not answer.")
    page.unroute(REQUESTS)
    page.locator(".mix-face").get_by_role("button", name="Retry").click()  # which nothing covers
    page.wait_for_selector(".mix-face img[src]")


def test_small_faces_that_were_lost_come_with_the_next_wish(visit):
    lost = []

    def lose(route):
        body = (route.request.post_data or "").replace(" ", "")
        if '"fn_name":"draw"' in body and body.count('"seed"') > 1:
            lost.append(route)
            route.abort()
        else:
            route.continue_()

    page = visit("?tab=mix&model=acgan", before=lambda page: page.route(REQUESTS, lose))
    until(page, lambda: lost)
    page.wait_for_timeout(1000)
    assert len(lost) == 1  # the server is not asked again and again
    page.unroute(REQUESTS)
    page.keyboard.press("4")
    expect(page.locator(".mix-row img:not([src])")).to_have_count(0)


def test_a_face_that_came_among_the_small_ones_is_read_when_it_is_retried(mix):
    page = mix()
    expect(said(page)).to_contain_text("happy")
    expect(page.locator(".mix-thumb img:not([src])")).to_have_count(0)
    page.route(REQUESTS, lambda route: route.abort(), times=1)
    page.get_by_role("slider", name="sad").fill("37")
    expect(page.locator(".mix-face .failed")).to_contain_text("The server does not answer.")
    page.wait_for_timeout(1000)  # the small faces come, among them the one that did not
    page.get_by_role("button", name="Retry").click()
    expect(said(page)).to_contain_text("27\u00a0% sad")


def test_a_server_that_is_gone_is_told_and_retried(mix):
    page = mix()
    expect(said(page)).to_contain_text("happy")
    cut_off(page)
    page.get_by_role("slider", name="sad").fill("37")
    expect(page.locator(".mix-face .failed")).to_contain_text("The server does not answer.")
    page.unroute(REQUESTS)
    page.get_by_role("button", name="Retry").click()
    expect(said(page)).to_contain_text("27\u00a0% sad")
    expect(page.locator(".mix-face .failed")).to_be_hidden()


def test_a_face_that_is_slow_to_come_is_seen_to_be_on_its_way_but_not_under_a_dragging_hand(mix):
    page = mix()
    expect(page.locator(".mix-thumb img:not([src])")).to_have_count(0)
    waiting = page.locator(".mix-face.waiting")
    held, let_go = held_back(page, "draw")
    page.get_by_role("slider", name="sad").fill("37")
    until(page, lambda: held)
    expect(waiting).to_have_count(0)
    page.get_by_role("button", name="New seed").click()
    expect(waiting).to_have_count(1)
    let_go()
    expect(waiting).to_have_count(0)
    expect(said(page)).not_to_contain_text("seed 7,")
