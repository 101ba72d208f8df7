"""axe-core: what it finds on a page."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# On a page this long each rule takes its time: everything is asked once, and once more only what a
# narrow screen or a dark theme can change.
COLOURS = ["color-contrast", "link-in-text-block"]
RULES = {
    "light": {},
    "dark": {"runOnly": {"type": "rule", "values": COLOURS}},
    "phone": {"rules": {rule: {"enabled": False} for rule in COLOURS}},
}


def serious_faults(page: Page, mode: str) -> dict[tuple[str, str], str]:
    """What axe-core finds, as pairs of a rule and the element that breaks it, and why."""
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("Promise.all(document.getAnimations().map(a => a.finished))")
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE_SCRIPT)
    # With preload it would fetch style sheets again, which looks like the page's own doing.
    options = {"resultTypes": ["violations"], "preload": False, **RULES[mode]}
    found = page.evaluate("options => axe.run(document, options)", options)
    asked = {rule["id"] for kind in ("passes", "violations", "incomplete") for rule in found[kind]}
    if mode == "dark":
        assert "color-contrast" in asked, "axe-core did not look at the colours"
    else:
        assert len(asked) > 5, "axe-core did not look at the page"
    return {
        (rule["id"], " ".join(map(str, node["target"]))): node["failureSummary"]
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    }


def beyond_the_theme(page: Page, mode: str, theme: dict[str, set]) -> list[str]:
    """What axe-core finds that the bare theme does not have."""
    return [
        f"{rule} at {target}: {why}"
        for (rule, target), why in serious_faults(page, mode).items()
        if (rule, target) not in theme[mode]
    ]
