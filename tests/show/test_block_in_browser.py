"""The figure's block in a real browser, on a page of its own."""

import re
from pathlib import Path

import pydata_sphinx_theme
import pytest
import sphinx_book_theme
from axe_playwright_python.sync_playwright import Axe

from ibtools.show import COLORS, picture
from ibtools.show.style import DARK_COLORS

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def shown(page, figure=0):
    return (
        page.locator(".ib-figure")
        .nth(figure)
        .locator(".ib-picture svg")
        .get_attribute("aria-label")
    )


def setting(page, figure=0):
    return page.locator(".ib-figure").nth(figure).locator(".ib-setting").inner_text()


def rgb(color):
    return "rgb({}, {}, {})".format(*(int(color[i : i + 2], 16) for i in (1, 3, 5)))


def test_starts_at_its_start(show, narrow):
    page = show(narrow.html())
    assert shown(page) == "A valley of power 1.00 that rises to 2.0 at the ends."
    assert page.locator("svg").count() == 1
    assert page.get_by_text("needs JavaScript").count() == 0
    slider = page.get_by_role("slider", name="size <s>")
    assert slider.input_value() == "1"
    assert page.locator("output").all_inner_texts() == ["1.00", "2.0"]


def test_keyboard_moves_the_picture(show, narrow):
    page = show(narrow.html())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "power"
    before = page.locator(".ib-picture").screenshot()
    for key, power in (
        ("ArrowRight", "1.25"),
        ("ArrowUp", "1.50"),
        ("ArrowLeft", "1.25"),
        ("End", "2.00"),
        ("Home", "1.00"),
        ("PageUp", "1.25"),
        ("PageDown", "1.00"),
        ("End", "2.00"),
    ):
        page.keyboard.press(key)
        assert f"power {power} " in shown(page), key
        assert page.locator("output").first.inner_text() == power
    assert page.get_by_role("slider", name="power p").get_attribute("aria-valuetext") == "2.00"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    assert shown(page) == "A valley of power 2.00 that rises to 3.0 at the ends."
    assert page.locator("svg").count() == 1
    assert page.locator(".ib-picture").screenshot() != before


def test_every_frame_can_be_reached(show, narrow):
    page = show(narrow.html())
    seen = []
    for power in range(5):
        page.get_by_role("slider", name="power p").fill(str(power))
        for size in range(3):
            page.get_by_role("slider", name="size <s>").fill(str(size))
            seen.append(shown(page))
    assert seen == [frame.alt for frame in narrow.frames]


def test_mouse_moves_the_picture(show, narrow):
    page = show(narrow.html())
    box = page.get_by_role("slider", name="power p").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 8, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, middle, steps=5)
    assert "power 1.50 " in shown(page)  # already while the button is down
    page.mouse.move(box["x"] + box["width"] - 2, middle, steps=5)
    page.mouse.up()
    assert "power 2.00 " in shown(page)


def test_touch_moves_the_picture(show, narrow):
    page = show(narrow.html(), **PHONE)
    box = page.get_by_role("slider", name="power p").bounding_box()
    assert box["height"] >= 44
    page.touchscreen.tap(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2)
    assert "power 2.00 " in shown(page)


def test_presets_set_the_sliders(show, narrow):
    page = show(narrow.html())
    names = ["a flat valley", "<low>"]
    assert page.locator(".ib-presets button").all_inner_texts() == names
    sliders = page.locator("input")
    page.get_by_role("button", name="<low>").click()
    assert [sliders.nth(i).input_value() for i in range(2)] == ["2", "0"]
    assert page.locator("output").all_inner_texts() == ["1.50", "1.0"]
    assert shown(page) == "A valley of power 1.50 that rises to 1.0 at the ends."
    page.get_by_role("button", name="a flat valley").focus()
    page.keyboard.press("Enter")
    assert shown(page) == "A valley of power 2.00 that rises to 2.0 at the ends."
    heights = page.locator(".ib-presets button").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44


def test_without_scripts_the_first_picture_is_there_and_no_dead_control(show, narrow):
    page = show(narrow.html(), java_script_enabled=False)
    assert page.locator(".ib-picture svg").is_visible()
    assert shown(page) == "A valley of power 1.00 that rises to 2.0 at the ends."
    assert not page.locator("input").first.is_visible()
    assert page.locator("button:visible").count() == 0
    assert page.locator(".ib-note").inner_text() == "The controls of this figure need JavaScript."
    assert setting(page) == "power p = 1.00, size <s> = 2.0"


