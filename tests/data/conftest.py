"""A server on this machine that gives files out, well or badly."""

import http.server
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest


@dataclass
class Server:
    """What a test sets, and what it may ask afterwards.

    files
        Content by path.
    cuts
        How many bytes of its body each of the next answers sends before the connection is cut.
    ranges
        Whether requests for a range are honoured.
    shift
        How far beside the requested range the answer begins.
    requests
        Path, Range header and number of body bytes sent, of every request so far.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    shift: int = 0
    announce: bool = True
    requests: list[tuple[str, str | None, int]] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve on a free port until the test ends."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            content = state.files.get(self.path)
            status, start, headers = 200, 0, {}
            if content is None:
                status, body = 404, b"not here"
            elif asked and state.ranges:
                start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
                if start >= len(content):
                    status, body = 416, b""
                else:
                    start += state.shift
                    status, body = 206, content[start:]
                    end = len(content)
                    headers["Content-Range"] = f"bytes {start}-{end - 1}/{end}"
            else:
                body = content
            length = len(body)
            if state.cuts and status < 400:
                body = body[: state.cuts.pop(0)]
            # Before anything is sent: the next request may come as soon as the header is out.
            state.requests.append((self.path, asked, len(body)))
            self.send_response(status)
            for header in headers.items():
                self.send_header(*header)
            if state.announce:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        state = Server(f"http://127.0.0.1:{httpd.server_address[1]}/")
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield state
        httpd.shutdown()
        thread.join()
