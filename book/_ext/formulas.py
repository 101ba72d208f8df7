"""Formulas, set when the book is built: TeX comes in, HTML comes out.

MathJax sets them, in a JavaScript engine of this process. What was once set is kept in a file: a
book says most things more than once, and is built more than once.

>>> set_formula(r"x^2").startswith('<span class="math notranslate nohighlight"><mjx-container')
True
"""

import base64
import hashlib
import html
import json
import os
import re
import shutil
from collections import defaultdict
from functools import cache, cached_property
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from fontTools import subset
from py_mini_racer import DEFAULT_V8_FLAGS, MiniRacer, init_mini_racer

HERE = Path(__file__).resolve().parent
MATHJAX = HERE / "vendor" / "mathjax"
SCRIPTS = (
    *("core.js", "loader.js", "adaptors/liteDOM.js", "input/tex-full.js"),
    *("output/chtml.js", "output/chtml/fonts/tex.js", "a11y/assistive-mml.js"),
)
FONTS = MATHJAX / "output" / "chtml" / "fonts" / "woff-v2"

AT_ONCE = (
    *("MathJax_Zero", "MathJax_Main-Regular", "MathJax_Math-Italic", "MathJax_AMS-Regular"),
    *("MathJax_Calligraphic-Regular", "MathJax_Main-Bold"),
    *(f"MathJax_Size{size}-Regular" for size in (1, 2, 3, 4)),
)
"""Fonts of most formulas: they come with the style sheet, and no formula waits for them.

To announce them in a page's head is no way: it fails where a page is opened from the disk.
"""

SYSTEM_FONTS = (
    *("Arial", "Helvetica", "Roboto", "Segoe UI", "DejaVu Sans", "Liberation Sans", "Noto Sans"),
    *("Noto Sans CJK SC", "Ubuntu", "Cantarell", "FreeSans"),
)
"""Of these nearly every system has one."""

# Chromium reads fonts when it has painted already, also those that come with the style sheet, and
# until then gives a letter the ascent of a font of the system: lines with formulas were too high,
# and the page jumped. MathJax's letters have their sizes from the style sheet and sit on the line
# of a font without ascent, MJXZERO. This font has none either and is there at once; it lends its
# metrics alone, for of its letters it may show but the space. Firefox reads such fonts at once.
WAITING = f"""@font-face  {{
  font-family: MJXWAITING;
  src: {", ".join(f'local("{name}")' for name in SYSTEM_FONTS)};
  ascent-override: 0%;
  descent-override: 0%;
  line-gap-override: 0%;
  unicode-range: U+20;
}}
"""

LONG = 11.0
"""Width in em from which on a formula may be wider than its paragraph on a phone."""

# What MathJax writes into every formula, and a style sheet can say once.
SAID_ONCE = (
    ' style="position: relative;"',
    ' unselectable="on"',
    "http://www.w3.org/1998/Math/MathML",
)


class FormulaError(ValueError):
    """A formula that MathJax does not understand."""


class Formula(NamedTuple):
    """A formula as HTML, and its width in em of its letters."""

    html: str
    width: float

    @property
    def long(self) -> bool:
        return self.width > LONG


