"""What a reader does with the controls of a page's figures, and what does not come of it.

What each figure has of its own, its drawings, words and values, is asked of every control, within
the page. What the code does that all figures share, how a key, a mouse or a finger moves a control,
is asked of the first of each kind (`KINDS`): the others have the same markup and the same script.
"""

from collections.abc import Callable, Iterator

from playwright.sync_api import Locator, Page
from visible import CHANGED

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
            : buttons[k].parentElement.textContent,
        shown: () => slider ? row.querySelector('output')?.textContent
            : buttons.find(b => b.checked).parentElement.textContent,
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

# The first control of each kind in a part of the page, by its place among all: a slider, buttons,
# and those of each figure that the page computes, which has a script of its own.
KINDS = """within => {
    const first = new Map();
    [...document.querySelectorAll(within + ' CONTROLS')].forEach((row, index) => {
        const script = row.closest('[data-ib-figure]')?.dataset.ibFigure || '';
        const kind = `${script} ${row.querySelector('input')?.type}`;
        if (!first.has(kind)) first.set(kind, index);
    });
    return [...first.values()];
}""".replace("CONTROLS", CONTROLS)

# Values of every control in turn; those before it are at their ends, those after it at first. A
# figure that the page computes has hundreds, which one formula draws: few pairs of neighbours among
# them stand for all.
STEPS = """async changed => {
    const faults = [], change = eval(changed);
    for (const [index, row] of [...document.querySelectorAll(CONTROLS)].entries()) {
        const control = CONTROL(row), figure = row.closest('.ib-figure');
        const picture = figure.querySelector('.ib-picture');
        const setting = figure.querySelector('.ib-setting');
        const most = row.closest('[data-ib-figure]') ? 16 : 30;
        const values = [], stride = Math.ceil(2 * (control.last + 1) / most);
        let before = null, lines = false, shown, said;
        const fault = what => faults.push(`control ${index}, ${row.dataset.name}: ${what}`);
        if (row.querySelector('input').tabIndex) fault('the Tab key passes it by');
        if (setting && !setting.checkVisibility()) fault('the caption cannot be seen');
        for (let k = 0; k <= control.last; k++) {
            if (control.last > most && k % stride > 1 && k < control.last) continue;
            control.set(k);
            await null;  // what waits for it has its turn
            const alt = picture.querySelector('svg')?.getAttribute('aria-label') || '';
            if (alt.split(/\\s+/).length < 5) fault(`alt text ${alt} at step ${k}`);
            const words = picture.textContent + ' ' + alt;
            const nothing = words.match(/[-−]0(\\.0+)?(?!\\.?\\d)/);
            if (nothing) fault(`${nothing[0]}, zero with a sign, at step ${k}`);
            const code = words.match(/\\d(\\.\\d+)?e[-+]?\\d+/);
            if (code) fault(`${code[0]}, as programs write it, at step ${k}`);
            values.push(control.text(k));
            if (before) {
                const seen = change(before, picture);
                if (!seen.any) fault(`no change on reaching ${control.text(k)}`);
                lines ||= seen.lines;
                if (control.shown() === shown) fault(`it still shows ${shown}`);
                if (setting && setting.textContent === said) fault(`the caption says ${said}`);
            }
            before = picture.cloneNode(true);
            [shown, said] = [control.shown(), setting?.textContent];
        }
        if (new Set(values).size < values.length) fault('two steps say the same value');
        // With another slider at its end a step may change a number only, but not every step.
        if (!lines) fault('it changes words only');
    }
    return faults;
}""".replace("CONTROLS", repr(CONTROLS)).replace("CONTROL", CONTROL)

# Controls, and buttons beside them, that something lies on, or that are moved out of the window.
COVERED = """() => [...document.querySelectorAll(
    '.ib-figure :is(.ib-control input[type=range], .ib-control label:has(input), button)')]
    .filter(e => e.checkVisibility()).filter(e => {
        e.scrollIntoView({block: 'center', behavior: 'instant'});
        const box = e.getBoundingClientRect();
        const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return !top || !e.contains(top);
    }).map(e => `${e.outerHTML.slice(0, 80)} cannot be pressed`)"""

