"""Builds of small books, one after the other, by copies of one process that has imported it all.

Half of what such a build takes is to import Jupyter Book and Sphinx.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from book_site import BUILD

# It forks before anything has run in it, so that each build finds what a fresh process would.
SERVER = """
import json, os, sys
import jupyter_cache, myst_nb.sphinx_ext, nbclient, sphinx.cmd.build, sphinx_book_theme
import jupyter_book.sphinx
from jupyter_book.cli.main import main
for line in sys.stdin:
    folder, environment, arguments, *files = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream, file in enumerate(files, start=1):
            os.dup2(os.open(file, os.O_WRONLY), stream)
        sys.argv = ["jupyter-book", *arguments]
        try:
            status = main()
        except SystemExit as ended:
            status = ended.code
        except BaseException:
            sys.excepthook(*sys.exc_info())
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else bool(status))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)  # its input ends, and so does it
    return server


def build(root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build a book as `make book` does, or as a bare ``jupyter-book build .`` does."""
    server = _server()
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        order = str(root), os.environ | environment, [*BUILD[1:], "."], out.name, err.name
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        said = [
            Path(file.name).read_text(encoding="utf-8", errors="replace") for file in (out, err)
        ]
    return subprocess.CompletedProcess(BUILD, status, *said)
