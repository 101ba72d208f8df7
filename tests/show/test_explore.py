"""The interactive figure: its frames, its block of HTML, its widgets, its refusals."""

import gzip
import json
import re
import sys
from typing import ClassVar

import ipywidgets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.show import choices, explore, figure, geomspace, linspace, picture
from ibtools.show.block import deduplicated
from ibtools.show.picture import STATIC_FIGURES


def draw(scale, shape=0.0):
    fig, ax = figure()
    x = np.linspace(-2, 2, 200)
    ax.plot(x, x * np.arcsinh(x / scale) - np.hypot(x, scale) + shape * x)
    ax.set(xlabel="w", ylabel="q(w)")
    return fig


def alt(scale, shape=0.0):
    return f"The potential at scale {scale:.3g} and shape {shape:.2f}, a convex curve."


def example(**changes):
    given_ = {
        "alt": alt,
        "scale": geomspace(1e-2, 1.0, 3, label="scale α"),
        "shape": linspace(0, 0.9, 4, label="shape s"),
    }
    return explore(draw, **(given_ | changes))


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv(STATIC_FIGURES, "1")


@pytest.fixture
def live(monkeypatch):
    monkeypatch.delenv(STATIC_FIGURES, raising=False)


def store(html):
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', html, re.S)
    return json.loads(data)


def rebuilt(data, index):
    return "".join(data["chunks"][k] for k in data["frames"][index])


def test_frames_are_the_product_of_the_grids_last_fastest():
    exploration = example()
    assert len(exploration) == len(exploration.frames) == 12
    assert exploration.frames[5].parameters == {"scale": 0.1, "shape": 0.3}
    assert exploration.frames[5].alt == alt(0.1, 0.3)
    assert list(exploration.corners()) == [
        {"scale": 0.01, "shape": 0.0},
        {"scale": 0.01, "shape": 0.9},
        {"scale": 1.0, "shape": 0.0},
        {"scale": 1.0, "shape": 0.9},
    ]
    assert list(example(shape=[0.5]).corners()) == [
        {"scale": 0.01, "shape": 0.5},
        {"scale": 1.0, "shape": 0.5},
    ]


def test_frames_are_drawn_only_when_asked_for():
    called = []

    def counted(scale):
        called.append(scale)
        return draw(scale)

    exploration = explore(counted, alt=alt, scale=[1.0, 2.0, 3.0])
    repr(exploration)
    assert called == []
    assert len(exploration.frames) == 3
    drawn = len(called)
    assert exploration.frames
    assert len(called) == drawn


def test_every_frame_can_be_rebuilt_from_the_page(static):
    exploration = example()
    html = exploration.html()
    data = store(html)
    prefix = re.search(r'<figure [^>]*id="(\w+)"', html)[1]
    for index, frame in enumerate(exploration.frames):
        assert rebuilt(data, index) == frame.svg.replace("ib-id-", f"{prefix}-")
    assert data["texts"] == [["10⁻²", "10⁻¹", "1"], ["0.00", "0.30", "0.60", "0.90"]]


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n", "e"]), max_size=8)))
def test_deduplication_loses_nothing(frames):
    texts = ["".join(frame) for frame in frames]
    chunks, indices = deduplicated(texts)
    assert ["".join(chunks[i] for i in row) for row in indices] == texts
    assert len(set(chunks)) == len(chunks)


def test_what_stays_is_stored_once():
    skeleton = [f"line {i}\n" for i in range(50)]
    frames = ["".join([*skeleton[:30], f"value {k}\n", *skeleton[30:]]) for k in range(9)]
    chunks, indices = deduplicated(frames)
    assert len(chunks) == 2 + 9
    assert all(len(row) == 3 for row in indices)


def test_the_block_is_one_figure_with_real_controls(static):
    html = example(start={"shape": 0.3}).html()
    assert html.startswith("<figure ")
    assert html.endswith("</figure>")
    assert html.count("<figure") == 1
    # a blank line would end the block of HTML in Markdown
    assert "\n\n" not in html
    for name, label, value, text in (
        ("scale", "scale α", 0, "10⁻²"),
        ("shape", "shape s", 1, "0.30"),
    ):
        (found,) = re.findall(rf'<input type="range" id="([^"]+)" name="{name}"', html)
        assert f'<label class="ib-label" for="{found}">{label}</label>' in html
        control = re.search(rf'<input [^>]*id="{found}"[^>]*>', html)[0]
        assert f'value="{value}"' in control
        assert f">{text}</output>" in html
    assert store(html)["start"] == [0, 1]
    first = re.search(r"<svg.*?</svg>", html, re.S)[0]
    assert alt(0.01, 0.3) in first
    assert "controls of this figure need JavaScript" in html
    assert '<span class="ib-setting">scale α = 10⁻², shape s = 0.30</span>' in html


