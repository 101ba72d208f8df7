"""A figure as SVG: small, the page's own font and colours, the same bytes every time."""

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.show import COLORS, MUTED, figure, legend_below, sequence
from ibtools.show.mathtext import Run, runs
from ibtools.show.style import THEME, house_style
from ibtools.show.svg import (
    BASE,
    GROWTH,
    axes_boxes,
    common_boxes,
    drawn,
    render_svg,
    theme_variables,
)

ALT = "Three curves that rise from left to right"


def sample():
    with house_style():
        fig, ax = figure()
        x = np.linspace(-1, 1, 300)
        for power in (1, 2, 3):
            ax.plot(x, np.sinh(power * x), marker="o", markevery=50, label=f"power {power}")
        ax.axhline(0, color="black")
        ax.fill_between(x, 0, x, facecolor=MUTED, alpha=0.3)
        ax.scatter([0, 1], [0, 1], color=sequence(2), clip_on=True)
        ax.set(xlabel=r"$w_1$", ylabel=r"rate $\frac{a}{b}$", title="<sinh> & more")
        ax.legend()
    return fig


@pytest.fixture(scope="module")
def svg():
    return render_svg(sample(), alt=ALT)


def test_is_well_formed_and_named(svg):
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == ALT
    assert root.get("viewBox") == "0 0 403.2 259.2"
    assert root.get("width") is root.get("height") is None


def test_alt_is_escaped():
    alt = 'The set {w : "x" < w & w > 0} is shaded'
    assert ET.fromstring(render_svg(figure()[0], alt=alt)).get("aria-label") == alt


def test_numbers_with_exponents_are_set_and_read():
    fig, ax = figure()
    ax.set_title("d = 30, σ₀ = 1e-06: 2.5e+03 lost")
    ax.set_xlabel("at $x$ = 1e-02")
    root = ET.fromstring(render_svg(fig, alt="At the scale 1e-06 there are 2.5e+03 lost."))
    assert root.get("aria-label") == (
        "At the scale 10 to the minus 6 there are 2.5 times 10 to the 3 lost."
    )
    words = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "d = 30, σ₀ = 10⁻⁶: 2.5·10³ lost" in words
    assert any("= 10⁻²" in text for text in words)


def test_same_figure_same_bytes(svg):
    assert render_svg(sample(), alt=ALT) == svg
    assert not re.search(r"metadata|20\d\d-\d\d-\d\d|matplotlib", svg)


def test_styles_nothing_but_itself(svg):
    assert "<style" not in svg
    assert "font-family" not in svg


def test_every_id_is_used_and_every_use_has_its_id(svg):
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids)) > 0
    assert set(ids) == set(re.findall(r"url\(#([^)]+)\)", svg)) | set(
        re.findall(r'href="#([^"]+)"', svg)
    )


def test_colours_follow_the_theme(svg):
    left = re.sub(r"var\([^)]*\)", "", svg)
    assert not re.search(r"#[0-9a-f]{6}\b", left)
    assert f"var(--ib-blue,{COLORS['blue']})" in svg
    assert "var(--ib-sequence-100," in svg
    assert "currentColor" in svg
    assert "var(--ib-background,#ffffff)" in svg  # behind the legend
    assert svg.count('<g class="legend">') == 1
    drawn = theme_variables(svg)
    for name, (light, dark) in drawn.items():
        assert (name, light, dark) in THEME.values()
    assert set(drawn) == set(re.findall(r"--ib-[\w-]+", svg)) - {"--ib-background"}


def test_a_colour_of_the_author_stays():
    fig, ax = figure()
    ax.plot([0, 1], color="#123456")
    assert "stroke:#123456" in render_svg(fig, alt=ALT)


def test_numbers_are_short(svg):
    body = re.sub(r"scale\([^)]*\)|aria-label=\"[^\"]*\"", "", svg)
    assert not re.search(r"\d\.\d{3,}", body)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=40, unique=True))
