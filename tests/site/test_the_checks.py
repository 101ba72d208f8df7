"""The checks of the site see the faults they are there for: each is put into a page, and found."""

import gzip

import pytest
from axe import HOLLOW, go, serious_faults
from book_site import PAGES, ROOT, read
from bs4 import BeautifulSoup
from formulas import set_formula
from page_measures import (
    clipped_formulas,
    cut_display_formulas,
    silent_cuts,
    speed,
    stops_at_line_starts,
    weight,
)
from quiz_by_keyboard import faults_of_quiz, faults_without_scripts
from reading import faults_of_preview, faults_of_search
from sliders import (
    by_keyboard,
    by_mouse,
    by_touch,
    covered,
    idle_presets,
    stuck,
    useless_steps,
)
from visible import (
    clipped,
    faults_of_figures,
    faults_of_formulas,
    light_panels,
    pale_text,
    sticking_out,
    words_beyond,
)
from visits import open_page

from ibtools.show import explore, figure, picture
from ibtools.show.block import thumbnail

STYLE = "document.head.insertAdjacentHTML('beforeend', `<style data-fault>{}</style>`)"


@pytest.fixture(scope="module")
def subject(site):
    """The lightest page that has figures to move and formulas."""
    with_both = [p for p in PAGES if read(site, p).select(".ib-controls") and _inline(site, p)]
    return min(with_both, key=lambda page: (site / f"{page}.html").stat().st_size)


def _inline(site, page):
    return read(site, page).select("p span.math")


@pytest.fixture
def page(subject, address, visit):
    """That page, without a fault."""
    page = visit(f"{address}/{subject}.html").page
    assert faults_of_formulas(page, subject) == []
    return page


@pytest.fixture(scope="module")
def opened(subject, address, browser):
    """That page once for all faults that are put into its text."""
    page = open_page(browser, f"{address}/{subject}.html").page
    page.evaluate("window.first = document.querySelector('main').innerHTML")
    yield page
    page.context.close()


@pytest.fixture
def text(opened, subject):
    """Its text without a fault, for what needs no script to follow."""
    go(opened, "light")
    opened.evaluate(
        """() => {
            [...document.head.querySelectorAll('style[data-fault]')].forEach(e => e.remove());
            const main = document.querySelector('main');
            if (main.innerHTML !== first) main.innerHTML = first;
        }"""
    )
    assert faults_of_formulas(opened, subject) == []
    return opened


UNSET = r"document.querySelector('main p .math').textContent = String.raw`\(x\)`"


@pytest.mark.parametrize(
    "fault",
    [
        STYLE.format("mjx-container { visibility: hidden }"),
        STYLE.format("mjx-container { opacity: 0 }"),
        STYLE.format("main p { display: none }"),
        "document.querySelectorAll('main p .math').forEach(e => e.remove())",
        UNSET,
        STYLE.format("mjx-container { color: #eee }"),
    ],
    ids=["hidden", "transparent", "not displayed", "deleted", "not set", "pale"],
)
def test_a_formula_that_is_not_there_is_missed(text, subject, fault):
    text.evaluate(fault)
    assert faults_of_formulas(text, subject) != []


@pytest.mark.parametrize(
    "fault",
    [
        "document.querySelector('.ib-picture').remove()",
        "document.querySelector('.ib-picture svg').remove()",
        STYLE.format(".ib-picture { display: none }"),
        STYLE.format(".ib-picture svg path, .ib-picture svg use { visibility: hidden }"),
        STYLE.format(".ib-picture svg * { stroke: none !important; fill: none !important }"),
        STYLE.format(".ib-picture svg { width: 100px !important }"),
        STYLE.format(".ib-picture svg text { transform: translateX(900px) }"),
        "document.querySelectorAll('.ib-controls').forEach(e => e.remove())",
    ],
)
def test_a_picture_that_is_not_there_is_missed(text, subject, fault):
    text.evaluate(fault)
    assert faults_of_figures(text, subject) != []


ADD = """document.querySelector('main article').insertAdjacentHTML('beforeend', `{}`)"""


