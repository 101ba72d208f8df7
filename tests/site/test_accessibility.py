"""axe-core finds nothing serious on any page that the bare theme does not have."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from book_site import GENERATED, PAGES, PHONE

MODES = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", **PHONE},
    "dark phone": {"color_scheme": "dark", **PHONE},
}


def serious_faults(page):
    """What axe-core finds, as pairs of a rule and the element that breaks it."""
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("Promise.all(document.getAnimations().map(a => a.finished))")
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert len(found["passes"]) > 5, "axe-core did not look at the page"
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
    for mode, options in MODES.items():
        context = browser.new_context(reduced_motion="reduce", **options)
        page = context.new_page()
        faults[mode] = set()
        for name in ("index", "second", *GENERATED):
            page.goto(f"{serve(bare_site)}/{name}.html", wait_until="load")
            faults[mode] |= set(serious_faults(page))
        context.close()
    return faults


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*PAGES, *GENERATED])
def test_nothing_serious_beyond_the_bare_theme(name, mode, address, visit, theme_faults):
    found = serious_faults(visit(f"{address}/{name}.html", **MODES[mode]).page)
    ours = {fault: why for fault, why in found.items() if fault not in theme_faults[mode]}
    report = "\n".join(f"{rule} at {target}: {why}" for (rule, target), why in ours.items())
    assert not ours, report
