"""The search: what it looks through is written here, and looked through in the browser.

A place that can be found is a section, a theorem or another statement, an exercise, a claim, a
term of the glossary or a name of the package; it has a title, an anchor, and a text in which
formulas can be read. The index is a script, since a page that is opened from the disk may load
nothing else. Solutions are left out.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes
from one_line import readable
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node
from sphinx_proof.nodes import NODE_TYPES

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from vendor import VENDOR

STATIC = Path(__file__).parent / "static"
STATEMENTS = tuple(NODE_TYPES.values())
EXERCISES = (exercise_node, exercise_enumerable_node)
LISTS_OF_NAMES = {"public-names", "functions-used"}  # each has an entry of its own
JOINED = "\u2060"  # between what has no space between it
UNSEARCHED = (nodes.raw, nodes.literal_block, nodes.figure, nodes.image, nodes.comment)


@dataclass
class Place:
    """What can be found: its kind, its title, its anchor on a page, its text."""

    kind: str
    title: str
    anchor: str
    text: list[str] = field(default_factory=list)


def places(env: BuildEnvironment, page: str) -> list[Place]:
    """Return every place of a page, in reading order."""
    found = [Place("Page", words(env, env.titles[page]), "")]
    _walk(env, page, env.get_doctree(page), found, found[0])
    return found


def _walk(
    env: BuildEnvironment, page: str, node: nodes.Element, found: list[Place], place: Place
) -> None:
    for child in node.children:
        if isinstance(child, nodes.Element) and skipped(child):
            continue
        new = None if not isinstance(child, nodes.Element) else opened(env, page, child)
        if isinstance(child, nodes.section) and not isinstance(child.parent, nodes.document):
            title = child.next_node(nodes.title, descend=True)
            if title is not None and title.parent is child:  # others hold what is in a statement
                new = Place("Section", words(env, title), child["ids"][0])
        if new is not None:
            found.append(new)
            _walk(env, page, child, found, new)
        elif isinstance(child, addnodes.desc):
            found += names_of_package(env, child)
        elif isinstance(child, nodes.title):
            continue
        elif isinstance(child, nodes.definition_list_item) and term_of(child):
            term = term_of(child)
            meaning = " ".join(words(env, part) for part in child.findall(nodes.definition))
            found.append(Place("Term", words(env, term), term["ids"][0], [meaning]))
        elif isinstance(child, nodes.TextElement | nodes.Text):
            place.text.append(words(env, child))
        else:
            _walk(env, page, child, found, place)


def names_of_package(env: BuildEnvironment, node: addnodes.desc) -> Iterator[Place]:
    """Give the place of a function or class, with its first sentence, and those of its methods."""
    signature = node.next_node(addnodes.desc_signature)
    if signature is None or not signature["ids"]:
        return
    said = node.next_node(nodes.paragraph)
    yield Place(
        node["objtype"].title(),
        signature["ids"][0].removeprefix("ibtools."),
        signature["ids"][0],
        [] if said is None else [words(env, said)],
    )


def skipped(node: nodes.Element) -> bool:
    classes = node.get("classes", ())
    return (
        isinstance(node, UNSEARCHED)
        or "solution" in type(node).__name__
        or "cell_input" in classes
        or not LISTS_OF_NAMES.isdisjoint(classes)
        or (
            "cell_output" in classes
            and not any(node.findall(lambda e: "claim-box" in classes_of(e)))
        )
    )


def classes_of(node: nodes.Node) -> list[str]:
    return node.get("classes", []) if isinstance(node, nodes.Element) else []


def opened(env: BuildEnvironment, page: str, node: nodes.Element) -> Place | None:
    """Return the place that begins with an element, if one does."""
    if "claim-box" in classes_of(node) and node["ids"]:
        title = words(env, next(node.findall(nodes.strong)))
        return Place("Claim", title, node["ids"][0], [node["claim"]])
    if isinstance(node, STATEMENTS) and node.get("label"):
        entry = env.proof_list[node["label"]]
        number = number_of(env, page, entry["countertype"], node["label"])
        return Place(
            entry["realtype"].title(),
            named(env, entry["realtype"].title(), number, node),
            node["label"],
        )
    if isinstance(node, EXERCISES) and node.get("label"):
        number = number_of(env, page, "exercise", node["label"])
        return Place("Exercise", named(env, "Exercise", number, node), node["label"])
    return None


def number_of(env: BuildEnvironment, page: str, kind: str, label: str) -> str:
    numbers = env.toc_fignumbers.get(page, {}).get(kind, {}).get(label, ())
    return ".".join(map(str, numbers))


def named(env: BuildEnvironment, kind: str, number: str, node: nodes.Element) -> str:
    """Return "Theorem 1.2 (Where mirror flow ends)"; on the page the number comes later."""
    title = node.next_node(nodes.title)
    name = "" if title is None else words(env, title).removeprefix(kind).strip()
    if name.startswith("(") and name.endswith(")"):
        name = name[1:-1].removeprefix(kind).strip()
    head = f"{kind} {number}".strip()
    return f"{head} ({name})" if name else head


def term_of(item: nodes.Element) -> nodes.term | None:
    term = item.next_node(nodes.term)
    return term if term is not None and term["ids"] and term["ids"][0].startswith("term-") else None


def words(env: BuildEnvironment, node: nodes.Node) -> str:
    """Return the text of an element in one line, with formulas that can be read."""
    text = " ".join(pieces(env, node))
    return re.sub(r"\s+", " ", re.sub(f" ?{JOINED} ?", "", text)).strip()


def pieces(env: BuildEnvironment, node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.math | nodes.math_block):
        yield readable(node.astext())
    elif isinstance(node, nodes.Text):
        yield str(node)
    elif isinstance(node, addnodes.pending_xref) and not node.get("refexplicit"):
        yield referred(env, node)
    elif not isinstance(node, UNSEARCHED):
        inline = isinstance(node, nodes.TextElement)
        for number, child in enumerate(node.children):
            if inline and number:
                yield JOINED
            yield from pieces(env, child)


def referred(env: BuildEnvironment, link: addnodes.pending_xref) -> str:
    """Return how the text calls what it refers to, as far as it is known before it is written."""
    target = link["reftarget"]
    if link.get("refdomain") == "prf" and target in env.proof_list:
        entry = env.proof_list[target]
        number = number_of(env, entry["docname"], entry["countertype"], target)
        return f"{entry['realtype'].title()} {number}"
    if link.get("refdomain") == "cite":
        return re.sub(r"([a-z]+)(\d+)\w*", lambda key: f"{key[1].title()} {key[2]}", target)
    if link.get("reftype") == "eq":
        page = env.get_domain("math").equations.get(target, ("",))[0]
        return f"({number_of(env, page, 'displaymath', f'equation-{target}') or '…'})"
    if link.get("reftype") in ("numref", "ref"):
        return env.get_domain("std").labels.get(target, ("", "", "…"))[2]
    return link.astext()


def write_index(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    pages = sorted(app.env.found_docs)
    rows = [
        [place.kind, place.title, number, place.anchor, " ".join(filter(None, place.text))]
        for number, page in enumerate(pages)
        for place in places(app.env, page)
    ]
    titles = [{"file": page, "title": words(app.env, app.env.titles[page])} for page in pages]
    data = {"BOOK_PAGES": titles, "BOOK_PLACES": rows}
    lines = [f"var {name}={json.dumps(value, ensure_ascii=False, separators=(',', ':'))};\n"
             for name, value in data.items()]  # fmt: skip
    static = Path(app.outdir) / "_static"
    (static / "search-index.js").write_text("".join(lines), encoding="utf-8")
    shutil.copy(VENDOR / "minisearch" / "index.js", static / "minisearch.js")


def add_files(app: Sphinx) -> None:
    app.config.html_static_path.append(str(STATIC))


def setup(app: Sphinx) -> dict[str, bool]:
    app.config.templates_path.append(str(Path(__file__).parent / "templates"))
    app.connect("builder-inited", add_files, priority=100)
    app.connect("build-finished", write_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
