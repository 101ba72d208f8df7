"""How the book is run: the kernels' environment, and when what is stored is no longer valid.

The execution cache of MyST-NB compares a page's cells only, so it would serve yesterday's numbers
after a change in the package. Here the cache lives in a folder named by a digest of everything else
that a run depends on. The folder's name is a setting of the build environment: when it changes,
Sphinx reads every page again.

What is stored is looked at before it is used: a run that printed to stderr, or that was stored by
halves when a build was killed, is forgotten. So a fault lasts no longer than its cause. Nor is a
page run whose notebook the tests have run: see `book_runs`.
"""

import hashlib
import multiprocessing
import os
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import metadata
from pathlib import Path

from book_runs import FOLDER, complaints, kept
from code_alone import code_digest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.cache.db import NbCacheRecord
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging

from ibtools._threads import ONE_THREAD

logger = logging.getLogger(__name__)

SOURCES = (
    "src/ibtools",
    "results",
    "requirements.txt",
    "book/_ext/book_execution.py",
    "book/_ext/book_kernels.py",
    "book/_ext/book_runs.py",
    "book/_ext/code_alone.py",
    "book/conftest.py",
)
WITHOUT = ("src/ibtools/course",)  # no page runs a checker; it shows that there is one
ONLY = "IBTOOLS_ONLY_PAGE"  # the page that alone is run, while one writes it
KEPT_CACHES = 3  # so that going back and forth between two branches does not run the book each time

ENVIRONMENT = {
    "IBTOOLS_STATIC_FIGURES": "1",  # explore() writes HTML that needs no kernel
    "TQDM_DISABLE": "1",
    **ONE_THREAD,  # the last digits of a sum depend on the number of threads
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}

