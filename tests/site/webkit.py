"""WebKitGTK, spoken to over WebDriver: Debian's own build, which Playwright does not drive.

WebDriver is JSON over HTTP, and knows nothing of what a page complains about; so a server of our
own puts a script before all others into each page (`Watched`), which keeps that.
"""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

from visits import ALL, STANDS

# The browser's own bar must not keep a window from being as narrow as a phone.
NARROW = "* { min-width: 0; margin: 0; padding: 0; border-width: 0; font-size: 4px; }"
CALM = "[Settings]\ngtk-enable-animations=0\n"
TRAP = """<script>window.complaints = [];
(() => {
    const note = (...words) => window.complaints.push(words.map(String).join(" "));
    addEventListener("error", event => event.target === window
        ? note(event.message) : note(event.target.src || event.target.href, "did not load"), true);
    addEventListener("unhandledrejection", event => note("rejected:", event.reason));
    addEventListener("securitypolicyviolation", event => note("refused:", event.blockedURI));
    const say = console.error;
    console.error = (...words) => { note(...words); say.apply(console, words); };
})();</script>"""
HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)


class Watched(SimpleHTTPRequestHandler):
    """Serves a folder; what goes wrong in its pages is kept in them."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix != ".html" or not path.is_file():
            super().do_GET()
            return
        html = path.read_text(encoding="utf-8")
        head = HEAD.search(html)
        at = head.end() if head else 0
        body = f"{html[:at]}{TRAP}{html[at:]}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Tab:
    """One page, and what it complained about."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        options = {"webkitgtk:browserOptions": {"args": ["--automation"]}}
        session = self._command("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        self._address += f"/session/{session['sessionId']}"
        self._frame = 0, 0  # how much larger the window is than the page
        self._command("POST", "/timeouts", {"script": 120_000, "pageLoad": 120_000})

    @property
    def errors(self) -> list[str]:
        """What went wrong in a page that is `Watched`."""
        return self.evaluate("window.complaints")

    def open(self, url: str, *, width: int = 1280, height: int = 800) -> None:
        """Open an address in a window of a size, and wait until formulas and fonts stand."""
        self.resize(width, height)
        self._command("POST", "/url", {"url": url})
        self.evaluate(ALL)
        self.evaluate(STANDS)

    def resize(self, width: int, height: int) -> None:
        """Give the page a size; the window also has a bar."""
        for _ in range(20):
            wide, high = self._frame
            rect = {"x": 0, "y": 0, "width": width + wide, "height": height + high}
            self._command("POST", "/window/rect", rect)
            inner, outer = self._settled()
            if inner == [width, height]:
                return
            self._frame = outer[0] - inner[0], outer[1] - inner[1]
        raise RuntimeError(f"a page of {width} by {height} was asked for; it has {inner}")

    def _settled(self) -> list[list[int]]:
        """Return the sizes of page and window when they are the same twice: the page follows."""
        before = None
        while True:
            now = self.evaluate("[[innerWidth, innerHeight], [outerWidth, outerHeight]]")
            if now == before:
                return now
            before = now
            time.sleep(0.1)

    def evaluate(self, script: str, argument: object = None) -> Any:
        """Return what an expression, or a function of the argument, gives in the page."""
        call = f"""const [argument, done] = arguments;
        (async () => {{
            const given = {script.strip().rstrip(";")};
            const answer = typeof given === "function" ? given(JSON.parse(argument)) : given;
            return JSON.stringify((await answer) ?? null);
        }})().then(text => done([text]), error => done([null, String(error)]));"""
        parameters = {"script": call, "args": [json.dumps(argument)]}
        text, *error = self._command("POST", "/execute/async", parameters)
        if error:
            raise RuntimeError(error[0])
        return json.loads(text)

    def press(self, key: str) -> None:
        """Press and release a key: its code in WebDriver, as ``ARROW_RIGHT``."""
        strokes = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": strokes}
        self._command("POST", "/actions", {"actions": [keyboard]})

    def close(self) -> None:
        self._command("DELETE", "")

    def _command(self, method: str, path: str, parameters: dict | None = None) -> Any:
        body = None if parameters is None else json.dumps(parameters).encode()
        header = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._address + path, body, header, method=method)
        try:
            with urllib.request.urlopen(request, timeout=180) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                told = json.load(error)["value"]
            raise RuntimeError(f"{method} {path}: {told['error']}: {told['message']}") from None


@contextmanager
def webkit(driver: str, folder: Path) -> Iterator[Tab]:
    """Start WebKitGTK's browser on a display of its own, with its home in a folder."""
    settings = folder / "gtk-3.0"
    settings.mkdir()
    (settings / "gtk.css").write_text(NARROW, encoding="utf-8")
    (settings / "settings.ini").write_text(CALM, encoding="utf-8")
    homes = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    with _display() as display:
        environment = os.environ | dict.fromkeys(homes, str(folder))
        environment |= {"DISPLAY": display, "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1"}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [driver, f"--port={port}"]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(port, process)
            tab = Tab(port)
            try:
                yield tab
            finally:
                with suppress(RuntimeError, OSError):  # the browser may have ended before
                    tab.close()
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"WebKitWebDriver ended at once: {process.returncode}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("WebKitWebDriver does not answer")


@contextmanager
def _display() -> Iterator[str]:
    """Start an X server that no one sees; it looks for a free number itself."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1200x24"]
    process = subprocess.Popen(
        [*command, "-nolisten", "tcp"], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        if not number:
            raise RuntimeError("Xvfb did not start")
        yield f":{number}"
    finally:
        process.terminate()
        process.wait(timeout=30)