def test_two_figures_do_not_interfere(show, narrow, wide):
    page = show(narrow.html(), wide.html(), narrow.html())
    page.get_by_role("slider", name="power p").nth(1).focus()
    page.keyboard.press("End")
    start = "A valley of power 1.00 that rises to 2.0 at the ends."
    assert [shown(page, i) for i in range(3)] == [
        start,
        "Level sets and profile of a valley of power 2.00.",
        start,
    ]
    page.locator(".ib-figure").nth(2).locator("label").first.click()
    page.keyboard.press("End")
    assert shown(page, 0) == start
    assert "power 2.00" in shown(page, 2)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_a_script_that_runs_before_its_figure_waits_for_it(show, narrow):
    html = narrow.html()
    code = re.search(r"<script>.*?</script>", html, re.S)[0]
    page = show(code + html.replace(code, ""))
    page.get_by_role("slider", name="power p").focus()
    page.keyboard.press("End")
    assert "power 2.00" in shown(page)


def test_a_screen_reader_hears_the_last_picture_once(show, narrow):
    page = show(narrow.html())
    live = page.locator("[aria-live=polite]")
    page.evaluate(
        """() => {
        window.heard = [];
        const live = document.querySelector("[aria-live=polite]");
        new MutationObserver(() => heard.push(live.textContent)).observe(live, {childList: true});
        }"""
    )
    assert live.inner_text() == ""
    page.get_by_role("slider", name="power p").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("heard.length > 0")
    page.wait_for_timeout(900)
    assert page.evaluate("heard") == ["A valley of power 1.75 that rises to 2.0 at the ends."]


@pytest.mark.parametrize(
    ("attributes", "scheme", "dark"),
    [
        ("data-theme=light", "dark", False),
        ("data-theme=dark", "light", True),
        ("", "light", False),
        ("", "dark", True),
        ("data-theme=auto", "dark", True),
        ("data-theme=light style='color-scheme:light dark;color:#222'", "dark", False),
        ("style='color-scheme:light;background:#fff'", "dark", False),
    ],
)
def test_colours_follow_the_theme(show, narrow, attributes, scheme, dark):
    page = show(narrow.html(), attributes=attributes, color_scheme=scheme)
    for _ in range(2):  # also in a frame that the script puts in
        curve = page.locator("path[style*='--ib-blue']").first
        stroke = curve.evaluate("e => getComputedStyle(e).stroke")
        assert stroke == rgb((DARK_COLORS if dark else COLORS)["blue"])
        text = page.locator("svg text").first.evaluate("e => getComputedStyle(e).fill")
        assert text == page.evaluate("getComputedStyle(document.querySelector('main')).color")
        page.get_by_role("slider", name="power p").fill("3")


def test_the_theme_of_the_book_does_not_put_a_light_panel_behind_it(show, narrow):
    themes = Path(pydata_sphinx_theme.__file__).parent, Path(sphinx_book_theme.__file__).parent
    sheets = "".join(
        file.read_text(encoding="utf-8") for theme in themes for file in theme.rglob("*-theme.css")
    )
    cell = (
        '<div class="bd-content"><div class="cell_output"><div class="output text_html">{}</div>'
        "</div></div>"
    )
    styles = f"<style>{sheets}</style>"
    page = show(
        styles, cell.format(narrow.html()), cell.format("<p>text</p>"), attributes="data-theme=dark"
    )
    ours, other = (
        page.locator(".text_html")
        .nth(i)
        .evaluate("e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]")
        for i in range(2)
    )
    assert other[0] != "rgba(0, 0, 0, 0)"  # what the theme does to other HTML
    assert ours == [
        "rgba(0, 0, 0, 0)",
        page.evaluate("getComputedStyle(document.querySelector('main')).color"),
    ]


def test_colours_follow_jupyterlab(show, narrow):
    page = show(f'<div data-jp-theme-light="false">{narrow.html()}</div>', color_scheme="light")
    curve = page.locator("path[style*='--ib-blue']").first
    assert curve.evaluate("e => getComputedStyle(e).stroke") == rgb(DARK_COLORS["blue"])


