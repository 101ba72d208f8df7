"""What a reader does with the controls of a page's figures, and what does not come of it."""

from collections.abc import Callable, Iterator

from playwright.sync_api import Locator, Page
from visible import DRAWING

SLIDERS = ".ib-figure input[type=range]"
CONTROLS = ".ib-figure .ib-control"  # sliders, and groups of buttons of which one is pressed

# What is the same of both: how many values there are, which is shown, which was at first.
CONTROL = """(row => {
    const slider = row.querySelector('input[type=range]');
    const buttons = [...row.querySelectorAll('input[type=radio]')];
    const tell = e => e.dispatchEvent(new Event('input', {bubbles: true}));
    return {
        last: slider ? Number(slider.max) : buttons.length - 1,
        first: slider ? Number(slider.defaultValue) : buttons.findIndex(b => b.defaultChecked),
        at: () => slider ? Number(slider.value) : buttons.findIndex(b => b.checked),
        text: k => slider ? slider.getAttribute('aria-valuetext')
            : buttons[k].parentElement.innerText,
        shown: () => slider ? row.querySelector('output').innerText
            : buttons.find(b => b.checked).parentElement.innerText,
        set: k => {
            if (slider) slider.value = k; else buttons[k].checked = true;
            tell(slider || buttons[k]);
        },
    };
})"""

# All sliders where they stood at first: at the end of one another may change little.
AT_FIRST = """document.querySelectorAll(CONTROLS).forEach(row => {
    const control = CONTROL(row);
    if (control.at() !== control.first) control.set(control.first);
})""".replace("CONTROLS", repr(CONTROLS)).replace("CONTROL", CONTROL)

# Every value of every control in turn; those before it are at their ends, those after it at first.
STEPS = """async drawing => {
    const faults = [], draw = eval(drawing);
    for (const [index, row] of [...document.querySelectorAll(CONTROLS)].entries()) {
        const control = CONTROL(row);
        const picture = row.closest('.ib-figure').querySelector('.ib-picture');
        const values = [], drawings = [], curves = new Set();
        const fault = what => faults.push(`control ${index}, ${row.dataset.name}: ${what}`);
        for (let k = 0; k <= control.last; k++) {
            control.set(k);
            await null;  // what waits for it has its turn
            const alt = picture.querySelector('svg')?.getAttribute('aria-label') || '';
            if (alt.split(/\\s+/).length < 5) fault(`alt text ${alt} at step ${k}`);
            const seen = draw(picture);
            values.push(control.text(k));
            drawings.push(seen.all);
            curves.add(seen.lines);
            if (k && drawings[k] === drawings[k - 1]) fault(`no change on reaching ${values[k]}`);
        }
        if (new Set(values).size < values.length) fault('two steps say the same value');
        // With another slider at its end a step may change a number only, but not every step.
        if (curves.size < 2) fault('it changes words only');
    }
    return faults;
}""".replace("CONTROLS", repr(CONTROLS)).replace("CONTROL", CONTROL)

LOOK = """(row, drawing) => {
    const figure = row.closest('.ib-figure'), picture = figure.querySelector('.ib-picture');
    const setting = figure.querySelector('.ib-setting');
    return [eval(drawing)(picture).lines, CONTROL(row).shown(),
        Boolean(picture.querySelector('svg')?.getAttribute('aria-label')),
        setting && (setting.checkVisibility() ? setting.innerText : '')];
}""".replace("CONTROL", CONTROL)

AT = f"row => {CONTROL}(row).at()"

PRESET = """(figure, [drawing, k]) => [
    JSON.parse(figure.querySelector('script[type="application/json"]').textContent).presets[k],
    [...figure.querySelectorAll('.ib-control')].map(row => CONTROL(row).at()),
    eval(drawing)(figure.querySelector('.ib-picture')).all,
]""".replace("CONTROL", CONTROL)


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
    page: Page,
    move: Callable[[Page, Locator], str | None],
    *,
    pixels: bool = False,
    within: str = "body",
) -> list[str]:
    """Controls that a way to move them does not move, or whose picture does not follow."""
    return [
        f"control {index}: {fault}"
        for index, row in enumerate(page.locator(f"{within} {CONTROLS}").all())
        for fault in _stuck(page, row, move, pixels)
    ]


def _stuck(page: Page, row: Locator, move: Callable, pixels: bool) -> Iterator[str]:
    page.evaluate(AT_FIRST)
    # A look at a tall picture has scrolled its control away, or under the page's header.
    row.evaluate(TO_SIGHT)
    if not row.locator("input").first.is_visible():
        yield "cannot be seen"
        return
    picture = row.locator("xpath=ancestor::figure").locator(".ib-picture")
    before, seen = row.evaluate(LOOK, DRAWING), pixels and picture.screenshot()
    if pixels:
        row.evaluate(TO_SIGHT)
    if fault := move(page, row):
        yield fault
    after = row.evaluate(LOOK, DRAWING)
    if after[0] == before[0]:
        yield "the drawing did not change"
    elif pixels and picture.screenshot() == seen:
        yield "the drawing changed, but nothing of it can be seen"
    if after[1] == before[1]:
        yield "the shown value did not change"
    if after[3] == before[3] is not None:
        yield "the caption did not change"
    if not after[2]:
        yield "the frame has lost its alt text"


# A row of controls has no box of its own.
TO_SIGHT = "e => e.querySelector('input').scrollIntoView({block: 'center', behavior: 'instant'})"


def by_keyboard(page: Page, row: Locator) -> str | None:
    """Make the shortest move, where there is least to see."""
    control = row.locator("input[type=range], input:checked").first
    if control.evaluate("e => e.tabIndex"):
        return "the Tab key passes it by"
    at, last = row.evaluate(AT), row.locator("input[type=radio]").count() - 1
    if last < 0:
        last = int(control.get_attribute("max") or 0)
    control.focus()
    page.keyboard.press("ArrowLeft" if at == last else "ArrowRight")
    return None if row.evaluate(AT) != at else "no key moves it"


def by_mouse(page: Page, row: Locator) -> str | None:
    """Drag it to its other end, or press its last button."""
    if row.locator("input[type=radio]").count():
        page.mouse.click(*_other(row))
        return None
    slider = row.locator("input")
    (x, middle), end = _travel(slider)
    page.mouse.move(x, middle)
    page.mouse.down()
    page.mouse.move(end, middle, steps=5)
    page.mouse.up()
    ends = slider.get_attribute("min"), slider.get_attribute("max")
    return None if slider.input_value() in ends else "the mouse does not drag it to its end"


def by_touch(page: Page) -> Callable[[Page, Locator], None]:
    """Give the page's visitor fingers, and return a tap on a control's other end."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def tap(page: Page, row: Locator) -> None:
        if row.locator("input[type=radio]").count():
            x, y = _other(row)
        else:
            (_, y), x = _travel(row.locator("input"))
        for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return tap


def _other(row: Locator) -> tuple[float, float]:
    """The middle of a button that is not pressed."""
    label = row.locator(".ib-options label:not(:has(input:checked))").last
    box = label.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _travel(slider: Locator) -> tuple[tuple[float, float], float]:
    """The centre of the slider's thumb, and the end that is farther from it."""
    left, width, middle, at = slider.evaluate(
        """e => {
            const box = e.getBoundingClientRect(), at = (e.value - e.min) / (e.max - e.min);
            return [box.x + 8, box.width - 16, box.y + box.height / 2, at];
        }"""
    )
    return (left + width * at, middle), left if at > 0.5 else left + width
