"""Grids: the values a reader can choose for a parameter, and how they are written."""

from __future__ import annotations

import math
import numbers
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ibtools._validation import count, one_of, real, vector, word

from .numerals import spoken, typeset

Spacing = Literal["linear", "geometric", "choice"]


@dataclass(frozen=True)
class Grid:
    """The values of one parameter of an interactive figure.

    Made by :func:`linspace`, :func:`geomspace` and :func:`choices`.

    Parameters
    ----------
    values
        What the reader can choose, in the order of the slider; at least one, all different.
    spacing
        ``"linear"`` and ``"geometric"`` grids are samples of a continuous parameter; a ``"choice"``
        has no values in between.
    label
        What stands beside the slider, e.g. ``"scale α"``. Empty: the parameter's name.
    format
        A format of ``str.format`` with one field. What it writes as ``1.0e-04`` is shown as
        10⁻⁴, and a hyphen before a digit as a minus sign. A unit follows the field:
        ``"{:.2f} s"``.

    Raises
    ------
    ValueError
        If there are no values, a number among them is not finite, two are equal, a label or
        format cannot be used, or the spacing does not fit the values.
    TypeError
        If a value of a linear or geometric grid is not a real number.

    Examples
    --------
    >>> from ibtools.show import Grid
    >>> Grid((1, 2, 4), "choice", label="depth").text(2)
    '2'
    """

    values: tuple[Any, ...]
    spacing: Spacing
    label: str = ""
    format: str = "{}"

    def __post_init__(self) -> None:
        """Check everything once, so that no other place has to."""
        one_of("spacing", self.spacing, ("linear", "geometric", "choice"))
        word("label", self.label)
        word("format", self.format)
        values = tuple(_plain(value) for value in _each(self.values))
        object.__setattr__(self, "values", values)
        if not values:
            raise ValueError(
                f"values must be at least one, {self._name()} has none; give what can be chosen"
            )
        for value in values:
            number = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not number and self.spacing != "choice":
                raise TypeError(
                    f"{self._name()} is {self.spacing}, so its values must be real numbers, "
                    f"got {value!r}; use choices(...) for anything else"
                )
            if number and not math.isfinite(value):
                raise ValueError(
                    f"values of {self._name()} must be finite, got {value!r}; leave it out"
                )
        for i, value in enumerate(values):
            if any(value == other for other in values[:i]):
                raise ValueError(f"{self._name()} holds {value!r} twice; the values must differ")
        if self.spacing == "geometric" and not (
            all(value > 0 for value in values) or all(value < 0 for value in values)
        ):
            raise ValueError(
                f"{self._name()} is geometric, so its values must have one sign and not be zero, "
                f"got {values!r}; for a grid through zero use linspace"
            )
        fields = [
            name for _, name, _, _ in string.Formatter().parse(self.format) if name is not None
        ]
        if len(fields) != 1:
            raise ValueError(
                f"format must hold exactly one field such as '{{:.2f}}', got {self.format!r}; put "
                "the value's field in it"
            )
        texts: dict[str, Any] = {}
        for value in values:
            text = self.text(value)
            if text in texts:
                raise ValueError(
                    f"format {self.format!r} writes both {texts[text]!r} and {value!r} as "
                    f"{text!r}; the reader could not tell them apart: show more digits"
                )
            texts[text] = value

    def _name(self) -> str:
        return f"grid {self.label!r}" if self.label else "the grid"

    def text(self, value: Any) -> str:
        """Return how a value is shown: ``3.2·10⁻⁵``.

        Parameters
        ----------
        value
            One of `values`.

        Examples
        --------
        >>> from ibtools.show import geomspace, linspace
        >>> geomspace(1e-4, 10.0, 6, label="scale α").text(1e-4)
        '10⁻⁴'
        >>> geomspace(1e-4, 10.0, 6, label="scale α", format="{:.2g}").text(3.2e-5)
        '3.2·10⁻⁵'
        >>> linspace(-1, 1, 5, label="shape s").text(-0.5)
        '−0.50'
        """
        if self.spacing != "choice":
            real("value", value)
        try:
            written = self.format.format(value)
        except (ValueError, TypeError, IndexError, KeyError) as error:
            raise ValueError(
                f"format {self.format!r} cannot write {value!r}: {error}; give another format"
            ) from error
        return typeset(written)

    def spoken(self, value: Any) -> str:
        """Return how a value is read aloud; superscripts are silent in many screen readers.

        Parameters
        ----------
        value
            One of `values`.

        Examples
        --------
        >>> from ibtools.show import geomspace
        >>> geomspace(1e-4, 10.0, 6, label="scale α").spoken(1e-4)
        '10 to the minus 4'
        """
        return spoken(self.text(value))

    @property
    def in_words(self) -> bool:
        """Whether these are names of things: a choice without an order that a slider could show.

        Examples
        --------
        >>> from ibtools.show import choices
        >>> choices(["sparse", "dense"], label="truth").in_words
        True
        """
        return self.spacing == "choice" and not all(
            isinstance(value, numbers.Real) and not isinstance(value, bool) for value in self.values
        )

    def key(self, value: Any) -> str:
        """Return how a value is written in an address.

        Parameters
        ----------
        value
            One of `values`.

        Examples
        --------
        >>> from ibtools.show import geomspace
        >>> geomspace(1e-4, 10.0, 6, label="scale α").key(1e-4)
        '0.0001'
        """
        if self.spacing != "choice":
            real("value", value)
        return str(_plain(value))

    def setting(self, value: Any) -> str:
        """Return what a caption says of a value.

        Parameters
        ----------
        value
            One of `values`.

        Examples
        --------
        >>> from ibtools.show import choices, geomspace
        >>> geomspace(1e-4, 10.0, 6, label="scale α").setting(1e-4)
        'scale α = 10⁻⁴'
        >>> choices(["sparse", "dense"], label="truth").setting("dense")
        'truth: dense'
        """
        return f"{self.label}{': ' if self.in_words else ' = '}{self.text(value)}"