def test_text_that_is_cut_off_is_missed(text):
    before = clipped(text)
    text.evaluate(
        ADD.format('<div style="overflow:hidden"><div style="width:4000px">wide</div></div>')
    )
    assert len(clipped(text)) > len(before)


def test_what_a_cell_prints_on_one_long_line_is_seen(text):
    before = clipped(text)
    line = "a sentence of an error " * 20
    text.evaluate(ADD.format(f'<div class="cell_output"><pre>{line}</pre></div>'))
    assert clipped(text) == before
    text.evaluate(STYLE.format("pre { white-space: pre !important }"))
    assert len(clipped(text)) > len(before)


def test_a_formula_that_is_cut_off_is_missed(text):
    before = clipped(text)
    text.evaluate(STYLE.format("main span.math { display: inline-flex; overflow: hidden }"))
    text.evaluate(STYLE.format("main span.math { max-width: 5px !important }"))
    assert len(clipped(text)) > len(before)


LINE = """document.querySelector('main article').insertAdjacentHTML('afterbegin',
    `<p style="width: 9rem">words in a row {}</p>`)"""


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (STYLE.format("span.math { display: block; width: 5px; overflow: hidden }"),
         clipped_formulas),
        (LINE.format(set_formula("+".join("aaaaaa")) + ", so"), stops_at_line_starts),
        (ADD.format(set_formula("+".join("x" * 99), display=True)), cut_display_formulas),
        (ADD.format(set_formula("+".join("x" * 99), display=True)), silent_cuts),
    ],
)  # fmt: skip
def test_a_formula_that_sits_badly_is_seen(text, fault, check):
    before = check(text)
    text.evaluate(fault)
    assert len(check(text)) > len(before)


def test_what_a_page_fetches_is_weighed(subject, address, site, browser):
    seen = open_page(browser, f"{address}/{subject}.html")
    light = weight(site, seen.requests, "/")
    html = len(gzip.compress((site / f"{subject}.html").read_bytes()))
    assert light > html + 50_000
    assert weight(site, [*seen.requests, f"{address}/genindex.html"], "/") > light
    seen.page.context.close()


def test_a_page_that_hangs_or_jumps_is_seen(tmp_path, browser):
    (tmp_path / "a.html").write_text(
        "<main><mjx-container>x</mjx-container></main><script>setTimeout(() => {"
        "for (let k = 0; k < 3e8; k++) if (k < 0) throw k;"
        "document.querySelector('main').style.marginTop = '300px'}, 500)</script>"
    )
    seen = speed(browser, (tmp_path / "a.html").as_uri(), wait=1.5)
    assert seen.first_formula < seen.longest_task
    assert seen.longest_task > 300
    assert seen.shift > 0


def test_a_page_wider_than_a_phone_is_seen(page):
    go(page, "phone")
    assert sticking_out(page) == []
    page.evaluate(ADD.format('<div style="width:500px">wide</div>'))
    assert sticking_out(page) != []


def test_pale_text_is_seen(text):
    text.evaluate(STYLE.format(".ib-picture svg { opacity: 0.1 }"))
    assert pale_text(text) != []


def test_what_stays_light_in_the_dark_is_seen(text):
    go(text, "dark")
    assert light_panels(text) == []
    text.evaluate(STYLE.format(".cell_output .text_html { background: #fff !important }"))
    assert light_panels(text) != []


UNHEARD = """for (const kind of ['input', 'change'])
    addEventListener(kind, e => e.stopImmediatePropagation(), true)"""
UNPRESSED = STYLE.format(".ib-controls { pointer-events: none }")
WORDS_ONLY = STYLE.format(".ib-picture svg :not(text, g) { visibility: hidden }")
UNSEEN = STYLE.format(".ib-picture svg { clip-path: inset(50%) }")
ALT_LOST = """new MutationObserver(() => document.querySelectorAll('.ib-picture > svg')
    .forEach(e => e.removeAttribute('aria-label'))).observe(document.body,
    {subtree: true, childList: true})"""
