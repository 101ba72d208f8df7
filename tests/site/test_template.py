"""What is the same on every page: asked of pages that stand for the others, and of all there is."""

import re
from functools import partial
from http.server import ThreadingHTTPServer
from threading import Thread

import book_speed
import pytest
from axe import PLACES, beyond_the_theme, go
from book_site import DESKTOP, PAGES, PHONE, read
from commands import Pages
from formulas import set_formulas_in
from page_measures import speed, tab_stops_before_sliders
from sliders import SLIDERS, stuck
from sphinx.errors import ExtensionError
from visible import faults_of_formulas


@pytest.fixture(scope="module", params=[1, 2], ids=["a page", "a page in a folder"])
def sample(request, site):
    """The lightest page at this depth that has figures to move, and formulas before them."""
    found = [
        page
        for page in PAGES
        if page.count("/") == request.param
        and (soup := read(site, page)).select(".ib-controls")
        and soup.select("main p span.math, main .ib-figure")[0].name == "span"
    ]
    if not found and request.param > 1 and all(page.count("/") < 2 for page in PAGES):
        pytest.skip("no page of the book lies in a folder of its own")
    return min(found, key=lambda page: (site / f"{page}.html").stat().st_size)


# Formulas and drawings do not know where their page lies.
@pytest.mark.parametrize("sample", [1], indirect=True, ids=["a page"])
def test_axe_core_finds_nothing_in_formulas_and_drawings_either(
    sample, address, visit, theme_faults
):
    page = visit(f"{address}/{sample}.html").page
    for place in PLACES:
        go(page, place)
        assert beyond_the_theme(page, "everything", theme_faults[place]) == []


def test_formulas_are_read_aloud_and_are_no_tab_stops(sample, address, visit):
    page = visit(f"{address}/{sample}.html").page
    formulas = page.locator("main mjx-container")
    assert formulas.count() == page.locator("main mjx-assistive-mml").count() > 0
    stops = page.locator("main :is(mjx-container, span.math)[tabindex='0']").all()
    assert all(stop.evaluate("e => e.scrollWidth > e.clientWidth") for stop in stops)
    # What no one sees is not set as mathematics, which takes long, and is mathematics all the same.
    inside = page.locator("main mjx-assistive-mml msub").first
    assert inside.evaluate("e => getComputedStyle(e).display") == "inline"
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    assert "MathMLSub" in {node["role"]["value"] for node in tree if "role" in node}


def test_a_formula_is_part_of_its_line_and_scrolls_where_it_is_too_wide(sample, address, visit):
    page = visit(f"{address}/{sample}.html").page
    text = rf'<p id="long">A \({"+".join("x" * 120)}\), and \(y\).</p>'
    page.evaluate(
        """html => {
            document.querySelector('main article section').insertAdjacentHTML('afterbegin', html);
            dispatchEvent(new Event('DOMContentLoaded'));
        }""",
        set_formulas_in(text),
    )
    go(page, "phone")
    wide, short = page.locator("#long .math").all()
    page.wait_for_function("document.querySelector('#long .math').matches('.wide.cut-right')")
    assert wide.evaluate("e => e.scrollWidth > e.clientWidth && e.tabIndex === 0")
    assert wide.evaluate("e => getComputedStyle(e).overflowX") == "auto"
    marks = "e => getComputedStyle(e).backgroundImage.split('url(').length - 1"
    assert wide.evaluate(marks) == 1, "what fades at the edge may be a blank"
    wide.evaluate("e => { e.scrollLeft = 40; }")
    page.wait_for_function("document.querySelector('#long .math').matches('.cut-left.cut-right')")
    assert wide.evaluate(marks) == 2
    assert short.evaluate(marks) == 0
    assert wide.bounding_box()["width"] < PHONE["viewport"]["width"]
    assert short.evaluate("e => getComputedStyle(e).display") == "inline"
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_paper_is_white_in_the_dark_too(sample, address, visit):
    page = visit(f"{address}/{sample}.html", color_scheme="dark").page

    def brightness(element):
        colour = page.evaluate(f"getComputedStyle({element}).color.match(/[\\d.]+/g)")
        return max(map(float, colour[:3]))

    text, label = "document.querySelector('main p')", "document.querySelector('.ib-picture text')"
    assert brightness(text) > 150
    assert brightness(label) > 150
    page.emulate_media(media="print")
    page.wait_for_function("document.documentElement.dataset.theme === 'light'", timeout=5000)
    assert brightness(text) < 90
    assert brightness(label) < 90
    page.emulate_media(media="screen")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'", timeout=5000)
    assert brightness(text) > 150


