r"""The quizzes of the lectures: how they are read, and written for a learning platform.

A lecture's quiz lies in ``book/quizzes/<chapter>/<lecture>.yaml``: a list of questions, each with
``question``, ``choices`` (``text``, ``feedback``, and ``right: true`` for one of them) and
``behind``, the labels of what stands behind the answer on that page. The text knows formulas
between dollars, ``*emphasis*`` and ``` `code` ```.

``python scripts/quizzes.py FOLDER`` writes each quiz as GIFT (Moodle) and as a QTI 2.1 package
(Canvas, Blackboard, ILIAS and others).

>>> html_of("At *most* $x<y$")
'At <em>most</em> \\(x&lt;y\\)'
"""

import html
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import yaml
from labels import Book, Label, read_book

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "book/quizzes"
MARKUP = re.compile(r"\$(?P<tex>[^$]+)\$|\*(?P<em>[^*]+)\*|`(?P<code>[^`]+)`")
QTI = "http://www.imsglobal.org/xsd/imsqti_v2p1"
PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
WHEN = (2026, 1, 1, 0, 0, 0)  # of every file in a package: the same quiz is the same package


@dataclass(frozen=True)
class Choice:
    """One answer that may be chosen, and what is said to who chooses it."""

    text: str
    feedback: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """One question; ``behind`` names labels of the page."""

    text: str
    choices: tuple[Choice, ...]
    behind: tuple[str, ...]

    @property
    def answer(self) -> int:
        return next(n for n, choice in enumerate(self.choices) if choice.right)


def quiz_file(root: Path, page: str) -> Path:
    """Where the quiz of a page lies, if it has one."""
    return root / FOLDER / f"{page.removeprefix('book/')}.yaml"


def read_quiz(path: Path) -> list[Question]:
    """Read the questions of a quiz.

    Raises
    ------
    ValueError
        If an entry is missing, unknown, or empty, or if not exactly one choice is right.
    """
    questions = []
    for number, entry in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")), start=1):
        where = f"{path.name}, question {number}"
        need(entry, {"question", "choices", "behind"}, set(), where)
        for choice in entry["choices"]:
            need(choice, {"text", "feedback"}, {"right"}, where)
        choices = tuple(Choice(**choice) for choice in entry["choices"])
        if sum(choice.right for choice in choices) != 1:
            raise ValueError(f"{where}: mark one choice, and only one, with 'right: true'")
        questions.append(Question(entry["question"], choices, tuple(entry["behind"])))
    return questions


def need(entry: dict, needed: set[str], allowed: set[str], where: str) -> None:
    if missing := needed - set(entry):
        raise ValueError(f"{where}: give it {', '.join(sorted(missing))}")
    if unknown := set(entry) - needed - allowed:
        raise ValueError(
            f"{where}: {', '.join(sorted(unknown))} is not known here; "
            f"known are {', '.join(sorted(needed | allowed))}"
        )
    if empty := [name for name in needed if not entry[name]]:
        raise ValueError(f"{where}: {', '.join(sorted(empty))} is empty")


def html_of(text: str) -> str:
    r"""Write the text of a quiz as HTML, with formulas between ``\(`` and ``\)``."""

    def one(found: re.Match[str]) -> str:
        if found["tex"]:
            return rf"\({html.escape(found['tex'], quote=False)}\)"
        tag = "em" if found["em"] else "code"
        return f"<{tag}>{html.escape(found[tag], quote=False)}</{tag}>"

    parts, start = [], 0
    text = " ".join(text.split())
    for found in MARKUP.finditer(text):
        parts += [html.escape(text[start : found.start()], quote=False), one(found)]
        start = found.end()
    return "".join([*parts, html.escape(text[start:], quote=False)])


def named(label: Label) -> str:
    """How a sentence calls what stands behind an answer."""
    return f"equation {label.name}" if label.kind == "equation" else label.name


