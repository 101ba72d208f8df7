"""The page that a student gets back: what was said of each answer, and what came of each cell."""

import html
import re

from ibtools.course.exercises import exercises
from ibtools.course.grading.master import Master
from ibtools.course.grading.pool import Graded
from ibtools.course.grading.table import number
from ibtools.course.homework import homeworks

_STYLE = """\
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
pre{overflow-x:auto;border:1px solid #8888;border-radius:4px;padding:.6em;font-size:.85rem}
section{border-left:4px solid #8888;padding-left:1em;margin:1.5em 0}
section.right{border-color:#0a7d4f}section.off{border-color:#c2410c}
.said{white-space:pre-wrap}
"""


def page(graded: Graded, master: Master) -> str:
    """Return the feedback page of one student: one file of HTML, which needs nothing else."""
    judged = graded.judged
    student = html.escape(graded.submission.student)
    titles, parts, total = _titles(), [], 0.0
    for check in master.checks:
        result = judged.results.get(check.exercise, {"score": 0.0, "said": "Not run."})
        earned = check.points * result["score"]
        total += earned
        right = result["score"] == 1
        mark = "✓" if right else "✗"
        title = html.escape(titles.get(check.exercise, check.exercise))
        parts.append(
            f'<section class="{"right" if right else "off"}"><h2>{mark} '
            f"{title}: {number(earned)} of {number(check.points)}</h2>"
            f'<p class="said">{html.escape(result["said"])}</p></section>'
        )
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in judged.notes)
    cells = "".join(_cell(cell.place, cell.source, cell.text, cell.error) for cell in judged.cells)
    failed = any(cell.error for cell in judged.cells)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Feedback for {student}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{student}: {number(total)} of {number(master.points)} points</h1>"
        f"{f'<ul>{notes}</ul>' if notes else ''}{''.join(parts)}"
        f"<details{' open' * failed}><summary>What was run</summary>"
        f"{cells or '<p>Nothing.</p>'}</details>"
        "</body></html>\n"
    )


def _titles() -> dict[str, str]:
    """Return what the book calls its exercises and homework, by their ids."""
    titles = {each.id: f"Exercise {each.number} ({each.title})" for each in exercises()}
    return titles | {name: f"{each.title} ({name})" for name, each in homeworks().items()}


def _cell(place: int, source: str, text: str, error: str) -> str:
    told = f"<pre>{html.escape(text[:2000])}</pre>" if text else ""
    wrong = f"<p>✗ {html.escape(error)}</p>" if error else ""
    where = f"Cell {place}" if place else "A cell that was missing"
    return f"<h3>{where}</h3><pre>{html.escape(source[:5000])}</pre>{told}{wrong}"


def file_name(student: str) -> str:
    """Return the name of a student's page: their name, as far as files may have it."""
    return re.sub(r"[^\w. -]", "_", student).strip(". ") + ".html"
