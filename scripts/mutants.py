"""`make mutants`: change one sign, number or comparison at a time, and see whether a test notices.

Every formula of ``ibtools.theory`` and ``ibtools.metrics`` is meant to be guarded by a test. Cosmic
Ray makes the changes (``scripts/mutations.py`` says which), and the tests nearest to the changed
module are run. What survives is printed, unless ``tests/mutants.yaml`` says why no test can tell.

    make mutants MINUTES=60
    .venv/bin/python scripts/mutants.py --minutes 10 theory/potentials metrics/rank

Starting Python, importing and collecting cost more than most tests, so they are done once a module.
Then every change has a child of that process, in whose memory alone the changed functions have
another body. It runs the tests that run the changed statement, the quickest and most telling
first, until one fails or a second and a half is spent, with a quarter of Hypothesis' examples. A
test that takes four times its processor time, and a second, has noticed the change too. A sample of
the formulas of each module comes first, then the rest, then what they refuse. What survives this
is tried again the plain way: imported and collected from the start, all examples, all the tests
near the module, slow ones too.

Nothing is written to the sources; the run works on a copy, so you may go on editing. Stop it
whenever you like: it goes on where it was. What was tried counts for as long as the changed
statement and the test that noticed stay as they are; a survivor is tried again when tests change,
before all others, or, if you ask for it, alone:

    .venv/bin/python scripts/mutants.py --again theory/potentials
"""

import argparse
import ast
import contextlib
import gc
import hashlib
import importlib.machinery
import json
import os
import re
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import accumulate
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
import yaml
from tqdm.auto import tqdm

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "_build" / "mutants"
TREE = WORK / "tree"
ARGUED = ROOT / "tests" / "mutants.yaml"
TOOL = "cosmic-ray==8.7.0"
ROOMS = ("theory", "metrics")
HEAVY = ("numpy", "scipy.optimize", "scipy.integrate", "scipy.special", "torch", "mpmath")

# Where neither a name nor a call shows which tests are near.
NEAREST = {
    "metrics/kinks_of_nets": ["metrics/test_kinks_of_nets.py", "metrics/test_kkt_of_margins.py"],
    "metrics/margins_of_nets": ["metrics/test_kkt_of_margins.py", "metrics/test_robustness.py"],
    "theory/leading_terms": ["theory/test_homogeneity.py"],
}

PYTEST = (
    *("-q", "-s", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
    *(
        "-p",
        "no:unraisableexception",
    ),  # a test that is cut while garbage is collected is no failure
)
SPENT = 1.5  # seconds of tests after which a change is left for the plain way
LONG = 1.5  # seconds after which a test is no longer watched to see what it runs
MEMORY = 8 << 30  # bytes a child may have: a changed size must not take the machine's
QUICK, PLAIN = "mutants, quick", "mutants, plain"  # profiles of Hypothesis
BROKEN = 3  # exit status of a process in which pytest itself stopped
SEEN = "_mutants_seen"  # what a watched module calls the set of the rows it runs
AGAIN = ("survived before", None)  # the tests are others since
STAGES = (
    AGAIN,
    *(("formulas", sample) for sample in (25, 100, None)),  # a fair sample of each module first
    ("everything", None),
    ("survivors", None),
)
UNMEASURED = 120.0  # seconds a test may take of which it is not known how many it takes


Living = dict[tuple[str, int], list[FunctionType]]


@dataclass(frozen=True)
class Change:
    """One statement of a module, and what is tried in its place."""

    module: str
    line: int
    first: int
    before: str
    after: str

    @cached_property
    def key(self) -> str:
        """What makes it this change: not where it stands, nor what is said of it."""
        texts = [self.before, self.after]
        for said in docstrings(self.before):
            texts = [text.replace(said, "", 1) for text in texts]
        return digest(*texts)

    @property
    def lines(self) -> tuple[str, str]:
        """The changed line, and what it becomes."""
        pairs = zip(self.before.splitlines(), self.after.splitlines(), strict=False)
        return next((a.strip(), b.strip()) for a, b in pairs if a != b)

    @cached_property
    def innermost(self) -> ast.stmt:
        """The innermost statement that is changed."""
        row = self.line - self.first + 1
        around = [
            node
            for node in ast.walk(ast.parse(self.before))  # outer ones first
            if isinstance(node, ast.stmt) and node.lineno <= row <= (node.end_lineno or row)
        ]
        return around[-1] if around else ast.parse(self.before).body[0]

    @property
    def rows(self) -> range:
        """The rows of the module that the innermost changed statement has, of an `if` its head."""
        body = getattr(self.innermost, "body", None)
        last = (body[0].lineno - 1 if body else self.innermost.end_lineno) or 0
        rows = range(self.innermost.lineno, max(self.innermost.lineno, last) + 1)
        return range(rows.start + self.first - 1, rows.stop + self.first - 1)

    @property
    def refuses(self) -> bool:
        """Whether it is about what is refused, and in what words: no formula."""
        body = getattr(self.innermost, "body", [self.innermost])
        return isinstance(body[0], ast.Raise)

    def applied(self, source: str) -> str:
        """Return the module's source with the change."""
        lines = source.splitlines(keepends=True)
        last = self.first - 1 + len(self.before.splitlines())
        assert "".join(lines[self.first - 1 : last]) == self.before
        return "".join([*lines[: self.first - 1], self.after, *lines[last:]])


@cache
def docstrings(source: str) -> list[str]:
    """The docstrings of what is defined in a piece of source, as they stand there."""
    defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, defined)]
    found = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    return [ast.get_source_segment(source, statement) or "" for statement in found]


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def modules() -> list[str]:
    """Every module whose formulas are to be guarded, as ``room/name``."""
    package = ROOT / "src" / "ibtools"
    found = (path for room in ROOMS for path in sorted((package / room).glob("*.py")))
    return [f"{path.parent.name}/{path.stem}" for path in found if path.stem != "__init__"]


