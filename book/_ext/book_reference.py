"""The reference: every public name of the package, from its docstring and its source.

``{public} ibtools.theory`` on a page of ``book/reference`` names some functions and classes, and
shows each with its first sentence; ``{entries} ibtools.theory`` at the end of the page shows them
one after the other. A name that is missing, or there twice, is a warning. An entry says what
lectures use it and in what theorems it is checked, and a lecture says at its end what it uses: no
page says it by hand.
"""

import inspect
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from book_execution import ONLY
from docutils import nodes
from docutils.statemachine import StringList
from signatures import annotations, signature
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from used import imported_by, public, theorems

logger = logging.getLogger(__name__)

FOLDER = "book/reference/"
TYPE_RETURNED = re.compile(r"^(:(?:returns|Yields): )\*(\w+\[.*\])\*(?= --|$)")
SHAPE = re.compile(r'" ?([^"]*?) ?"')
APART = (nodes.reference, nodes.title, addnodes.pending_xref, addnodes.desc)
BACKTICKS = re.compile(r"(:[\w:]+:)?(``?)([^`]+)\2")
FIELD = re.compile(r"^(\w+(?:, \w+)*)$")
VERBATIM = re.compile(
    r"^( *)\.\. math::.*(?:\n(?:\1 +.*)?)*|^ *>>> .*(?:\n *\S.*)*|^\.\. \[.*|\x00", re.M
)


class Public(SphinxDirective):
    """Directive ``public``: names of one package, each with its first sentence."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        package = self.arguments[0]
        names = [f"{package}.{name}" for name in re.findall(r"\w+", "\n".join(self.content))]
        for source in sources(package):  # of a docstring, only this page depends on it
            self.env.note_dependency(str(source))
        self.env.temp_data.setdefault("reference_names", []).extend(names)
        rows = []
        for name in names:
            if name not in public():
                logger.warning("%s is no public name", name, location=self.get_location())
                continue
            own = name.rpartition(".")[2]
            said = marked(first_sentence(name), package)
            shown = f"``{own}``" if os.environ.get(ONLY) else f":py:obj:`{own} <{name}>`"
            rows += [f"   * - {shown}", f"     - {said}"]
        head = [f".. py:currentmodule:: {package}", "", ".. list-table::", "   :widths: 30 70"]
        return _rst(self, [*head, "   :class: public-names", "", *rows])


def sources(package: str) -> list[Path]:
    """Return the files of a package, wherever in it a public name may be at home."""
    return sorted(Path(sys.modules[package].__file__).parent.rglob("*.py"))


class Entries(SphinxDirective):
    """Directive ``entries``: what the names above it on the page are, one after the other."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        package = self.arguments[0]
        names = self.env.temp_data.pop("reference_names", [])
        if os.environ.get(ONLY) not in (None, self.env.docname):
            return []  # another page alone is looked at
        wanted = [name for name in public() if name.rpartition(".")[0] == package]
        for name in sorted({*names, *wanted}):
            if names.count(name) != wanted.count(name):
                logger.warning(
                    "%s stands %d times on this page, not once",
                    name,
                    names.count(name),
                    location=self.get_location(),
                )
        lines = [f".. py:module:: {package}", ""]
        for name in dict.fromkeys(names):
            if name in public():
                lines += ["", *entry(name, public()[name])]
        return _rst(self, lines)


def _rst(directive: SphinxDirective, lines: list[str]) -> list[nodes.Node]:
    """Parse lines of reStructuredText, which is what docstrings are written in."""
    container = nodes.Element()
    text = StringList(["```````{eval-rst}", *lines, "```````"], directive.get_source_info()[0])
    directive.state.nested_parse(text, directive.content_offset, container)
    return container.children


def entry(name: str, thing: Any) -> list[str]:
    """Return the directive of autodoc that shows a public name."""
    if inspect.ismodule(thing):
        claims = [f"{claim.id} ({claim.source})" for claim in thing.CLAIMS]
        text = [inspect.getdoc(thing) or "", f"Its claims: {'; '.join(claims)}."]
        own = name.rpartition(".")[2]
        return [f".. py:data:: {own}", "", *(f"   {line}\n" for line in text)]
    if inspect.isclass(thing):
        ours = [c for c in thing.__mro__[1:] if c in public().values()]
        others = [c for c in thing.__mro__ if not c.__module__.startswith("ibtools")]
        stop = ", ".join(dict.fromkeys(c.__name__ for c in [*others, *ours]))
        lines = [f".. autoclass:: {name}", "   :members:", f"   :inherited-members: {stop}"]
        return lines + (["   :show-inheritance:"] if ours else [])
    if callable(thing):
        return [f".. autofunction:: {name}"]
    said = [f"   {line}" for line in said_of_constant(name)]
    return [f".. py:data:: {name.rpartition('.')[2]}", "", *said]


def first_sentence(name: str) -> str:
    """Return the first line of a docstring; of a constant what its source says of it."""
    thing = public()[name]
    if callable(thing) or inspect.ismodule(thing):
        return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
    return said_of_constant(name)[0]


