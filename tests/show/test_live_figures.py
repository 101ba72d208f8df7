"""Figures that the page computes, by pointer, finger and keyboard, in a link and on paper."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from live_figures import LIVE, live_blocks

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
LINES = """[...document.querySelectorAll('.ib-drawn path, .ib-drawn circle, .ib-drawn line')]
    .map(e => (e.getAttribute('d') || '') + e.getAttribute('transform')).join()"""
HANDLES = ".ib-handle"
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def lines(page):
    return page.evaluate(LINES)


def middle(handle):
    handle.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
    box = handle.locator(".dot").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def tell(page):
    return page.locator(".ib-drawn").get_attribute("aria-label")


@pytest.mark.parametrize("name", LIVE)
def test_handles_follow_mouse_and_keyboard_and_a_link_brings_it_all_back(show, name):
    page = show(*live_blocks(name))
    first, told = lines(page), tell(page)
    assert page.locator(f"{HANDLES}, input[type=range]").count() > 0
    for handle in page.locator(HANDLES).all():
        before, value = lines(page), handle.get_attribute("aria-valuetext")
        x, y = middle(handle)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 9, y - 14, steps=4)
        page.mouse.up()
        assert lines(page) != before
        assert handle.get_attribute("aria-valuetext") != value
        moved = []
        for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowLeft"):
            before, value = lines(page), float(handle.get_attribute("aria-valuenow"))
            handle.focus()
            page.keyboard.press(key)
            assert lines(page) != before
            moved.append(abs(float(handle.get_attribute("aria-valuenow")) - value))
        assert moved[2] > 2 * max(moved[0], 1e-12)
        assert handle.get_attribute("aria-label")
    changed = tell(page)
    assert changed != told
    link = page.locator(".ib-link")
    width = link.bounding_box()["width"]
    link.click()
    page.wait_for_function("document.querySelector('.ib-link').textContent === 'Link copied'")
    assert link.bounding_box()["width"] == width
    address = page.evaluate("location.href")
    assert f"#{name}&" in address
    page.get_by_role("button", name="Reset").click()
    assert (lines(page), tell(page)) == (first, told)
    assert page.url.endswith(f"#{name}")
    page.goto("about:blank")
    page.goto(address)
    assert tell(page) == changed


@pytest.mark.parametrize("name", LIVE)
def test_on_a_phone_a_finger_moves_it_and_its_words_can_be_read(show, name):
    page = show(*live_blocks(name), **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    sizes = page.evaluate(
        """[...document.querySelectorAll('.ib-drawn text, .ib-side *')].filter(e => e.textContent)
            .map(e => {
                const scale = e.getScreenCTM?.() ?? {a: 1, b: 0};  // of a turned text: both
                return parseFloat(getComputedStyle(e).fontSize) * Math.hypot(scale.a, scale.b);
            })"""
    )
    assert min(sizes) >= 11 - 1e-6  # pixels
    session = page.context.new_cdp_session(page)
    for handle in page.locator(HANDLES).all():
        assert handle.evaluate("e => getComputedStyle(e).touchAction") == "none"
        before = lines(page)
        x, y = middle(handle)
        scrolled = page.evaluate("scrollY")
        for kind, points in (
            ("touchStart", [{"x": x, "y": y}]),
            ("touchMove", [{"x": x - 6, "y": y + 8}]),
            ("touchMove", [{"x": x - 12, "y": y + 16}]),
            ("touchEnd", []),
        ):
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert lines(page) != before
        assert page.evaluate("scrollY") == scrolled
    assert page.locator(".ib-drawn").evaluate("e => getComputedStyle(e).touchAction") == "auto"


@pytest.mark.parametrize("name", LIVE)
def test_the_still_stands_on_paper_and_without_scripts(show, name):
    page = show(*live_blocks(name))
    assert page.locator(".ib-drawn").is_visible()
    assert not page.locator(".ib-still").is_visible()
    page.emulate_media(media="print")
    assert not page.locator(".ib-drawn").is_visible()
    assert page.locator(".ib-still").is_visible()
    assert page.locator("button:visible, input:visible").count() == 0
    page = show(*live_blocks(name), java_script_enabled=False)
    still = page.locator(".ib-picture svg")
    assert still.is_visible()
    assert still.get_attribute("aria-label").startswith("Six powers")
    assert page.locator("button:visible, input:visible").count() == 0
    assert page.locator(".ib-note").is_visible()


@pytest.mark.parametrize("name", LIVE)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(show, name, theme):
    page = show(*live_blocks(name), attributes=f"data-theme={theme}")
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found] == []


def test_play_ends_at_the_last_value_and_stops_when_told(show):
    page = show(*live_blocks("plane"))
    page.evaluate("ibtoolsLive.plane.lasts = 60_000")  # milliseconds
    trained = page.get_by_label("trained")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('[name=trained]').value < 25")
    page.get_by_role("button", name="Stop").click()
    stopped = trained.input_value()
    page.wait_for_timeout(200)
    assert trained.input_value() == stopped
    page.evaluate("ibtoolsLive.plane.lasts = 300")
    page.evaluate("ibtoolsLive.plane.lasts = 400")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('[name=trained]').value === '50'")
    page.get_by_role("button", name="Play").wait_for()


def test_an_address_with_nonsense_leaves_it_in_its_bounds(show):
    page = show(*live_blocks("plane"))
    parameters = "foot1=9&foot2=nonsense&scale=-1&shape=&unknown=3&start1=1e999"
    page.evaluate(f"location.hash = 'plane&{parameters}'")
    page.wait_for_function("document.querySelector('[name=scale]').value === '0'")
    assert "from (0.00, 0.00)" in tell(page)


def test_numbers_are_written_as_in_the_text(live_page):
    def written(how, *values):
        return [live_page.evaluate(f"ibtoolsLive.frame.{how}({value})") for value in values]

    assert written("power", 1e-3, 9950.4, 9999.9, 2.5e-9, 25, 1, 0.01) == [
        *("10⁻³", "10⁴", "10⁴", "2.5·10⁻⁹", "25", "1", "10⁻²")
    ]
    assert written("number", "-0.5, 2", "-0.001, 2", "0, 2", "1e-9, 3", "Infinity, 1") == [
        *("−0.50", "−10⁻³", "0.00", "10⁻⁹", "∞")
    ]
    assert written("spoken", "'−2.5·10⁻⁹'") == ["minus 2.5 times 10 to the minus 9"]