class Setter:
    """Sets formulas, and remembers them.

    Parameters
    ----------
    kept
        Where formulas are kept from one build to the next; nowhere if None.
    """

    def __init__(self, kept: Path | None = None) -> None:
        self.kept = kept
        self.known: dict[str, tuple[str, float]] = {}
        self.changed = False
        if kept is not None and kept.is_file():
            found = json.loads(kept.read_text(encoding="utf-8"))
            if found["version"] == version():
                self.known = found["formulas"]

    def set(self, tex: str, *, display: bool = False) -> Formula:
        """Set a formula, in a line or on one of its own."""
        tex = tex.strip()
        name = f"{'display' if display else 'inline'} {tex}"
        if name not in self.known:
            answer = json.loads(self._engine.call("setFormula", tex, display))
            if "error" in answer:
                raise FormulaError(answer["error"])
            if "<mjx-utext" in answer["html"]:
                raise FormulaError("it has a letter that the fonts of formulas do not have")
            set_ = answer["html"]
            for words in SAID_ONCE:
                set_ = set_.replace(words, "")
            self.known[name] = set_.replace(' xmlns=""', ""), round(answer["width"], 2)
            self.changed = True
        return Formula(*self.known[name])

    def save(self) -> None:
        """Keep what was set, for the next build."""
        if self.kept is None or not self.changed:
            return
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        new = self.kept.with_suffix(f".{os.getpid()}")
        new.write_text(
            json.dumps({"version": version(), "formulas": self.known}, ensure_ascii=False),
            encoding="utf-8",
        )
        new.replace(self.kept)
        self.changed = False

    def write_style(self, folder: Path) -> None:
        """Write the style sheet of all formulas set so far, and its fonts, into a folder."""
        rules = used_rules(self._style, "".join(set_ for set_, _ in self.known.values()))
        letters = letters_of_fonts(rules)
        folder.mkdir(parents=True, exist_ok=True)
        for name, family in re.findall(
            r'font-family: (\w[\w-]*);\s*src: url\("FONTS/([^"]*)"', rules
        ):
            font = folder / family
            write_font(FONTS / family, font, letters.get(name, ""))
            if font.stem in AT_ONCE:
                data = base64.b64encode(font.read_bytes()).decode()
                rules = rules.replace(f"FONTS/{family}", f"data:font/woff;base64,{data}")
                font.unlink()
        rules = until_fonts_are_read(rules.replace("FONTS/", ""))
        (folder / "mathjax.css").write_text(rules, encoding="utf-8")

    @cached_property
    def _style(self) -> str:
        height = self._engine.call("xHeight")
        # As high as the letters of the text around it, whatever font that is.
        scale = f"mjx-container {{\n  position: relative;\n  font-size: {1 / height:.3f}ex;\n}}\n"
        return f"{self._engine.call('styleSheet')}\n{scale}"

    @cached_property
    def _engine(self) -> MiniRacer:
        engine = engine_in_the_background()
        for script in (*(MATHJAX / name for name in SCRIPTS), HERE / "formulas.js"):
            engine.eval(script.read_text(encoding="utf-8") + "\n;0")
        return engine


def engine_in_the_background() -> MiniRacer:
    """Start an engine whose thread does not keep the program from ending: it inherits that."""
    # Where the processor can lock memory by thread, V8 would let in only the one that started it.
    init_mini_racer(
        flags=(*DEFAULT_V8_FLAGS, "--no-memory-protection-keys"), ignore_duplicate_init=True
    )
    made: list[MiniRacer] = []
    thread = Thread(target=lambda: made.append(MiniRacer()), daemon=True)
    thread.start()
    thread.join()
    return made[0]