def test_sliders_move_by_touch_on_a_phone(sample, address, visit):
    """In a browser that is a phone's altogether, not one whose window became narrow."""
    page = visit(f"{address}/{sample}.html", **PHONE, has_touch=True, is_mobile=True).page

    def tap(page, row):
        slider = row.locator("input[type=range]")
        if not slider.count():
            row.locator("label:not(:has(input:checked))").last.tap()
            return
        box, at = slider.bounding_box(), int(slider.input_value())
        right = 2 * at < int(slider.get_attribute("max"))
        x = box["x"] + (box["width"] - 8 if right else 8)
        page.touchscreen.tap(x, box["y"] + box["height"] / 2)

    assert stuck(page, tap, pixels=True) == []


def test_first_frame_is_there_without_scripts(sample, address, visit):
    page = visit(f"{address}/{sample}.html", java_script_enabled=False).page
    figures = page.locator(".ib-figure")
    assert figures.count() > 0
    for figure in figures.all():
        box = figure.locator(".ib-picture > svg").bounding_box()
        assert box["width"] > 150
        assert box["height"] > 80
        assert figure.locator(".ib-picture > svg").locator("path, text, use").count() > 5
        assert figure.locator("input:visible, button:visible").count() == 0, "a dead control"


def test_page_stands_and_moves_when_opened_from_the_disk(sample, site, visit):
    page = visit((site / f"{sample}.html").as_uri()).page
    assert faults_of_formulas(page, sample) == []
    slider = page.locator(SLIDERS).first
    before = slider.get_attribute("aria-valuetext")
    slider.press("ArrowRight" if slider.input_value() == "0" else "ArrowLeft")
    assert slider.get_attribute("aria-valuetext") != before


def test_printed_path_leads_to_the_book(site, visit):
    # index.html sends the reader on at once: whatever is asked of it while it does is lost
    page = visit((site / "index.html").as_uri(), goes_on=True).page
    page.wait_for_url(re.compile(r"book/intro\.html"))
    assert page.locator("h1:visible").count() == 1


def test_a_page_comes_up_without_a_jump_and_sets_no_formula(sample, address, browser):
    seen = speed(browser, f"{address}/{sample}.html", wait=0.5)
    assert seen.first_formula is not None
    assert seen.shift < 0.05


BLOCKS = ".bd-article section > :is(p, .cell > .cell_output, .proof, .claim-box, .exercise)"
DRAWN = """blocks => blocks.filter(e => e.textContent && e.lastElementChild).filter(e =>
    e.lastElementChild.checkVisibility({contentVisibilityAuto: true})).length"""
IN_SIGHT = """id => scrollY > 0 && [document.getElementById(id).getBoundingClientRect().top]
    .every(top => top > 0 && top < innerHeight - 20)"""


def test_what_is_far_is_left_out_until_a_reader_comes_near(sample, address, visit):
    """By a link, by looking for words, on paper."""
    page = visit(f"{address}/{sample}.html", whole=False, **DESKTOP).page
    blocks = page.locator(BLOCKS)
    at_first = blocks.evaluate_all(DRAWN)
    assert 0 < at_first < 0.8 * blocks.count()
    words = page.locator("article section > p:has(a, span.math):not(.admonition *)").last.evaluate(
        "e => [...e.childNodes].map(part => part.textContent.trim()).find(text => /\\w/.test(text))"
    )
    assert page.evaluate("words => find(words)", words)
    link = page.locator("#pst-page-toc-nav a").last
    link.click()
    page.wait_for_function(IN_SIGHT, arg=link.get_attribute("href")[1:], timeout=5000)
    page.emulate_media(media="print")
    everything = visit(f"{address}/{sample}.html").page
    everything.emulate_media(media="print")
    assert blocks.evaluate_all(DRAWN) == everything.locator(BLOCKS).evaluate_all(DRAWN) > at_first


