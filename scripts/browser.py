"""Find the Chromium that the browser tests drive; as a script, also install it where missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_APPS = ("Google Chrome", "Chromium")
FLAGS = (
    "--no-sandbox",  # a container has no user namespaces; the pages are our own
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome: ``$CHROMIUM``, one on the path, or Playwright's own."""
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES)]
    candidates += [f"/Applications/{app}.app/Contents/MacOS/{app}" for app in MAC_APPS]
    for path in candidates:
        if path and Path(path).exists() and runs(path):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def runs(path: str) -> bool:
    """Whether it is a browser, and not the stub by which Ubuntu points to a snap."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60)
    except OSError:
        return False
    return answer.returncode == 0 and "Chrom" in answer.stdout


def install() -> None:
    """Through apt where we may, else Playwright's own build in the user's cache."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the browser tests (apt-get install chromium).", flush=True)
        subprocess.run(["apt-get", "update", "-qq"])
        apt = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", "chromium"]
        subprocess.run(apt, stdout=subprocess.DEVNULL)
        if find_chromium():
            return
    print("Installing Chromium for the browser tests (playwright install chromium).", flush=True)
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"])


if __name__ == "__main__":
    if not find_chromium():
        install()
    if not (found := find_chromium()):
        sys.exit(
            "The browser tests need Chromium or Chrome, and none could be installed. Install one "
            "(Debian: apt install chromium), or set CHROMIUM to the path of the one you have."
        )
    print(f"Browser for the tests: {found}")