@cache
def version() -> str:
    """What the HTML of a formula depends on, beside the formula."""
    digest = hashlib.sha256(repr(SAID_ONCE).encode())
    for path in (MATHJAX.parent / "manifest.json", HERE / "formulas.js"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def used_rules(style: str, formulas: str) -> str:
    """The rules of MathJax's style sheet that apply to some formulas; a tenth of all."""
    used = set(re.findall(r"mjx-c[0-9A-F]+(?: TEX-\w+)?", formulas))
    letters = {name.partition(" ")[0] for name in used}
    variants = {name.replace(" ", ".") for name in used}
    kept = []
    for rule in re.findall(r"\S.*?\n\}", style, re.DOTALL):
        letter = re.search(r"\.(mjx-c[0-9A-F]+)(\.TEX-\w+)?", rule.partition("{")[0])
        if letter is None or (
            letter[1] + letter[2] in variants if letter[2] else letter[1] in letters
        ):
            kept.append(re.sub(r"/\*.*?\*/", "", rule).strip())
    return "\n".join(kept) + "\n"


def until_fonts_are_read(rules: str) -> str:
    """The rules, with metrics for letters whose fonts are not read yet."""
    families = re.compile(r"(font-family: MJXZERO, [^;!]*?)(?=\s*[;!])")
    return families.sub(r"\1, MJXWAITING", rules) + WAITING


def letters_of_fonts(rules: str) -> dict[str, str]:
    """What is written in each font, by the font's name in a style sheet of formulas.

    A letter's rule names the font by a class if it is not the upright one. The pieces of what is
    stretched name none: they are looked for in several.
    """
    letters: dict[str, set[str]] = defaultdict(set)
    for rule in re.findall(r"\S.*?\n\}", rules, re.DOTALL):
        selector = rule.partition("{")[0]
        if content := re.search(r'content: "((?:[^"\\]|\\.)*)"', rule):
            font = re.search(r"\.TEX(-\w+)", selector)
            stretched = "stretch" in selector and not font
            letters["pieces" if stretched else f"MJXTEX{font[1] if font else ''}"].add(content[1])
    several = re.search(r"font-family: (MJX[^;!]*)! important", rules)
    for name in re.findall(r"MJX[\w-]+", several[1] if several else ""):
        letters[name] |= letters["pieces"]
    return {name: "".join(map(css_text, sorted(found))) for name, found in letters.items()}


def css_text(content: str) -> str:
    """What a string of a style sheet stands for."""
    return re.sub(r"\\([0-9A-F]+) ?", lambda code: chr(int(code[1], 16)), content)


def write_font(font: Path, target: Path, text: str) -> None:
    """Write a font with the glyphs of a text alone; as it is, if it has none of them."""
    options = subset.Options(flavor="woff", layout_features=[], hinting=False, notdef_outline=True)
    options.drop_tables += ["FFTM"]  # when the font was made
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=text)
    with subset.load_font(str(font), options) as loaded:
        if not subsetter.unicodes_requested & loaded.getBestCmap().keys():
            shutil.copy(font, target)  # of the one with which MathJax measures the height counts
            return
        subsetter.subset(loaded)
        subset.save_font(loaded, str(target), options)


setter = Setter()
"""The one that the functions below use; a build gives it a file."""


def keep_in(path: Path) -> None:
    """Remember formulas in a file from now on."""
    global setter
    setter = Setter(path)


def set_formula(tex: str, display: bool = False) -> str:
    r"""Set one formula.

    Parameters
    ----------
    tex
        What stands between ``\(`` and ``\)``, or between ``\[`` and ``\]``.
    display
        Whether it stands on a line of its own.

    Returns
    -------
    str
        HTML: a ``span``, or a ``div`` for a formula on a line of its own.

    Raises
    ------
    FormulaError
        If MathJax does not understand it; says why.
    """
    formula = setter.set(tex, display=display)
    element = "div" if display else "span"
    return f'<{element} class="{classes(formula, display)}">{formula.html}</{element}>'


def classes(formula: Formula, display: bool = False) -> str:
    return "math notranslate nohighlight" + (" long" if formula.long and not display else "")


# What holds no text of the page, as a whole, or a tag.
_NO_TEXT = re.compile(
    r"<(script|style|pre|code|textarea|svg|mjx-container)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*>",
    re.DOTALL,
)
_TEX = re.compile(r"\\\((?P<line>.+?)\\\)(?P<end>[^\w\s<(\[&]*)|\\\[(?P<own>.+?)\\\]", re.DOTALL)


def set_formulas_in(text: str) -> str:
    r"""Set what stands between ``\(`` and ``\)``, or ``\[`` and ``\]``, in the text of some HTML.

    A formula does not lose the comma after it to the next line. Scripts, code and drawings stay as
    they are.

    Raises
    ------
    FormulaError
        If MathJax does not understand one of them; says which, and why.
    """

    def one(found: re.Match[str]) -> str:
        tex = html.unescape(found["line"] or found["own"])
        try:
            formula = set_formula(tex, display=found["own"] is not None)
        except FormulaError as error:
            raise FormulaError(f"{tex}: {error}") from None
        end = found["end"]
        return f'<span class="unbroken">{formula}{end}</span>' if end else formula

    parts, start = [], 0
    for tag in _NO_TEXT.finditer(text):
        parts += [_TEX.sub(one, text[start : tag.start()]), tag[0]]
        start = tag.end()
    return "".join([*parts, _TEX.sub(one, text[start:])])
