"""Every lecture and primer has a quiz that tests understanding, and platforms can read it."""

import re
import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from labels import read_book
from prose_numbers import without_backing
from quizzes import (
    PACKAGE,
    QTI,
    Choice,
    Question,
    gift,
    html_of,
    items,
    quiz_file,
    read_quiz,
    write_package,
    write_quizzes,
)

ROOT = Path(__file__).parents[2]
BOOK = read_book(ROOT)
PRIMERS = ["book/before/convexity", "book/before/flows"]
LECTURES = [*PRIMERS, *(page for pages in BOOK.lectures.values() for page in pages)]
QUIZZES = {page: read_quiz(quiz_file(ROOT, page)) for page in LECTURES}
QUESTIONS = [question for quiz in QUIZZES.values() for question in quiz]


def test_every_quiz_belongs_to_a_lecture() -> None:
    there = set((ROOT / "book/quizzes").rglob("*.yaml"))
    assert there == {quiz_file(ROOT, page) for page in LECTURES}


@pytest.mark.parametrize("page", LECTURES)
def test_a_quiz_has_three_questions_with_something_behind_them(page: str) -> None:
    assert len(QUIZZES[page]) == 3
    for question in QUIZZES[page]:
        assert question.text.rstrip().endswith(("?", "."))
        assert 3 <= len(question.choices) <= 4
        assert len({choice.text for choice in question.choices}) == len(question.choices)
        for choice in question.choices:
            assert len(choice.feedback.split()) >= 6, f"says too little: {choice.feedback!r}"
            assert choice.feedback.endswith((".", "?"))
        elsewhere = [n for n in question.behind if BOOK.labels[n].page != page]
        assert elsewhere == [], f"labels of other pages than {page}"


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("page", LECTURES)
def test_numbers_in_a_quiz_have_something_behind_them(page: str) -> None:
    texts = []
    for question in QUIZZES[page]:
        texts.append(question.text)
        # A wrong choice may say a wrong number.
        texts += [choice.text for choice in question.choices if choice.right]
        texts += [choice.feedback for choice in question.choices]
    bare = without_backing(ROOT / f"{page}.md", texts)
    assert [f"{number.text} in … {number.context} …" for number in bare] == []


def test_the_right_choice_cannot_be_told_by_its_place_or_length() -> None:
    places = Counter(question.answer for question in QUESTIONS)
    assert max(places.values()) <= len(QUESTIONS) / 2
    assert len(places) >= 3
    longest = 0
    for question in QUESTIONS:
        right = len(question.choices[question.answer].text)
        wrong = [len(choice.text) for choice in question.choices if not choice.right]
        assert 0.6 < right / (sum(wrong) / len(wrong)) < 1.4, question.text
        longest += right > max(wrong)
    assert longest <= len(QUESTIONS) / 2


def test_a_quiz_with_a_slip_is_refused(tmp_path: Path) -> None:
    choice = "  - {text: a, feedback: b}\n"
    for text, said in {
        "- question: a\n  choices:\n" + choice + "  behind: [x]\n": "mark one choice",
        "- question: a\n  choices: []\n  behind: [x]\n": "choices is empty",
        "- question: a\n  behind: [x]\n": "give it choices",
        "- question: a\n  choices: [{text: a, feedback: b, rigth: true}]\n  behind: [x]\n": "rigth",
    }.items():
        (tmp_path / "quiz.yaml").write_text(text)
        with pytest.raises(ValueError, match=said):
            read_quiz(tmp_path / "quiz.yaml")