# Each button of a figure in turn: what it is called, what it sets, and what is shown then.
PRESETS = """async changed => {
    const faults = [], change = eval(changed);
    for (const figure of document.querySelectorAll('.ib-figure:has(.ib-presets)')) {
        const store = figure.querySelector('script[type="application/json"]');
        const {presets} = JSON.parse(store.textContent), shown = [];
        const picture = figure.querySelector('.ib-picture');
        const rows = [...figure.querySelectorAll('.ib-control')];
        for (const [k, button] of [...figure.querySelectorAll('.ib-presets button')].entries()) {
            const name = button.textContent;
            button.click();
            await null;
            const values = rows.map(row => CONTROL(row).at());
            if (values.join() !== presets[k].join())
                faults.push(`preset ${name}: the sliders stand at ${values}, not at ${presets[k]}`);
            const same = shown.find(([, other]) => !change(other, picture).any);
            if (same) faults.push(`presets ${same[0]} and ${name} show the same`);
            shown.push([name, picture.cloneNode(true)]);
        }
    }
    return faults;
}""".replace("CONTROL", CONTROL)

# What of a figure follows its control: the drawing as it was is kept beside it.
KEEP = """row => {
    const figure = row.closest('.ib-figure');
    figure.drawnBefore = figure.querySelector('.ib-picture').cloneNode(true);
    return [CONTROL(row).shown(), figure.querySelector('.ib-setting')?.textContent];
}""".replace("CONTROL", CONTROL)
LOOK = """(row, changed) => {
    const figure = row.closest('.ib-figure'), picture = figure.querySelector('.ib-picture');
    return [eval(changed)(figure.drawnBefore, picture).lines, CONTROL(row).shown(),
        figure.querySelector('.ib-setting')?.textContent,
        Boolean(picture.querySelector('svg')?.getAttribute('aria-label'))];
}""".replace("CONTROL", CONTROL)

AT = f"row => {CONTROL}(row).at()"


def useless_steps(page: Page) -> list[str]:
    """Steps without alt text, value or words, or that leave the drawing as it was."""
    page.evaluate(AT_FIRST)
    return page.evaluate(STEPS, CHANGED)


def idle_presets(page: Page) -> list[str]:
    """Buttons that do not set the sliders to their values, or show what another shows."""
    return page.evaluate(PRESETS, CHANGED)


def covered(page: Page) -> list[str]:
    """Controls and buttons that neither mouse nor finger would reach."""
    return page.evaluate(COVERED)


def stuck(
    page: Page,
    move: Callable[[Page, Locator], str | None],
    *,
    pixels: bool = False,
    within: str = "body",
) -> list[str]:
    """Kinds of controls that a way to move them does not move, or whose picture does not follow."""
    rows = page.locator(f"{within} {CONTROLS}")
    return [
        f"control {index}: {fault}"
        for index in page.evaluate(KINDS, within)
        for fault in _stuck(page, rows.nth(index), move, pixels)
    ]


def _stuck(page: Page, row: Locator, move: Callable, pixels: bool) -> Iterator[str]:
    page.evaluate(AT_FIRST)
    # A look at a tall picture has scrolled its control away, or under the page's header.
    row.evaluate(TO_SIGHT)
    if not row.locator("input").first.is_visible():
        yield "cannot be seen"
        return
    picture = row.locator("xpath=ancestor::figure").locator(".ib-picture")
    before, seen = row.evaluate(KEEP), pixels and picture.screenshot()
    if pixels:
        row.evaluate(TO_SIGHT)
    if fault := move(page, row):
        yield fault
    drawn, *after, alt = row.evaluate(LOOK, CHANGED)
    if not drawn:
        yield "the drawing did not change"
    elif pixels and picture.screenshot() == seen:
        yield "the drawing changed, but nothing of it can be seen"
    if after[0] == before[0]:
        yield "the shown value did not change"
    if after[1] == before[1] is not None:
        yield "the caption did not change"
    if not alt:
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