UNTABBED = "document.querySelectorAll('.ib-figure input').forEach(e => { e.tabIndex = -1 })"
ONE_VALUE = "Element.prototype.setAttribute = () => {}"
WORDS_STAY = """document.querySelectorAll('.ib-setting, output').forEach(e =>
    Object.defineProperty(e, 'textContent', {get: () => 'said at first', set: () => {}}))"""
PARTS = ("path", "text", ".legend")
SAID = """new MutationObserver(() => document.querySelectorAll('.ib-picture > svg')
    .forEach(e => e.setAttribute('aria-label', 'A line through zero, its slope is NUMBER.')))
    .observe(document.body, {subtree: true, childList: true})"""
UNDER = STYLE.format(".ib-controls::after { content: ''; position: absolute; inset: 0 }")
SETTING_LOST = STYLE.format(".ib-setting { display: none }")


@pytest.fixture(scope="module")
def block():
    """A figure with a slider, buttons and presets, as pages have it."""

    def line(slope):
        fig, ax = figure()
        ax.plot([-1, 1], [-slope, slope])
        ax.set(xlim=(-1, 1), ylim=(-1, 1), title=f"slope {slope:.1f}")
        return fig

    return explore(
        line,
        alt=lambda slope: f"A line through zero, its slope is {slope:.1f}",
        presets={"flat": {"slope": 0.0}, "steep": {"slope": 1.0}},
        slope=[0.0, 0.5, 1.0],
    ).html()


@pytest.fixture
def alone(block, browser):
    """That figure on a page of its own, which takes no time to open."""
    page = browser.new_page()
    page.set_content(f"<main>{block}</main>")
    yield page
    page.close()


def test_a_thumbnail_is_its_lines_without_words(browser):
    fig, ax = figure()
    ax.plot([0, 1], label="rising")
    ax.legend()
    svg = picture(fig, alt="A line that rises from zero to one.").svg
    style = (ROOT / "book/_static/book.css").read_text(encoding="utf-8")
    card = f'<div class="lecture-cards">{thumbnail(svg)}</div>'
    page = browser.new_page()
    page.set_content(f'<style>{style}</style>{card}<div class="large">{svg}</div>')
    shown = {
        place: [page.locator(f"{place} {what} >> visible=true").count() > 0 for what in PARTS]
        for place in (".lecture-cards", ".large")
    }
    page.close()
    assert shown == {".lecture-cards": [True, False, False], ".large": [True, True, True]}


@pytest.mark.parametrize("way", ["translateY(-40px)", "translateX(300px)"])
def test_words_that_their_picture_cuts_off_are_seen(alone, way):
    alone.set_viewport_size({"width": 390, "height": 800})
    assert words_beyond(alone) == []
    alone.evaluate(STYLE.format(f".ib-picture svg text {{ transform: {way} }}"))
    assert "slope 0.0" in words_beyond(alone)


def by_keyboard_in_pixels(page):
    return stuck(page, by_keyboard, pixels=True)


