"""The environment that the Makefile's commands run in: this project's own, on any machine.

What a reader's shell, conda, matplotlib or pip is set to changes figures, warnings and places; so
only what is listed here is passed on. Standard library only: nothing is installed yet.
"""

import locale
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

# What reaches the network, finds programs and data, or says who and where one is.
KEPT = re.compile(
    r"PATH|USER|LOGNAME|SHELL|TERM|TZ|CI|CHROMIUM|FIREFOX|IBTOOLS_\w+|PLAYWRIGHT_\w+|NETRC"
    r"|(?:https?|ftp|all|no)_proxy|(?:HTTPS?|FTP|ALL|NO)_PROXY"
    r"|SSL_CERT_(?:FILE|DIR)|(?:REQUESTS|CURL)_CA_BUNDLE|NODE_EXTRA_CA_CERTS"
    r"|(?:DY)?LD_\w+|NIX_\w+|CC|CXX|SDKROOT|MACOSX_DEPLOYMENT_TARGET"
)
HOMES = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")

# Where pip may look and how it gets there; not what it installs, nor where to.
PIP_KEPT = frozenset({
    "index_url", "extra_index_url", "no_index", "find_links", "trusted_host", "proxy", "cert",
    "client_cert", "keyring_provider", "cache_dir", "no_cache_dir", "timeout", "default_timeout",
    "retries", "resume_retries", "prefer_binary", "config_file", "disable_pip_version_check",
    "no_input", "root_user_action", "uploaded_prior_to",
})  # fmt: skip


def isolated(build: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for a command; without a HOME to write to it gets one in `build`."""
    kept = {name: value for name, value in environ.items() if KEPT.fullmatch(name)}
    home = Path(environ.get("HOME") or "")
    if home.is_absolute() and usable(home):
        kept["HOME"] = str(home)
        kept |= {name: environ[name] for name in HOMES if usable(Path(environ.get(name) or ""))}
    else:
        kept["HOME"] = str(made(build / ".home"))
    if (temporary := environ.get("TMPDIR")) and usable(Path(temporary)):
        kept["TMPDIR"] = temporary
    kept.setdefault("PATH", os.defpath)
    return kept | {"PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1", "LC_ALL": plain_locale()}


def pip_settings(environ: Mapping[str, str] = os.environ) -> tuple[dict[str, str], list[str]]:
    """Return the variables of pip that say where to look, and the names of all others."""
    pip = {name: value for name, value in environ.items() if name.startswith("PIP_") and value}
    kept = {name: value for name, value in pip.items() if name[4:].lower() in PIP_KEPT}
    return kept, sorted(pip.keys() - kept.keys())


def usable(folder: Path) -> bool:
    """Whether one can write in a folder; asking for permission is not enough on every system."""
    if not folder.is_absolute() or not folder.is_dir():
        return False
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def plain_locale() -> str:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"