def test_labels_are_set_in_the_font_of_the_page(show, narrow):
    page = show(narrow.html())
    font = page.locator("svg text").first.evaluate("e => getComputedStyle(e).fontFamily")
    assert font == page.evaluate("getComputedStyle(document.body).fontFamily")


def test_a_phone_shows_everything_without_moving_the_page(show, narrow, wide):
    page = show(narrow.html(), wide.html(), **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    first = page.locator(".ib-picture").first
    assert first.evaluate("e => e.scrollWidth <= e.clientWidth")
    least = page.evaluate(
        """Math.min(...[...document.querySelectorAll("svg > text")].map(e =>
            parseFloat(getComputedStyle(e).fontSize) *
            Math.hypot(e.getScreenCTM().a, e.getScreenCTM().b)))"""
    )
    assert least >= 11  # pixels
    second = page.locator(".ib-picture").nth(1)
    assert second.evaluate("e => e.scrollWidth > e.clientWidth")
    assert second.get_attribute("tabindex") == "0"
    second.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelectorAll('.ib-picture')[1].scrollLeft > 0")


def test_labels_do_not_collide_and_stay_in_the_picture(show, narrow, wide):
    for options in ({}, PHONE):
        page = show(narrow.html(), wide.html(), **options)
        for figure in page.locator(".ib-picture svg").all():
            boxes = figure.evaluate(
                """svg => { const all = svg.getBoundingClientRect();
                return [...svg.querySelectorAll("text")].map(e => {
                  const b = e.getBoundingClientRect();
                  return [b.left - all.left, b.top - all.top, b.right - all.left,
                          b.bottom - all.top, all.width, all.height]; }) }"""
            )
            assert len(boxes) > 5
            for i, (left, top, right, bottom, width, height) in enumerate(boxes):
                assert min(left, top) >= -1
                assert right <= width + 1
                assert bottom <= height + 1
                for l2, t2, r2, b2, *_ in boxes[:i]:
                    # line boxes are taller than their letters
                    apart = right <= l2 or r2 <= left or bottom - 4 <= t2 or b2 - 4 <= top
                    assert apart


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing(show, narrow, wide, theme, options):
    still = picture(narrow.draw(power=1.0, size=1.0), alt="A valley of power one and size one.")
    page = show(
        narrow.html(), wide.html(), still.html(), attributes=f"data-theme={theme}", **options
    )
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found] == []


def test_focus_can_be_seen(show, narrow):
    page = show(narrow.html())
    page.keyboard.press("Tab")
    outline = page.get_by_role("slider", name="power p").evaluate(
        "e => [getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth]"
    )
    assert outline == ["solid", "2px"]


def test_prints_the_picture_and_no_sliders(show, narrow):
    page = show(narrow.html())
    page.emulate_media(media="print")
    assert page.locator("svg").first.is_visible()
    assert not page.get_by_role("slider", name="power p").is_visible()


def test_the_caption_says_the_setting(show, narrow):
    page = show(narrow.html())
    assert page.locator("figcaption .ib-caption").inner_text() == "A valley. It bends & <rises>."
    assert setting(page) == "power p = 1.00, size <s> = 2.0"
    page.get_by_role("slider", name="power p").fill("1")
    assert setting(page) == "power p = 1.25, size <s> = 2.0"


def test_words_are_chosen_by_buttons_of_which_one_is_pressed(show, in_words):
    page = show(in_words.html())
    assert page.locator("input[type=range]").count() == 1
    group = page.get_by_role("radiogroup", name="norm")
    assert group.get_by_role("radio").count() == 3
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert shown(page) == "Level set of the norm 2 at radius 1."
    assert setting(page) == "norm: 2, radius = 1"
    group.get_by_text("<∞>").click()
    assert shown(page) == "Level set of the norm <∞> at radius 1."
    page.get_by_role("button", name="round").click()
    assert group.get_by_role("radio", name="2").is_checked()
    page.get_by_role("button", name="Reset").click()
    assert group.get_by_role("radio", name="1").is_checked()


def test_two_figures_do_not_share_their_radio_buttons(show, in_words):
    page = show(in_words.html(), in_words.html())
    page.get_by_text("<∞>").nth(1).click()
    assert [shown(page, i)[:25] for i in range(2)] == [
        "Level set of the norm 1 a",
        "Level set of the norm <∞>",
    ]


