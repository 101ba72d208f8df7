"""Homework: each student's own data, the same for ever, judged by theory."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from ibtools.course import homeworks, problem

NAMES = list(homeworks())
STUDENTS = [f"student-{number}@example.org" for number in range(8)]


def theory_of(mine) -> dict[str, object]:
    return {question.name: question.theory() for question in mine.questions}


def test_there_is_one_for_each_chapter() -> None:
    assert NAMES == ["hw1", "hw2", "hw3", "hw4", "hw5"]


@pytest.mark.parametrize("name", NAMES)
def test_each_student_has_data_of_their_own(name: str) -> None:
    seen = {repr(sorted(problem(name, student=student).data.items())) for student in STUDENTS}
    assert len(seen) == len(STUDENTS)
    first = problem(name, student="Ada", term="1").data
    assert repr(first) == repr(problem(name, student=" ada ", term="1").data)
    assert repr(first) != repr(problem(name, student="Ada", term="2").data)


@pytest.mark.parametrize("name", NAMES)
def test_accepts_what_theory_says_and_rejects_the_neighbours_answer(name: str) -> None:
    problems = [problem(name, student=student) for student in STUDENTS]
    for mine, other in pairwise(problems):
        assert mine.check(theory_of(mine)).right
        assert not mine.check(theory_of(other)).right
        assert mine.check(None).score == 0


@pytest.mark.parametrize("name", NAMES)
def test_each_usual_mistake_is_told_in_its_own_words(name: str) -> None:
    for student in STUDENTS:
        mine = problem(name, student=student)
        assert 2 <= len(mine.questions) <= 4
        said = []
        for question in mine.questions:
            assert f"`{question.name}`" in mine.statement
            for mistake in question.wrong:
                part = question.judge(mistake.answer())
                assert not part.right
                assert part.feedback == mistake.feedback, (student, question.name, mistake.name)
                said.append(part.feedback)
        assert len(set(said)) == len(said) >= 3


def test_the_data_are_the_same_in_another_session() -> None:
    code = (
        "from ibtools.course import problem;"
        "print(*problem('hw1', student='ada', term='2027').X.ravel().tolist())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    here = problem("hw1", student="ada", term="2027").X.ravel()
    assert [float(value) for value in answer.stdout.split()] == here.tolist()


def test_data_are_attributes_and_what_is_none_is_told() -> None:
    mine = problem("hw2", student="ada")
    assert np.array_equal(mine.X, mine.data["X"])
    with pytest.raises(AttributeError, match="its data are X, y, a, w"):
        mine.Z  # noqa: B018


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "hw9", "student": "ada"}, "name must be one of hw1"),
        ({"name": "hw1", "student": " "}, "student must be what the student is known by"),
    ],
)
def test_what_is_wrong_with_the_question_is_an_error(arguments, said) -> None:
    with pytest.raises(ValueError, match=said):
        problem(**arguments)
