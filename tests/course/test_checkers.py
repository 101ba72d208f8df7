"""The whole family of checkers: what each accepts, what it rejects and how, what it never does."""

import ast
import contextlib
import re
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from book_answers import LONG, RUN, SAID
from book_solutions import code_of_solutions
from course_pages import names_used

from ibtools.course import check, checkers, exercises, lecture
from ibtools.course import limits as limits_module
from ibtools.course.questions import Question

BOOK = Path(__file__).parents[2] / "book"
CHECKERS = checkers()
QUESTIONS = [
    (exercise_id, question)
    for exercise_id, checker in CHECKERS.items()
    for question in checker.questions
]
NAMES = [f"{exercise_id}-{question.name}" for exercise_id, question in QUESTIONS]
PAGE = {exercise.id: exercise.page for exercise in exercises()}


def answer_of_book(exercise_id: str) -> dict[str, Any]:
    if exercise_id in SAID:
        return {part: eval(text, {"np": np}) for part, text in SAID[exercise_id].items()}
    page = (BOOK / f"{PAGE[exercise_id]}.md").read_text(encoding="utf-8")
    here, names = lecture(PAGE[exercise_id]), {}
    trees = [ast.parse(code) for code in code_of_solutions(page)[CHECKERS[exercise_id].exercise]]
    for tree in trees:
        if exercise_id in LONG:
            tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for tree in [*trees, *map(ast.parse, RUN[exercise_id].values())]:
        for name in names_used(tree) & set(here) - set(names):
            names[name] = here[name]
    for tree in trees:
        exec(compile(tree, exercise_id, "exec"), names)
    return {part: eval(text, names) for part, text in RUN[exercise_id].items()}


@pytest.mark.parametrize("exercise_id", CHECKERS)
def test_accepts_the_books_own_solution(exercise_id: str, capsys: pytest.CaptureFixture) -> None:
    verdict = check(exercise_id, answer_of_book(exercise_id))
    capsys.readouterr()
    assert verdict.right, verdict
    assert verdict.score == 1


@pytest.mark.parametrize(
    "question", [q for _, q in QUESTIONS if q.kind == "function"], ids=lambda q: q.name
)
def test_a_function_is_tried_at_several_values_of_each_argument(question: Question) -> None:
    """Who takes an argument for a constant must not be right."""
    for values in zip(*question.problems(), strict=True):
        assert not all(np.array_equal(values[0], other) for other in values)


def test_each_answer_of_the_book_is_of_an_exercise_that_is_checked() -> None:
    assert not set(RUN) & set(SAID)
    assert set(RUN) | set(SAID) == set(CHECKERS)


def _mistaken(question: Question, index: int) -> Any:
    mistake = question.wrong[index]
    return mistake.answer if question.kind == "function" else mistake.answer()


@pytest.mark.parametrize("exercise_id", CHECKERS)
def test_rejects_each_usual_mistake_with_its_own_feedback(exercise_id: str) -> None:
    seen = []
    for question in CHECKERS[exercise_id].questions:
        for index, mistake in enumerate(question.wrong):
            part = question.judge(_mistaken(question, index))
            assert not part.right, f"{question.name}: {mistake.name} is accepted"
            assert part.feedback == mistake.feedback, f"{question.name}: {mistake.name}"
            seen.append((question.name, part.feedback))
    assert len(seen) >= 3, "name three usual mistakes"
    assert len({text for _, text in seen}) == len(seen), "two mistakes have one feedback"


def test_enough_exercises_in_every_lecture() -> None:
    assert len(CHECKERS) >= 30
    with_checker = {exercise.page for exercise in exercises() if exercise.checked}
    assert with_checker == set(PAGE.values())


def test_what_has_no_checker_says_why() -> None:
    open_ones = {each.id for each in exercises() if each.by_hand == "an open question"}
    assert open_ones == {each.id for each in exercises() if each.kind == "project"}
    assert not any(each.by_hand for each in exercises() if each.checked)


def test_every_checker_is_of_an_exercise_of_the_book() -> None:
    assert set(CHECKERS) <= set(PAGE)


VALUES = [
    None,
    "0.5",
    b"1",
    np.nan,
    [np.inf, 1.0],
    True,
    [],
    {},
    [[1.0], [2.0, 3.0]],
    np.zeros((7, 7)),
    1j,
    object(),
    np.ma.masked,
    ["a", "b"],
]
FUNCTIONS = [
    lambda *arguments: None,
    lambda *arguments: np.nan,
    lambda *arguments: "1",
    lambda *arguments: np.zeros((7, 7)),
    lambda: 1.0,
    lambda *arguments: 1 / 0,
    lambda *arguments: exit(),
]


@pytest.mark.parametrize("exercise_id", CHECKERS)
def test_never_accepts_nonsense_and_never_raises(exercise_id: str) -> None:
    for question in CHECKERS[exercise_id].questions:
        of_functions = question.kind == "function"
        for answer in [*VALUES[:3], *FUNCTIONS] if of_functions else [*VALUES, *FUNCTIONS[:1]]:
            part = question.judge(answer)
            assert not part.right, (question.name, answer)
            assert part.feedback
    for answer in [*VALUES[::4], FUNCTIONS[0], ...]:
        assert not check(exercise_id, answer).right


