"""A browser for the figure's block on a page of its own; one page with all that pages compute."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import book_live
import numpy as np
import pytest
from browser import FLAGS, find_chromium
from live_figures import LIVE, live_blocks
from playwright.sync_api import Browser, Page, sync_playwright

from ibtools.show import COLORS, Exploration, choices, explore, figure, level_sets, linspace


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start Chromium; a browser test that cannot run is a failure."""
    path = find_chromium()
    if path is None:
        pytest.fail("no Chromium found; `python scripts/browser.py` installs one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def narrow() -> Exploration:
    """Two sliders over one panel."""

    def draw(power, size):
        fig, ax = figure()
        x = np.linspace(-1, 1, 101)
        ax.plot(x, size * np.abs(x) ** power, color=COLORS["blue"])
        ax.set(xlabel=r"$w_1$", ylabel="q(w)", ylim=(0, 3))
        return fig

    return explore(
        draw,
        alt=lambda power, size: (
            f"A valley of power {power:.2f} that rises to {size:.1f} at the ends."
        ),
        anchor="fig-valley",
        caption="A valley. It bends & <rises>.",
        start={"size": 2.0},
        presets={"a flat valley": {"power": 2.0}, "<low>": {"power": 1.5, "size": 1.0}},
        power=linspace(1, 2, 5, label="power p"),
        size=linspace(1, 3, 3, label="size <s>", format="{:.1f}"),
    )


@pytest.fixture(scope="session")
def wide() -> Exploration:
    """One slider over two panels side by side."""

    def draw(power):
        fig, (left, right) = figure(9, 3.4, ncols=2)
        x = np.linspace(-1, 1, 60)
        surface = np.abs(x) ** power + np.abs(x[:, None]) ** power
        level_sets(left, x, x, surface, [0.25, 0.5, 1.0])
        right.plot(x, np.abs(x) ** power)
        return fig

    return explore(
        draw,
        alt=lambda power: f"Level sets and profile of a valley of power {power:.2f}.",
        power=linspace(1, 2, 3, label="power p"),
    )


@pytest.fixture(scope="session")
def in_words() -> Exploration:
    """A parameter whose values are words, and one of numbers."""

    def draw(norm, radius):
        fig, ax = figure()
        ax.plot([0, radius], [len(norm), radius])
        return fig

    return explore(
        draw,
        alt=lambda norm, radius: f"Level set of the norm {norm} at radius {radius}.",
        anchor="fig-norms",
        caption="Level sets of three norms.",
        presets={"round": {"norm": "2", "radius": 2}},
        norm=["1", "2", "<∞>"],
        radius=[1, 2],
    )


@pytest.fixture(scope="session")
def uneven() -> Exploration:
    """A slider whose values are short and long."""

    def draw(scale):
        fig, ax = figure()
        ax.plot([0, scale])
        return fig

    return explore(
        draw,
        alt=lambda scale: f"A line that rises from zero to {scale}.",
        scale=choices([1, -10_000_000, 1000, 10], label="s", format="{:,} kg"),
    )


PAGE = """<!doctype html>
<html lang="en" {attributes}><head><meta charset="utf-8"><title>Figures</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{color-scheme: light dark; background: Canvas; color: CanvasText}}
[data-theme=light] {{color-scheme: light; background: #fff; color: #222832}}
[data-theme=dark] {{color-scheme: dark; background: #121212; color: #ced6dd}}
body {{font-family: -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
  max-width: 45rem; margin: 1rem auto; padding: 0 1rem}}
</style></head>
<body><main><h1>Figures</h1>
{body}
</main></body></html>"""


@pytest.fixture
def show(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Page]]:
    """Open a page with figures, as a file; errors on the page fail the test."""
    contexts = []
    errors: list[str] = []

    def open_page(*blocks: str, attributes: str = "", **options: object) -> Page:
        file = tmp_path / f"page{len(contexts)}.html"
        body = "\n".join(blocks)
        file.write_text(PAGE.format(attributes=attributes, body=body), encoding="utf-8")
        context = chromium.new_context(**{"viewport": {"width": 900, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: errors.append(message.text) if message.type == "error" else None,
        )
        page.goto(file.as_uri())
        if options.get("java_script_enabled", True):
            page.evaluate("new Promise(done => setTimeout(done))")  # what the page put off
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture(scope="session")
def live_page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Open one page with all figures that pages compute, to ask it for numbers."""
    file = tmp_path_factory.mktemp("live") / "page.html"
    body = "\n".join(live_blocks(*LIVE))
    file.write_text(PAGE.format(attributes="", body=body), encoding="utf-8")
    page = chromium.new_page()
    page.goto(file.as_uri())
    page.evaluate("new Promise(done => setTimeout(done))")
    return page


@pytest.fixture
def computed(live_page: Page) -> Callable[..., list[dict[str, Any]]]:
    """Return what a figure's script computes at each of some states."""
    # As text, which is read a hundred times as fast as Playwright reads nested arrays.
    numbers_at = """([name, states]) => JSON.stringify(states.map(state => {
        const figure = ibtoolsLive[name], frame = ibtoolsLive.frame;
        return figure.compute(frame.changed(figure, frame.start(figure), state));
    }))"""
    return lambda name, states: json.loads(live_page.evaluate(numbers_at, [name, states]))


@pytest.fixture
def misprint(live_page: Page) -> Callable[[str, str, str], AbstractContextManager[None]]:
    """Return a context in which a figure's script reads differently in one place."""

    @contextmanager
    def misprinted(name: str, right: str, wrong: str) -> Iterator[None]:
        script = (book_live.LIVE / f"{name}.js").read_text(encoding="utf-8")
        assert right in script
        load = """([name, script]) => {
            const data = ibtoolsLive[name].data;
            (0, eval)(script);
            ibtoolsLive[name].data = data;
        }"""
        live_page.evaluate(load, [name, script.replace(right, wrong)])
        try:
            yield
        finally:
            live_page.evaluate(load, [name, script])

    return misprinted