def source_of(module: str) -> Path:
    return ROOT / "src" / "ibtools" / f"{module}.py"


def nearest_tests(module: str) -> list[str]:
    """The tests that bear the name of a module, else those that speak of what is in it."""
    room, name = module.split("/")
    folder = ROOT / "tests" / room
    own = [ROOT / "tests" / path for path in NEAREST.get(module, [])]
    own = own or sorted(folder.glob(f"test_{name}.py")) + sorted(folder.glob(f"test_{name}_*.py"))
    if not own:
        public = re.findall(r"^(?:def|class) ([A-Za-z]\w*)", source_of(module).read_text(), re.M)
        calls = re.compile(rf"\b(?:{'|'.join(public)})\b")
        everywhere = sorted((ROOT / "tests").glob("[!bs]*/test_*.py"))
        calling = [path for path in everywhere if calls.search(path.read_text())]
        own = [path for path in calling if path.parent == folder] or calling[:3]
    return [path.relative_to(ROOT).as_posix() for path in own]


def tests_digest(module: str, root: Path) -> str:
    return digest(*((root / path).read_text() for path in nearest_tests(module)))


def kept(module: str, what: str) -> Path:
    """Where something about a module is kept between runs."""
    return WORK / f"{module.replace('/', '.')}.{what}"