def sources(question: Question, book: Book) -> str:
    """Where in the book the answer is, for a platform that shows no links into it."""
    labels = [book.labels[name] for name in question.behind]
    words = " and ".join(map(named, labels))
    return f"{words[0].upper()}{words[1:]}, in “{book.titles[labels[0].page]}”."


def gift(page: str, questions: list[Question], book: Book) -> str:
    """Write a quiz in Moodle's GIFT format."""
    blocks = [f"// {book.titles[page]}", "", f"$CATEGORY: {page.removeprefix('book/')}", ""]
    for number, question in enumerate(questions, start=1):
        title = escaped(f"{page.removeprefix('book/')} {number}")
        lines = [f"::{title}::[html]{escaped(html_of(question.text))} {{"]
        for choice in question.choices:
            sign, said = "=" if choice.right else "~", escaped(html_of(choice.feedback))
            lines.append(f"\t{sign}{escaped(html_of(choice.text))}#{said}")
        lines += [f"\t####{escaped(html_of(sources(question, book)))}", "}", ""]
        blocks += lines
    return "\n".join(blocks)


def escaped(text: str) -> str:
    """What GIFT reads as this text."""
    return re.sub(r"([\\~=#{}:])", r"\\\1", text)


def items(page: str, questions: list[Question], book: Book) -> Iterator[tuple[str, str]]:
    """Write each question as an item of QTI 2.1: its identifier, and its XML."""
    stem = page.removeprefix("book/").replace("/", "-")
    for number, question in enumerate(questions, start=1):
        name = f"{stem}-{number}"
        item = ElementTree.Element(
            "assessmentItem",
            {
                "xmlns": QTI,
                "identifier": name,
                "title": f"{book.titles[page].replace('$', '')} {number}",
                "adaptive": "false",
                "timeDependent": "false",
            },
        )
        declared(item, question)
        body = ElementTree.SubElement(item, "itemBody")
        asked = ElementTree.SubElement(
            body,
            "choiceInteraction",
            {"responseIdentifier": "RESPONSE", "shuffle": "false", "maxChoices": "1"},
        )
        asked.append(html_element("prompt", question.text))
        for index, choice in enumerate(question.choices):
            asked.append(html_element("simpleChoice", choice.text, identifier=f"C{index}"))
        scored(item)
        for index, choice in enumerate(question.choices):
            said = ElementTree.SubElement(
                item,
                "modalFeedback",
                {"outcomeIdentifier": "FEEDBACK", "identifier": f"C{index}", "showHide": "show"},
            )
            said.append(html_element("p", choice.feedback))
            said.append(html_element("p", sources(question, book)))
        yield name, xml(item)


def declared(item: ElementTree.Element, question: Question) -> None:
    response = ElementTree.SubElement(
        item,
        "responseDeclaration",
        {"identifier": "RESPONSE", "cardinality": "single", "baseType": "identifier"},
    )
    correct = ElementTree.SubElement(response, "correctResponse")
    ElementTree.SubElement(correct, "value").text = f"C{question.answer}"
    for name, kind in (("SCORE", "float"), ("FEEDBACK", "identifier")):
        ElementTree.SubElement(
            item,
            "outcomeDeclaration",
            {"identifier": name, "cardinality": "single", "baseType": kind},
        )


def scored(item: ElementTree.Element) -> None:
    """One point for the right choice, and the feedback of whatever was chosen."""
    processing = ElementTree.SubElement(item, "responseProcessing")
    condition = ElementTree.SubElement(processing, "responseCondition")
    right = ElementTree.SubElement(condition, "responseIf")
    match = ElementTree.SubElement(right, "match")
    ElementTree.SubElement(match, "variable", {"identifier": "RESPONSE"})
    ElementTree.SubElement(match, "correct", {"identifier": "RESPONSE"})
    for branch, points in ((right, "1"), (ElementTree.SubElement(condition, "responseElse"), "0")):
        value = ElementTree.SubElement(branch, "setOutcomeValue", {"identifier": "SCORE"})
        ElementTree.SubElement(value, "baseValue", {"baseType": "float"}).text = points
    said = ElementTree.SubElement(processing, "setOutcomeValue", {"identifier": "FEEDBACK"})
    ElementTree.SubElement(said, "variable", {"identifier": "RESPONSE"})


