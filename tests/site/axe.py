"""axe-core: what it finds on a page.

What it takes long for is to ask of every word what lies behind it, and to look at the inside of
formulas, drawings and code, nine tenths of all elements. So words that look alike are asked about
once, formulas and drawings are the boxes that they are to it, and of code each colour is kept once.
`tests/site/test_template.py` asks everything of everything, on pages that stand for the others.
"""

from contextlib import suppress

from axe_playwright_python.base import AXE_SCRIPT
from book_site import DESKTOP, PHONE
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as TooLong

COLOURS = ["color-contrast", "link-in-text-block"]
# What a narrow screen can change, beside what the theme shows on one.
LAYOUT = ["scrollable-region-focusable", "target-size", "aria-hidden-focus", "nested-interactive"]

# What is asked, and whether colours of one word among all that look alike.
ASKED = {
    "desktop": ({}, True),
    "phone": ({"runOnly": {"type": "rule", "values": [*COLOURS, *LAYOUT]}}, True),
    "everything": ({}, False),
}

# A phone's page is looked at in the dark: what a narrow screen changes is not a matter of colours.
PLACES = ("light", "dark", "phone")
# The theme makes what scrolls focusable, a moment after the width or the page has changed; what is
# folded away, when it is opened.
SETTLED = """() => [...document.querySelectorAll('pre, .cell_output > .output')].every(e =>
    !e.checkVisibility() || (e.tabIndex === 0) ===
        (e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight))"""

# A box of its size in place of a formula; a drawing keeps its own, as an SVG without content. Of
# code the first word of each colour on each ground is marked up, and the others are plain text.
HOLLOW = """() => {
    const formulas = [...document.querySelectorAll('main mjx-container')];
    const sizes = formulas.map(e => (e.querySelector('mjx-math') || e).getBoundingClientRect());
    formulas.forEach((e, i) => {
        const box = document.createElement('span');
        box.textContent = 'a formula';  // from one end of the box to the other
        box.style.cssText = `display: inline-block; vertical-align: middle; overflow: hidden;
            text-align-last: justify; width: ${sizes[i].width}px; height: ${sizes[i].height}px`;
        e.replaceChildren(box);
    });
    const drawings = 'main :is(.ib-picture, .ib-thumbnail) > svg';
    document.querySelectorAll(drawings).forEach(e => e.replaceChildren());
    const seen = new Set(), grounds = '.cell_input, .cell_output, .admonition, .proof, details';
    document.querySelectorAll('main pre span').forEach(e => {
        const alike = `${e.className} in ${e.closest(grounds)?.className}`;
        if (seen.has(alike) && !e.children.length) e.replaceWith(e.textContent);
        seen.add(alike);
    });
    document.querySelectorAll('main pre').forEach(e => e.normalize());
}"""

ALIKE = """() => {
    const style = e => {
        const s = getComputedStyle(e);
        return [s.color, s.fontSize, s.fontWeight, s.textDecorationLine, s.borderBottom, s.opacity,
            s.backgroundImage, s.textShadow].join();
    };
    const grounds = new Map([[null, '']]);
    const behind = e => {
        if (!grounds.has(e)) {
            const s = getComputedStyle(e), own = [s.backgroundColor, s.opacity];
            const plain = own[0] === 'rgba(0, 0, 0, 0)' && own[1] === '1';
            grounds.set(e, (plain ? '' : own.join()) + behind(e.parentElement));
        }
        return grounds.get(e);
    };
    const first = new Map();
    for (const e of document.body.querySelectorAll('*')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        if (!e.checkVisibility()) continue;
        const key = [e.tagName, Boolean(e.closest('article')), style(e), style(e.parentElement),
            behind(e)].join('|');
        if (!first.has(key)) first.set(key, e);
    }
    return [...first.values()];
}"""

# axe-core asks all its rules in one go, but those of colours of some elements only.
RUN = """async ([options, colours, alike]) => {
    window.asked = alike && new Set(eval(alike)());
    for (const rule of axe._audit.rules.filter(rule => colours.includes(rule.id))) {
        const own = rule.matches;
        if (!rule.narrowed) rule.matches = function (node, ...rest) {
            return (!window.asked || window.asked.has(node)) && own.call(this, node, ...rest);
        };
        rule.narrowed = true;
    }
    const found = await axe.run(document, options), asked = new Set();
    for (const kind of ['passes', 'violations', 'incomplete'])
        for (const rule of found[kind]) asked.add(rule.id);
    return {asked: [...asked], violations: found.violations};
}"""


def serious_faults(page: Page, what: str) -> dict[tuple[str, str], str]:
    """What axe-core finds, as pairs of a rule and the element that breaks it, and why."""
    page.mouse.move(0, 0)  # what lies under it would be asked about as it is then
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("Promise.all(document.getAnimations().map(a => a.finished)).then(() => 0)")
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE_SCRIPT)
    rules, alike = ASKED[what]
    # With preload it would fetch style sheets again, which looks like the page's own doing.
    options = {"resultTypes": ["violations"], "preload": False, **rules}
    found = page.evaluate(RUN, [options, COLOURS, ALIKE if alike else None])
    assert "color-contrast" in found["asked"], "axe-core did not look at the colours"
    if what != "phone":  # there may be nothing that scrolls
        assert len(found["asked"]) > 5, "axe-core did not look at the page"
    return {
        (rule["id"], " ".join(map(str, node["target"]))): node["failureSummary"]
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    }


def beyond_the_theme(page: Page, what: str, theme: set[tuple[str, str]]) -> list[str]:
    """What axe-core finds that the bare theme does not have."""
    return [
        f"{rule} at {target}: {why}"
        for (rule, target), why in serious_faults(page, what).items()
        if (rule, target) not in theme
    ]


def go(page: Page, where: str) -> None:
    """Make a page one in the light or in the dark on a desktop, or one in the dark on a phone."""
    page.set_viewport_size((PHONE if where == "phone" else DESKTOP)["viewport"])
    theme = "light" if where == "light" else "dark"
    page.emulate_media(color_scheme=theme)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))")
    with suppress(TooLong):  # where it never comes to it, axe-core has something to say
        page.wait_for_function(SETTLED, timeout=2000)
