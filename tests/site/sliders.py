"""What a reader does with the sliders of a page, and what does not come of it."""

from collections.abc import Callable, Iterator

from playwright.sync_api import Locator, Page
from visible import DRAWING

SLIDERS = ".ib-figure input[type=range]"

# All sliders where they stood at first: at the end of one another may change little.
AT_FIRST = """document.querySelectorAll(SLIDERS).forEach(slider => {
    if (slider.value === slider.defaultValue) return;
    slider.value = slider.defaultValue;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
})""".replace("SLIDERS", repr(SLIDERS))

# Every value of every slider in turn; those before it are at their ends, those after it at first.
STEPS = """async drawing => {
    const faults = [], draw = eval(drawing);
    for (const [index, slider] of [...document.querySelectorAll(SLIDERS)].entries()) {
        const picture = slider.closest('.ib-figure').querySelector('.ib-picture');
        const values = [], drawings = [], curves = new Set();
        const fault = what => faults.push(`slider ${index}, ${slider.name}: ${what}`);
        for (let k = 0; k <= Number(slider.max); k++) {
            slider.value = k;
            slider.dispatchEvent(new Event('input', {bubbles: true}));
            await null;  // what waits for it has its turn
            const alt = picture.querySelector('svg')?.getAttribute('aria-label') || '';
            if (alt.split(/\\s+/).length < 5) fault(`alt text ${alt} at step ${k}`);
            const seen = draw(picture);
            values.push(slider.getAttribute('aria-valuetext'));
            drawings.push(seen.all);
            curves.add(seen.lines);
            if (k && drawings[k] === drawings[k - 1]) fault(`no change on reaching ${values[k]}`);
        }
        if (new Set(values).size < values.length) fault('two steps say the same value');
        // With another slider at its end a step may change a number only, but not every step.
        if (curves.size < 2) fault('it changes words only');
    }
    return faults;
}""".replace("SLIDERS", repr(SLIDERS))

LOOK = """(slider, drawing) => {
    const figure = slider.closest('.ib-figure'), picture = figure.querySelector('.ib-picture');
    const output = slider.parentElement.querySelector('output');
    return [eval(drawing)(picture).lines, output.innerText,
        Boolean(picture.querySelector('svg')?.getAttribute('aria-label'))];
}"""

PRESET = """(figure, [drawing, k]) => [
    JSON.parse(figure.querySelector('script[type="application/json"]').textContent).presets[k],
    [...figure.querySelectorAll('input[type=range]')].map(e => Number(e.value)),
    eval(drawing)(figure.querySelector('.ib-picture')).all,
]"""


def useless_steps(page: Page) -> list[str]:
    """Steps without alt text or value, or that leave the drawing as it was."""
    page.evaluate(AT_FIRST)
    return page.evaluate(STEPS, DRAWING)


def idle_presets(page: Page) -> list[str]:
    """Buttons that do not set the sliders to their values, or show what another shows."""
    faults = []
    for figure in page.locator(".ib-figure:has(.ib-presets)").all():
        shown: dict[str, str] = {}
        for k, button in enumerate(figure.locator(".ib-presets button").all()):
            name = button.inner_text()
            button.click(timeout=5000)
            wanted, values, picture = figure.evaluate(PRESET, [DRAWING, k])
            if values != wanted:
                faults.append(f"preset {name}: the sliders stand at {values}, not at {wanted}")
            if other := shown.get(picture):
                faults.append(f"presets {other} and {name} show the same")
            shown[picture] = name
    return faults


def stuck(
    page: Page, move: Callable[[Page, Locator], str | None], *, pixels: bool = False
) -> list[str]:
    """Sliders that a way to move them does not move, or whose picture does not follow."""
    return [
        f"slider {index}: {fault}"
        for index, slider in enumerate(page.locator(SLIDERS).all())
        for fault in _stuck(page, slider, move, pixels)
    ]


def _stuck(page: Page, slider: Locator, move: Callable, pixels: bool) -> Iterator[str]:
    page.evaluate(AT_FIRST)
    # A look at a tall picture has scrolled its slider away, or under the page's header.
    slider.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
    if not slider.is_visible():
        yield "cannot be seen"
        return
    picture = slider.locator("xpath=ancestor::figure").locator(".ib-picture")
    before, seen = slider.evaluate(LOOK, DRAWING), pixels and picture.screenshot()
    if pixels:
        slider.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
    if fault := move(page, slider):
        yield fault
    after = slider.evaluate(LOOK, DRAWING)
    if after[0] == before[0]:
        yield "the drawing did not change"
    elif pixels and picture.screenshot() == seen:
        yield "the drawing changed, but nothing of it can be seen"
    if after[1] == before[1]:
        yield "the shown value did not change"
    if not after[2]:
        yield "the frame has lost its alt text"


def by_keyboard(page: Page, slider: Locator) -> str | None:
    """Make the shortest move, where there is least to see."""
    if slider.evaluate("e => e.tabIndex"):
        return "the Tab key passes it by"
    value, high = slider.input_value(), slider.get_attribute("max")
    slider.focus()
    page.keyboard.press("ArrowLeft" if value == high else "ArrowRight")
    return None if slider.input_value() != value else "no key moves it"


def by_mouse(page: Page, slider: Locator) -> str | None:
    """Drag it to its other end."""
    (x, middle), end = _travel(slider)
    page.mouse.move(x, middle)
    page.mouse.down()
    page.mouse.move(end, middle, steps=5)
    page.mouse.up()
    ends = slider.get_attribute("min"), slider.get_attribute("max")
    return None if slider.input_value() in ends else "the mouse does not drag it to its end"


def by_touch(page: Page) -> Callable[[Page, Locator], None]:
    """Give the page's visitor fingers, and return a tap on a slider's other end."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def tap(page: Page, slider: Locator) -> None:
        (_, middle), end = _travel(slider)
        for kind, points in (("touchStart", [{"x": end, "y": middle}]), ("touchEnd", [])):
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return tap


def _travel(slider: Locator) -> tuple[tuple[float, float], float]:
    """The centre of the slider's thumb, and the end that is farther from it."""
    left, width, middle, at = slider.evaluate(
        """e => {
            const box = e.getBoundingClientRect(), at = (e.value - e.min) / (e.max - e.min);
            return [box.x + 8, box.width - 16, box.y + box.height / 2, at];
        }"""
    )
    return (left + width * at, middle), left if at > 0.5 else left + width
