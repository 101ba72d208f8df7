// The questions of a lecture, answered in the page. What was chosen stays in this browser; where
// that is forbidden, until the page is left.
(function () {
  "use strict";
  const form = document.querySelector("form.quiz");
  if (!form) return;
  const key = `ibtools quiz ${form.dataset.quiz}`;
  const questions = [...form.querySelectorAll(".quiz-question")];
  let chosen = {};

  function remember() {
    try {
      if (Object.keys(chosen).length) localStorage.setItem(key, JSON.stringify(chosen));
      else localStorage.removeItem(key);
    } catch {
      // no storage, no memory
    }
  }

  function recall() {
    try {
      const found = JSON.parse(localStorage.getItem(key));
      if (found && typeof found === "object") chosen = found;
    } catch {
      chosen = {};
    }
  }

  // What was asked has another text than the one that was answered: then it is a new question.
  function sign(question) {
    return question.querySelector(".quiz-asked").textContent.replace(/\s+/g, " ").slice(0, 80);
  }

  function show(question, index) {
    const answers = question.querySelector(".quiz-answers");
    const answer = answers.querySelectorAll("li")[index];
    const feedback = question.querySelector(".quiz-feedback");
    const right = answer.hasAttribute("data-right");
    feedback.dataset.verdict = right ? "right" : "wrong";
    feedback.replaceChildren(...[...answer.cloneNode(true).childNodes]);
    answers.hidden = !right;
  }

  function forget(question) {
    const feedback = question.querySelector(".quiz-feedback");
    feedback.replaceChildren();
    delete feedback.dataset.verdict;
    const answers = question.querySelector(".quiz-answers");
    answers.hidden = true;
    answers.open = false;
  }

  function start(question) {
    const radios = [...question.querySelectorAll("input[type=radio]")];
    const check = question.querySelector(".quiz-check button");
    const name = radios[0].name;
    for (const radio of radios) {
      radio.hidden = false;
      radio.addEventListener("change", () => forget(question));
    }
    check.parentElement.hidden = false;
    forget(question);
    check.addEventListener("click", () => {
      const index = radios.findIndex((radio) => radio.checked);
      if (index < 0) {
        question.querySelector(".quiz-feedback").textContent = "Choose one of the answers first.";
        return;
      }
      show(question, index);
      chosen[name] = [sign(question), index];
      remember();
    });
    const kept = chosen[name];
    if (Array.isArray(kept) && kept[0] === sign(question) && radios[kept[1]]) {
      radios[kept[1]].checked = true;
      show(question, kept[1]);
    }
  }

  recall();
  form.classList.add("quiz-live");
  form.querySelector(".quiz-introduction").hidden = false;
  form.querySelector(".quiz-again").hidden = false;
  questions.forEach(start);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    chosen = {};
    remember();
    questions.forEach(forget);
  });
})();