@pytest.mark.parametrize(
    ("fault", "check", "said"),
    [
        (UNHEARD, by_keyboard_in_pixels, "the drawing did not change"),
        (UNTABBED, by_keyboard_in_pixels, "the Tab key passes it by"),
        (UNSEEN, by_keyboard_in_pixels, "nothing of it can be seen"),
        (WORDS_ONLY, by_keyboard_in_pixels, "the drawing did not change"),
        (ALT_LOST, by_keyboard_in_pixels, "lost its alt text"),
        (UNPRESSED, lambda page: stuck(page, by_mouse), "the shown value did not change"),
        (UNHEARD, lambda page: stuck(page, by_mouse), "the shown value did not change"),
        (UNPRESSED, lambda page: stuck(page, by_touch(page)), "the shown value did not change"),
        (WORDS_STAY, lambda page: stuck(page, by_mouse), "the shown value did not change"),
        (WORDS_STAY, lambda page: stuck(page, by_mouse), "the caption did not change"),
        (UNPRESSED, covered, "cannot be pressed"),
        (UNDER, covered, "cannot be pressed"),
        (SETTING_LOST, useless_steps, "the caption cannot be seen"),
        (WORDS_STAY, useless_steps, "the caption says"),
        (WORDS_STAY, useless_steps, "it still shows"),
        (UNTABBED, useless_steps, "the Tab key passes it by"),
        (UNHEARD, useless_steps, "no change on reaching"),
        (WORDS_ONLY, useless_steps, "it changes words only"),
        (ALT_LOST, useless_steps, "alt text"),
        (ONE_VALUE, useless_steps, "two steps say the same value"),
        (SAID.replace("NUMBER", "-0.00"), useless_steps, "-0.00, zero with a sign"),
        (SAID.replace("NUMBER", "2.5e-06"), useless_steps, "2.5e-06, as programs write it"),
    ],
)
def test_a_slider_that_does_not_do_what_it_should_is_missed(alone, fault, check, said):
    assert check(alone) == []
    alone.evaluate(fault)
    assert any(said in found for found in check(alone))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("document.querySelectorAll('button').forEach(b => b.replaceWith(b.cloneNode(true)))",
         "the sliders stand at"),
        ("new MutationObserver(() => document.querySelectorAll('.ib-picture :is(path, use, text)')"
         ".forEach(e => e.remove())).observe(document.body, {subtree: true, childList: true})",
         "show the same"),
    ],
)  # fmt: skip
def test_a_preset_that_does_nothing_is_missed(alone, fault, said):
    assert idle_presets(alone) == []
    alone.evaluate(fault)
    assert any(said in found for found in idle_presets(alone))


PALE = '<p>first</p><p style="color:#999;background:#fff">pale</p>'
SCROLLS = f'<div style="overflow:auto;height:40px">{"<p>long</p>" * 9}</div>'
WIDE_FORMULA = """<div style="overflow:auto"><mjx-container style="display:block">
    <mjx-math style="display:block;width:2000px">x</mjx-math></mjx-container></div>"""


@pytest.mark.parametrize(
    ("fault", "where", "what", "rule"),
    [
        (ADD.format(PALE), "light", "desktop", "color-contrast"),
        (ADD.format(PALE.replace("#999;background:#fff", "#444")), "phone", "phone", "color-con"),
        (ADD.format('<img src="data:,">'), "light", "desktop", "image-alt"),
        (ADD.format("<div role=listitem>alone</div>"), "light", "desktop", "aria-required"),
        ("document.querySelector('.ib-picture > svg').removeAttribute('aria-label')",
         "light", "desktop", "svg-img-alt"),
        (ADD.format(SCROLLS), "phone", "phone", "scrollable-region-focusable"),
        (ADD.format(WIDE_FORMULA), "phone", "phone", "scrollable-region-focusable"),
    ],
)  # fmt: skip
def test_axe_core_sees_faults_on_a_page_of_boxes(page, fault, where, what, rule):
    page.evaluate(HOLLOW)
    go(page, where)
    before = serious_faults(page, what)
    page.evaluate(fault)
    page.evaluate(HOLLOW)
    new = serious_faults(page, what).keys() - before.keys()
    assert any(found.startswith(rule) for found, _ in new)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("setTimeout(() => { throw new Error('on input') })", "on input"),
        ("console.error('complains')", "complains"),
        ("fetch('/nothing-of-that-name')", "after it had loaded"),
        ("new Image().src = 'http://example.invalid/a.png'", "another server"),
    ],
)
def test_an_error_or_a_request_on_the_way_is_seen(subject, address, browser, fault, said):
    seen = open_page(browser, f"{address}/{subject}.html")
    assert seen.faults() == []
    seen.page.evaluate(fault)
    seen.page.wait_for_timeout(300)
    assert any(said in found for found in seen.faults()), seen.faults()
    seen.page.context.close()


IGNORED = """for (const kind of ['pointerenter', 'focus'])
    addEventListener(kind, e => { if (e.target.matches?.('a')) e.stopPropagation() }, true)"""
