"""What `make book`, `make serve`, ... do: set up what is missing, then run in isolation.

Called by the Makefile with any suitable Python, as ``python3 -I scripts/commands.py book``.
Standard library only, because nothing may be installed yet.
"""

import os
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # -I leaves it out

import doctor
from environment import ROOT, Environment, held, only_one
from versions import COMMAND, Versions

SITE = ROOT / "_build" / "html"
JUPYTERLAB = "jupyterlab==4.6.6"
IN_JUPYTERLAB = """\
Opening JupyterLab. The lectures are book/*/*.ipynb, the exercises course/*/*.ipynb; 'Run All Cells'
of the menu 'Run' draws their figures. The .md files beside the lectures are their source. What you
save stays; 'make notebooks' writes all of them anew. Stop with Ctrl-C."""
JUPYTER_BOOK = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"


class Commands:
    """Each method is a command of the Makefile; it returns the exit status."""

    def __init__(self) -> None:
        venv, python = os.environ.get("VENV") or ".venv", os.environ.get("PYTHON") or ""
        self.environment = Environment(Path(venv), python=python)
        self.port = os.environ.get("PORT") or "8000"

    def book(self) -> int:
        self.environment.prepare()
        print(
            "Building the book. What changed is run again: everything, some minutes, or nothing, "
            "some seconds.",
            flush=True,
        )
        with self.alone():
            build = ("build", "-W", "-n", "--keep-going", ".")
            if code := self.python("-P", "-c", JUPYTER_BOOK, *build):
                print("\nThe book was not built; what is in the way stands above.", file=sys.stderr)
                return code
        print("\nThe book is built. Read it in a browser:")
        print(f"    {(SITE / 'index.html').as_uri()}")
        print(f"or type 'make serve' and open http://localhost:{self.port}.")
        return 0

    def test(self) -> int:
        self.environment.prepare()
        print("Checking everything: up to an hour on two cores.", flush=True)
        with self.alone():
            return self.python("scripts/check.py")

    def test_oldest(self) -> int:
        return self.test_versions("oldest")

    def test_newest(self) -> int:
        return self.test_versions("newest")

    def test_versions(self, which: str) -> int:
        """Test the package with other versions; with PART=short without PyTorch, where it can."""
        short = os.environ.get("PART") == "short"
        self.environment = Versions(which, short=short, python=self.environment.named)
        print(f"Testing the package with the {which} versions it allows.", flush=True)
        try:
            self.environment.prepare()
        except SystemExit as stopped:
            if not short:
                raise
            print(f"{stopped}\nNOT RUN: those versions cannot be had here.", flush=True)
            return 0
        return self.python(*COMMAND, *self.environment.tests())

    def serve(self) -> int:
        server = self.server()  # now, and not after minutes of building
        if code := self.book():
            return code
        with server:
            print(
                f"Serving the book at http://localhost:{self.port}; stop with Ctrl-C.", flush=True
            )
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print()
        return 0

    def server(self) -> ThreadingHTTPServer:
        if not self.port.isascii() or not self.port.isdecimal() or not 0 < int(self.port) < 65536:
            sys.exit(f"PORT={self.port}: a port is a whole number from 1 to 65535; try PORT=8000.")
        handler = partial(Pages, directory=str(SITE))
        try:
            return ThreadingHTTPServer(("127.0.0.1", int(self.port)), handler)
        except OSError as error:
            sys.exit(
                f"Port {self.port} cannot be used here ({error.strerror}); another that is free: "
                f"make serve PORT={free_port()}"
            )

    def lecture(self) -> int:
        """Build one page, run nothing else, and open it."""
        name = (os.environ.get("NAME") or "").removeprefix("book/").removesuffix(".md")
        page = ROOT / "book" / f"{name}.md"
        if not name or not page.is_file():
            known = sorted(
                path.relative_to(ROOT / "book") for path in (ROOT / "book").rglob("*.md")
            )
            names = "".join(f"\n    {path.with_suffix('').as_posix()}" for path in known)
            sys.exit(f"NAME={name}: no such page; one of these, as in NAME=intro:{names}")
        self.environment.prepare()
        self.environment.variables |= {"IBTOOLS_ONLY_PAGE": f"book/{name}"}
        folder = ROOT / "_build" / "lecture"
        with self.alone():
            build = ("build", "-n", "--path-output", str(folder), ".")
            code = self.python("-P", "-c", JUPYTER_BOOK, *build)
        if code:
            return code
        address = (folder / "_build" / "html" / "book" / f"{name}.html").as_uri()
        print(f"\nThe page is built; of the others only the text:\n    {address}")
        if sys.stdout.isatty():
            webbrowser.open(address)
        return 0

    def slides(self) -> int:
        """Build the book, and from it the decks; with PDF=1 print them."""
        return self.book() or self.from_the_site("scripts/slides.py", "PDF")

    def pdf(self) -> int:
        """Build the book, and print it."""
        return self.book() or self.from_the_site("scripts/handouts.py", "NAME")

    def from_the_site(self, script: str, *settings: str) -> int:
        self.hand_on(*settings)
        with self.alone():
            return self.python(script)

    def hand_on(self, *settings: str) -> None:
        """Let a script see what was typed behind the command."""
        given = {name: value for name in settings if (value := os.environ.get(name))}
        self.environment.variables |= given

    def doctor(self) -> int:
        """Say what a report of an error should; this sets nothing up."""
        print("\n".join(doctor.lines(self.environment.python)))
        return 0

    def lab(self) -> int:
        """Open the book's notebooks in JupyterLab, which nothing else here needs."""
        self.environment.prepare()
        self.environment.variables |= self.environment.pip_variables()
        self.environment.pip("install", "-c", "requirements.txt", JUPYTERLAB, what=JUPYTERLAB)
        print(IN_JUPYTERLAB, flush=True)
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        return self.python(
            *("-m", "jupyterlab", f"--ServerApp.root_dir={ROOT}", "--port", self.port),
            "--LabApp.default_url=/lab/tree/book/intro.ipynb",
            *(() if sys.stdout.isatty() else ("--no-browser",)),
            *(("--allow-root",) if root else ()),  # as in a container; Jupyter asks to be told
        )

    def site_report(self) -> int:
        """Measure the built pages in a browser."""
        self.environment.prepare()
        self.hand_on("PAGES")
        return self.python("scripts/site_report.py")

    def test_webkit(self) -> int:
        """Build the book, and ask its pages in WebKitGTK what is asked in Firefox."""
        if code := self.book() or self.python("scripts/browser.py", "webkit"):
            return code
        self.environment.variables |= {"IBTOOLS_SITE": str(SITE)}
        self.hand_on("PAGES")
        print("Asking the pages in WebKitGTK.", flush=True)
        return self.python("-m", "pytest", "--quiet", "--no-header", "tests/site/webkit_pages.py")

    def notebooks(self) -> int:
        self.environment.prepare()
        return self.python("scripts/notebooks.py")

    def quizzes(self) -> int:
        """Write the questions of all lectures for a learning platform."""
        self.environment.prepare()
        return self.python("scripts/quizzes.py", "_build/course/quizzes")

    def course(self) -> int:
        """Write the notebooks of a course; with TAG=2027-spring they name that tag."""
        self.environment.prepare()
        self.hand_on("TAG")
        return self.python("scripts/write_course.py")

    def bundle(self) -> int:
        """Pack what a class without a network needs, when it is built."""
        if code := self.book() or self.course():
            return code
        return self.python("scripts/bundle.py")

    def bench(self) -> int:
        self.environment.prepare()
        environment = self.environment
        environment.variables |= environment.pip_variables()
        wanted = ("install", "-r", "benchmarks/requirements.txt")
        if environment.pip(*wanted, what="what ibtools is measured against", must=False):
            print("Some competitors do not install here; their rows will say so.", flush=True)
        return self.python("-m", "benchmarks", "--keep")

    def mutants(self) -> int:
        self.environment.prepare()
        minutes = os.environ.get("MINUTES") or "30"
        return self.python("scripts/mutants.py", "--minutes", minutes)

    def lint(self) -> int:
        self.environment.prepare()
        checks = (("ruff", "format", "--check", "."), ("ruff", "check", "."), ("mypy",))
        return next((code for check in checks if (code := self.python("-m", *check))), 0)

    def format(self) -> int:
        self.environment.prepare()
        fixes = (("ruff", "format", "."), ("ruff", "check", "--fix", "."))
        return next((code for fix in fixes if (code := self.python("-m", *fix))), 0)

    def setup(self) -> int:
        self.environment.prepare()
        return 0

    def python(self, *arguments: str) -> int:
        """Run the environment's Python in the project's folder."""
        command = (str(self.environment.python), *arguments)
        return exit_status(command, self.environment.variables)

    def alone(self) -> AbstractContextManager[None]:
        folder = ROOT / "_build"
        folder.mkdir(exist_ok=True)
        return only_one(folder, "Another command is at work on this book; waiting for it.")


def exit_status(command: Sequence[str], variables: dict[str, str]) -> int:
    with subprocess.Popen(command, cwd=ROOT, env=variables, pass_fds=held()) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # it got the same signal, and ends as it sees fit
                continue


class Pages(SimpleHTTPRequestHandler):
    """Answers as the servers of sites do, with the site's own page where there is none."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        page = Path(self.directory) / "404.html"
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return
        self.send_response(code, message)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(page.stat().st_size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.read_bytes())


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


COMMANDS = (
    *("setup", "book", "test", "test-oldest", "test-newest", "test-webkit"),
    *("lecture", "serve", "lab", "site-report", "notebooks"),
    *("course", "quizzes", "slides", "pdf", "bundle"),
    *("bench", "mutants", "lint", "format", "doctor"),
)


def main(names: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a path may hold what a terminal cannot show
    os.umask(0o022)  # what is built is to be read, by a web server for instance
    if len(names) != 1 or names[0] not in COMMANDS:
        print(f"One of: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        return getattr(Commands(), names[0].replace("-", "_"))()
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"{error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