def test_text_of_the_author_cannot_break_the_page(static):
    nasty = '</script><!-- <b title="x">&'
    html = explore(
        lambda name: figure()[0], alt=f"Empty axes {nasty}", name=choices(["a", nasty], label=nasty)
    ).html()
    assert html.count("</script>") == 2
    assert "<b " not in html.replace("\\u003cb", "")
    assert store(html)["texts"] == [["a", nasty]]


def test_ids_differ_between_figures(static):
    one = example().html()
    two = example(shape=linspace(0, 0.5, 4, label="shape s")).html()
    ids = [set(re.findall(r'\bid="([^"]+)"', html)) for html in (one, two)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_the_same_figure_is_the_same_bytes(static):
    assert example().html() == example().html()


def test_mimebundles(static, monkeypatch):
    assert set(example()._repr_mimebundle_()) == {"text/html"}
    with pytest.raises(NotImplementedError):  # so that IPython takes the bundle
        example()._ipython_display_()
    shown = picture(draw(0.1), alt="A convex curve with its minimum at zero.")
    assert set(shown._repr_mimebundle_()) == {"text/html"}
    monkeypatch.delenv(STATIC_FIGURES)
    bundle = example()._repr_mimebundle_()
    assert alt(0.01, 0.0) in bundle["text/html"]
    assert bundle["text/plain"] == "Exploration(draw, scale: 3 values, shape: 4 values)"
    assert set(shown._repr_mimebundle_()) == {"text/html", "text/plain"}


@pytest.mark.slow
def test_a_hundred_frames_weigh_little(static):
    html = example(
        scale=geomspace(1e-4, 1e1, 12, label="α"), shape=linspace(0, 0.9, 8, label="s")
    ).html()
    assert len(gzip.compress(html.encode(), 6)) < 80_000


def test_axes_stand_still_while_their_labels_change():
    def labelled(size):
        fig, ax = figure()
        ax.plot([0, size], [0, size])
        return fig

    frames = explore(
        labelled, alt=lambda size: f"A straight line up to the value {size}", size=[1, 500_000]
    ).frames
    spines = [re.findall(r'd="([^"]*)" style="[^"]*linejoin:miter[^"]*"', f.svg) for f in frames]
    assert len(spines[0]) == 2
    assert spines[0] == spines[1]


def test_an_alt_for_all_frames_is_completed():
    exploration = example(alt="The potential, a convex curve.")
    said = [frame.alt for frame in exploration.frames]
    assert len(set(said)) == 12
    assert said[0] == (
        "The potential, a convex curve. Here: scale α 10 to the minus 2, shape s 0.00."
    )


def test_an_alt_that_hides_a_difference_is_refused():
    with pytest.raises(
        ValueError, match=r"alt is the same at .*0\.01.*, where the pictures differ"
    ):
        _ = example(alt=lambda scale, shape: f"The potential at shape {shape:.2f}").frames
    constant = explore(lambda k: figure()[0], alt=lambda k: "Empty axes, always the same", k=[1, 2])
    assert len(constant.frames) == 2


def test_frames_are_closed_in_pyplot():
    import matplotlib.pyplot as plt

    def with_pyplot(k):
        fig, ax = plt.subplots()
        ax.plot([0, k])
        return fig

    before = plt.get_fignums()
    _ = explore(with_pyplot, alt=lambda k: f"A line from 0 to {k} or so", k=[1, 2]).frames
    assert plt.get_fignums() == before


def test_plain_sequences_are_choices_named_by_their_parameter():
    exploration = explore(draw, alt=alt, scale=[1, 2], shape=np.array([0.0, 0.5]))
    assert exploration.grids["scale"].label == "scale"
    assert exploration.grids["shape"].spacing == "choice"
    assert exploration.grids["shape"].values == (0.0, 0.5)


def test_start_is_found_within_rounding():
    assert example(start={"scale": 0.1 + 1e-15}).start == {"scale": 0.1, "shape": 0.0}


def test_while_the_book_is_built_a_legend_over_data_is_refused(static, monkeypatch):
    def hiding(at):
        fig, ax = figure()
        ax.plot([0, 1], [0, at], label="a line")
        ax.set(ylim=(0, 1))
        ax.legend(loc="upper right")
        return fig

    shown = explore(hiding, alt=lambda at: f"A line from zero to {at} at one", at=[0.5, 1])
    with pytest.raises(ValueError, match=r"at \{'at': 1\} the legend 'a line' lies over the line"):
        shown.html()
    with pytest.raises(ValueError, match="at this figure the legend 'a line' lies over"):
        picture(hiding(1), alt="A line from zero to one at one").html()
    monkeypatch.delenv(STATIC_FIGURES)
    assert "ib-figure" in shown.html()  # a reader who tries something sees it


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"anchor": "level-sets", "caption": "Sets."}, ValueError, "anchor must be 'fig-' and"),
        ({"anchor": "fig-Sets", "caption": "Sets."}, ValueError, "anchor must be 'fig-' and"),
        ({"anchor": "fig-sets"}, ValueError, "'fig-sets' needs a caption"),
        ({"anchor": 3}, TypeError, "anchor must be a string"),
        ({"caption": None}, TypeError, "caption must be a string"),
        ({"alt": "short"}, ValueError, "alt must say what is to be seen"),
        ({"alt": " " * 50}, ValueError, "alt must say what is to be seen"),
        ({"alt": 3}, TypeError, "alt must be a string"),
        ({"alt": lambda scale: "x"}, ValueError, "do not fit alt"),
        ({"start": {"scale": 0.5}}, ValueError, r"start\['scale'\] is 0.5, which is not in"),
        ({"start": {"size": 0.5}}, ValueError, r"start names \['size'\]"),
        ({"presets": {"": {"scale": 0.1}}}, ValueError, "named by what to see there"),
        ({"presets": {"there": 0.1}}, TypeError, r"presets\['there'\] must say values by name"),
        ({"presets": {"there": {"scale": 3}}}, ValueError, r"\['scale'\] is 3, which is not in"),
        ({"presets": {"there": {"size": 3}}}, ValueError, r"presets\['there'\] names \['size'\]"),
        ({"presets": {"a": {}, "b": {"scale": 0.01}}}, ValueError, "'a' and 'b' are the same"),
        ({"size": [1, 2]}, ValueError, "do not fit draw"),
        ({"scale": []}, ValueError, "'scale' has none"),
        ({"scale": [0.1, np.nan]}, ValueError, "must be finite, got nan"),
        ({"scale": 3}, TypeError, "scale must be a grid"),
        ({"scale": "12"}, TypeError, "scale must be a grid"),
        ({"scale": list(range(101))}, ValueError, r"101 x 4 = 404 frames, at most 400"),
    ],
)
def test_bad_figures_are_refused_with_a_remedy(changes, error, message):
    with pytest.raises(error, match=message):
        example(**changes)