# A reader of GIFT, as its documentation describes it: what is escaped is no sign.
def read_gift(text: str) -> list[tuple[str, str, list[tuple[bool, str, str]]]]:
    text = re.sub(r"^(//|\$CATEGORY).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\\(.)", lambda found: f"\0{ord(found[1]):04x}", text)

    def plain(part: str) -> str:
        assert not re.search(r"[~=#{}]", part), f"a sign that is not escaped: {part!r}"
        return re.sub(r"\0([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), part).strip()

    questions = []
    for title, asked, body in re.findall(r"::(.*?)::\[html\](.*?)\{(.*?)\}", text, re.DOTALL):
        body, _, general = body.partition("####")
        assert plain(general)
        choices = re.findall(r"([=~])([^=~#]*)#([^=~#]*)", body)
        questions.append(
            (plain(title), plain(asked), [(s == "=", plain(a), plain(b)) for s, a, b in choices])
        )
    return questions


HARD = Question(
    r"Is $\{x : x = 1\} = \{\#\}$ ~ or *not*: `a=b`?",
    (Choice("Yes, $a<b$.", "It is & it is not."), Choice("No = no", "So {it} goes.", right=True)),
    ("thm-mirror",),
)


def test_gift_is_read_back() -> None:
    for page, quiz in [*QUIZZES.items(), ("book/imd/mirror-flow", [HARD])]:
        found = read_gift(gift(page, quiz, BOOK))
        assert len(found) == len(quiz)
        for (_, asked, choices), question in zip(found, quiz, strict=True):
            assert asked == html_of(question.text)
            assert choices == [
                (c.right, html_of(c.text), html_of(c.feedback)) for c in question.choices
            ]


def words(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def test_items_of_qti_are_as_its_specification_has_them() -> None:
    q = {"q": QTI}
    for page, quiz in [*QUIZZES.items(), ("book/imd/mirror-flow", [HARD])]:
        for (name, text), question in zip(items(page, quiz, BOOK), quiz, strict=True):
            item = ElementTree.fromstring(text)
            assert item.tag == f"{{{QTI}}}assessmentItem"
            assert item.attrib["identifier"] == name
            assert re.fullmatch(r"[A-Za-z_][\w.-]*", name), "no identifier of QTI"
            order = [child.tag.partition("}")[2] for child in item]
            feedback = ["modalFeedback"] * len(question.choices)
            declared = ["responseDeclaration", "outcomeDeclaration", "outcomeDeclaration"]
            assert order == [*declared, "itemBody", "responseProcessing", *feedback]
            choices = item.findall(".//q:simpleChoice", q)
            shown = {c.attrib["identifier"]: words(c) for c in choices}
            right = item.findtext(".//q:correctResponse/q:value", namespaces=q)
            plain = [re.sub(r"<[^>]*>", "", html_of(c.text)) for c in question.choices]
            assert list(shown.values()) == [unescaped(text) for text in plain]
            assert list(shown).index(right) == question.answer
            said = {f.attrib["identifier"]: words(f) for f in item.findall("q:modalFeedback", q)}
            assert list(said) == list(shown)
            for feedback_text, choice in zip(said.values(), question.choices, strict=True):
                assert unescaped(re.sub(r"<[^>]*>", "", html_of(choice.feedback))) in feedback_text


def unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_a_package_of_qti_names_its_files(tmp_path: Path) -> None:
    page = "book/imd/mirror-flow"
    path = tmp_path / "quiz.zip"
    write_package(path, page, QUIZZES[page], BOOK)
    with zipfile.ZipFile(path) as package:
        names = package.namelist()
        parsed = {name: ElementTree.fromstring(package.read(name)) for name in names}
    assert names[0] == "imsmanifest.xml"
    p = {"p": PACKAGE}
    resources = parsed["imsmanifest.xml"].findall(".//p:resource", p)
    assert {r.attrib["href"] for r in resources} == set(names[1:])
    test = next(r for r in resources if r.attrib["type"] == "imsqti_test_xmlv2p1")
    needed = [d.attrib["identifierref"] for d in test.findall("p:dependency", p)]
    refs = parsed[test.attrib["href"]].findall(".//q:assessmentItemRef", {"q": QTI})
    assert [r.attrib["identifier"] for r in refs] == needed
    assert all(r.attrib["href"] in names for r in refs)


def test_all_quizzes_are_written_alike_each_time(tmp_path: Path) -> None:
    first, again = (write_quizzes(tmp_path / name) for name in ("first", "again"))
    assert len(first) == 2 * len(LECTURES)
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
