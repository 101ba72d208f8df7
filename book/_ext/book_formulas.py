r"""Formulas that are written in Unicode, as claims write them, turned into TeX and back.

`tex` reads what one line of text can hold: indices and powers as raised and lowered letters or
after ``^`` and ``_``, roots before a term or a bracket, accents, names of functions.
"""

import re
import unicodedata

RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᴸᴹᵛⁱˢⁿ", "0123456789+-LMvisn", strict=True))
RAISED["ᵀ"] = r"\top"
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ᵢⱼₖₗₙₚ", "0123456789+-ijklnp", strict=True))
ACCENTS = {"̂": "hat", "̃": "tilde", "̄": "bar", "̇": "dot"}
SIGNS = {
    "Σ": r"\sum ", "∑": r"\sum ", "Π": r"\Pi ", "∏": r"\prod ", "∫": r"\int ", "𝓛": r"\mathcal L",
    "·": r"\cdot ", "−": "-", "½": r"\tfrac12 ", "¼": r"\tfrac14 ", "*": "^{*}", "′": "'",
    "‖": r"\Vert ", "%": r"\%", "∞": r"\infty ", "…": r"\ldots ",
}  # fmt: skip
FUNCTIONS = {"log", "exp", "min", "max", "cos", "sin"}
OPERATORS = {"argmin", "sgn", "sr", "tr", "arcsinh"}
WORDS = re.compile(r"[A-Za-z]{3,}|sr|tr")
OPEN, CLOSE = "([{", ")]}"


def tex(formula: str) -> str:
    r"""Turn a formula in Unicode into TeX.

    Examples
    --------
    >>> tex("√k = 4α²")
    '\\sqrt{k} = 4α^{2}'
    >>> tex("(log 1/𝓛)^(2−2/L)")
    '(\\log  1/\\mathcal L)^{2-2/L}'
    """
    text = "".join(
        unicodedata.normalize("NFD", sign) if sign.isalpha() else sign for sign in formula
    )
    out, i = "", 0
    while i < len(text):
        part, i = _atom(text, i)
        out += part
    if "_{" in out or "^{" in out:
        out = re.sub(r"\\Vert _\{", r"\\Vert_{", out)
    return out.strip()


def _atom(text: str, i: int) -> tuple[str, int]:
    sign = text[i]
    if sign in RAISED or sign in LOWERED:
        return _scripts(text, i)
    if sign in "^_":
        inner, i = _argument(text, i + 1)
        return f"{sign}{{{inner}}}", i
    if sign == "√":
        inner, i = _argument(text, i + 1, root=True)
        return rf"\sqrt{{{inner}}}", i
    if word := WORDS.match(text, i):
        name = word[0]
        if name in FUNCTIONS:
            return rf"\{name} ", word.end()
        if name in OPERATORS:
            return rf"\operatorname{{{name}}}", word.end()
        if name.islower() and name not in VARIABLES:
            return rf"\mathrm{{{name}}}", word.end()
    if sign == "∞" and i and not text[i - 1].isspace() and text[i - 1] not in "(=→":
        return r"_{\infty}", i + 1  # a limit's index
    if sign == "±" and i and (text[i - 1].isalpha()):
        return r"_{\pm}", i + 1
    if sign == "Π" and i + 1 < len(text) and text[i + 1] in "(‖":
        return r"\prod ", i + 1
    out, i = SIGNS.get(sign, sign), i + 1
    while i < len(text) and text[i] in ACCENTS:
        out, i = rf"\{ACCENTS[text[i]]}{{{out}}}", i + 1
    return out, i


VARIABLES = {"nct", "uvx"}


def _scripts(text: str, i: int) -> tuple[str, int]:
    """Read raised and lowered letters in a row, which stand on top of each other."""
    up = down = ""
    while i < len(text) and (text[i] in RAISED or text[i] in LOWERED):
        up += RAISED.get(text[i], "")
        down += LOWERED.get(text[i], "")
        i += 1
    if down and i < len(text) and text[i] == "*":
        up, i = up + "*", i + 1
    return (f"_{{{down}}}" if down else "") + (f"^{{{up}}}" if up else ""), i


def _argument(text: str, i: int, *, root: bool = False) -> tuple[str, int]:
    """Read what a root or an exponent extends over: a bracket, norms, or one name or number."""
    if text[i] in OPEN:
        end = _closing(text, i)
        inner = tex(text[i + 1 : end])
        return inner, end + 1
    if text[i] == "‖":
        end = text.index("‖", i + 1) + 1
        return tex(text[i:end]), end
    name = re.compile(r"\d+|[−]?[^\W\d_](?:[\u0300-\u036f])*").match(text, i)
    end = name.end()
    if not root and text[i:end].isalpha() and (word := re.compile(r"[a-z]+").match(text, i)):
        end = word.end()  # q_min, s_jl
    out = tex(text[i:end])
    if not root and re.fullmatch(r"[a-z]{2,}", text[i:end]) and text[i:end] not in ("jl",):
        return (out if out.startswith("\\") else rf"\mathrm{{{out}}}"), end
    while root and end < len(text) and (text[end] in RAISED or text[end] in LOWERED):
        more, end = _scripts(text, end)
        out += more
    return out, end


def _closing(text: str, i: int) -> int:
    depth = 0
    for j in range(i, len(text)):
        depth += (text[j] in OPEN) - (text[j] in CLOSE)
        if depth == 0:
            return j
    raise ValueError(f"{text!r}: a bracket is not closed")
