"""Simple mathtext as runs of ordinary text, so that labels are set in the reader's own font.

Matplotlib places mathtext glyph by glyph with the metrics of a font the reader may not have. The
formulas that labels need (Greek letters, indices, powers, norms) are plain text with raised and
lowered parts, which a browser sets well in any font. Anything else is declined here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

_GREEK = """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi
    rho sigma tau upsilon phi varphi chi psi omega
"""
_SYMBOLS = {
    **dict(
        zip(
            _GREEK.split(),
            "αβγδεεζηθϑικλμνξπρστυϕφχψω",
            strict=True,
        )
    ),
    **dict(
        zip(
            ["Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"],
            "ΓΔΘΛΞΠΣΦΨΩ",
            strict=True,
        )
    ),
    "infty": "∞",
    "ell": "ℓ",
    "partial": "∂",
    "nabla": "∇",
    "prime": "′",
    "star": "⋆",
    "ast": "∗",
    "circ": "∘",
    "top": "⊤",
    "dagger": "†",
    "cdots": "⋯",
    "ldots": "…",
    "dots": "…",
    "langle": "⟨",
    "rangle": "⟩",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "sum": "∑",
    "prod": "∏",
    "int": "∫",
    "forall": "∀",
    "exists": "∃",
    "emptyset": "∅",
    "%": "%",
    "#": "#",
    "&": "&",
    "$": "$",
    "_": "_",
    "{": "{",
    "}": "}",
    "|": "‖",
    "Vert": "‖",
    "vert": "|",
}
_OPERATORS = {
    "cdot": "·",
    "times": "×",
    "pm": "±",
    "mp": "∓",
    "odot": "⊙",
    "oplus": "⊕",
    "otimes": "⊗",
    "leq": "≤",
    "le": "≤",
    "geq": "≥",
    "ge": "≥",
    "neq": "≠",
    "ne": "≠",
    "approx": "≈",
    "sim": "∼",
    "simeq": "≃",
    "propto": "∝",
    "equiv": "≡",
    "ll": "≪",
    "gg": "≫",
    "in": "∈",
    "subset": "⊂",
    "to": "→",
    "rightarrow": "→",
    "leftarrow": "←",
    "mapsto": "↦",
    "Rightarrow": "⇒",
    "mid": "∣",
}
_CHARACTER_OPERATORS = {
    "+": "+",
    "-": "−",
    "=": "=",
    "<": "<",
    ">": ">",
    "−": "−",
    "≤": "≤",
    "≥": "≥",
}
_SPACES = {",": "\u2009", ":": "\u2005", ";": "\u2004", " ": "\u2005", "!": "", "quad": "\u2003"}
_FUNCTIONS = [
    "log",
    "exp",
    "ln",
    "min",
    "max",
    "sinh",
    "cosh",
    "tanh",
    "arcsin",
    "arccos",
    "arctan",
    "sin",
    "cos",
    "tan",
    "sup",
    "inf",
    "lim",
    "det",
    "arg",
    "Pr",
]
_UPRIGHT = ("mathrm", "mathdefault", "text", "operatorname", "mathregular", "mathsf")
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "dot": "\u0307", "ddot": "\u0308"}
_SKIPPED = ("left", "right", "bigl", "bigr", "big", "displaystyle", "textstyle")
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)


@dataclass(frozen=True)
class Run:
    """A stretch of text in one style.

    Attributes
    ----------
    text
        The characters.
    italic, bold
        Its style.
    shift
        How far the baseline is raised, in units of the label's font size.
    scale
        Its font size, in units of the label's.
    """

    text: str
    italic: bool = False
    bold: bool = False
    shift: float = 0.0
    scale: float = 1.0


class _Declined(Exception):  # noqa: N818
    pass


@lru_cache(maxsize=4096)
def runs(label: str) -> tuple[Run, ...] | None:
    r"""Turn a label with ``$...$`` parts into runs of text.

    Parameters
    ----------
    label
        A label as matplotlib takes it.

    Returns
    -------
    tuple of Run, or None where the formula needs more than one line of text (fractions, roots
    over long terms, unknown macros)

    Examples
    --------
    >>> from ibtools.show.mathtext import runs
    >>> runs(r"scale $\alpha^{2}$")
    ... # doctest: +NORMALIZE_WHITESPACE
    (Run(text='scale ', italic=False, bold=False, shift=0.0, scale=1.0),
     Run(text='α', italic=True, bold=False, shift=0.0, scale=1.0),
     Run(text='2', italic=False, bold=False, shift=0.36, scale=0.72))
    >>> runs(r"$\frac{1}{2}$") is None
    True
    """
    out: list[Run] = []
    for i, part in enumerate(re.split(r"(?<!\\)\$", label)):
        if i % 2 == 0:
            if part:
                out.append(Run(part.replace(r"\$", "$")))
            continue
        try:
            tokens = _TOKEN.findall(part)
            parsed, rest = _group(tokens, 0, Run(""))
            if rest != len(tokens):
                return None
            out.extend(parsed)
        except _Declined:
            return None
    return tuple(_joined(out))


def _joined(parts: list[Run]) -> list[Run]:
    out: list[Run] = []
    for part in parts:
        if not part.text:
            continue
        if out and replace(out[-1], text="") == replace(part, text=""):
            out[-1] = replace(part, text=out[-1].text + part.text)
        else:
            out.append(part)
    return out


def _argument(
    tokens: list[str], i: int, style: Run, upright: bool = False
) -> tuple[list[Run], int]:
    while i < len(tokens) and tokens[i].isspace():
        i += 1
    if i >= len(tokens):
        raise _Declined
    if tokens[i] == "{":
        parsed, i = _group(tokens, i + 1, style, upright)
        if i >= len(tokens) or tokens[i] != "}":
            raise _Declined
        return parsed, i + 1
    return _atom(tokens, i, style, upright, first=True)


def _group(tokens: list[str], i: int, style: Run, upright: bool = False) -> tuple[list[Run], int]:
    out: list[Run] = []
    while i < len(tokens) and tokens[i] != "}":
        # A sign at the start of a formula, or after an opening bracket or a comma, has no left
        # operand and gets no space.
        before = "".join(run.text for run in out).rstrip("\u2009")
        first = not before or before[-1] in "([{,⟨=<>≤≥≈∼→·+−×∈"
        parsed, i = _atom(tokens, i, style, upright, first)
        out.extend(parsed)
    return out, i


def _atom(
    tokens: list[str], i: int, style: Run, upright: bool, first: bool
) -> tuple[list[Run], int]:
    token = tokens[i]
    if token in "^_":
        raised = 0.36 if token == "^" else -0.2
        inner = replace(style, shift=style.shift + raised * style.scale, scale=style.scale * 0.72)
        return _argument(tokens, i + 1, inner, upright)
    if token == "{":
        return _argument(tokens, i, style, upright)
    if token.isspace():
        return ([replace(style, text=" ")] if upright else []), i + 1
    if token == "'":
        return [replace(style, text="′")], i + 1
    if token.startswith("\\"):
        return _macro(tokens, i, style, upright, first)
    if token in _CHARACTER_OPERATORS and not upright:
        return [_operator(_CHARACTER_OPERATORS[token], style, first)], i + 1
    if token == "-":
        token = "−"
    if token == ",":
        return [replace(style, text=", " if upright else ",\u2009")], i + 1
    return [replace(style, text=token, italic=token.isalpha() and not upright)], i + 1


def _operator(sign: str, style: Run, first: bool) -> Run:
    # In an index there is no room for spaces.
    spaced = style.scale == 1.0 and not (first and sign in "+−±∓∼")
    return replace(style, text=f"\u2009{sign}\u2009" if spaced else sign)


def _macro(
    tokens: list[str], i: int, style: Run, upright: bool, first: bool
) -> tuple[list[Run], int]:
    name = tokens[i][1:]
    i += 1
    if name in _OPERATORS:
        return [_operator(_OPERATORS[name], style, first)], i
    if name in _SYMBOLS:
        sign = _SYMBOLS[name]
        # Capital Greek letters stand upright, small ones lean, as in LaTeX.
        return [replace(style, text=sign, italic=sign.islower() and sign != "ℓ" and not upright)], i
    if name in _SPACES:
        return [replace(style, text=_SPACES[name])], i
    if name in _SKIPPED:
        return [], i + 1 if i < len(tokens) and tokens[i] == "." else i
    if name in _FUNCTIONS:
        following = tokens[i].strip() if i < len(tokens) else ""
        if not following and i + 1 < len(tokens):
            following = tokens[i + 1]
        tight = not following or following in "([{^_)]},"
        lead = "" if first else "\u2009"
        return [replace(style, text=lead + name + ("" if tight else "\u2009"))], i
    if name in _UPRIGHT:
        return _argument(tokens, i, style, upright=True)
    if name == "mathit":
        return _argument(tokens, i, style)
    if name in ("mathbf", "boldsymbol", "bf"):
        return _argument(tokens, i, replace(style, bold=True), upright=name == "mathbf")
    if name in _ACCENTS:
        inner, i = _argument(tokens, i, style, upright)
        if len(inner) != 1 or len(inner[0].text) != 1:
            raise _Declined
        return [replace(inner[0], text=inner[0].text + _ACCENTS[name])], i
    if name == "sqrt":
        inner, i = _argument(tokens, i, style, upright)
        if len(inner) != 1 or len(inner[0].text) != 1:
            raise _Declined
        return [replace(style, text="√"), *inner], i
    raise _Declined
