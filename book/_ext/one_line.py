r"""Formulas in one line of Unicode, as claims write them and as the search shows them, and in TeX.

`tex` reads what one line of text can hold: indices and powers as raised and lowered letters or
after ``^`` and ``_``, roots before a term or a bracket, accents, names of functions. `readable`
goes the other way and is for the eye only.
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


GREEK = """
    alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho
    varsigma sigma tau upsilon varphi chi psi omega
"""
COMMANDS = {
    **dict(zip(GREEK.split(), "αβγδεζηθικλμνξοπρςστυφχψω", strict=True)),
    "epsilon": "ε", "phi": "φ", "vartheta": "ϑ", "varrho": "ρ", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω", "nabla": "∇", "partial": "∂", "infty": "∞", "ell": "ℓ", "sum": "∑", "prod": "∏",
    "int": "∫", "cdot": "·", "times": "×", "odot": "⊙", "circ": "∘", "otimes": "⊗", "pm": "±",
    "mp": "∓", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈",
    "sim": "∼", "propto": "∝", "ll": "≪", "gg": "≫", "in": "∈", "notin": "∉", "subset": "⊂",
    "subseteq": "⊆", "cup": "∪", "cap": "∩", "setminus": "∖", "to": "→", "rightarrow": "→",
    "mapsto": "↦", "Rightarrow": "⇒", "iff": "⇔", "Leftrightarrow": "⇔", "langle": "⟨",
    "rangle": "⟩", "lVert": "‖", "rVert": "‖", "Vert": "‖", "|": "‖", "lvert": "|", "rvert": "|",
    "vert": "|", "mid": "|", "top": "ᵀ", "prime": "′", "star": "⋆", "ast": "*", "ldots": "…",
    "dots": "…", "cdots": "⋯", "dotsc": "…", "quad": " ", "qquad": " ", ",": " ", ";": " ",
    ":": " ", " ": " ", "!": "", "\\": "; ", "{": "{", "}": "}", "%": "%", "&": "&", "#": "#",
    "_": "_", "left": "", "right": "", "big": "", "Big": "", "bigl": "", "bigr": "", "Bigl": "",
    "Bigr": "", "bigg": "", "biggl": "", "biggr": "", "displaystyle": "", "textstyle": "",
    "nonumber": "", "limits": "", "perp": "⊥", "angle": "∠", "exists": "∃", "forall": "∀",
    "emptyset": "∅", "wedge": "∧", "vee": "∨", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈",
    "rceil": "⌉", "equiv": "≡", "not": "̸", "uparrow": "↑", "downarrow": "↓", "oplus": "⊕",
}  # fmt: skip
DOUBLE = dict(zip("RNEPZC", "ℝℕ𝔼ℙℤℂ", strict=True))
ACCENT_SIGNS = {
    **{name: sign for sign, name in ACCENTS.items()},
    "widehat": "̂", "widetilde": "̃", "overline": "̄", "ddot": "̈", "underline": "̲", "vec": "⃗",
}  # fmt: skip
RAISE = {letter: sign for sign, letter in RAISED.items() if sign != "ᵀ"} | {"−": "⁻", "ᵀ": "ᵀ"}
LOWER_SIGNS = {letter: sign for sign, letter in LOWERED.items()} | {"−": "₋"}
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)
RELATIONS = set("=<>≤≥≈∼→↦⇒⇔∈∉⊂⊆≠≪≫∝≡")
SKIPPED_ARGUMENT = {"label", "begin", "end", "tag", "phantom", "hspace", "color", "mathstrut"}


def readable(formula: str) -> str:
    r"""Turn TeX into a line of text that can be read.

    Examples
    --------
    >>> readable(r"\lVert w\rVert^2 \le \frac{a+b}{2}")
    '‖w‖² ≤ (a+b)/2'
    >>> readable(r"\sqrt{k_i} \in \mathbb{R}^d")
    '√kᵢ ∈ ℝ^d'
    """
    tokens = TOKEN.findall(formula)
    out, _ = _run(tokens, 0)
    return unicodedata.normalize("NFC", re.sub(r"\s+", " ", out)).strip()


def _run(tokens: list[str], i: int) -> tuple[str, int]:
    out = ""
    while i < len(tokens) and tokens[i] != "}":
        part, i = _piece(tokens, i)
        out += part
    return out, i


def _group(tokens: list[str], i: int) -> tuple[str, int]:
    while i < len(tokens) and tokens[i].isspace():
        i += 1
    if i >= len(tokens):
        return "", i
    if tokens[i] == "{":
        inner, i = _run(tokens, i + 1)
        return inner.strip(), i + 1
    return _piece(tokens, i)


def _whole(text: str) -> str:
    """Put brackets around what is more than one name or number."""
    return text if len(text) < 2 or text.isalnum() else f"({text})"


def _piece(tokens: list[str], i: int) -> tuple[str, int]:
    token = tokens[i]
    i += 1
    if token in "^_":
        inner, i = _group(tokens, i)
        signs = RAISE if token == "^" else LOWER_SIGNS
        if inner in ("′", "*", "⋆"):
            return inner, i
        if inner and all(sign in signs for sign in inner):
            return "".join(signs[sign] for sign in inner), i
        return token + _whole(inner), i
    if token == "{":
        inner, i = _run(tokens, i)
        return inner, i + 1
    if token == "-":
        return "−", i
    if token == "'":
        return "′", i
    if token.isspace():
        return "", i
    if token == "~" or token == "&":
        return " ", i
    if not token.startswith("\\"):
        return (f" {token} " if token in RELATIONS else token), i
    name = token[1:]
    if name in ("frac", "tfrac", "dfrac"):
        over, i = _group(tokens, i)
        under, i = _group(tokens, i)
        return f"{_whole(over)}/{_whole(under)}", i
    if name == "sqrt":
        inner, i = _group(tokens, i)
        return f"√{_whole(inner)}", i
    if name == "mathbb":
        inner, i = _group(tokens, i)
        return DOUBLE.get(inner, inner), i
    if name == "mathcal":
        inner, i = _group(tokens, i)
        return {"L": "𝓛"}.get(inner, inner), i
    if name in ACCENT_SIGNS:
        inner, i = _group(tokens, i)
        return inner[:1] + ACCENT_SIGNS[name] + inner[1:], i
    if name in SKIPPED_ARGUMENT:
        _, i = _group(tokens, i)
        return "", i
    if name in COMMANDS:
        sign = COMMANDS[name]
        return (f" {sign} " if sign and sign in RELATIONS else sign), i
    if name in ("text", "textbf", "mathrm", "operatorname", "mathbf", "boldsymbol", "mathit"):
        starred = i < len(tokens) and tokens[i] == "*"
        if name != "operatorname" and i < len(tokens) and tokens[i] == "{":
            return _words(tokens, i + 1)
        inner, i = _group(tokens, i + starred)
        return f" {inner} ", i
    return f" {name} ", i  # the name of a function


def _words(tokens: list[str], i: int) -> tuple[str, int]:
    """Read words among formulas, in which spaces count."""
    end = i
    while end < len(tokens) and tokens[end] != "}":
        end += 1
    return re.sub(r"[\\$]", "", "".join(tokens[i:end])), end + 1
