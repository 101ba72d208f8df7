"""Grids hold what a reader can choose, and write it well."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.show import Grid, choices, geomspace, linspace

finite = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)


@given(start=finite, width=st.floats(0.1, 1e3), num=st.integers(2, 50))
def test_linspace_is_even_and_keeps_its_ends(start, width, num):
    grid = linspace(start, start + width, num, label="x", format="{!r}")
    assert len(grid.values) == num
    assert grid.spacing == "linear"
    assert grid.values[0] == pytest.approx(start, rel=1e-14, abs=0)
    assert grid.values[-1] == pytest.approx(start + width, abs=1e-14 * (abs(start) + width))
    # Values are written with 15 digits.
    rounding = 2e-14 * (abs(start) + width)
    np.testing.assert_allclose(np.diff(grid.values), width / (num - 1), rtol=1e-12, atol=rounding)


@given(low=st.integers(-20, 2), decades=st.integers(1, 10), num=st.integers(2, 40))
def test_geomspace_has_one_ratio(low, decades, num):
    grid = geomspace(10.0**low, 10.0 ** (low + decades), num, label="x", format="{!r}")
    ratios = np.divide(grid.values[1:], grid.values[:-1])
    np.testing.assert_allclose(ratios, 10 ** (decades / (num - 1)), rtol=1e-12)
    assert grid.spacing == "geometric"


def test_the_reader_sees_round_numbers():
    assert linspace(0.1, 0.5, 5, label="x").values == (0.1, 0.2, 0.3, 0.4, 0.5)


@pytest.mark.parametrize(
    ("format_", "value", "text", "spoken"),
    [
        ("{:.1e}", 1e-4, "10⁻⁴", "10 to the minus 4"),
        ("{:.1e}", 3.2e-5, "3.2·10⁻⁵", "3.2 times 10 to the minus 5"),
        ("{:.1e}", 1.0, "1", "1"),
        ("{:.1e}", 2.5, "2.5", "2.5"),
        ("{:.1e}", 10.0, "10", "10"),
        ("{:.0e}", 1e12, "10¹²", "10 to the 12"),
        ("{:.1e}", -1e-3, "−10⁻³", "minus 10 to the minus 3"),
        ("{:.1e}", 0.0, "0", "0"),
        ("{:.2f}", -0.5, "−0.50", "minus 0.50"),
        ("{:.2f}", -0.001, "0.00", "0.00"),
        ("{:.2f} s", 0.25, "0.25 s", "0.25 s"),
        ("{:.1e} s", 1e-3, "10⁻³ s", "10 to the minus 3 s"),
        ("{:+.1f}°", -1.5, "−1.5°", "minus 1.5°"),
        ("{}", "half-sine", "half-sine", "half-sine"),
        ("{}", "one", "one", "one"),
        ("{:.0%}", 0.5, "50%", "50%"),
    ],
)
def test_numbers_are_set_as_in_print_and_read_aloud_in_words(format_, value, text, spoken):
    grid = choices([value], label="x", format=format_)
    assert grid.text(value) == text
    assert grid.spoken(value) == spoken


@given(st.floats(1e-30, 1e30))
def test_text_says_the_number(value):
    text = choices([value], label="x", format="{:.15e}").text(value)
    mantissa, _, power = text.partition("·10")
    if text.startswith("10"):
        mantissa, power = "1", text[2:] or "1"
    plain = power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
    assert float(f"{mantissa}e{plain or 0}") == pytest.approx(value, rel=1e-14, abs=0)


def test_choices_take_anything():
    grid = choices(["sparse", "dense"], label="truth")
    assert grid.values == ("sparse", "dense")
    assert grid.spacing == "choice"
    assert choices(np.array([1, 2]), label="depth").values == (1, 2)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: choices([], label="depth"), ValueError, "'depth' has none"),
        (lambda: choices([1.0, math.nan], label="d"), ValueError, "must be finite, got nan"),
        (lambda: choices([1, 1.0], label="d"), ValueError, "twice"),
        (lambda: linspace(0, math.inf, 3, label="d"), ValueError, "stop must be finite, got inf"),
        (lambda: linspace(0, 1, 0, label="d"), ValueError, "num must be at least 1, got 0"),
        (lambda: linspace(0, 1, 2.5, label="d"), TypeError, "num must be an integer"),
        (lambda: linspace(1, 1, 3, label="d"), ValueError, "must differ"),
        (lambda: linspace("0", 1, 3, label="d"), TypeError, "start must be a real number"),
        (lambda: linspace(0, 1, 3, label=3), TypeError, "label must be a string"),
        (lambda: geomspace(0, 1, 3, label="d"), ValueError, "use linspace"),
        (lambda: geomspace(-1, 1, 3, label="d"), ValueError, "one sign"),
        (lambda: linspace(0, 1e-3, 5, label="d"), ValueError, "show more digits"),
        (lambda: linspace(0, 1, 3, label="d", format="x"), ValueError, "exactly one field"),
        (lambda: linspace(0, 1, 3, label="d", format="{:q}"), ValueError, "cannot write"),
        (lambda: Grid((1,), "log", "d"), ValueError, "spacing must be"),
        (lambda: Grid(("a",), "linear", "d"), TypeError, "use choices"),
        (lambda: Grid((1.0, -1.0), "geometric", "d"), ValueError, "one sign"),
    ],
)
def test_bad_grids_are_refused_with_a_remedy(make, error, message):
    with pytest.raises(error, match=message):
        make()