def test_curves_go_where_they_were_drawn(points):
    fig, ax = figure()
    ax.set_axis_off()
    ax.set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1))
    with mpl.rc_context({"path.simplify": False}):
        ax.plot(*np.transpose(points), color=COLORS["blue"])
        svg = render_svg(fig, alt=ALT)
    found = re.search(r'd="M([^"]*)"[^>]*--ib-blue', svg)
    head, _, tail = found[1].partition("l")
    number = r"-?(?:\d+\.?\d*|\.\d+)"
    start = np.array(re.findall(number, head), dtype=float)
    steps = np.array(re.findall(number, tail), dtype=float).reshape(-1, 2)
    drawn = np.vstack([start, start + np.cumsum(steps, axis=0)])
    fig.dpi = 72
    wanted = ax.transData.transform(points)
    wanted[:, 1] = 259.2 - wanted[:, 1]
    # matplotlib leaves out points closer to the curve than it can be seen; every kept point is
    # one of the curve's, and every point of the curve is near the drawn line.
    for point in wanted:
        assert distance_to_polyline(point, drawn) < 0.3
    for point in drawn:
        assert distance_to_polyline(point, wanted) < 0.3


def distance_to_polyline(point, vertices):
    starts, ends = vertices[:-1], vertices[1:]
    along = ends - starts
    length = np.maximum(np.sum(along**2, axis=1), 1e-12)
    at = np.clip(np.sum((point - starts) * along, axis=1) / length, 0, 1)
    return np.min(np.linalg.norm(point - (starts + at[:, None] * along), axis=1))


def test_text_is_text_and_stays_where_it_was_aligned(svg):
    assert "&lt;sinh&gt; &amp; more" in svg
    fig, ax = figure()
    for at, ha in ((0.2, "left"), (0.5, "center"), (0.8, "right")):
        ax.text(at, 0.5, ha, ha=ha, transform=fig.transFigure)
    shown = render_svg(fig, alt=ALT)
    for at, ha, anchor in ((0.2, "left", ""), (0.5, "center", "middle"), (0.8, "right", "end")):
        x, rest = re.search(rf'<text x="([^"]+)"([^>]*)>{ha}</text>', shown).groups()
        assert float(x) == pytest.approx(at * 403.2, abs=0.5)
        assert re.findall(r"text-anchor:(\w+)", rest) == ([anchor] if anchor else [])


@pytest.mark.parametrize(
    ("rotation", "va", "anchor"),
    [(90, "bottom", None), (90, "center", "middle"), (90, "top", "end"), (270, "top", None)],
)
def test_turned_text_stays_where_it_was_aligned(rotation, va, anchor):
    fig, ax = figure()
    ax.set_axis_off()
    ax.text(0.5, 0.5, "turned", rotation=rotation, va=va, ha="center", transform=fig.transFigure)
    shown = render_svg(fig, alt=ALT)
    y, style = re.search(r'<text x="[^"]+" y="([^"]+)"([^>]*)>turned', shown).groups()
    assert float(y) == pytest.approx(259.2 / 2, abs=0.5)
    assert re.findall(r"text-anchor:(\w+)", style) == ([anchor] if anchor else [])


def test_simple_mathematics_is_text_and_the_rest_outlines(svg):
    assert re.search(r'<tspan style="font-style:italic">w</tspan><tspan dy="\.28em"[^>]*>1<', svg)
    assert re.search(r'<use href="#ib-id-DejaVuSans', svg)  # the fraction


@pytest.mark.parametrize(
    ("label", "plain"),
    [
        (r"$\alpha$", "α"),
        (r"$-\log k$", "−log\u2009k"),
        (r"$a - b$", "a\u2009−\u2009b"),
        (r"$\|w\|_1 \leq 2$", "‖w‖1\u2009≤\u20092"),
        (r"$\mathdefault{10^{-4}}$", "10−4"),
        (r"$\mathdefault{−0.5}$", "−0.5"),
        (r"$\sqrt{k}$", "√k"),
        (r"$\hat{w}$", "w\u0302"),
        (r"$\left(x, y\right)$", "(x,\u2009y)"),
        (r"$\text{scale of } w$", "scale of w"),
        (r"price \$5 and $x$", "price $5 and x"),
        (r"$w_i^2$ and $w'$", "wi2 and w′"),
    ],
)
def test_mathematics_reads_well(label, plain):
    assert "".join(run.text for run in runs(label)) == plain


