"""Every slider of every page moves its picture: by keyboard, by mouse, by touch."""

import re

from book_site import PHONE, ROOT, read
from visible import drawing

SLIDERS = ".ib-figure input[type=range]"


def figure_of(slider):
    return slider.locator("xpath=ancestor::figure[contains(@class, 'ib-figure')]")


def look(slider, pixels=False):
    """What the reader sees of the figure: the drawing, the value beside the slider, its pixels."""
    figure = figure_of(slider)
    picture = figure.locator(".ib-picture")
    output = slider.locator("xpath=following-sibling::output")
    label = picture.locator("svg").first.get_attribute("aria-label")
    assert label, "the frame has lost its alt text"
    return drawing(picture), output.inner_text(), picture.screenshot() if pixels else None


def assert_moved(slider, before):
    pixels = before[2] is not None
    after = look(slider, pixels)
    assert after[0] != before[0], "the drawing did not change"
    assert after[1] != before[1], "the shown value did not change"
    if pixels:
        assert after[2] != before[2], "the drawing changed, but nothing of it can be seen"


def sliders(page):
    """The page's sliders, each after a check that there is one to move."""
    found = page.locator(SLIDERS)
    for index in range(found.count()):
        slider = found.nth(index)
        slider.scroll_into_view_if_needed()
        assert slider.is_visible()
        yield slider


def grab(slider):
    """The centre of the slider's thumb, and the ends of its travel."""
    # A look at a tall picture has scrolled its slider away, or under the page's header.
    slider.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
    box = slider.bounding_box()
    low, high, value = (
        float(slider.evaluate(f"e => e.{name}")) for name in ("min", "max", "value")
    )
    left, right = box["x"] + 8, box["x"] + box["width"] - 8
    middle = box["y"] + box["height"] / 2
    return left + (right - left) * (value - low) / (high - low), middle, left, right


def other_end(slider):
    x, middle, left, right = grab(slider)
    return (left if x > (left + right) / 2 else right), middle


def test_sliders_move_by_keyboard(page_name, address, visit):
    page = visit(f"{address}/{page_name}.html", formulas=False).page
    for slider in sliders(page):
        assert slider.evaluate("e => e.tabIndex") == 0
        before = look(slider, pixels=True)  # of the shortest move, where there is least to see
        value, high = slider.input_value(), slider.get_attribute("max")
        slider.focus()
        page.keyboard.press("ArrowLeft" if value == high else "ArrowRight")
        assert slider.input_value() != value
        assert_moved(slider, before)


def test_sliders_move_by_mouse(page_name, address, visit):
    page = visit(f"{address}/{page_name}.html", formulas=False).page
    for slider in sliders(page):
        before = look(slider)
        x, middle, *_ = grab(slider)
        end, _ = other_end(slider)
        page.mouse.move(x, middle)
        page.mouse.down()
        page.mouse.move(end, middle, steps=5)
        page.mouse.up()
        assert slider.input_value() in (slider.get_attribute("min"), slider.get_attribute("max"))
        assert_moved(slider, before)


def test_sliders_move_by_touch(page_name, address, visit):
    page = visit(
        f"{address}/{page_name}.html", formulas=False, **PHONE, has_touch=True, is_mobile=True
    ).page
    for slider in sliders(page):
        before = look(slider)
        page.touchscreen.tap(*other_end(slider))
        assert_moved(slider, before)


def test_each_step_of_each_slider_is_of_use(page_name, site, address, visit):
    """No figure is missing; no step lacks value or alt text, or leaves the drawing as it was."""
    source = (ROOT / f"{page_name}.md").read_text(encoding="utf-8")
    cells = "\n".join(re.findall(r"```\{code-cell\}.*?```", source, re.S))
    page = visit(f"{address}/{page_name}.html", formulas=False).page
    assert page.locator(".ib-figure:has(input[type=range])").count() >= len(
        re.findall(r"^explore\(", cells, re.M)
    )
    without_scripts = read(site, page_name).select(".ib-figure")
    assert page.locator(".ib-figure").count() == len(without_scripts)
    for slider in sliders(page):
        picture = figure_of(slider).locator(".ib-picture")
        drawings, values, curves = [], [], set()
        slider.focus()
        page.keyboard.press("Home")
        for _ in range(int(slider.get_attribute("max")) + 1):
            drawings.append(drawing(picture, words=True))
            curves.add(drawing(picture))
            values.append(slider.get_attribute("aria-valuetext"))
            assert len(picture.locator("svg").first.get_attribute("aria-label").split()) >= 5
            page.keyboard.press("ArrowRight")
        assert len(set(values)) == len(values), "two steps say the same value"
        # With another slider at its end a step may change a number only, but not every step.
        assert len(curves) > 1, "the slider changes words only"
        rest = [values[i] for i in range(1, len(values)) if drawings[i] == drawings[i - 1]]
        assert not rest, f"the drawing does not change on reaching {rest}"


def test_first_frame_is_there_without_scripts(page_name, address, visit):
    page = visit(f"{address}/{page_name}.html", formulas=False, java_script_enabled=False).page
    figures = page.locator(".ib-figure")
    for index in range(figures.count()):
        frame = figures.nth(index).locator(".ib-picture svg").first
        frame.scroll_into_view_if_needed()
        box = frame.bounding_box()
        assert box["width"] > 150
        assert box["height"] > 80
        assert frame.locator("path, text, use").count() > 5
        assert figures.nth(index).locator("input:visible").count() == 0, "a dead slider is shown"
