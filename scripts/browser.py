"""Find the browsers that the tests drive; as a script, also install those that are missing.

``python scripts/browser.py webkit`` is for WebKitGTK, which `make test` does without.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_APPS = ("Google Chrome", "Chromium")
FIREFOX = ("firefox-esr", "firefox")
FLAGS = (
    "--no-sandbox",  # a container has no user namespaces; the pages are our own
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome: ``$CHROMIUM``, one on the path, or Playwright's own."""
    return _find("chromium", "Chrom", *map(shutil.which, NAMES), *_apps(*MAC_APPS))


def find_firefox() -> str | None:
    """Path of a Firefox: ``$FIREFOX``, one on the path, or Playwright's own."""
    return _find("firefox", "Firefox", *map(shutil.which, FIREFOX), *_apps("Firefox"))


def _apps(*names: str) -> list[str]:
    return [f"/Applications/{name}.app/Contents/MacOS/{name}" for name in names]


def _find(name: str, says: str, *candidates: str | None) -> str | None:
    for path in (os.environ.get(name.upper()), *candidates):
        if path and Path(path).exists() and runs(path, says):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = getattr(playwright, name).executable_path
    return path if Path(path).exists() else None


def runs(path: str, says: str) -> bool:
    """Whether it is a browser, and not the stub by which Ubuntu points to a snap."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60)
    except OSError:
        return False
    return answer.returncode == 0 and says in answer.stdout


def find_webkit() -> str | None:
    """Path of WebKitGTK's driver, where there also is the display for it that no one sees."""
    driver, display = shutil.which("WebKitWebDriver"), shutil.which("Xvfb")
    return driver if display else None


def install_by_apt(*packages: str) -> None:
    """Do nothing where we may not."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        names = " ".join(packages)
        print(f"Installing {names} for the browser tests (apt-get install).", flush=True)
        subprocess.run(["apt-get", "update", "-qq"])
        apt = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *packages]
        subprocess.run(apt, stdout=subprocess.DEVNULL)


def install(name: str, package: str, find: Callable[[], str | None]) -> None:
    """Through apt where we may, else Playwright's own build in the user's cache."""
    install_by_apt(package)
    if find():
        return
    print(f"Installing {name} for the browser tests (playwright install {name}).", flush=True)
    subprocess.run([sys.executable, "-m", "playwright", "install", name])


BROWSERS = (("chromium", "chromium", find_chromium), ("firefox", "firefox-esr", find_firefox))

WEBKIT = ("webkit2gtk-driver", "xvfb")


def provide_webkit() -> None:
    """Playwright's own WebKit is no help: nothing but Playwright speaks to it."""
    if not find_webkit():
        install_by_apt(*WEBKIT)
    if not (found := find_webkit()):
        sys.exit(
            "This needs the programs WebKitWebDriver and Xvfb, which could not be installed. "
            f"Install them (Debian, Ubuntu: apt install {' '.join(WEBKIT)}), and put them on PATH."
        )
    print(f"Browser for the tests: {found}")


def provide_all() -> None:
    for name, package, find in BROWSERS:
        if not find():
            install(name, package, find)
        if not (found := find()):
            sys.exit(
                f"The browser tests need {name}, which could not be installed. Install it "
                f"(Debian: apt install {package}), or set {name.upper()} to the path of yours."
            )
        print(f"Browser for the tests: {found}")


if __name__ == "__main__":
    provide_webkit() if sys.argv[1:] == ["webkit"] else provide_all()
