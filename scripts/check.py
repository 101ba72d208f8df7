"""`make test`: every check of the project, the cheap ones first, one summary at the end.

After a failure among the cheap ones the others do not run, since they would repeat it at length.
Otherwise all run, so that one run shows everything that is broken. A step of one process shares
the cores with a longer one, and its lines come after that one's. Name steps to run only those:
``python scripts/check.py style types``.
"""

import os
import subprocess
import sys
import threading
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
    """One command, and what it checks; ``beside`` names a step whose cores it may share."""

    name: str
    purpose: str
    command: Sequence[str]
    cheap: bool = False
    beside: str = ""


def speaking_of_slow() -> list[str]:
    """Return the files that can hold a slow test: to collect the others takes half a minute."""
    files = (ROOT / "tests").rglob("test_*.py")
    return sorted(
        str(path.relative_to(ROOT))
        for path in files
        if path.parent.name != "site" and "slow" in path.read_text()
    )


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
        Step("types", "annotations are consistent", (f"{BIN}/mypy",), True, beside="unit"),
        Step(
            "sync", "notebooks agree with pages", (python, "scripts/notebooks.py", "--check"), True
        ),
        Step("browser", "there are browsers to test with", (python, "scripts/browser.py"), True),
        Step(
            "unit",
            "unit and property tests, the examples of all docstrings",
            (*PYTEST, *unit, *PARALLEL, SLOWEST, "-m", "not slow"),
            True,
        ),
        Step(
            "notebooks",
            "every notebook runs as a reader would run it; the book shows these runs",
            (*PYTEST, *nbval, "-n", "2", "--dist", "loadscope", *notebooks),
        ),
        Step(
            "book",
            "the book builds without a warning",
            (f"{BIN}/jupyter-book", "build", "-W", "-n", "--keep-going", "."),
            beside="slow",
        ),
        Step(
            "slow",
            "tests over five seconds",
            (*PYTEST, *speaking_of_slow(), *PARALLEL, SLOWEST, "-m", "slow"),
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


class Result(NamedTuple):
    """How a step ended, and after how many seconds."""

    step: Step
    outcome: str
    seconds: float


def may_run(step: Step, results: Sequence[Result]) -> bool:
    """Say whether what ran before leaves a sense in running ``step``."""
    failed = [result.step for result in results if result.outcome == "FAILED"]
    if step.name == "site" and any(before.name == "book" for before in failed):
        return False
    return step.cheap or not any(before.cheap for before in failed)


class Running:
    """A step at work; what it says is printed when it has ended, not between another's lines."""

    def __init__(self, step: Step, environment: dict[str, str]) -> None:
        self.step, self.start = step, time.monotonic()
        self.process = subprocess.Popen(
            step.command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.listener = threading.Thread(target=self.listen)
        self.listener.start()

    def listen(self) -> None:
        self.said, _ = self.process.communicate()
        self.ended = time.monotonic()

    def result(self) -> Result:
        """Wait for the end, show what was printed and say how it went."""
        self.listener.join()
        print(f"\n=== {self.step.name}: {self.step.purpose}\n{self.said}", flush=True)
        outcome = "FAILED" if self.process.returncode else "passed"
        return Result(self.step, outcome, self.ended - self.start)


def run(step: Step, environment: dict[str, str]) -> Result:
    """Run ``step``; what it prints is shown at once."""
    print(f"\n=== {step.name}: {step.purpose}", flush=True)
    start = time.monotonic()
    code = subprocess.run(step.command, cwd=ROOT, env=environment).returncode
    return Result(step, "FAILED" if code else "passed", time.monotonic() - start)


def main(names: list[str]) -> int:
    chosen = [step for step in steps() if not names or step.name in names]
    if unknown := set(names) - {step.name for step in chosen}:
        sys.exit(f"No such step: {', '.join(sorted(unknown))}.")
    # A claim is run by the unit tests; the pages and notebooks show what they found.
    kept = {"IBTOOLS_CLAIMS": str(ROOT / "_build" / ".claims")}
    # Two workers whose libraries take every core each are up to four times as slow.
    environment = machine_kept_out() | ONE_THREAD | kept
    results: list[Result] = []
    beside: dict[str, Running] = {}
    for step in chosen:
        if not may_run(step, results):
            results.append(Result(step, "not run", 0.0))
            continue
        if step.beside in {other.name for other in chosen}:
            beside[step.beside] = Running(step, environment)
            continue
        results.append(run(step, environment))
        if guest := beside.pop(step.name, None):
            results.append(guest.result())
        if any(done.name == "book" and end == "passed" for done, end, _ in results):
            # The tests of the site need not build it again.
            environment["IBTOOLS_SITE"] = str(ROOT / "_build" / "html")
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