def test_reset_goes_back_to_the_start(show, narrow):
    page = show(narrow.html())
    slider = page.get_by_role("slider", name="power p")
    slider.fill("3")
    page.get_by_role("button", name="Reset").click()
    assert slider.input_value() == "0"
    assert setting(page) == "power p = 1.00, size <s> = 2.0"


def test_play_goes_through_a_slider_and_stops(show, narrow):
    page = show(narrow.html(), reduced_motion="no-preference")
    page.wait_for_timeout(800)
    slider = page.get_by_role("slider", name="power p")
    assert slider.input_value() == "0", "it plays by itself"
    page.clock.install()
    page.get_by_role("button", name="Play: power p").click()
    stop = page.get_by_role("button", name="Stop: power p")
    page.clock.run_for(1500)
    assert slider.input_value() == "2"
    stop.click()
    # The clock runs by itself as well, and a slow machine may have made a step before the click.
    stopped = slider.input_value()
    page.clock.run_for(1500)
    assert slider.input_value() == stopped
    page.get_by_role("button", name="Play: power p").click()
    page.clock.run_for(9000)
    assert slider.input_value() == "4"
    assert stop.count() == 0
    assert "power 2.00" in shown(page)
    page.get_by_role("button", name="Play: power p").click()
    assert slider.input_value() == "0"  # from its end it begins again
    page.get_by_role("slider", name="size <s>").press("ArrowRight")
    page.clock.run_for(1500)
    assert slider.input_value() == "0", "it plays against the reader"


def test_with_less_motion_play_makes_one_step(show, narrow):
    page = show(narrow.html(), reduced_motion="reduce")
    slider = page.get_by_role("slider", name="power p")
    page.get_by_role("button", name="Next step: power p").click()
    page.wait_for_timeout(900)
    assert slider.input_value() == "1"


def test_a_link_brings_the_state_back(show, narrow, in_words):
    filler = "<p style='height:3000px'>far above</p>"
    page = show(filler, narrow.html(), in_words.html())
    page.get_by_role("slider", name="power p").fill("3")
    link = page.locator(".ib-link").first
    width = link.bounding_box()["width"]
    link.click()
    page.wait_for_function("document.querySelector('.ib-link').textContent === 'Link copied'")
    assert link.bounding_box()["width"] == width
    address = page.url
    assert address.endswith("#fig-valley&power=1.75&size=2.0")
    page.goto("about:blank")
    page.goto(address)
    assert "power 1.75" in shown(page)
    assert 0 <= page.locator("#fig-valley").bounding_box()["y"] < 100
    page.get_by_role("button", name="Reset").nth(1).click()
    assert page.url == address  # it speaks of the other figure
    page.get_by_role("button", name="Reset").first.click()
    assert page.url.endswith("#fig-valley")
    page.goto(address.replace("#fig-valley&power=1.75", "#fig-norms&norm=%3C%E2%88%9E%3E&radius=9"))
    page.wait_for_function("document.querySelectorAll('input[type=radio]')[2].checked")
    assert shown(page, 1) == "Level set of the norm <∞> at radius 1."  # it has no radius 9
    page.goto(address.replace("power=1.75", "power=175e-2"))
    page.wait_for_timeout(100)
    assert "power 1.75" in shown(page)


def test_a_slider_stands_still_while_its_value_changes(show, uneven):
    for options in ({}, PHONE):
        page = show(uneven.html(), **options)
        slider, boxes = page.get_by_role("slider"), set()
        for k in range(4):
            slider.fill(str(k))
            boxes.add(tuple(slider.bounding_box().values()))
        assert len(boxes) == 1


def test_paper_shows_the_start_and_what_there_is_to_try(show, narrow):
    page = show(narrow.html())
    page.get_by_role("slider", name="power p").fill("4")
    page.emulate_media(media="print")
    page.wait_for_selector(".ib-paper")
    assert page.locator(".ib-paper p").all_inner_texts() == [
        "power p = 2.00, size <s> = 2.0",
        "power p = 1.00, size <s> = 2.0",
        "power p = 1.50, size <s> = 1.0",
    ]
    assert page.locator("svg:visible").count() == 3
    assert page.locator("button:visible, input:visible").count() == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    page.emulate_media(media="screen")
    page.wait_for_selector(".ib-paper", state="detached")
    assert page.locator("svg:visible").count() == 1
