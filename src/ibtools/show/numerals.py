"""How numbers are written in a figure, and how they are read aloud."""

from __future__ import annotations

import re

_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_SUPERSCRIPTS = str.maketrans("0123456789-", _RAISED)
_READ = str.maketrans(dict(zip(_RAISED, [*"0123456789", "minus "], strict=True)))
_MINUS = "−"
_WITH_EXPONENT = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?e[-+]?\d+(?!\w)")


def typeset(written: str) -> str:
    """Return a text with its numbers as a page sets them.

    Examples
    --------
    >>> from ibtools.show.numerals import typeset
    >>> typeset("-3.20e-05"), typeset("1e+00 of 7")
    ('−3.2·10⁻⁵', '1 of 7')
    """
    return " ".join(_typeset_word(word) for word in written.split(" "))


def spoken(text: str) -> str:
    """Return what `typeset` wrote as it is read; superscripts are silent in many screen readers.

    Examples
    --------
    >>> from ibtools.show.numerals import spoken
    >>> spoken("−3.2·10⁻⁵")
    'minus 3.2 times 10 to the minus 5'
    """
    powers = re.compile(f"[{_RAISED}]+")
    read = powers.sub(lambda power: " to the " + power[0].translate(_READ), text)
    return read.replace("·", " times ").replace(_MINUS, "minus ")


def with_powers(label: str) -> str:
    """Return a label of a figure in which numbers as Python writes them are set: ``1e-06``.

    What stands between dollar signs is left as it is.

    Examples
    --------
    >>> from ibtools.show.numerals import with_powers
    >>> with_powers("σ = 1e-06, 2.50e-03 away, $2e-3$")
    'σ = 10⁻⁶, 2.5·10⁻³ away, $2e-3$'
    """
    parts = label.split("$")
    parts[::2] = [
        _WITH_EXPONENT.sub(lambda number: _typeset_word(number[0]), part) for part in parts[::2]
    ]
    return "$".join(parts)


def read_aloud(sentence: str) -> str:
    """Return a sentence in which numbers as Python writes them are words: ``1e-06``.

    Examples
    --------
    >>> from ibtools.show.numerals import read_aloud
    >>> read_aloud("At the scale 1e-06 the error is 2.50e-03; net e2e-3 has 12.")
    'At the scale 10 to the minus 6 the error is 2.5 times 10 to the minus 3; net e2e-3 has 12.'
    """
    return _WITH_EXPONENT.sub(lambda number: spoken(_typeset_word(number[0])), sentence)


def _typeset_word(word: str) -> str:
    mantissa, e, exponent = word.partition("e")
    try:
        power = int(exponent) if e else 0
        number = float(mantissa)
    except ValueError:  # not a number alone: a unit follows without a space, or it is a word
        return _MINUS + word[1:] if word[:1] == "-" and word[1:2].isdigit() else word
    sign = _MINUS if mantissa.startswith("-") and number != 0.0 else ""
    mantissa = mantissa.removeprefix("-")
    if not e:
        return sign + mantissa
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    if number == 0.0 or power == 0:
        return sign + mantissa
    if power == 1 and mantissa == "1":
        return sign + "10"
    raised = "10" + str(power).translate(_SUPERSCRIPTS)
    return sign + raised if mantissa == "1" else f"{sign}{mantissa}·{raised}"