@pytest.mark.usefixtures("as_a_user")
def test_a_figure_without_grids_or_draw_is_refused():
    with pytest.raises(ValueError, match="is shown by picture"):
        explore(lambda: None, alt="nothing that could be seen")
    with pytest.raises(ValueError, match="missing a required argument: 'scale'"):
        explore(draw, alt=alt, shape=[0.1])
    with pytest.raises(TypeError, match="draw must be a function"):
        explore("draw", alt=alt, shape=[0.1])


def test_a_draw_without_a_figure_is_refused():
    forgot = explore(lambda k: None, alt="nothing that could be seen", k=[1, 2])
    with pytest.raises(TypeError, match=r"got NoneType at \{'k': 1\}; did it forget its return"):
        _ = forgot.frames
    axes = explore(lambda k: figure()[1], alt="nothing that could be seen", k=[1, 2])
    with pytest.raises(TypeError, match="must return a matplotlib Figure, got _BookAxes"):
        axes.draw(k=1)


def test_bad_alt_of_a_frame_names_the_frame():
    with pytest.raises(ValueError, match=r"alt at \{'k': 2\} must say"):
        _ = explore(
            lambda k: figure()[0], alt=lambda k: "x" * 30 if k == 1 else "", k=[1, 2]
        ).frames


@pytest.mark.usefixtures("as_a_user")
def test_pictures_are_refused_with_a_remedy():
    with pytest.raises(TypeError, match="pass the first"):
        picture(figure(), alt="Empty axes, from zero to one")
    with pytest.raises(ValueError, match="at least 20 characters"):
        picture(figure()[0], alt="axes")
    with pytest.raises(TypeError, match="alt must be a string"):
        picture(figure()[0], alt=None)