def test_indices_are_lowered_and_powers_raised():
    base, index, power = runs(r"$w_i^{2}$")
    assert (base, base.shift, base.scale) == (Run("w", italic=True), 0, 1)
    assert index.shift < 0 < power.shift
    assert index.scale == power.scale < 1
    assert (index.italic, power.italic) == (True, False)
    (nested,) = [run for run in runs(r"$e^{x^2}$") if run.text == "2"]
    assert nested.shift > power.shift
    assert nested.scale < power.scale


@pytest.mark.parametrize(
    "label", [r"$\frac{1}{2}$", r"$\sqrt{1+x}$", r"$\unknown$", r"$x^$", r"$\hat{ab}$"]
)
def test_what_needs_more_than_a_line_is_declined(label):
    assert runs(label) is None


@given(st.text(alphabet="ab12+-=^_{}\\, $()", max_size=30))
def test_no_label_breaks_the_conversion(label):
    converted = runs(label)
    assert converted is None or all(isinstance(run.text, str) and run.text for run in converted)


def test_the_figure_is_given_back_as_it_was():
    fig = sample()
    before = fig.dpi, fig.canvas, fig.patch.get_visible(), dict(mpl.rcParams)
    render_svg(fig, alt=ALT)
    assert (fig.dpi, fig.canvas, fig.patch.get_visible(), dict(mpl.rcParams)) == before


def test_a_raster_is_embedded():
    fig, ax = figure()
    ax.imshow(np.eye(4))
    assert 'href="data:image/png;base64,' in render_svg(fig, alt=ALT)


@pytest.mark.usefixtures("as_a_user")
def test_only_figures_are_rendered():
    with pytest.raises(TypeError, match="figure must be a matplotlib Figure, got Axes"):
        render_svg(mpl.figure.Figure().subplots(), alt=ALT)


def test_common_boxes_lie_inside_all():
    boxes = [((0.1, 0.2, 0.9, 0.8),), ((0.2, 0.1, 1.0, 0.7),)]
    assert common_boxes(boxes) == ((0.2, 0.2, 0.9, 0.7),)
    assert common_boxes([*boxes, None]) is None
    assert common_boxes([*boxes, ()]) is None
    assert common_boxes([((0.0, 0.0, 0.4, 1.0),), ((0.5, 0.0, 1.0, 1.0),)]) is None


def test_layout_is_left_to_the_engine_where_more_than_axes_move():
    fig, _ = figure()
    assert axes_boxes(fig) is not None
    fig.suptitle("over all")
    assert axes_boxes(fig) is None


def test_the_layout_leaves_room_for_the_larger_type_of_a_phone():
    fig, ax = figure()
    ax.set(ylabel="a label")
    svg = render_svg(fig, alt=ALT)
    tick, label = (
        float(re.findall(rf'<text x="([^"]+)"[^>]*>{text}<', svg)[-1])
        for text in ("0.4", "a label")
    )
    width = 1.59 * GROWTH * BASE  # of "0.4" in DejaVu Sans
    assert tick - label == pytest.approx(width + 5.0, abs=1)


def test_a_legend_over_data_is_seen():
    with house_style():
        fig, (left, right) = figure(nrows=2)
        left.plot([0, 1], [0, 1], label="through the corner")
        left.legend(loc="upper right")
        right.plot([0, 1], [0, 1], label="far from it")
        right.legend(loc="lower right")
        scattered, ax = figure()
        ax.scatter([0, 0.98], [0, 0.98], label="two dots")
        ax.legend(loc="upper right")
    (said,) = drawn(fig, alt=ALT)[1]
    assert said == "the legend 'through the corner' lies over the line 'through the corner'"
    (said,) = drawn(scattered, alt=ALT)[1]
    assert "lies over the collection 'two dots'" in said
    ax.get_legend().remove()
    legend_below(ax)
    ax.text(0.5, 0.5, "tiny", fontsize=8)
    assert drawn(scattered, alt=ALT)[1] == [
        "'tiny' is set in 8 points, too small for a phone below 10"
    ]
    ax.texts[0].remove()
    assert drawn(scattered, alt=ALT)[1] == []
