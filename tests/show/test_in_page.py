"""Figures that the page computes: what Python puts there, and what a notebook shows instead."""

import json
import re

import IPython.display
import numpy as np
import pytest

from ibtools.show import explore, figure, linspace, live_figure, picture
from ibtools.show.in_page import IN_A_NOTEBOOK


def draw(slope):
    fig, ax = figure()
    ax.plot([-1, 1], [-slope, slope])
    return fig


def tell(slope):
    return f"A line through the origin with slope {slope:.2f}."


@pytest.fixture
def exploration():
    return explore(draw, alt=tell, slope=linspace(0, 1, 3, label="slope"), start={"slope": 0.5})


def test_a_page_gets_the_first_picture_the_name_and_the_start(exploration, monkeypatch):
    monkeypatch.setenv("IBTOOLS_STATIC_FIGURES", "1")
    bundle = live_figure("a-line", exploration, start={"slope": 1})._repr_mimebundle_()
    assert list(bundle) == ["text/html"]
    html = bundle["text/html"]
    assert 'data-ib-figure="a-line"' in html
    start = re.search(r'data-ib-start="([^"]*)"', html)[1]
    assert json.loads(start.replace("&quot;", '"')) == {"slope": 1.0}
    assert html.count("<svg") == 1
    assert f'aria-label="{tell(0.5)}"' in html
    for variable in ("--ib-purple", "--ib-sequence-50", "--ib-muted"):  # colours for the script
        assert variable in html


def test_a_notebook_shows_what_was_passed(exploration, monkeypatch):
    monkeypatch.delenv("IBTOOLS_STATIC_FIGURES", raising=False)
    still = picture(draw(1.0), alt=tell(1.0))
    assert live_figure("a-line", still)._repr_mimebundle_() == still._repr_mimebundle_()
    assert live_figure("a-line", exploration)._repr_mimebundle_()["text/plain"] == repr(exploration)


def test_a_notebook_says_what_becomes_of_the_handles(exploration, monkeypatch):
    monkeypatch.delenv("IBTOOLS_STATIC_FIGURES", raising=False)
    displayed = []
    monkeypatch.setattr(IPython.display, "display", lambda shown, **_: displayed.append(shown))
    live_figure("a-line", exploration)._ipython_display_()
    assert len(displayed[0].children[0].options) == 3
    assert IN_A_NOTEBOOK in displayed[-1]["text/html"]


def bent(slope, bend=0.0):
    fig, ax = figure()
    ax.plot([-1, 0, 1], [-slope, bend, slope])
    return fig


def tell_bent(slope, bend=0.0):
    return f"A line with slope {slope:.2f} that is bent by {bend:.2f}."


def test_a_notebook_has_a_control_for_what_the_page_drags(monkeypatch):
    still = explore(bent, alt=tell_bent, slope=[0.0, 0.5], presets={"steep": {"slope": 0.5}})
    shown = live_figure("a-line", still, bend=linspace(-1, 1, 3, label="bend"))
    assert shown.html() == live_figure("a-line", still).html()
    slope, bend, buttons, _, picture = shown.in_notebook.widget().children
    assert (bend.description, bend.value, len(bend.options)) == ("bend", 0.0, 3)
    bend.value = 1.0
    assert tell_bent(0.0, 1.0) in picture.value
    buttons.children[0].click()
    assert (slope.value, bend.value) == (0.5, 0.0)
    assert tell_bent(0.5, 0.0) in picture.value


def test_a_preset_of_a_notebook_sets_what_the_page_drags(monkeypatch):
    still = explore(bent, alt=tell_bent, slope=[0.0, 0.5], presets={"steep": {"slope": 0.5}})
    bend = linspace(-1, 1, 3, label="bend")
    shown = live_figure("a-line", still, bend=bend, presets={"bent": {"bend": 1}})
    assert shown.html() == live_figure("a-line", still).html()
    assert dict(shown.in_notebook.presets["bent"]) == {"slope": 0.0, "bend": 1.0}
    slope, bend, buttons, _, picture = shown.in_notebook.widget().children
    assert [button.description for button in buttons.children] == ["steep", "bent", "Reset"]
    slope.value = 0.5
    buttons.children[1].click()
    assert (slope.value, bend.value) == (0.0, 1.0)
    assert tell_bent(0.0, 1.0) in picture.value
    buttons.children[0].click()
    assert (slope.value, bend.value) == (0.5, 0.0)