def said_of_constant(name: str) -> list[str]:
    """Return the lines that stand under a constant in its source."""
    package, _, own = name.rpartition(".")
    for module in sorted(sys.modules):
        if f"{module}.".startswith(f"{package}."):
            comments = ModuleAnalyzer.for_module(module).find_attr_docs()
            if found := comments.get(("", own)):
                return found
    logger.warning("%s: its source says nothing of it", name)
    return [""]


def show_source_signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, given: str, returned: str
) -> tuple[str, str] | None:
    if what not in ("function", "class", "method", "exception") or not name.startswith("ibtools."):
        return None
    return signature(thing)


def type_attributes(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Give the attributes that a docstring lists the types that the source has; before napoleon."""
    if what not in ("class", "exception") or "Attributes" not in lines:
        return
    types, inside = annotations(thing), False
    for number, line in enumerate(lines):
        underlined = number + 1 < len(lines) and re.fullmatch("-{3,}", lines[number + 1])
        if underlined:
            inside = line == "Attributes"
        elif inside and (found := FIELD.match(line)):
            said = dict.fromkeys(types[own] for own in found[1].split(", ") if own in types)
            if len(said) == 1:
                lines[number] = f"{line} : {next(iter(said))}"


def link_names(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Make of `name` in single backticks a link where it is a public one, code where not."""
    if not name.startswith("ibtools."):
        return
    package = ".".join(name.split(".")[:2])
    own = {
        word
        for words in re.findall(r"\*\*([\w, ]+)\*\*", "\n".join(lines))
        for word in words.split(", ")
    }
    for number, line in enumerate(lines):
        if found := TYPE_RETURNED.match(line):  # as code, or its quotes would be a text's
            shown = SHAPE.sub(r'"\1"', found[2].replace("np.ndarray", "ndarray"))
            lines[number] = f"{found[1]}``{shown}``{line[found.end() :]}"
            continue
        if line.startswith((":returns:", ":Yields:")):
            lines[number] = re.sub(r"(?<![\\*\w])\*(\w+)\*(?![\w*])", type_in_words(package), line)
    lines[:] = marked("\n".join(lines), package, own).split("\n")


def type_in_words(package: str) -> Callable[[re.Match[str]], str]:
    return lambda found: linked(found[1], package) if target(found[1], package) else found[0]


def marked(text: str, package: str, own: set[str] = frozenset()) -> str:
    """Return a docstring as reStructuredText that means what its writer meant.

    Bars and asterisks are mathematics, and a name in single backticks is a link where there is
    something of that name.
    """
    kept = iter([found[0] for found in VERBATIM.finditer(text)])
    text = VERBATIM.sub("\0", text)
    pieces, place = [], 0
    for found in BACKTICKS.finditer(text):
        pieces.append(mathematics(text[place : found.start()]))
        place = found.end()
        role = found[1] or found[2] == "``"
        pieces.append(found[0] if role else linked(found[3], package, own))
    text = "".join([*pieces, mathematics(text[place:])])
    return re.sub("\0", lambda _: next(kept), text)


def mathematics(text: str) -> str:
    return re.sub(r"(?<!\\)(\|)|(?<![\w*\\])(\*)(?=\w+[,\]\) \"])", r"\\\g<0>", text)


def linked(words: str, package: str, own: set[str] = frozenset()) -> str:
    """Return the markup of a name that a docstring has in single backticks."""
    path = target(words.removesuffix("()"), package)
    if words not in own and (path or words.startswith("ibtools.")):
        return (
            f":py:obj:`{words.rpartition('.')[2] if path in public() else words} <{path or words}>`"
        )
    return f"``{words}``"


def target(words: str, package: str = "") -> str:
    """Return the public name that a name means, "" if it means none: the same package's first."""
    head, _, member = words.removeprefix("ibtools.").partition(".")
    if words.startswith("ibtools."):
        own = words.split(".")
        for place, other in enumerate(own):
            found = f"ibtools.{own[1]}.{other}"
            if place > 1 and found in public():
                return ".".join([found, *own[place + 1 :]])
        return ""
    found = [name for name in public() if name.rpartition(".")[2] == head]
    found.sort(key=lambda name: not name.startswith(f"{package}."))
    near = found[:1] if found and found[0].startswith(f"{package}.") else found
    return ".".join([near[0], *filter(None, [member])]) if len(near) == 1 else ""


def say_where_it_is_used(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    if name not in public():
        return
    pages = [f":doc:`/{page}`" for page in used_by(app.env).get(name, ())]
    proven = [f":prf:ref:`{label}`" for label in theorems().get(name, ())]
    said = [
        f"{words} {', '.join(links)}."
        for words, links in (("Used in", pages), ("Checked in the claims of", proven))
        if links
    ]
    if said:
        lines += ["", ".. container:: in-the-book", "", f"   {' '.join(said)}", ""]


def used_by(env: BuildEnvironment) -> dict[str, list[str]]:
    """Return the pages that use each public name, in the order of the book."""
    if not hasattr(env, "book_used"):
        found: dict[str, list[str]] = {}
        for page in sorted(env.found_docs):
            if not page.startswith(FOLDER):
                for name in imported_by(Path(env.doc2path(page))):
                    found.setdefault(name, []).append(page)
        env.book_used = found
    return env.book_used


def read_again(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    before = getattr(env, "book_used_last", None)
    env.__dict__.pop("book_used", None)
    env.book_used_last = used_by(env)
    pages = [page for page in env.found_docs if page.startswith(FOLDER)]
    return [] if before == env.book_used_last else pages


def link_code_in_text(app: Sphinx, doctree: nodes.document) -> None:
    """Make of `margin_flow` in a lecture's text a link to its entry, where the page uses it."""
    page = app.env.docname
    if os.environ.get(ONLY) or FOLDER + "index" not in app.env.found_docs:
        return
    of_reference = page.startswith(FOLDER)
    uses = [] if of_reference else imported_by(Path(app.env.doc2path(page)))
    by_own = {name.rpartition(".")[2]: name for name in uses}
    package = f"ibtools.{page.removeprefix(FOLDER)}"
    for code in list(doctree.findall(nodes.literal)):
        words = code.astext().partition("(")[0]
        name = by_own.get(words) or (
            target(words, package) if of_reference or words.startswith("ibtools.") else ""
        )
        if name in public() and not within(code, APART):
            code.replace_self(link_to(name, code, page))
    if uses:
        doctree_end(doctree).append(list_of_uses(uses, page))


def quote_as_the_source_does(app: Sphinx, doctree: nodes.document) -> None:
    for said in doctree.findall(addnodes.desc_signature):
        for text in list(said.findall(nodes.Text)):
            if re.fullmatch(r"'[^'\"]*'", text):
                text.parent.replace(text, nodes.Text(f'"{text[1:-1]}"'))


def within(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def link_to(name: str, shown: nodes.Node, page: str) -> addnodes.pending_xref:
    link = addnodes.pending_xref(
        "", refdomain="py", reftype="obj", reftarget=name, refdoc=page, refwarn=True
    )
    link.append(shown.deepcopy())
    return link


def doctree_end(doctree: nodes.document) -> nodes.Element:
    """Return the page's section, and not the last one in it."""
    return next(doctree.findall(nodes.section), doctree)


def list_of_uses(uses: list[str], page: str) -> nodes.Element:
    words = nodes.paragraph("", "From the package: ")
    for number, name in enumerate(sorted(uses, key=lambda name: name.rpartition(".")[2].lower())):
        if number:
            words += nodes.Text(", ")
        words += link_to(name, nodes.literal("", name.rpartition(".")[2]), page)
    words += nodes.Text(".")
    return nodes.container("", words, classes=["functions-used"])


def find_name(
    app: Sphinx, env: BuildEnvironment, link: addnodes.pending_xref, shown: nodes.Element
) -> nodes.Node | None:
    """Find what a docstring or a signature names by its own name alone, wherever it lives."""
    if link.get("refdomain") != "py":
        return None
    domain, words = env.get_domain("py"), link["reftarget"]
    path = target(words, link.get("py:module") or "")
    if path and path != words:
        found = domain.resolve_xref(env, link["refdoc"], app.builder, "obj", path, link, shown)
        if found is not None:
            return found
    # What a type is made of needs no entry; a name that is to be looked up does.
    if link["reftype"] in ("class", "exc") and not words.startswith("ibtools."):
        return shown
    return None


def skip_fields_of_tuples(
    app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any
) -> bool | None:
    """A named tuple's fields stand under its attributes; Python says of each only its number."""
    return True if type(thing).__name__ == "_tuplegetter" else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.config.napoleon_use_ivar = True  # an attribute stands in the docstring alone
    app.config.napoleon_use_param = False  # "X, y" are said in one breath
    app.config.napoleon_use_rtype = False
    # The source's own types stand in the signature.
    app.config.autodoc_typehints = "none"
    app.config.napoleon_attr_annotations = False
    app.config.python_maximum_signature_line_length = 70
    app.config.toc_object_entries_show_parents = "hide"
    for kind in PyObject.doc_field_types:
        if kind.name == "variable":
            kind.label = "Attributes"
    app.add_directive("public", Public)
    app.add_directive("entries", Entries)
    app.connect("env-get-outdated", read_again)
    app.connect("autodoc-process-signature", show_source_signature)
    app.connect("autodoc-process-docstring", type_attributes, priority=400)
    app.connect("autodoc-process-docstring", link_names, priority=600)
    app.connect("autodoc-process-docstring", say_where_it_is_used, priority=700)
    app.connect("autodoc-skip-member", skip_fields_of_tuples)
    app.connect("doctree-read", link_code_in_text)
    app.connect("doctree-read", quote_as_the_source_does)
    app.connect("missing-reference", find_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
