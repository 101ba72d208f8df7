"""The look: legible in both themes, told apart without colour vision, no global state."""

import itertools
import sys

import matplotlib as mpl
import numpy as np
import pytest

from ibtools.show import (
    COLORS,
    LINESTYLES,
    MARKERS,
    MUTED,
    figure,
    level_sets,
    sequence,
)
from ibtools.show.style import DARK_COLORS, RC, THEME, house_style

LIGHT_PAGE = "#ffffff"
# sphinx-book-theme's page, and pydata-sphinx-theme's page and surface
DARK_PAGES = ("#121212", "#14181e", "#222832")

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
COLOR_VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(color):
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def luminance(color):
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(one, two):
    """WCAG 2.2, "contrast ratio"."""
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb):
    lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    ) @ np.clip(rgb, 0, 1)
    return np.array(
        [
            [0.2104542553, 0.793617785, -0.0040720468],
            [1.9779984951, -2.428592205, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.808675766],
        ]
    ) @ np.cbrt(lms)


def distance(one, two, vision):
    matrix = COLOR_VISION[vision]
    return np.linalg.norm(oklab(matrix @ linear(one)) - oklab(matrix @ linear(two)))


# Two colours are just told apart at a distance of about 0.02.


def test_contrast_agrees_with_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21, rel=1e-12, abs=0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("name", COLORS)
def test_categorical_colours_are_legible_in_both_themes(name):
    assert contrast(COLORS[name], LIGHT_PAGE) >= 3
    for page in DARK_PAGES:
        assert contrast(DARK_COLORS[name], page) >= 3


def test_muted_is_legible_as_text_in_both_themes():
    _, light, dark = THEME[MUTED]
    assert contrast(light, LIGHT_PAGE) >= 4.5
    assert all(contrast(dark, page) >= 4.5 for page in DARK_PAGES)


@pytest.mark.parametrize("vision", COLOR_VISION)
@pytest.mark.parametrize("palette", [COLORS, DARK_COLORS], ids=["light", "dark"])
def test_categorical_colours_differ_for_every_reader(palette, vision):
    for one, two in itertools.combinations(palette, 2):
        assert distance(palette[one], palette[two], vision) > 0.07, (one, two)


def test_no_difference_is_carried_by_colour_alone():
    assert len(set(MARKERS)) == len(set(map(str, LINESTYLES))) == len(COLORS)
    cycle = list(RC["axes.prop_cycle"])
    assert [entry["color"] for entry in cycle] == list(COLORS.values())
    assert [entry["linestyle"] for entry in cycle] == list(LINESTYLES)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 101])
def test_sequence_is_legible_and_ordered_in_both_themes(n):
    light = sequence(n)
    dark = [THEME[color][2] for color in light]
    assert len(set(light)) == len(set(dark)) == n
    assert all(contrast(color, LIGHT_PAGE) >= 3 for color in light)
    assert all(contrast(color, page) >= 3 for color in dark for page in DARK_PAGES[:2])
    # strength against the page grows along the sequence, so the order survives a grey print
    assert np.all(np.diff([luminance(color) for color in light]) < 0)
    assert np.all(np.diff([luminance(color) for color in dark]) > 0)


@pytest.mark.parametrize("vision", COLOR_VISION)
def test_neighbours_in_a_sequence_differ_for_every_reader(vision):
    colors = sequence(6)
    for colours in (colors, [THEME[color][2] for color in colors]):
        for one, two in itertools.pairwise(colours):
            assert distance(one, two, vision) > 0.05


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (102, ValueError), (2.0, TypeError)])
def test_sequence_refuses(n, error):
    with pytest.raises(error, match="n must be"):
        sequence(n)


def test_figure_leaves_no_global_state():
    before = dict(mpl.rcParams)
    pyplot = sys.modules.get("matplotlib.pyplot")
    open_before = pyplot.get_fignums() if pyplot else []
    _, axes = figure(ncols=2, sharey=True)
    assert axes.shape == (2,)
    assert dict(mpl.rcParams) == before
    assert (pyplot.get_fignums() if pyplot else []) == open_before


def test_figure_text_is_nine_points_or_more():
    with house_style():
        fig, ax = figure()
        ax.plot([0, 1], label="one")
        ax.set(xlabel="x", ylabel="y", title="title")
        ax.legend(title="legend")
    fig.canvas.draw()
    sizes = [text.get_fontsize() for text in fig.findobj(mpl.text.Text)]
    assert min(sizes) >= 9


@pytest.mark.parametrize("size", [0.0, -1.0, np.inf, np.nan])
def test_figure_refuses_impossible_sizes(size):
    with pytest.raises(ValueError, match=r"width must be (greater than 0|finite)"):
        figure(width=size)


def test_a_line_of_a_given_colour_is_solid_and_others_cycle():
    _, ax = figure()
    solid = [ax.plot([0, 1], color=color)[0] for color in sequence(3)]
    assert {line.get_linestyle() for line in solid} == {"-"}
    (dotted,) = ax.plot([0, 1], ":", color=COLORS["blue"])
    (dashed,) = ax.plot([0, 1], color=COLORS["blue"], ls="--")
    assert (dotted.get_linestyle(), dashed.get_linestyle()) == (":", "--")
    _, ax = figure()
    cycled = [ax.plot([0, 1])[0] for _ in range(3)]
    assert len({line._unscaled_dash_pattern for line in cycled}) == 3


def test_level_sets_are_lines_at_their_levels():
    _, ax = figure()
    x = np.linspace(-2, 2, 201)
    drawn = level_sets(ax, x, x, x[:, None] ** 2 + x**2, [0.5, 1.0, 2.0])
    assert not drawn.filled
    assert [mpl.colors.to_hex(c) for c in drawn.get_edgecolor()] == sequence(3)
    for level, path in zip([0.5, 1.0, 2.0], drawn.get_paths(), strict=True):
        np.testing.assert_allclose(np.sum(path.vertices**2, axis=1), level, rtol=1e-3)
        # All the way round: no gap between the angles of its points.
        angles = np.sort(np.arctan2(*path.vertices.T))
        assert np.diff(angles, append=angles[0] + 2 * np.pi).max() < 0.1


@pytest.mark.parametrize("levels", [[], [1.0, 1.0], [2.0, 1.0], [np.nan]])
def test_level_sets_refuse_bad_levels(levels):
    _, ax = figure()
    with pytest.raises(ValueError, match=r"levels (is empty|must (increase|be finite))"):
        level_sets(ax, np.arange(3.0), np.arange(3.0), np.eye(3), levels)