def _each(values: Any) -> list[Any]:
    """Return the values one by one: those of a table of numbers are numbers."""
    if hasattr(values, "__array__"):
        return list(vector("values", values))
    if isinstance(values, list | tuple | range):
        return list(values)
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TypeError(
            f"values must be a sequence of what can be chosen, got {type(values).__name__}; put "
            "them in a list"
        )
    return list(values)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _ends(start: float, stop: float, num: int) -> tuple[float, float]:
    first, last = real("start", start), real("stop", stop)
    if num > 1 and first == last:
        raise ValueError(
            f"start and stop must differ where num > 1, got {start!r} twice; take num=1"
        )
    return first, last


def linspace(
    start: float,
    stop: float,
    num: int,
    *,
    label: str,
    format: str = "{:.2f}",  # noqa: A002
) -> Grid:
    """Make a grid of `num` evenly spaced values, both ends among them.

    Parameters
    ----------
    start, stop
        First and last value, finite.
    num
        Number of values, at least 1.
    label
        What stands beside the slider.
    format
        How a value is written, see :class:`Grid`.

    Raises
    ------
    ValueError, TypeError
        If an end is not a finite real number, or `num` is not a positive integer.

    Examples
    --------
    >>> from ibtools.show import linspace
    >>> linspace(0, 1, 3, label="shape s").values
    (0.0, 0.5, 1.0)
    """
    num = count("num", num)
    start, stop = _ends(start, stop, num)
    # Rounding 0.30000000000000004 away: draw and alt text are given what the reader sees.
    values = [float(f"{value:.15g}") for value in np.linspace(start, stop, num)]
    return Grid(tuple(values), "linear", label, format)


def geomspace(
    start: float,
    stop: float,
    num: int,
    *,
    label: str,
    format: str = "{:.1e}",  # noqa: A002
) -> Grid:
    """Make a grid of `num` values with a constant ratio, both ends among them.

    Parameters
    ----------
    start, stop
        First and last value, finite, not zero, of one sign.
    num
        Number of values, at least 1.
    label
        What stands beside the slider.
    format
        How a value is written, see :class:`Grid`.

    Raises
    ------
    ValueError, TypeError
        If an end is not a finite real number, one is zero or the signs differ, or `num` is not
        a positive integer.

    Examples
    --------
    >>> from ibtools.show import geomspace
    >>> geomspace(1e-4, 1.0, 3, label="scale α").values
    (0.0001, 0.01, 1.0)
    """
    num = count("num", num)
    start, stop = _ends(start, stop, num)
    if start * np.sign(stop) <= 0:
        raise ValueError(
            f"start and stop must be of one sign and not zero, got {start!r} and {stop!r}; "
            "for a grid through zero use linspace"
        )
    values = [float(f"{value:.15g}") for value in np.geomspace(start, stop, num)]
    return Grid(tuple(values), "geometric", label, format)


def choices(values: Iterable[Any], *, label: str, format: str = "{}") -> Grid:  # noqa: A002
    """Make a grid of values that have nothing in between: data sets, depths, methods.

    Parameters
    ----------
    values
        What can be chosen; numbers among them must be finite.
    label
        What stands beside the slider.
    format
        How a value is written, see :class:`Grid`.

    Raises
    ------
    ValueError
        If there are no values, two are equal, or a number is not finite.

    Examples
    --------
    >>> from ibtools.show import choices
    >>> choices(["sparse", "dense"], label="truth").values
    ('sparse', 'dense')
    """
    return Grid(tuple(_each(values)), "choice", label, format)