# What a reader may have set for programs of their own.
FOREIGN = ("MPLBACKEND", "MATPLOTLIBRC", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONINSPECT")


def digest(root: Path) -> str:
    """Digest of what a run depends on besides the page: package, pins, Python, this file.

    Of Python's files it is their code: a docstring is shown, by the reference, and not run.
    """
    sha = hashlib.sha256(sys.version.encode())
    without = [root / folder for folder in WITHOUT]
    for source in SOURCES:
        path = root / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if any(folder in file.parents for folder in without) or "__pycache__" in file.parts:
                continue
            if file.is_file():
                sha.update(file.relative_to(root).as_posix().encode() + b"\0")
                sha.update(code_digest(file))
    return sha.hexdigest()[:16]


def isolate(build: Path) -> None:
    """Keep the reader's own matplotlib, IPython and Jupyter out of whatever is run from here."""
    for name in list(os.environ):
        if name in FOREIGN or name.startswith(("JUPYTER_", "IPYTHON")):
            del os.environ[name]
    own = {
        "MPLCONFIGDIR": indexed_fonts(build),
        "IPYTHONDIR": build / ".ipython",
        "JUPYTER_CONFIG_DIR": build / ".jupyter" / "config",
        "JUPYTER_DATA_DIR": build / ".jupyter" / "data",
        "JUPYTER_RUNTIME_DIR": build / ".jupyter" / "runtime",
    }
    for name, folder in own.items():
        folder.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(folder)


def indexed_fonts(build: Path) -> Path:
    """Return matplotlib's folder, with its index of fonts.

    The first import of matplotlib makes that index, and where this takes long says so on stderr,
    which would be taken for a complaint of the page that comes first.
    """
    try:
        folder = build / ".matplotlib" / metadata.version("matplotlib")
    except metadata.PackageNotFoundError:
        return build / ".matplotlib"
    if not folder.is_dir():
        # In a folder of its own, which gets its name when the index is whole.
        part = build / ".matplotlib" / f"part-{os.getpid()}"
        part.mkdir(parents=True, exist_ok=True)
        answer = subprocess.run(
            [sys.executable, "-c", "import matplotlib.font_manager"],
            env=os.environ | {"MPLCONFIGDIR": str(part)},
            capture_output=True,
            text=True,
        )
        if answer.returncode:
            raise ExtensionError(f"matplotlib cannot be imported:\n{answer.stderr}")
        if folder.is_dir():  # another process was faster
            shutil.rmtree(part)
        else:
            part.rename(folder)
    return folder


def prepare_kernels(build: Path) -> None:
    """Set what kernels inherit."""
    isolate(build)
    os.environ.update(ENVIRONMENT)
    os.environ.setdefault("IBTOOLS_CLAIMS", str(build / ".claims"))  # each is run once in a build
    profile = Path(os.environ["IPYTHONDIR"]) / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    # The kernel warns at every start that it talks TCP without encryption, on this machine alone.
    settings, quiet = profile / "ipython_kernel_config.py", "c.IPKernelApp.log_level = 40\n"
    if not settings.exists() or settings.read_text() != quiet:  # another's kernel may read it now
        settings.write_text(quiet)


def unfinished(app: Sphinx) -> Path:
    """Return the file that is there from a build's begin until it ends without a fault."""
    return Path(app.outdir).parent / ".unfinished"


def choose_cache(app: Sphinx, config: Config) -> None:
    """Point MyST-NB to the cache of this digest; remove the oldest of the others."""
    build = Path(app.outdir).parent
    prepare_kernels(build)
    if unfinished(app).exists():
        # Sphinx keeps what it read, and would pass over a page that it has not written, or that
        # it warned of, in silence.
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)
    unfinished(app).touch()
    caches = build / ".jupyter_cache"
    cache = caches / digest(Path(app.confdir))
    cache.mkdir(parents=True, exist_ok=True)
    os.utime(cache)
    newest_first = sorted(caches.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in newest_first[KEPT_CACHES:]:
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    if not is_readable(cache):
        shutil.rmtree(cache)
        cache.mkdir()
    config.nb_execution_cache_path = str(cache)
    if os.environ.get(ONLY):  # of a page that is not run the language is not known
        config.suppress_warnings = [*config.suppress_warnings, "myst-nb.lexer"]


def is_readable(folder: Path) -> bool:
    """Whether a cache's tables are there; a build that was killed at its start left a part."""
    try:
        cache = get_cache(str(folder))
        cache.list_cache_records()
        cache.list_project_records()
        cache.get_cache_limit()
    except Exception:  # whatever SQLAlchemy and SQLite find wrong
        return False
    return True


def run_page(path: Path, notebook: NotebookNode, timeout: int) -> tuple[NotebookNode, float] | None:
    """Run one page; its outputs and the seconds it took, or nothing where a cell fails."""
    done = single_nb_execution(notebook, str(path.parent), timeout, allow_errors=False)
    return None if done.err else (done.nb, done.time)


def stored(cache: JupyterCacheAbstract, notebook: NotebookNode) -> NotebookNode | None:
    """Return the run of a page, if there is a whole one."""
    try:
        run = cache.get_cache_bundle(cache.match_cache_notebook(notebook).pk).nb
    except KeyError:
        return None
    except Exception:  # half a file: whatever nbformat finds wrong
        return None
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return run if len(run.cells) == len(cells) else None


def forget(cache: JupyterCacheAbstract, notebook: NotebookNode) -> None:
    """Remove the run of a page, whatever there is of it."""
    key = cache.create_hashed_notebook(notebook)[1]
    shutil.rmtree(Path(cache.path) / "executed" / key, ignore_errors=True)
    try:
        NbCacheRecord.remove_record(NbCacheRecord.record_from_hashkey(key, cache.db).pk, cache.db)
    except KeyError:
        return


def read_page(env: BuildEnvironment, name: str) -> tuple[Path, NotebookNode | None]:
    path = Path(env.doc2path(name))
    text = path.read_text(encoding="utf-8")
    reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
    return path, reader.read(text) if reader else None


def run_pages(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Run the pages that are not stored, as many at a time as there are cores.

    MyST-NB runs them one after the other, as it reads them. What it finds in its cache it does not
    run again, so this only puts the outputs there. A page that fails leaves none: MyST-NB comes to
    it, and says what is wrong.
    """
    cache = get_cache(env.mystnb_config.execution_cache_path)

    def store(path: Path, notebook: NotebookNode, seconds: float) -> None:
        bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)

    if page := os.environ.get(ONLY):
        others = [f"{name}.md" for name in env.found_docs if name != page]
        env.mystnb_config = env.mystnb_config.copy(execution_excludepatterns=others)
        docnames = [page]
    root, runs = Path(app.confdir), Path(app.outdir).parent / FOLDER
    depends = digest(root)
    env.book_pages_read = list(docnames)
    waiting: dict[Path, NotebookNode] = {}
    for name in docnames:
        path, notebook = read_page(env, name)
        if notebook is None:
            continue
        run = stored(cache, notebook)
        if run is None or complaints(run):
            forget(cache, notebook)
            of_tests = runs / path.relative_to(root).with_suffix(".ipynb")
            if taken := kept(of_tests, notebook, digest=depends):
                store(path, *taken)
                logger.info("%s: run by the tests in %.0f s", name, taken[1])
            else:
                waiting[path] = notebook
    cores = min(os.cpu_count() or 1, len(waiting))
    if cores < 2:
        return
    logger.info("running %d pages, %d at a time", len(waiting), cores)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=spawn) as pool:
        timeout = env.mystnb_config.execution_timeout
        pages = {pool.submit(run_page, path, waiting[path], timeout): path for path in waiting}
        for run in as_completed(pages):
            name = env.path2doc(str(pages[run]))
            try:
                outcome = run.result()
            except Exception as error:  # a kernel that died, say
                logger.info("%s: %s; running it once more", name, error or type(error).__name__)
                continue
            if outcome:
                store(pages[run], *outcome)
                logger.info("%s: run in %.0f s", name, outcome[1])


def read_the_only_page(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> set[str]:
    """Read the page that alone is run, even where it is as before: it may not have been run."""
    return {os.environ.get(ONLY)} & env.found_docs


def show_complaints(app: Sphinx, env: BuildEnvironment) -> None:
    """Say what pages printed to stderr, and keep no such run."""
    cache = get_cache(env.mystnb_config.execution_cache_path)
    for name in env.__dict__.pop("book_pages_read", ()):
        _, notebook = read_page(env, name)
        run = None if notebook is None else stored(cache, notebook)
        if run is not None and (text := complaints(run)):
            forget(cache, notebook)
            logger.warning("a cell printed to stderr:\n%s", text.rstrip(), location=name)


def forget_faulty_build(app: Sphinx, exception: Exception | None) -> None:
    """After a warning, read every page again next time."""
    if not exception and not app._warncount:
        unfinished(app).unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool | str]:
    app.connect("config-inited", choose_cache)
    app.connect("env-get-outdated", read_the_only_page)
    app.connect("env-before-read-docs", run_pages)
    app.connect("env-updated", show_complaints)
    app.connect("build-finished", forget_faulty_build)
    # A change in these extensions has every page read again, though not run again.
    extensions = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    version = hashlib.sha256(extensions).hexdigest()
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": version}
