"""Formulas stand set in the pages: none waits for a script, and a page answers at once.

What MathJax does not understand is a warning with its place, and fails the build.
"""

import re
from pathlib import Path

import formulas
from docutils import nodes
from formulas import FormulaError, classes, set_formulas_in
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

# What must not be parted from a formula before or after it: a comma must not start a line.
BEFORE = re.compile(r"[(\[“‘\"']+$")
AFTER = re.compile(r"[^\w\s(\[“‘]+(?:s\b)?|\w+")

# No browser looks at the pages of the reference: so wide is the room for a docstring's formula at
# 1280 pixels, in em.
ROOM = 32.0

# A formula in a line does not break. One that is wider than its paragraph is marked, and scrolls;
# a formula that is cut at a side says so (formulas.css), and so does one on a line of its own.
SCROLLING = """
(function () {
  var faded = "main div.math mjx-container, main .pst-scrollable-table-container";
  var plain = "main pre, main .cell_output > .output";
  var lines = "p, li, dd, dt, h1, h2, h3, h4, figcaption, summary, div";
  function shown(e) {
    return !e.checkVisibility || e.checkVisibility({contentVisibilityAuto: true});
  }
  function measured(e) {
    return {e: e, hidden: e.scrollWidth - e.clientWidth, left: Math.abs(e.scrollLeft)};
  }
  function cut(is) {
    if (!is.e.matches(plain)) {
      is.e.classList.toggle("cut-left", is.hidden > 1 && is.left > 1);
      is.e.classList.toggle("cut-right", is.hidden > 1 && is.left < is.hidden - 1);
    }
    if (is.hidden > 0) is.e.tabIndex = 0; else is.e.removeAttribute("tabindex");
  }
  function width(e) {
    var block = e.closest(lines), set = e.querySelector("mjx-math");
    if (!block || !set || !block.clientWidth) return null;
    var style = getComputedStyle(block), after = e.closest(".unbroken") ? 10 : 0;
    var room = block.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return {e: e, wide: set.offsetWidth + after > room};
  }
  // All is measured before anything is changed: each change makes the next measure a layout.
  function fit(formulas) {
    formulas = formulas.filter(shown).map(width).filter(Boolean);
    formulas.forEach(function (is) { is.e.classList.toggle("wide", is.wide); });
    formulas.map(function (is) { return measured(is.e); }).forEach(cut);
  }
  function inside(e) {
    return Array.from(e.querySelectorAll(".math.long"));
  }
  function start() {
    var boxes = faded + ", " + plain;
    var sizes = new ResizeObserver(function (seen) {
      seen = seen.map(function (one) { return one.target; });
      seen.filter(function (e) { return e.matches(boxes) && shown(e); }).map(measured).forEach(cut);
      fit(seen.filter(function (e) { return !e.matches(boxes); }).flatMap(inside));
    });
    document.querySelectorAll(boxes).forEach(function (e) { sizes.observe(e); });
    document.querySelectorAll("main .math.long").forEach(function (e) {
      if (!e.closest("table")) sizes.observe(e.closest("p, li, dd, dt, h1, h2, h3, h4, div"));
    });
    document.addEventListener("contentvisibilityautostatechange", function (event) {
      if (!event.skipped) fit(inside(event.target));
    }, true);
    document.addEventListener("scroll", function (event) {
      var e = event.target;
      if (e.matches && e.matches(faded + ", main .math.wide")) cut(measured(e));
    }, {capture: true, passive: true});
  }
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
"""


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    formula = set_or_warn(node, display=False)
    self.body.append(self.starttag(node, "span", "", CLASS=classes(formula)))
    self.body.append(f"{formula.html}</span>")
    raise nodes.SkipNode


def visit_display(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    formula = set_or_warn(node, display=True)
    if too_wide(node, formula):
        wide = f"{formula.width:.1f} em of {ROOM:.0f}"
        logger.warning("formula wider than its column, %s: give it two lines", wide, location=node)
    self.body.append(f"{formula.html}</div>\n")
    raise nodes.SkipNode


def set_or_warn(node: nodes.math | nodes.math_block, *, display: bool) -> formulas.Formula:
    tex = aligned(node) if display else node.astext()
    try:
        return formulas.setter.set(tex, display=display)
    except FormulaError as error:
        logger.warning("formula not understood: %s: %s", tex.strip(), error, location=node)
        return formulas.Formula("<code></code>", 0)


def too_wide(node: nodes.math_block, formula: formulas.Formula) -> bool:
    """Whether a docstring's formula is cut on a desktop."""
    entry = node.parent
    while entry is not None and not isinstance(entry, addnodes.desc):
        entry = entry.parent
    return entry is not None and formula.width > ROOM


def aligned(node: nodes.math_block) -> str:
    """TeX of a formula of several lines; as Sphinx writes it for a browser."""
    tex = node.astext()
    if node["nowrap"] or "amsmath" in node["classes"]:
        return tex
    parts = [part for part in tex.split("\n\n") if part.strip()]
    parts = [rf"\begin{{split}}{part}\end{{split}}" if r"\\" in part else part for part in parts]
    if len(parts) < 2:
        return "".join(parts)
    lines = r"\\".join(parts)
    return rf"\begin{{aligned}}{lines}\end{{aligned}}"


def keep_together(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let no line begin with the comma after a formula, nor end with the bracket before it."""
    for formula in list(doctree.findall(nodes.math)):
        unit: nodes.Node = formula
        while isinstance(unit.parent, nodes.emphasis | nodes.strong) and len(unit.parent) == 1:
            unit = unit.parent
        parent, together = unit.parent, [unit]
        place = parent.index(unit)
        after = parent[place + 1] if place + 1 < len(parent) else None
        if isinstance(after, nodes.Text) and (found := AFTER.match(after)):
            together.append(nodes.Text(found[0]))
            parent.replace(after, nodes.Text(after[found.end() :]))
        before = parent[place - 1] if place else None
        if isinstance(before, nodes.Text) and (found := BEFORE.search(before)):
            together.insert(0, nodes.Text(found[0]))
            parent.replace(before, nodes.Text(before[: found.start()]))
        if len(together) > 1:
            unbroken = nodes.inline("", "", classes=["unbroken"])
            parent.replace(unit, unbroken)
            unbroken.extend(together)


def set_outputs(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Set what the HTML that cells and directives give has as TeX."""
    for raw in list(doctree.findall(nodes.raw)):
        if raw.get("format") != "html" or "\\(" not in (text := raw.astext()) + "\\[":
            continue
        try:
            changed = set_formulas_in(text)
        except FormulaError as error:
            logger.warning("formula not understood: %s", error, location=raw)
        else:
            raw.children = []
            raw += nodes.Text(changed)


def start(app: Sphinx) -> None:
    formulas.keep_in(Path(app.srcdir) / "_build" / ".formulas.json")


def finish(app: Sphinx, exception: Exception | None) -> None:
    formulas.setter.save()
    if exception is None and app.builder.format == "html":
        formulas.setter.write_style(Path(app.outdir) / "_static" / "formulas")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("set", (visit_inline, None), (visit_display, None))
    app.add_css_file("formulas/mathjax.css", priority=300)
    app.add_css_file("formulas.css", priority=600)
    app.add_js_file(None, body=SCROLLING)
    app.connect("builder-inited", start)
    app.connect("doctree-resolved", keep_together, priority=900)
    app.connect("doctree-resolved", set_outputs, priority=900)
    app.connect("build-finished", finish)
    # Not from several processes at once: each would remember its own formulas alone.
    return {"parallel_read_safe": True, "parallel_write_safe": False}
