"""A lecture's questions, answered by keyboard alone."""

from bs4 import BeautifulSoup
from playwright.sync_api import Locator, Page

FORGETFUL = """
for (const name of ["getItem", "setItem", "removeItem"]) {
    const own = Storage.prototype[name];
    Storage.prototype[name] = function (key, ...rest) {
        if (String(key).startsWith("ibtools quiz")) throw new DOMException("no", "SecurityError");
        return own.call(this, key, ...rest);
    };
}
"""


def faults_without_scripts(page: BeautifulSoup) -> list[str]:
    """Return what is missing from the questions of a page, as they are written."""
    faults = []
    (form,) = page.select("form.quiz") or [BeautifulSoup("", "html.parser")]
    questions = form.select("fieldset.quiz-question")
    if len(questions) != 3:
        faults.append(f"{len(questions)} questions")
    for question in questions:
        choices = question.select(".quiz-choices li")
        answers = question.select("details.quiz-answers li")
        if not 3 <= len(choices) == len(answers):
            faults.append(f"{len(choices)} choices, {len(answers)} answers")
        if len(question.select(".quiz-answers li[data-right]")) != 1:
            faults.append("not one right answer")
        if not question.select(".quiz-behind a[href^='#']"):
            faults.append("nothing behind it")
        if shown := question.select("input:not([hidden]), .quiz-check:not([hidden])"):
            faults.append(f"dead without scripts: {shown[0]}")
        if question.find(id=question["aria-labelledby"]) is None:
            faults.append("a group without a name")
        if "\\(" in str(question):
            faults.append("a formula that is not set")
    return faults


def faults_of_quiz(page: Page, questions: int | None = None) -> list[str]:
    """Answer questions wrongly and rightly by keyboard, and reload; return what goes wrong."""
    faults = []
    for number, question in enumerate(page.locator(".quiz-question").all()[:questions], start=1):
        answers = question.locator(".quiz-answers li")
        right = answers.evaluate_all("all => all.findIndex(e => e.hasAttribute('data-right'))")
        for index in (*(n for n in range(answers.count()) if n != right), right):
            choose(page, question, index)
            if question.locator(".quiz-feedback").inner_text().strip():
                faults.append(f"question {number}: the feedback of another choice stays")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            faults += faults_of_feedback(number, question, index, right)
        if not question.locator(".quiz-answers").is_visible():
            faults.append(f"question {number}: the other answers stay hidden")
    said = feedback(page)
    page.reload()
    if feedback(page) != said:
        faults.append("forgotten when the page is loaded again")
    page.get_by_role("button", name="Forget my answers").press("Enter")
    page.reload()
    if any(feedback(page)) or page.locator(".quiz input:checked").count():
        faults.append("not forgotten when asked to")
    return faults


def choose(page: Page, question: Locator, index: int) -> None:
    """Choose by arrow keys, from wherever in the group one is."""
    radios = question.locator("input")
    radios.nth(index - 1 if index else radios.count() - 1).focus()
    page.keyboard.press("ArrowDown")


def faults_of_feedback(number: int, question: Locator, index: int, right: int) -> list[str]:
    where = f"question {number}, choice {index}"
    shown = question.locator(".quiz-feedback[role=status]")
    said = shown.evaluate("e => e.textContent")
    meant = question.locator(".quiz-answers li").nth(index).evaluate("e => e.textContent")
    faults = [] if said == meant else [f"{where}: said {said!r}"]
    verdict = "right" if index == right else "wrong"
    if shown.get_attribute("data-verdict") != verdict:
        faults.append(f"{where} is not {verdict}")
    if not shown.is_visible():
        faults.append(f"{where}: the feedback is not to be seen")
    return faults


def feedback(page: Page) -> list[str]:
    return page.locator(".quiz-feedback").evaluate_all("all => all.map(e => e.textContent)")
