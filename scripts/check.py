"""`make test`: every check of the project, the cheap ones first, one summary at the end.

After a failure among the cheap ones the others do not run, since they would repeat it at length.
Otherwise all run, so that one run shows everything that is broken. Name steps to run only those:
``python scripts/check.py style types``.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from isolation import isolated

from ibtools._threads import ONE_THREAD

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTEST = (str(BIN / "pytest"), "--quiet", "--no-header")
PARALLEL = ("-n", "2", "--dist", "worksteal")
SLOWEST = "--durations=12"  # what a run of twenty minutes spends them on is part of its report


class Step(NamedTuple):
    """One command, and what it checks."""

    name: str
    purpose: str
    command: Sequence[str]
    cheap: bool = False


def steps() -> list[Step]:
    """All checks in the order they run."""
    notebooks = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "book").rglob("*.ipynb"))
    nbval = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600", "--durations=10")
    python = sys.executable
    unit = ("tests", "--ignore=tests/site")
    return [
        Step(
            "format", "the code has its standard form", (f"{BIN}/ruff", "format", "--check"), True
        ),
        Step("style", "names, imports, docstrings", (f"{BIN}/ruff", "check", "--quiet"), True),
        Step("types", "annotations are consistent", (f"{BIN}/mypy",), True),
        Step(
            "sync", "notebooks agree with pages", (python, "scripts/notebooks.py", "--check"), True
        ),
        Step("browser", "there are browsers to test with", (python, "scripts/browser.py"), True),
        Step(
            "unit",
            "unit and property tests",
            (*PYTEST, *unit, *PARALLEL, SLOWEST, "-m", "not slow"),
            True,
        ),
        Step(
            "examples",
            "docstrings' examples",
            (*PYTEST, *PARALLEL, "--doctest-modules", "src/ibtools"),
            True,
        ),
        Step("slow", "tests over five seconds", (*PYTEST, *unit, *PARALLEL, SLOWEST, "-m", "slow")),
        Step(
            "notebooks",
            "every notebook runs as a reader would run it; the book shows these runs",
            (*PYTEST, *nbval, "-n", "2", "--dist", "loadscope", *notebooks),
        ),
        Step(
            "book",
            "the book builds without a warning",
            (f"{BIN}/jupyter-book", "build", "-W", "-n", "--keep-going", "."),
        ),
        Step(
            "site",
            "the built site in a browser",
            (*PYTEST, *PARALLEL, SLOWEST, "tests/site"),
        ),
    ]


def machine_kept_out() -> dict[str, str]:
    """Return the environment of every step, also where this is not called by the Makefile."""
    environment = isolated(ROOT / "_build")
    if path := os.environ.get("PYTHONPATH"):  # by hand, to try another copy of the package
        environment["PYTHONPATH"] = path
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, str(ROOT / "book" / "_ext"))
    from book_execution import isolate

    isolate(ROOT / "_build")
    return dict(os.environ)


def main(names: list[str]) -> int:
    chosen = [step for step in steps() if not names or step.name in names]
    if unknown := set(names) - {step.name for step in chosen}:
        sys.exit(f"No such step: {', '.join(sorted(unknown))}.")
    # A claim is run by the unit tests; the pages and notebooks show what they found.
    kept = {"IBTOOLS_CLAIMS": str(ROOT / "_build" / ".claims")}
    # Two workers whose libraries take every core each are up to four times as slow.
    environment = machine_kept_out() | ONE_THREAD | kept
    results: list[tuple[Step, str, float]] = []
    for step in chosen:
        failed = [done for done, outcome, _ in results if outcome == "FAILED"]
        cheap_failed = any(done.cheap for done in failed) and not step.cheap
        if cheap_failed or (step.name == "site" and any(done.name == "book" for done in failed)):
            results.append((step, "not run", 0.0))
            continue
        print(f"\n=== {step.name}: {step.purpose}", flush=True)
        start = time.monotonic()
        code = subprocess.run(step.command, cwd=ROOT, env=environment).returncode
        results.append((step, "FAILED" if code else "passed", time.monotonic() - start))
    print("\n=== summary")
    for step, outcome, seconds in results:
        print(f"  {outcome:8} {step.name:10} {seconds:6.0f} s   {step.purpose}")
    failed = [step.name for step, outcome, _ in results if outcome == "FAILED"]
    if failed:
        print(f"Failed: {', '.join(failed)}. Again, only those:")
        print(f"  {sys.executable} scripts/check.py {' '.join(failed)}")
        return 1
    whole = "These steps passed." if names else "Everything passed."
    print(f"{whole} 'make book' builds the site, 'make serve' shows it.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