def html_element(tag: str, text: str, **attributes: str) -> ElementTree.Element:
    element = ElementTree.fromstring(f"<{tag}>{html_of(text)}</{tag}>")
    element.attrib.update(attributes)
    return element


def manifest(page: str, names: list[str]) -> str:
    stem = page.removeprefix("book/").replace("/", "-")
    root = ElementTree.Element("manifest", {"xmlns": PACKAGE, "identifier": f"quiz-{stem}"})
    data = ElementTree.SubElement(root, "metadata")
    ElementTree.SubElement(data, "schema").text = "QTIv2.1 Package"
    ElementTree.SubElement(data, "schemaversion").text = "1.0.0"
    ElementTree.SubElement(root, "organizations")
    resources = ElementTree.SubElement(root, "resources")
    test = ElementTree.SubElement(
        resources,
        "resource",
        {"identifier": stem, "type": "imsqti_test_xmlv2p1", "href": f"{stem}.xml"},
    )
    ElementTree.SubElement(test, "file", {"href": f"{stem}.xml"})
    for name in names:
        ElementTree.SubElement(test, "dependency", {"identifierref": name})
        one = ElementTree.SubElement(
            resources,
            "resource",
            {"identifier": name, "type": "imsqti_item_xmlv2p1", "href": f"{name}.xml"},
        )
        ElementTree.SubElement(one, "file", {"href": f"{name}.xml"})
    return xml(root)


def whole_test(page: str, names: list[str], book: Book) -> str:
    stem = page.removeprefix("book/").replace("/", "-")
    title = book.titles[page].replace("$", "")
    test = ElementTree.Element("assessmentTest", {"xmlns": QTI, "identifier": stem, "title": title})
    part = ElementTree.SubElement(
        test,
        "testPart",
        {"identifier": "part", "navigationMode": "nonlinear", "submissionMode": "individual"},
    )
    section = ElementTree.SubElement(
        part, "assessmentSection", {"identifier": "section", "title": title, "visible": "true"}
    )
    for name in names:
        ElementTree.SubElement(
            section, "assessmentItemRef", {"identifier": name, "href": f"{name}.xml"}
        )
    return xml(test)


def xml(element: ElementTree.Element) -> str:
    ElementTree.indent(element)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(element, "unicode")


def write_package(path: Path, page: str, questions: list[Question], book: Book) -> None:
    """Write a quiz as a QTI 2.1 package."""
    written = dict(items(page, questions, book))
    stem = page.removeprefix("book/").replace("/", "-")
    files = {
        "imsmanifest.xml": manifest(page, list(written)),
        f"{stem}.xml": whole_test(page, list(written), book),
        **{f"{name}.xml": text for name, text in written.items()},
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in files.items():
            package.writestr(zipfile.ZipInfo(name, WHEN), text.encode())


def write_quizzes(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write every quiz of the book in both formats.

    Returns
    -------
    list of Path
        The files.
    """
    book = read_book(root)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for page in book.titles:
        if not (path := quiz_file(root, page)).is_file():
            continue
        questions = read_quiz(path)
        stem = page.removeprefix("book/").replace("/", "-")
        text, package = folder / f"{stem}.gift", folder / f"{stem}.qti.zip"
        text.write_text(gift(page, questions, book), encoding="utf-8")
        write_package(package, page, questions, book)
        written += [text, package]
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Say where: python scripts/quizzes.py _build/course/quizzes")
    files = write_quizzes(Path(sys.argv[1]))
    print(f"{len(files)} files in {sys.argv[1]}")
