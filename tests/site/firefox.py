"""Firefox, spoken to over WebDriver BiDi: Debian's own build, which Playwright does not drive.

A `Tab` answers `evaluate` as Playwright's page does, so that what is asked of a page in Chromium
can be asked of it here.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from visits import ALL, STANDS
from websockets.sync.client import ClientConnection, connect

ADDRESS = "WebDriver BiDi listening on "
SETTINGS = {
    "ui.useOverlayScrollbars": 1,  # else the scrollbar takes 15 of a phone's 390 pixels
    "ui.prefersReducedMotion": 1,
    "ui.systemUsesDarkTheme": 0,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.disabledForTesting": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "extensions.update.enabled": False,
    "services.settings.server": "data:,none",
}


class Tab:
    """One page, and what it complained about and asked for."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._counter = socket, count(1)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._command("session.new", {"capabilities": {}})
        events = ["log.entryAdded", "network.beforeRequestSent", "network.fetchError"]
        self._command("session.subscribe", {"events": events})
        tree = self._command("browsingContext.getTree", {})
        self._context = tree["contexts"][0]["context"]

    def open(self, url: str, *, width: int = 1280, height: int = 800) -> None:
        """Open an address in a window of a size, and wait until formulas and fonts stand."""
        self.errors.clear()
        self.requests.clear()
        self.resize(width, height)
        self._command(
            "browsingContext.navigate", {"context": self._context, "url": url, "wait": "complete"}
        )
        self.evaluate(ALL)
        self.evaluate(STANDS)

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        self._command("browsingContext.setViewport", {"context": self._context, "viewport": size})

    def evaluate(self, script: str, argument: object = None) -> Any:
        """Return what an expression, or a function of the argument, gives in the page."""
        call = f"""async argument => {{
            const given = {script.strip().rstrip(";")};
            const answer = typeof given === "function" ? given(JSON.parse(argument)) : given;
            return JSON.stringify((await answer) ?? null);
        }}"""
        answer = self._command(
            "script.callFunction",
            {
                "functionDeclaration": call,
                "arguments": [{"type": "string", "value": json.dumps(argument)}],
                "awaitPromise": True,
                "target": {"context": self._context},
            },
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def press(self, key: str) -> None:
        """Press and release a key: its code in WebDriver, as ``ARROW_RIGHT``."""
        strokes = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": strokes}
        self._command("input.performActions", {"context": self._context, "actions": [keyboard]})

    def _command(self, method: str, parameters: dict) -> dict:
        number = next(self._counter)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=120))
            if message.get("id") != number:
                self._note(message)
            elif message["type"] == "error":
                raise RuntimeError(f"{method}: {message['message']}")
            else:
                return message["result"]

    def _note(self, event: dict) -> None:
        match event.get("method"), event.get("params"):
            case "log.entryAdded", {"level": "error", "text": text}:
                self.errors.append(text)
            case "network.beforeRequestSent", {"request": {"url": url}}:
                self.requests.append(url)
            case "network.fetchError", {"errorText": "NS_BINDING_ABORTED"}:
                pass  # given up by Firefox: the page was left, or an image is in memory after all
            case "network.fetchError", {"request": {"url": url}, "errorText": text}:
                self.errors.append(f"{url}: {text}")


@contextmanager
def firefox(path: str, folder: Path) -> Iterator[Tab]:
    """Start Firefox with an empty profile in a folder; it ends with the block."""
    profile = folder / "profile"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(to)});" for name, to in SETTINGS.items()]
    (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
    process = subprocess.Popen(
        [path, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port=0"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"},
    )
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith(ADDRESS):
                break
        else:
            raise RuntimeError(f"Firefox did not start:\n{''.join(said)}")
        address = line.removeprefix(ADDRESS).strip()
        with connect(f"{address}/session", max_size=None, open_timeout=60) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stderr.close()
