"""How the book is run: the kernels' environment, and when what is stored is no longer valid.

The execution cache of MyST-NB compares a page's cells only, so it would serve yesterday's numbers
after a change in the package. Here the cache lives in a folder named by a digest of everything else
that a run depends on. The folder's name is a setting of the build environment: when it changes,
Sphinx reads every page again.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

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


def forget_faulty_build(app: Sphinx, exception: Exception | None) -> None:
    """After a warning, read every page again next time.

    Sphinx keeps what it read, so the next build would pass over the faulty page in silence.
    """
    if exception or app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool | str]:
    app.connect("config-inited", choose_cache)
    app.connect("build-finished", forget_faulty_build)
    # A change in these extensions has every page read again, though not run again.
    extensions = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    version = hashlib.sha256(extensions).hexdigest()
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": version}
