"""Figures that cells compute are numbered, and can be referred to.

A block of `ibtools.show` whose ``<figure>`` has an id that begins with "fig-" is a figure of the
book: Sphinx numbers it by chapter, in reading order, ``{numref}`` finds it, and its number is
written before its caption.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from ibtools.show.block import NUMBER

logger = logging.getLogger(__name__)
BLOCK = re.compile(r'<figure class="ib-figure[^"]*" id="(fig-[^"]+)"')
CAPTION = re.compile(r'<span class="ib-caption">(.*?)</span>', re.DOTALL)
# The same for all figures of a page: the first brings it.
SHARED = re.compile(
    r"<style>\.ib-figure\{.*?</style>\n|<script>\(function.*?</script>\n", re.DOTALL
)


class computed_figure(nodes.Element):  # noqa: N801 (docutils names nodes so)
    """A block of HTML that holds a figure with a name."""


class NameFigures(SphinxTransform):
    """Put every block with a name into a node that Sphinx numbers."""

    default_priority = 400  # before names become labels

    def apply(self, **kwargs: object) -> None:
        for raw in list(self.document.findall(nodes.raw)):
            if raw.get("format") != "html" or not (found := BLOCK.search(raw.astext())):
                continue
            name = found[1]
            figure = computed_figure("", ids=[], names=[name])
            raw.replace_self(figure)
            figure.append(raw)
            if name in self.document.nameids:
                logger.warning("two figures are named %r", name, location=raw)
                continue
            figure["ids"] = [name]
            self.document.nameids[name] = name
            self.document.nametypes[name] = True
            self.document.ids[name] = figure


def title_of(figure: nodes.Element) -> str:
    found = CAPTION.search(figure.astext())
    return found[1] if found else ""


def write_numbers(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write the numbers before the captions, and what blocks have in common once."""
    numbers = app.env.toc_fignumbers.get(docname, {}).get("figure", {})
    seen: set[str] = set()

    def once(match: re.Match[str]) -> str:
        if match[0] in seen:
            return ""
        seen.add(match[0])
        return match[0]

    for raw in doctree.findall(nodes.raw):
        if raw.get("format") != "html" or 'class="ib-figure' not in (text := raw.astext()):
            continue
        if found := BLOCK.search(text):
            number = numbers.get(found[1], ())
            words = app.config.numfig_format["figure"] % ".".join(map(str, number))
            text = text.replace(NUMBER.format(""), NUMBER.format(f"{words}."))
        text = SHARED.sub(once, text)
        raw.children[:] = [nodes.Text(text)]
        raw.rawsource = text


def pass_by(translator: object, node: nodes.Element) -> None:
    """Write nothing: the block inside says it all."""


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_enumerable_node(computed_figure, "figure", title_of, html=(pass_by, pass_by))
    app.add_transform(NameFigures)
    app.connect("doctree-resolved", write_numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