def test_who_goes_by_keyboard_is_soon_at_the_text_and_at_its_first_slider(sample, address, visit):
    page = visit(f"{address}/{sample}.html", **DESKTOP).page
    expected = tab_stops_before_sliders(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for pressed in range(2, expected + 1):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main article') !== null")
        arrived = page.evaluate("document.activeElement.matches('input[type=range]')")
        assert arrived == (pressed == expected)


def test_no_script_keeps_the_text_of_a_page_waiting(sample, site):
    scripts = [tag for tag in read(site, sample).select("script[src]") if "defer" not in tag.attrs]
    assert [tag["src"].partition("?")[0] for tag in scripts] == [
        f"{'../' * sample.count('/')}_static/documentation_options.js"
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_has_its_colours_before_its_text(scheme, sample, address, browser):
    """To colour it anew takes as long as to read it."""
    page = browser.new_page(color_scheme=scheme)
    page.add_init_script(
        """window.anew = [];
        new MutationObserver(all => anew.push(...all.filter(one => document.body &&
            one.oldValue !== document.documentElement.dataset.theme).map(one => one.oldValue)))
            .observe(document, {subtree: true, attributeFilter: ['data-theme'],
                attributeOldValue: true});"""
    )
    page.goto(f"{address}/{sample}.html", wait_until="load")
    assert page.evaluate("[document.documentElement.dataset.theme, ...anew]") == [scheme]
    page.close()


def test_the_themes_script_is_one_that_we_know_how_to_quieten(site):
    script = (site / "_static/scripts/pydata-sphinx-theme.js").read_text(encoding="utf-8")
    assert book_speed.quieter(script) == script, "it measures all of a page"
    with pytest.raises(ExtensionError, match="STOPS"):
        book_speed.quieter("another script")


@pytest.mark.parametrize("folder", ["/", "/in/a/folder/"])
def test_an_address_that_leads_nowhere_is_answered_in_the_looks_of_the_book(
    folder, site, tmp_path, browser
):
    place = tmp_path / folder.strip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if place != tmp_path:
        place.symlink_to(site)
        (tmp_path / "404.html").symlink_to(site / "404.html")  # as a server of many sites does
    root = tmp_path if place != tmp_path else site
    page = browser.new_page()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietPages, directory=str(root))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for lost in ("none.html", "book/imd/deeper/none.html"):
            answer = page.goto(f"http://127.0.0.1:{server.server_port}{folder}{lost}")
            assert answer.status == 404
            assert page.locator("h1:visible").inner_text().startswith("There is no such page")
            assert page.locator(".bd-sidebar-primary a").count() > 20
            assert page.evaluate("getComputedStyle(document.body).display") == "flex"
            page.locator("article p a").click()
            page.wait_for_url(f"**{folder}book/intro.html")
        server.shutdown()
    page.close()


class QuietPages(Pages):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def test_a_link_opens_a_figure_in_its_state(sample, site, visit):
    """Also when the book was opened from the disk, where nothing is served."""
    page = visit((site / f"{sample}.html").as_uri()).page
    figure = page.locator(".ib-figure:has(.ib-link):has(input[type=range])").first
    figure.locator("input[type=range]").first.press("End")
    figure.locator(".ib-link").click()
    page.wait_for_function("location.hash.startsWith('#fig-')")
    setting = figure.locator(".ib-setting").inner_text()
    again = visit(page.url, whole=False).page
    figure = again.locator(".ib-figure:has(.ib-link):has(input[type=range])").first
    assert figure.locator(".ib-setting").inner_text() == setting
    again.wait_for_timeout(100)
    assert -1 <= figure.bounding_box()["y"] < 150


def test_type_in_figures_is_legible_on_a_phone(sample, address, visit):
    page = visit(f"{address}/{sample}.html", **PHONE).page
    sizes = page.locator(".ib-picture svg > text, .ib-picture svg g > text").evaluate_all(
        """all => all.map(e => parseFloat(getComputedStyle(e).fontSize) *
            Math.hypot(e.getScreenCTM().a, e.getScreenCTM().b))"""
    )
    assert len(sizes) > 5
    assert min(sizes) >= 11
