"""`make mutants`: change one sign, number or comparison at a time, and see whether a test notices.

Every formula of ``ibtools.theory`` and ``ibtools.metrics`` is meant to be guarded by a test. Cosmic
Ray makes the changes, in a copy of the project, and runs the tests nearest to the changed module.
What survives is printed, unless ``tests/mutants.yaml`` says why no test can tell. Stop it whenever
you like: it goes on where it was, and starts a module anew only when it or its tests change.

    make mutants MINUTES=60
    .venv/bin/python scripts/mutants.py --minutes 10 theory/potentials metrics/rank
"""

import argparse
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from check import ONE_THREAD
from tqdm.auto import tqdm

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "_build" / "mutants"
TREE = WORK / "tree"
ARGUED = ROOT / "tests" / "mutants.yaml"
TOOL = "cosmic-ray==8.7.0"
ROOMS = ("theory", "metrics")

# Where neither a name nor a call shows which tests are near.
NEAREST = {"metrics/net_margins": ["metrics/test_net_kkt.py", "metrics/test_robustness.py"]}

# Operators that no one confuses with each other, and the bar in annotations.
UNLIKELY = "BitOr|BitXor|BitAnd|LShift|RShift|Mod|FloorDiv"
EXCLUDED = [
    rf"core/ReplaceBinaryOperator_\w+_(?:{UNLIKELY})",
    rf"core/ReplaceBinaryOperator_(?:{UNLIKELY})_\w+",
    r"core/ReplaceComparisonOperator_Is\w*",
    r"core/RemoveDecorator",
    r"core/ExceptionReplacer",
]
CONFIG = """\
[cosmic-ray]
module-path = "src/ibtools/{module}.py"
timeout = {timeout}
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider -m 'not slow' {tests}"
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = [{excluded}]
"""


@dataclass(frozen=True)
class Survivor:
    """A change that no test noticed."""

    module: str
    line: int
    before: str
    after: str


def modules() -> list[str]:
    """Every module whose formulas are to be guarded, as ``room/name``."""
    package = ROOT / "src" / "ibtools"
    found = (path for room in ROOMS for path in sorted((package / room).glob("*.py")))
    return [f"{path.parent.name}/{path.stem}" for path in found if path.stem != "__init__"]


def nearest_tests(module: str) -> list[str]:
    """The tests that bear the name of a module, else those that speak of what is in it."""
    room, name = module.split("/")
    folder = ROOT / "tests" / room
    own = [ROOT / "tests" / path for path in NEAREST.get(module, [])]
    own = own or sorted(folder.glob(f"test_{name}.py")) + sorted(folder.glob(f"test_{name}_*.py"))
    if not own:
        source = (ROOT / "src" / "ibtools" / f"{module}.py").read_text()
        public = re.findall(r"^(?:def|class) ([A-Za-z]\w*)", source, re.MULTILINE)
        calls = re.compile(rf"\b(?:{'|'.join(public)})\b")
        everywhere = sorted((ROOT / "tests").glob("[!bs]*/test_*.py"))
        calling = [path for path in everywhere if calls.search(path.read_text())]
        own = [path for path in calling if path.parent == folder] or calling[:3]
    return [path.relative_to(ROOT).as_posix() for path in own]


def session_of(module: str) -> Path:
    """Where the progress of a module is kept: void as soon as it or its tests change."""
    digest = hashlib.sha256()
    for path in [f"src/ibtools/{module}.py", *nearest_tests(module)]:
        digest.update((ROOT / path).read_bytes())
    return WORK / f"{module.replace('/', '.')}.{digest.hexdigest()[:12]}.sqlite"


