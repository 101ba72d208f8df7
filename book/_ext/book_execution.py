"""How the book is run: the kernels' environment, and when what is stored is no longer valid.

The execution cache of MyST-NB compares a page's cells only, so it would serve yesterday's numbers
after a change in the package. Here the cache lives in a folder named by a digest of everything else
that a run depends on. The folder's name is a setting of the build environment: when it changes,
Sphinx reads every page again.
"""

import hashlib
import multiprocessing
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

logger = logging.getLogger(__name__)

SOURCES = ("src/ibtools", "requirements.txt", "book/_ext/book_execution.py")
KEPT_CACHES = 3  # so that going back and forth between two branches does not run the book each time

ENVIRONMENT = {
    "IBTOOLS_STATIC_FIGURES": "1",  # explore() writes HTML that needs no kernel
    "TQDM_DISABLE": "1",
    "OMP_NUM_THREADS": "1",  # the last digits of a sum depend on the number of threads
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


def digest(root: Path) -> str:
    """Digest of what a run depends on besides the page: package, pins, Python, this file."""
    sha = hashlib.sha256(sys.version.encode())
    for source in SOURCES:
        path = root / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                sha.update(file.relative_to(root).as_posix().encode() + b"\0")
                sha.update(hashlib.sha256(file.read_bytes()).digest())
    return sha.hexdigest()[:16]


def prepare_kernels(build: Path) -> None:
    """Set what kernels inherit, and keep the reader's own IPython profile out of the book."""
    os.environ.update(ENVIRONMENT)
    profile = build / ".ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    # The kernel warns at every start that it talks TCP without encryption, on this machine alone.
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
    os.environ["IPYTHONDIR"] = str(profile.parent)


def choose_cache(app: Sphinx, config: Config) -> None:
    """Point MyST-NB to the cache of this digest; remove the oldest of the others."""
    build = Path(app.outdir).parent
    prepare_kernels(build)
    caches = build / ".jupyter_cache"
    cache = caches / digest(Path(app.confdir))
    cache.mkdir(parents=True, exist_ok=True)
    os.utime(cache)
    newest_first = sorted(caches.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in newest_first[KEPT_CACHES:]:
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    config.nb_execution_cache_path = str(cache)


def run_page(path: Path, notebook: NotebookNode, timeout: int) -> tuple[NotebookNode, float] | None:
    """Run one page; its outputs and the seconds it took, or nothing where a cell fails."""
    done = single_nb_execution(notebook, str(path.parent), timeout, allow_errors=False)
    return None if done.err else (done.nb, done.time)


def is_stored(cache: JupyterCacheAbstract, notebook: NotebookNode) -> bool:
    try:
        cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    return True


def run_pages(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Run the pages that are not stored, as many at a time as there are cores.

    MyST-NB runs them one after the other, as it reads them. What it finds in its cache it does not
    run again, so this only puts the outputs there. A page that fails leaves none: MyST-NB comes to
    it, and says what is wrong.
    """
    cache = get_cache(env.mystnb_config.execution_cache_path)
    waiting: dict[Path, NotebookNode] = {}
    for name in docnames:
        path = Path(env.doc2path(name))
        text = path.read_text(encoding="utf-8")
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
        if reader and not is_stored(cache, notebook := reader.read(text)):
            waiting[path] = notebook
    cores = min(os.cpu_count() or 1, len(waiting))
    if cores < 2:
        return
    logger.info("running %d pages, %d at a time", len(waiting), cores)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=spawn) as pool:
        timeout = env.mystnb_config.execution_timeout
        runs = {pool.submit(run_page, path, waiting[path], timeout): path for path in waiting}
        for run in as_completed(runs):
            if outcome := run.result():
                notebook, seconds = outcome
                bundle = CacheBundleIn(
                    notebook, str(runs[run]), data={"execution_seconds": seconds}
                )
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
                logger.info("%s: run in %.0f s", env.path2doc(str(runs[run])), seconds)


def forget_faulty_build(app: Sphinx, exception: Exception | None) -> None:
    """After a warning, read every page again next time.

    Sphinx keeps what it read, so the next build would pass over the faulty page in silence.
    """
    if exception or app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool | str]:
    app.connect("config-inited", choose_cache)
    app.connect("env-before-read-docs", run_pages)
    app.connect("build-finished", forget_faulty_build)
    # A change in these extensions has every page read again, though not run again.
    extensions = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    version = hashlib.sha256(extensions).hexdigest()
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": version}
