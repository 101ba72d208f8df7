"""Margins of a run, as the page shows them, against the run."""

import numpy as np
import pytest
from live_figures import DATA, RECORDS, live_blocks, small_run

STATES = [{"record": record, "bar": bar} for record in (0, 20, 30, 47) for bar in (0, 3, 69)]


def compare(computed):
    run, margins = small_run()
    support = np.array(DATA["margins"]["support"])
    for state, found in zip(STATES, computed("margins", STATES), strict=True):
        now = margins[state["record"]]
        least = now.min()
        np.testing.assert_allclose(found["margins"], now, rtol=0, atol=1e-6)
        np.testing.assert_allclose(
            found["least"], run.normalized_margin[RECORDS][state["record"]], atol=1e-6
        )
        assert found["power"] == run.log10_inverse_loss[RECORDS][state["record"]]
        assert found["wrong"] == (now <= 0).sum()
        assert found["near"] == (now < 1.1 * least).sum()
        bars = [np.array(bar, dtype=int) for bar in found["bars"]]
        assert sorted(np.concatenate(bars)) == list(range(len(now)))
        for k, (bar, marked) in enumerate(zip(bars, found["marked"], strict=True)):
            # None stands left of the least margin.
            assert np.all(now[bar] > least + 0.02 * k - 2e-6)
            assert np.all(now[bar] < least + 0.02 * (k + 1) + 2e-6) or k == 69
            assert np.all(np.diff(now[bar]) > -2e-6)
            assert marked == np.isin(bar, support).sum()
        last = int((min(now.max(), 1.28) - least) / 0.02)
        chosen = min(state["bar"], last)
        assert found["bar"] == found["bars"][chosen]
        np.testing.assert_allclose(found["from"], least + 0.02 * chosen, atol=1e-6)
        course = np.stack([(margins > 0).mean(axis=1), margins.min(axis=1)], axis=1)
        np.testing.assert_allclose(found["course"], course, atol=1e-6)
        net = run.net_at(RECORDS[state["record"]])
        hidden, output = (p.detach().numpy() for p in net.parameters())
        np.testing.assert_allclose(found["weights"], np.clip(hidden, -1, 1).ravel(), atol=6e-3)
        np.testing.assert_allclose(found["outputs"], output[0], atol=1e-6)


def test_the_page_shows_the_margins_of_the_run(computed):
    compare(computed)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("total[j] += step", "total[j] = step"),
        ("q / 1e6", "q / 1.0001e6"),
        ("Math.floor((margins[j]", "Math.round((margins[j]"),
        ("supports.has(j)).length", "!supports.has(j)).length"),
        ("filter((q) => q > 0)", "filter((q) => q > 0.01)"),
        ("margins[i] - margins[j]", "margins[j] - margins[i]"),
        ("1.1 * least", "1.2 * least"),
    ],
)
def test_the_comparison_sees_a_wrong_formula(misprint, computed, right, wrong):
    with misprint("margins", right, wrong), pytest.raises(AssertionError):
        compare(computed)


def test_a_bar_under_the_pointer_shows_its_images(show):
    page = show(*live_blocks("margins"))
    images = "document.querySelectorAll('.ib-drawn image').length"
    sizes = "ibtoolsLive.margins.compute({record: 14, bar: 0}).bars.map(bar => bar.length)"
    full = [size for size in page.evaluate(sizes) if size]
    bars = page.locator(".ib-drawn .bar")
    assert bars.count() == len(full)
    for k in (0, len(full) - 1):
        bars.nth(k).hover()
        assert page.evaluate(images) == full[k]
    handle = page.locator("[data-handle=bar]")
    before = handle.get_attribute("aria-valuetext")
    bars.nth(0).click()
    assert handle.get_attribute("aria-valuetext") != before
    assert handle.get_attribute("aria-valuetext").startswith("bar 1, ")