KEPT_OPEN = "addEventListener('keydown', e => e.stopImmediatePropagation(), true)"
EMPTIED = """new MutationObserver(() => document.querySelectorAll('#preview > *')
    .forEach(e => e.remove())).observe(document.body, {subtree: true, childList: true})"""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (IGNORED, "the mouse brings no preview"),
        (STYLE.format(".preview { display: none !important }"), "the mouse brings no preview"),
        (STYLE.format(".preview { background: transparent !important }"), "shines through"),
        (STYLE.format(".preview { pointer-events: none }"), "when the mouse moves onto it"),
        (STYLE.format(".preview { left: -9px !important }"), "sticks out"),
        (KEPT_OPEN, "Escape does not close it"),
        (EMPTIED, "is not in"),
    ],
)
def test_a_preview_that_is_none_is_missed(page, fault, said):
    link = page.locator("article p a.reference.internal[href*='references.html#']:visible").first
    assert [found for found in faults_of_preview(page, link, "") if "is not set" not in found] == []
    page.evaluate(fault)
    assert any(said in found for found in faults_of_preview(page, link, "no such words"))


@pytest.mark.parametrize(
    "fault",
    [
        "MiniSearch.prototype.search = () => []",
        "const look = MiniSearch.prototype.search; MiniSearch.prototype.search = "
        "function (words) { return look.call(this, words).reverse() }",
        "for (const place of BOOK_PLACES) place[4] += '\\\\nabla'",
    ],
    ids=["nothing is found", "the worst comes first", "raw TeX"],
)
def test_a_search_that_finds_nothing_of_use_is_missed(fault, address, visit):
    asked = {"notation": ("a page", lambda to: to.endswith("notation.html"))}
    page = visit(f"{address}/search.html", goes_on=True).page
    assert faults_of_search(page, asked) == []
    page.add_init_script(f"addEventListener('DOMContentLoaded', () => {{ {fault} }})")
    if "BOOK_PLACES" in fault:
        page.route("**/search.js*", lambda route: route.fulfill(
            body=f"{fault};\n{route.fetch().text()}", content_type="text/javascript"
        ))  # fmt: skip
    page.goto(f"{address}/search.html")  # anew: what is shown already is not looked for again
    page.wait_for_selector(".search-count", state="attached")
    assert faults_of_search(page, asked) != []


QUIZZES = [page for page in PAGES if (ROOT / f"book/quizzes/{page[5:]}.yaml").exists()]
QUESTION = "document.querySelector('.quiz-question')"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (f"{QUESTION}.querySelector('button').outerHTML += ''", "said ''"),
        (STYLE.format(".quiz-feedback { display: none }"), "not to be seen"),
        ("Storage.prototype.setItem = () => {}", "forgotten when the page"),
        ("Storage.prototype.removeItem = () => {}", "not forgotten"),
    ],
    ids=["dead", "unseen", "not kept", "not forgotten"],
)
def test_a_question_that_is_not_answered_is_missed(fault, said, site, visit):
    name = min(QUIZZES, key=lambda page: (site / f"{page}.html").stat().st_size)
    page = visit((site / f"{name}.html").as_uri(), goes_on=True).page
    page.evaluate(fault)
    if fault.startswith("Storage"):
        page.add_init_script(fault)  # again when the page is loaded again
    assert said in " ".join(faults_of_quiz(page, questions=1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<fieldset class="quiz-question"', '<fieldset class="other"'),
        ("data-right", "data-write"),
        ('class="quiz-behind"', 'class="other"'),
        ('" hidden><span>', '"><span>'),
        ('aria-labelledby="quiz-', 'aria-labelledby="no-'),
    ],
)
def test_a_question_that_cannot_be_read_is_missed(old, new, site):
    html = (site / f"{QUIZZES[0]}.html").read_text(encoding="utf-8")
    html = html[html.index('<form class="quiz"') :].partition("</form>")[0]
    assert faults_without_scripts(BeautifulSoup(html, "html.parser")) == []
    changed = html.replace(old, new, 1)
    assert faults_without_scripts(BeautifulSoup(changed, "html.parser")) != []