def tool() -> Path:
    """Python with Cosmic Ray, in an environment of its own that is made when needed."""
    home = WORK / "tool"
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        print(f"Installing {TOOL} into {home.relative_to(ROOT)}.", flush=True)
        venv.create(home, with_pip=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", TOOL], check=True)
        (home / "ready").touch()
    return home / "bin" / "python"


def list_changes(module: str) -> None:
    """Have the changes of a module listed, unless the list is of the module as it is."""
    operators = Path(__file__).with_name("mutations.py")
    source = TREE / source_of(module).relative_to(ROOT)
    state = digest(source.read_text(), operators.read_text())
    with contextlib.suppress(FileNotFoundError):
        if json.loads(kept(module, "changes.json").read_text())["state"] == state:
            return
    command = [tool(), operators, source]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    kept(module, "changes.json").write_text(json.dumps({"state": state, "changes": listed}))


def changes(module: str) -> list[Change]:
    """The changes of a module as they were listed last, none twice."""
    listed = json.loads(kept(module, "changes.json").read_text())["changes"]
    found = (Change(module, **entry) for entry in listed)
    return list({change.key: change for change in found}.values())


def noted(module: str) -> list[dict[str, Any]]:
    """Everything that was ever found about a module, the latest last."""
    path = kept(module, "results.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def results(module: str) -> dict[str, dict[str, Any]]:
    """What is known, by key of the change, and still counts."""
    tests = tests_digest(module, ROOT)
    found = {}
    for entry in noted(module):
        seal = seal_of(entry["by"], ROOT) if entry["by"] else tests
        if entry["seal"] == seal:
            found[entry["key"]] = entry
        else:
            found.pop(entry["key"], None)
    return found


@cache
def test_texts(path: Path) -> dict[str, str]:
    """Every function of a file of tests, by name."""
    source = path.read_text()
    return {
        node.name: digest(ast.get_source_segment(source, node) or "")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }


def seal_of(by: str, root: Path) -> str:
    """Digest of the test that noticed: its finding counts until the test is another."""
    file, _, test = by.partition("::")
    name = test.split("[")[0].rpartition("::")[2] or test.split("[")[0]
    path = root / file
    return test_texts(path).get(name, "gone") if path.is_file() else ""


def copy_tree() -> None:
    """Copy the project, so that it may be edited while its copy is tried."""
    for name in ("src", "tests", "scripts", "book"):
        shutil.rmtree(TREE / name, ignore_errors=True)
        shutil.copytree(ROOT / name, TREE / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "_toc.yml"):
        shutil.copy(ROOT / name, TREE / name)


def functions_of(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of the functions of a module and its classes, not of those within them."""
    for inner in filter(lambda constant: isinstance(constant, CodeType), code.co_consts):
        if inner.co_flags & 1:  # CO_OPTIMIZED, which a class's body is not
            yield inner
        else:
            yield from functions_of(inner)


def outside_functions(code: CodeType) -> list[str]:
    """Return what a module does when it is imported, to compare it."""
    told = [code.co_code.hex(), repr(code.co_names)]
    for constant in code.co_consts:
        if not isinstance(constant, CodeType):
            told.append(repr(constant))
        elif not constant.co_flags & 1:
            told += outside_functions(constant)
    return told


def place(code: CodeType) -> tuple[str, int]:
    """Return what tells a function of a module from the others."""
    return code.co_qualname, code.co_firstlineno


def new_bodies(
    old: CodeType, new: CodeType, living: dict[tuple[str, int], list[FunctionType]]
) -> list[tuple[FunctionType, CodeType]] | None:
    """Return which functions get which body to make one module of another; None if it can't be."""
    if outside_functions(old) != outside_functions(new):
        return None
    found = []
    for before, after in zip(functions_of(old), functions_of(new), strict=True):
        if before != after:
            functions = living.get(place(before), [])
            codes = {function.__code__ for function in functions}
            # No statement of a lambda tells that it is run.
            if before.co_name == "<lambda>" or len(codes) != 1:
                return None
            if before.co_freevars != after.co_freevars:
                return None
            found += [(function, after) for function in functions]
    return found


class Telling(ast.NodeTransformer):
    """Puts before each statement of a function another that says that it is run."""

    def __init__(self) -> None:
        self.within = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        before, self.within = self.within, True
        body = [self.visit(statement) for statement in node.body]
        within = [new for made in body for new in (made if isinstance(made, list) else [made])]
        node.body = [self.telling(node), *within]
        self.within = before
        return [self.telling(node), node] if before else node

    def generic_visit(self, node: ast.AST) -> Any:
        super().generic_visit(node)
        if self.within and isinstance(node, ast.stmt) and not isinstance(node, ast.Nonlocal):
            return [self.telling(node), node]
        return node

    @staticmethod
    def telling(node: ast.stmt) -> ast.stmt:
        return ast.parse(f"{SEEN}.add({node.lineno})").body[0]


@dataclass(eq=False)
class Trials:
    """A plugin of pytest: forks a child for each change while pytest goes through its stages."""

    module: str
    untried: list[Change]
    survived: list[Change]
    deadline: float
    sampled: bool = False  # leave what needs an import of its own
    changed: Change | None = None  # in a child: what it tries
    killer: int = -1  # in a child: where it says which test noticed
    measuring: bool = False
    collected: bool = False
    order: list[str] = field(default_factory=list)
    measured: dict[str, tuple[float, list[int]]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    rows: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:  # noqa: D105
        self.path = str(TREE / "src" / "ibtools" / f"{self.module}.py")
        self.source = Path(self.path).read_text()
        self.tests = tests_digest(self.module, TREE)

    # The process that has imported and collected nothing of ours.

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        from hypothesis import Phase, settings

        # The smallest counterexample is of no interest, and the same change must fare the same.
        for name, examples in ((QUICK, 25), (PLAIN, 100)):
            settings.register_profile(
                name,
                settings.get_profile("book"),
                max_examples=examples,
                phases=[Phase.explicit, Phase.generate],
                derandomize=True,
                database=None,
                report_multiple_bugs=False,
            )
        settings.load_profile(QUICK if self.untried else PLAIN)
        gc.collect()
        gc.freeze()
        plain = kept(self.module, "plain.json")
        plain.unlink(missing_ok=True)
        if self.untried:
            if not (child := os.fork()):
                self.collected = True
                return  # which goes on to collect, then to `pytest_runtestloop`
            if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
                os._exit(1)
        self.measured = read_json(kept(self.module, "measured.json"), {}).get("tests", {})
        unfit = set() if self.sampled else set(read_json(plain, []))
        for change in self.untried + self.survived:
            if change in self.survived or change.key in unfit:
                if time.time() > self.deadline:
                    break
                if not self.fork(change):
                    settings.load_profile(PLAIN)
                    import_changed(self.path, change.applied(self.source))
                    return  # which goes on to collect the changed module
        os._exit(0)

    # The process that has imported and collected all of it.

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        if self.changed:
            return
        session.items[:] = [item for item in session.items if not item.get_closest_marker("slow")]
        module = sys.modules[f"ibtools.{self.module.replace('/', '.')}"]
        living: Living = {}
        for thing in gc.get_objects():  # which no longer finds them once they are frozen
            if isinstance(thing, FunctionType) and thing.__code__.co_filename == self.path:
                living.setdefault(place(thing.__code__), []).append(thing)
        gc.collect()
        gc.freeze()
        if not self.measure(module, living):
            return
        unfit = []
        for change in self.untried:
            if time.time() > self.deadline:
                break
            # The statement alone, in its place, as the loader of checked annotations sees it.
            alone = [
                ("\n" * (change.first - 1) + text).encode()
                for text in (change.before, change.after)
            ]
            old, new = (module.__spec__.loader.source_to_code(x, self.path) for x in alone)
            bodies = new_bodies(old, new, living)
            if bodies is None:
                unfit.append(change.key)
            elif not (running := self.running(change)):
                self.record(change, "survived", "", 0.0)
            elif not self.fork(change):
                for function, body in bodies:
                    function.__code__ = body
                self.order = running
                self.put_in_order(session)
                return
        kept(self.module, "plain.json").write_text(json.dumps(unfit))
        os._exit(0)

    def measure(self, module: ModuleType, living: Living) -> bool:
        """Have the tests' times, and what of the module each runs; False in the child."""
        store = kept(self.module, "measured.json")
        state = digest(self.tests, self.source)
        known = read_json(store, {})
        if known.get("state") != state:
            if not (child := os.fork()):
                self.measuring = True
                self.watch(module, living)
                return False
            if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
                os._exit(1)
            known = {"state": state, "tests": read_json(kept(self.module, "measured.new"), {})}
            store.write_text(json.dumps(known))
        self.measured = known["tests"]
        return True

    def watch(self, module: ModuleType, living: Living) -> None:
        """Have the module's functions tell which statements they run; tracing takes ten times."""
        vars(module)[SEEN] = self.rows
        told = ast.unparse(Telling().visit(ast.parse(self.source)))
        old, new = (
            module.__spec__.loader.source_to_code(text.encode(), self.path)
            for text in (self.source, told)
        )
        for before, after in zip(functions_of(old), functions_of(new), strict=True):
            functions = living.get(place(before), [])
            if len({function.__code__ for function in functions}) == 1:  # not two of one line
                for function in functions:
                    function.__code__ = after

    def running(self, change: Change) -> list[str]:
        """The tests that run a statement, the quickest and most telling first."""
        rows = change.rows
        found = [test for test, (_, lines) in self.measured.items() if set(lines) & set(rows)]
        found.sort(key=lambda test: self.measured[test][0] / (1 + self.kills[test]))
        spent = accumulate(self.measured[test][0] for test in found)
        within = [test for test, after in zip(found, spent, strict=True) if after < SPENT]
        return within or found[:1]

    # Both of them, and their children.

    def fork(self, change: Change) -> bool:
        """Have a change tried, and write down what came of it; False in the child that tries it."""
        read, write = os.pipe()
        if not (child := os.fork()):
            os.close(read)
            self.changed, self.killer = change, write
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.alarm(1800)
            signal.setitimer(signal.ITIMER_PROF, 30)
            return False
        os.close(write)
        with os.fdopen(read) as pipe:
            by = pipe.read().splitlines()
        _, status, used = os.wait4(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == BROKEN:
            os._exit(BROKEN)
        # The last test that was begun: it failed, or would not end.
        last = by[-1] if by else "import"
        outcome = {0: "survived", 1: "killed"}.get(code, "stopped")
        self.record(change, outcome, last if code else "", used.ru_utime)
        return True

    def record(self, change: Change, outcome: str, by: str, seconds: float) -> None:
        self.kills[by] += 1
        entry = {"key": change.key, "outcome": outcome, "by": by, "sure": not self.collected}
        entry["seal"] = seal_of(by, TREE) if by else self.tests
        entry["seconds"] = round(seconds, 3)
        with kept(self.module, "results.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def put_in_order(self, session: pytest.Session) -> None:
        """Keep the tests that are asked for, in their order."""
        place = {test: at for at, test in enumerate(self.order)}
        session.items[:] = sorted(
            (item for item in session.items if item.nodeid in place),
            key=lambda item: place[item.nodeid],
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            if self.changed:
                os.write(self.killer, b"import\n")
            else:
                print(report.longreprtext, flush=True)
            os._exit(1)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.changed:  # imported with the change: all tests, those that are not slow first
            items.sort(key=lambda item: self.measured.get(item.nodeid, (1e9,))[0])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self.measuring:
            # A test that was cut may have left gradients off.
            sys.modules["torch"].set_grad_enabled(True)
            signal.signal(signal.SIGPROF, self.too_long)
            signal.setitimer(signal.ITIMER_PROF, LONG, LONG)  # where it is ignored, once more
        if self.changed:
            os.write(self.killer, f"{nodeid}\n".encode())
            limit = self.measured.get(nodeid, (UNMEASURED / 4,))[0]
            signal.setitimer(signal.ITIMER_PROF, 4 * limit + 1)
        self.rows.clear()
        self.cut = False
        self.began = time.process_time()

    def too_long(self, *_: object) -> None:
        """Leave a test that takes longer than all tests that a change is tried with."""
        self.cut = True
        pytest.skip("too long for every change")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        passed = call.excinfo is None or call.excinfo.errisinstance(pytest.skip.Exception)
        if not passed and not item.get_closest_marker("xfail"):
            if self.changed:
                os._exit(1)
            print(call.excinfo.getrepr(), flush=True)
            os._exit(1)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        took = UNMEASURED if self.cut else time.process_time() - self.began
        self.measured[nodeid] = (took, sorted(self.rows))

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus:
            os._exit(BROKEN)
        if self.measuring:
            kept(self.module, "measured.new").write_text(json.dumps(self.measured))
        os._exit(0)


def read_json(path: Path, otherwise: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else otherwise


def import_changed(path: str, source: str) -> None:
    """Have the module at a path imported from another source, without any cache."""
    loader = importlib.machinery.SourceFileLoader
    get_data, set_data = loader.get_data, loader.set_data
    cached = re.compile(rf"__pycache__/{Path(path).stem}\.")

    def get(self: Any, asked: str) -> bytes:
        if asked == path:
            return source.encode()
        if cached.search(asked):
            raise OSError(asked)
        return get_data(self, asked)

    def set_(self: Any, asked: str, data: bytes, **options: Any) -> None:
        if not cached.search(asked):
            set_data(self, asked, data, **options)

    loader.get_data, loader.set_data = get, set_


def run_module(module: str, deadline: float, what: str, sample: int | None = None) -> None:
    """Try what was not tried of a module, its formulas or all of it, or again what survives.

    Of formulas a fair sample may be asked for: as many changes, wherever they stand.
    """
    tests = nearest_tests(module)
    if not tests:
        return
    list_changes(module)
    known, reasons = results(module), argued_away()
    alive = [c for c in changes(module) if known.get(c.key, {}).get("outcome") == "survived"]
    alive = [c for c in alive if not known[c.key]["sure"] and not argued(c, reasons)]
    untried = sorted(changes(module), key=lambda change: change.key)  # which is as good as a draw
    if what == "formulas":
        untried = [c for c in untried if not c.refuses and not argued(c, reasons)][:sample]
    elif what == "survived before":
        last = {entry["key"]: entry["outcome"] for entry in noted(module)}
        untried = [c for c in untried if last.get(c.key) == "survived" and not argued(c, reasons)]
    untried = [c for c in untried if c.key not in known]
    asked = alive if what == "survivors" else untried
    if not asked:
        return
    again = what == "survivors"
    lists = ([], alive) if again else (untried, [])
    trials = Trials(module, *lists, deadline, sampled=sample is not None)
    trials.kills.update(entry["by"] for entry in known.values())
    log = kept(module, "log")
    log.unlink(missing_ok=True)
    store = kept(module, "results.jsonl")
    start = len(store.read_text().splitlines()) if store.exists() else 0
    if not (child := os.fork()):
        os.setpgid(0, 0)  # so that it can be ended with all its children
        with log.open("a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.chdir(TREE)
        pytest.main([*PYTEST, *tests], plugins=[trials])
        os._exit(BROKEN)  # pytest stopped on its own: the plugin's children end in the plugin
    try:
        with tqdm(total=len(asked), desc=module, unit="change", leave=False) as bar:
            while not (ended := os.waitpid(child, os.WNOHANG))[0]:
                time.sleep(1)
                bar.n = len(store.read_text().splitlines()) - start if store.exists() else 0
                bar.refresh()
    except BaseException:
        os.killpg(child, signal.SIGKILL)
        raise
    if os.waitstatus_to_exitcode(ended[1]):
        print(f"the tests of {module} fail without any change:\n{log.read_text()[-3000:]}")


def argued_away() -> dict[str, list[dict[str, Any]]]:
    return yaml.safe_load(ARGUED.read_text()) or {}


def argued(change: Change, reasons: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether the list says of this change, or of its whole line, why no test can tell."""
    before, after = change.lines
    return any(
        entry["line"] == before and after in entry.get("becomes", [after])
        for entry in reasons.get(change.module, [])
    )


def warm() -> None:
    """Import what is slow to import and not ours."""
    os.environ["PYTHONPATH"] = str(TREE / "src")
    sys.path.insert(0, str(TREE / "src"))
    # The file, not the package, which each child imports itself to have its shapes checked.
    os.environ.update(runpy.run_path(str(TREE / "src/ibtools/_threads.py"))["ONE_THREAD"])
    for name in HEAVY:
        __import__(name)
    torch = sys.modules["torch"]
    torch.set_num_threads(1)
    # PyTorch imports another 700 modules when these are called first; not in every child.
    torch.func.vmap(torch.func.grad(torch.sum))(torch.ones(1, 1))
    torch.func.jvp(torch.sin, (torch.ones(1),), (torch.ones(1),))
    torch.optim.SGD([torch.ones(1, requires_grad=True)]).step()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the budget is spent; return 1 if a change survives that nobody argued away."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="room/module", help="default all")
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="budget; default 30; 0 only reports"
    )
    parser.add_argument("--again", action="store_true", help="only what survived; default all")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.modules) - set(modules()):
        parser.error(f"no module {sorted(unknown)[0]!r}; there are: {', '.join(modules())}")
    deadline = time.time() + 60 * asked.minutes
    WORK.mkdir(parents=True, exist_ok=True)
    chosen = asked.modules or modules()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if asked.minutes:
            copy_tree()
            warm()
        for what, sample in (AGAIN, STAGES[-1]) if asked.again else STAGES:
            for module in chosen:
                if time.time() < deadline:
                    run_module(module, deadline, what, sample)
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.")
    return report(chosen)


def report(chosen: Sequence[str]) -> int:
    """Print what was tried and what survived."""
    reasons = argued_away()
    bare = []
    for module in chosen:
        if not nearest_tests(module):
            print(f"{module:32} has no test near it")
            continue
        if not kept(module, "changes.json").exists():
            print(f"{module:32} not begun")
            continue
        known = results(module)
        tried = [change for change in changes(module) if change.key in known]
        alive = [change for change in tried if known[change.key]["outcome"] == "survived"]
        left = [change for change in alive if not argued(change, reasons)]
        bare += left
        print(
            f"{module:32} {len(tried):4} of {len(changes(module)):4} tried, "
            f"{len(alive):3} survived, {len(left):3} unargued"
        )
    for change in bare:
        before, after = change.lines
        print(f"\nsrc/ibtools/{change.module}.py:{change.line}\n  - {before}\n  + {after}")
    return 1 if bare else 0


if __name__ == "__main__":
    sys.exit(main())