def test_a_function_that_spoils_its_arguments_spoils_no_other_call() -> None:
    def spoils(X, y, p):
        found = answer_of_book("imd.powers")["limit"](X.copy(), y.copy(), p.copy())
        X[:], y[:], p[:] = 0, 0, 0
        return found

    assert check("imd.powers", spoils).right


def test_what_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "SECONDS", 0.1)
    before = threading.active_count()

    def forever(*arguments):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.001)

    def recursive(*arguments):
        return recursive(*arguments)

    verdict = check("before.drift", forever)
    assert "took longer than 0.1 s" in str(verdict)
    assert not verdict.right
    assert "RecursionError" in str(check("before.drift", recursive))
    for _ in range(50):
        if threading.active_count() <= before:
            break
        time.sleep(0.02)
    assert threading.active_count() <= before, "the loop goes on behind our back"


def test_parts_are_judged_by_themselves() -> None:
    right = {"equal": [0.5, 0.5], "unequal": [1 / 3, 2 / 3]}
    assert check("imd.tie", right).score == 1
    assert check("imd.tie", [right["equal"], right["unequal"]]).right
    assert check("imd.tie", np.array([right["equal"], right["unequal"]])).right
    assert check("imd.tie", equal=right["equal"]).score == 0.5
    for left_out in ({}, {"unequal": ...}):
        told = check("imd.tie", equal=right["equal"], **left_out)
        assert told.score == 0.5
        assert "unequal: Not answered yet." in str(told)
    told = check("imd.tie", eqal=right["equal"])
    assert told.score == 0
    assert "'eqal'" in told.message
    assert "equal, unequal" in told.message


def array_question(rtol: float = 1e-3) -> Question:
    return Question("q", "three numbers", "array", lambda: np.array([1.0, 2.0, 4.0]), rtol=rtol)


SUM = Question(
    "f", "a function", "function", lambda x: float(x.sum()), (), lambda rng: [(np.arange(3.0),)]
)


@pytest.mark.parametrize(
    ("question", "answer", "told"),
    [
        (array_question(), [1.01, 2.0, 4.0], "three right digits are asked for"),
        (array_question(1e-9), [1.01, 2.0, 4.0], "more right digits are asked for"),
        (array_question(), [-1.0, -2.0, -4.0], "the sign is not"),
        (array_question(), [4.0, 1.0, 2.0], "their order is not"),
        (array_question(), [3.0, 6.0, 12.0], "up to a constant factor"),
        (array_question(), [1.0, 5.0, 9.0], "Some of the entries are right"),
        (array_question(), [5.0, 7.0, 9.0], "Theory says something else"),
        (array_question(), [[1.0], [2.0, 3.0]], "rows differ in length"),
        (array_question(), [1j, 2, 3], "an entry is no number"),
        (array_question(), np.array([1j, 2, 3]), "since it is complex"),
        (array_question(), {1, 2}, "of the type set; an array of the shape (3,)"),
        (SUM, lambda x: x[3], "It was called with an array of the shape (3,)."),
        (SUM, lambda x: x, "a number is asked for. It was called with an array"),
    ],
)
def test_what_is_off_is_said_as_far_as_it_gives_nothing_away(question, answer, told) -> None:
    assert told in question.judge(answer).feedback


def test_an_unknown_exercise_is_told_with_its_neighbours() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'imd\.tie'"):
        check("imd.tei", 1)


def numbers_in(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", text)]


def told_by(question: Question) -> list[str]:
    """All that can be said of a wrong answer: of usual mistakes, and of some other ones."""
    said = [mistake.feedback for mistake in question.wrong]
    for problem in question.problems()[:1]:
        if question.kind == "option":
            continue
        exact = np.asarray(question.theory(*problem), dtype=float)
        for other in ((1 + 3 * question.rtol) * exact, -exact, exact + 17.3):
            value = (lambda *_, other=other: other) if question.kind == "function" else other
            said.append(question.judge(value).feedback)
    return said


@pytest.mark.parametrize(("exercise_id", "question"), QUESTIONS, ids=NAMES)
def test_no_feedback_gives_the_answer_away(exercise_id: str, question: Question) -> None:
    for said in told_by(question):
        assert "=" not in said, said
        assert said[0].isupper(), said
        assert said[-1] in ".?", said
        if question.kind == "option":
            right = question.theory()
            assert not re.search(rf"(?<!\w){re.escape(right)}(?!\w)", said), said
        elif question.kind != "function":
            exact = np.ravel(np.asarray(question.theory(), dtype=float))
            for value in numbers_in(said):
                assert not np.any(np.isclose(np.abs(exact), abs(value), rtol=0.02)), said


def test_the_leak_test_sees_a_leak() -> None:
    assert numbers_in("It is 0.5, not -3 or x2.") == [0.5, -3.0]