def tool() -> Path:
    """Folder of Cosmic Ray's programs, in an environment of its own that is made when needed."""
    home = WORK / "tool"
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        print(f"Installing {TOOL} into {home.relative_to(ROOT)}.", flush=True)
        venv.create(home, with_pip=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", TOOL], check=True)
        (home / "ready").touch()
    return home / "bin"


def copy_tree() -> None:
    """Copy the project to where it may be changed; a change left by a killed run is gone."""
    shutil.rmtree(TREE, ignore_errors=True)
    for name in ("src", "tests", "scripts", "book"):
        shutil.copytree(ROOT / name, TREE / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "_toc.yml"):
        shutil.copy(ROOT / name, TREE / name)


def run_module(module: str, bin_: Path, deadline: float) -> None:
    """Try the changes of one module that have not been tried, until `deadline`."""
    session = session_of(module)
    tests = nearest_tests(module)
    if not tests:
        return
    environment = os.environ | {"PYTHONPATH": str(TREE / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= ONE_THREAD
    config = WORK / "config.toml"
    started = time.monotonic()
    healthy = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow", *tests],
        cwd=TREE,
        env=environment,
        capture_output=True,
        text=True,
    )
    if healthy.returncode:
        sys.exit(f"the tests of {module} fail without any change:\n{healthy.stdout[-2000:]}")
    config.write_text(
        CONFIG.format(
            module=module,
            timeout=round(10 + 5 * (time.monotonic() - started)),
            python=sys.executable,
            tests=" ".join(tests),
            excluded=", ".join(f"'{pattern}'" for pattern in EXCLUDED),
        )
    )
    if not session.exists():
        for old in WORK.glob(f"{module.replace('/', '.')}.*.sqlite"):
            old.unlink()
        new = session.with_suffix(".new")
        new.unlink(missing_ok=True)
        quiet = {"cwd": TREE, "env": environment, "check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([bin_ / "cosmic-ray", "init", config, new], **quiet)
        subprocess.run([bin_ / "cr-filter-operators", new, config], **quiet)
        new.rename(session)
    process = subprocess.Popen(
        [bin_ / "cosmic-ray", "exec", config, session],
        cwd=TREE,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    done, _, total = progress(session)
    with tqdm(total=total, initial=done, desc=module, unit="mutant", leave=False) as bar:
        try:
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(1)
                bar.n = progress(session)[0]
                bar.refresh()
        finally:
            process.terminate()
            process.wait()


def progress(session: Path) -> tuple[int, int, int]:
    """How many changes were tried, how many of them survived, and how many there are."""
    with sqlite3.connect(f"file:{session}?mode=ro", uri=True) as database:
        rows = database.execute(
            "select coalesce(worker_outcome, ''), coalesce(test_outcome, '') from work_items "
            "left join work_results using (job_id)"
        ).fetchall()
    wanted = [test for worker, test in rows if worker != "SKIPPED"]
    return sum(map(bool, wanted)), wanted.count("SURVIVED"), len(wanted)


def survivors(module: str) -> list[Survivor]:
    """The changes of a module that no test noticed."""
    with sqlite3.connect(f"file:{session_of(module)}?mode=ro", uri=True) as database:
        rows = database.execute(
            "select start_pos_row, diff from mutation_specs join work_results using (job_id) "
            "where test_outcome = 'SURVIVED' order by start_pos_row"
        ).fetchall()
    found = []
    for line, diff in rows:
        lines = diff.splitlines()
        before = next((x[1:].strip() for x in lines if re.match(r"-(?!--)", x)), "")
        after = next((x[1:].strip() for x in lines if re.match(r"\+(?!\+\+)", x)), "")
        found.append(Survivor(module, line, before, after))
    return found


def argued(survivor: Survivor, reasons: dict[str, list[dict[str, str]]]) -> bool:
    """Whether the list says of this change, or of its whole line, why no test can tell."""
    return any(
        entry["line"] == survivor.before and entry.get("becomes") in (None, survivor.after)
        for entry in reasons.get(survivor.module, [])
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the budget is spent; return 1 if a change survives that nobody argued away."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="room/module", help="default all")
    parser.add_argument("--minutes", type=float, default=30.0, help="budget; default 30")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.modules) - set(modules()):
        parser.error(f"no module {sorted(unknown)[0]!r}; there are: {', '.join(modules())}")
    deadline = time.monotonic() + 60 * asked.minutes
    WORK.mkdir(parents=True, exist_ok=True)
    bin_ = tool()
    copy_tree()
    chosen = asked.modules or modules()
    try:
        for module in chosen:
            if time.monotonic() < deadline:
                run_module(module, bin_, deadline)
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.")
    return report(chosen)


def report(chosen: Sequence[str]) -> int:
    """Print what was tried and what survived."""
    reasons = yaml.safe_load(ARGUED.read_text()) or {}
    bare = []
    for module in chosen:
        if not nearest_tests(module):
            print(f"{module:32} has no test near it")
            continue
        if not session_of(module).exists():
            print(f"{module:32} not begun")
            continue
        done, alive, total = progress(session_of(module))
        left = [s for s in survivors(module) if not argued(s, reasons)]
        bare += left
        print(
            f"{module:32} {done:4} of {total:4} tried, {alive:3} survived, {len(left):3} unargued"
        )
    for survivor in bare:
        print(f"\nsrc/ibtools/{survivor.module}.py:{survivor.line}")
        print(f"  - {survivor.before}\n  + {survivor.after}")
    return 1 if bare else 0


if __name__ == "__main__":
    sys.exit(main())
