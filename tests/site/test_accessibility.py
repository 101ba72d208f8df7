"""axe-core finds nothing serious on any page that the bare theme does not have."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from book_site import GENERATED, PAGES, PHONE

# On a page this long each rule takes its time: everything is asked once, and once more only what a
# narrow screen or a dark theme can change.
COLOURS = ["color-contrast", "link-in-text-block"]
MODES = {
    "light": ({"color_scheme": "light"}, {}),
    "dark": (
        {"color_scheme": "dark"},
        {"runOnly": {"type": "rule", "values": COLOURS}},
    ),
    "phone": (
        {"color_scheme": "light", **PHONE},
        {"rules": {rule: {"enabled": False} for rule in COLOURS}},
    ),
}


def serious_faults(page, rules):
    """What axe-core finds, as pairs of a rule and the element that breaks it."""
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("Promise.all(document.getAnimations().map(a => a.finished))")
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate(
        "options => axe.run(document, options)", {"resultTypes": ["violations"], **rules}
    )
    asked = {rule["id"] for kind in ("passes", "violations", "incomplete") for rule in found[kind]}
    if "runOnly" in rules:
        assert "color-contrast" in asked, "axe-core did not look at the colours"
    else:
        assert len(asked) > 5, "axe-core did not look at the page"
    return {
        (rule["id"], " ".join(map(str, node["target"]))): node["failureSummary"]
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    }


@pytest.fixture(scope="session")
def theme_faults(browser, serve, bare_site):
    """What the theme brings along, in each mode."""
    faults = {}
    for mode, (options, rules) in MODES.items():
        context = browser.new_context(reduced_motion="reduce", **options)
        page = context.new_page()
        faults[mode] = set()
        for name in ("index", "second", *GENERATED):
            page.goto(f"{serve(bare_site)}/{name}.html", wait_until="load")
            faults[mode] |= set(serious_faults(page, rules))
        context.close()
    return faults


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*PAGES, *GENERATED])
def test_nothing_serious_beyond_the_bare_theme(name, mode, address, visit, theme_faults):
    options, rules = MODES[mode]
    formulas = mode != "dark"  # they have the colour of the text around them, set or not
    page = visit(f"{address}/{name}.html", formulas=formulas, **options).page
    found = serious_faults(page, rules)
    ours = {fault: why for fault, why in found.items() if fault not in theme_faults[mode]}
    report = "\n".join(f"{rule} at {target}: {why}" for (rule, target), why in ours.items())
    assert not ours, report