def test_with_a_live_kernel_the_sliders_draw_again(live):
    exploration = example(start={"scale": 0.1})
    scale, shape, _, wrong, shown = exploration.widget().children
    for slider in (scale, shape):
        assert isinstance(slider, ipywidgets.SelectionSlider)
        assert not slider.continuous_update
    assert (scale.value, shape.value) == (0.1, 0.0)
    assert [text for text, _ in scale.options] == ["10⁻²", "10⁻¹", "1"]  # as on the site
    first = shown.value
    assert alt(0.1, 0.0) in first
    shape.value = 0.6
    assert alt(0.1, 0.6) in shown.value
    assert "shape s = 0.60" in shown.value
    assert shown.value != first
    assert wrong.value == ""


def test_a_saved_notebook_keeps_the_picture_as_the_reader_left_it(live, monkeypatch):
    import IPython.display

    class Handle:
        outputs: ClassVar[list] = []

        def display(self, data, raw):
            assert raw
            self.outputs.append(data)

        def update(self, data, raw):
            self.outputs[-1] = data

    displayed = []
    monkeypatch.setattr(IPython.display, "DisplayHandle", Handle)
    monkeypatch.setattr(IPython.display, "display", displayed.append)
    example()._ipython_display_()
    (box,) = displayed
    assert alt(0.01, 0.0) in Handle.outputs[0]["text/html"]
    box.children[0].value = 1.0
    assert len(Handle.outputs) == 1
    assert alt(1.0, 0.0) in Handle.outputs[0]["text/html"]
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    example()._ipython_display_()
    assert len(displayed) == 1
    assert alt(0.01, 0.0) in Handle.outputs[1]["text/html"]


def test_presets_complete_the_start():
    exploration = example(start={"shape": 0.3}, presets={"large": {"scale": 1.0}, "here": {}})
    assert exploration.presets == {
        "large": {"scale": 1.0, "shape": 0.3},
        "here": {"scale": 0.01, "shape": 0.3},
    }
    assert store(exploration.html())["presets"] == [[2, 1], [0, 1]]
    assert 'class="ib-presets"' not in example().html()


def test_with_a_live_kernel_a_preset_sets_the_sliders_and_draws_once(live):
    drawn = []

    def counting(**parameters):
        drawn.append(parameters)
        return draw(**parameters)

    exploration = explore(
        counting,
        alt=alt,
        presets={"large and bent": {"scale": 1.0, "shape": 0.9}},
        scale=geomspace(1e-2, 1.0, 3, label="scale α"),
        shape=linspace(0, 0.9, 4, label="shape s"),
    )
    scale, shape, buttons, wrong, shown = exploration.widget().children
    button, reset = buttons.children
    assert reset.description == "Reset"
    assert button.description == "large and bent"
    drawn.clear()
    button.click()
    assert (scale.value, shape.value) == (1.0, 0.9)
    assert drawn == [{"scale": 1.0, "shape": 0.9}]
    assert alt(1.0, 0.9) in shown.value
    assert wrong.value == ""
    shape.value = 0.0
    assert alt(1.0, 0.0) in shown.value


def test_with_a_live_kernel_choices_stay_choices(live):
    by_name = explore(
        lambda name: figure()[0], alt=lambda name: f"Empty axes named {name}.", name=["one", "two"]
    )
    buttons = by_name.widget().children[0]
    assert isinstance(buttons, ipywidgets.RadioButtons)
    assert buttons.value == "one"


def test_errors_of_draw_are_shown_and_go_away(live):
    def fragile(k):
        if k == 2:
            raise ZeroDivisionError("no <figure> at 2")
        return figure()[0]

    widget = explore(fragile, alt=lambda k: f"Empty axes for k = {k}", k=[1, 2]).widget()
    slider, _, wrong, shown = widget.children
    slider.value = 2
    assert "no &lt;figure&gt; at 2" in wrong.value
    assert shown.value == ""
    slider.value = 1
    assert wrong.value == ""
    assert "<svg" in shown.value


def test_without_ipywidgets_the_remedy_is_told(live, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "ibtools\[show\]"'):
        example().widget()