def test_presets_of_a_notebook_without_more_controls():
    still = explore(bent, alt=tell_bent, slope=[0.0, 0.5])
    shown = live_figure("a-line", still, presets={"steep": {"slope": 0.5}})
    assert {k: dict(v) for k, v in shown.in_notebook.presets.items()} == {"steep": {"slope": 0.5}}


@pytest.mark.parametrize(
    ("presets", "error", "said"),
    [
        ({"bent": {"bow": 1.0}}, ValueError, r"names \['bow'\], but the parameters are"),
        ({"bent": {"bend": 0.3}}, ValueError, "0.3, which is not in its grid"),
        ({"steep": {"bend": 1.0}}, ValueError, "there is a preset 'steep' already"),
        ({"bent": {"slope": 0.5}}, ValueError, "'steep' and 'bent' are the same"),
        ({"bent": 1.0}, TypeError, r"presets\['bent'\] must say values by name"),
        ([("bent", {"bend": 1.0})], TypeError, "presets must give values by name, got list"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_a_preset_of_a_notebook_that_cannot_be_is_refused(presets, error, said):
    still = explore(bent, alt=tell_bent, slope=[0.0, 0.5], presets={"steep": {"slope": 0.5}})
    with pytest.raises(error, match=said):
        live_figure("a-line", still, bend=[-1.0, 0.0, 1.0], presets=presets)


@pytest.mark.usefixtures("as_a_user")
def test_a_picture_has_no_presets():
    still = picture(draw(1.0), alt=tell(1.0))
    with pytest.raises(TypeError, match=r"the presets \['steep'\] need a figure that moves"):
        live_figure("a-line", still, presets={"steep": {"slope": 0.5}})


def test_a_control_of_a_notebook_is_a_parameter_with_a_default():
    still = explore(bent, alt=tell_bent, slope=[0.0, 0.5])
    with pytest.raises(ValueError, match=r"controls \['bow'\] must be .* those are \['bend'\]"):
        live_figure("a-line", still, bow=[0.0, 1.0])
    with pytest.raises(ValueError, match=r"bend.* is 0.0, which is not in its grid"):
        live_figure("a-line", still, bend=[1.0, 2.0])
    with pytest.raises(ValueError, match="do not fit alt"):
        live_figure("a-line", explore(bent, alt=tell, slope=[0.0, 0.5]), bend=[0.0, 1.0])
    with pytest.raises(TypeError, match="need a figure that moves, got Picture"):
        live_figure("a-line", picture(draw(1.0), alt=tell(1.0)), bend=[0.0, 1.0])


def test_a_page_gets_the_data(exploration):
    html = live_figure("a-line", exploration, data={"X": np.eye(2), "word": "</script>"}).html()
    store = re.search(r'<script type="application/json" class="ib-data">(.*?)</script>', html)[1]
    assert json.loads(store) == {"X": [[1, 0], [0, 1]], "word": "</script>"}


@pytest.mark.parametrize("name", ["Plane", "a line", "", "../plane", 3, "1st"])
@pytest.mark.usefixtures("as_a_user")
def test_a_name_is_the_name_of_a_script(exploration, name):
    with pytest.raises(ValueError, match=r"book/_ext/live"):
        live_figure(name, exploration)


@pytest.mark.usefixtures("as_a_user")
def test_what_cannot_be_shown_is_refused(exploration):
    with pytest.raises(TypeError, match="still must be what explore or picture returns"):
        live_figure("a-line", draw(1.0))
    with pytest.raises(TypeError, match="data must hold numbers, strings"):
        live_figure("a-line", exploration, data={"net": object()})
    with pytest.raises(ValueError, match="data must hold finite numbers"):
        live_figure("a-line", exploration, data={"X": np.array([1.0, np.inf])})
    for wrong in (float("nan"), "1", True):
        with pytest.raises(ValueError, match=r"start\['slope'\] must be a finite number"):
            live_figure("a-line", exploration, start={"slope": wrong})
