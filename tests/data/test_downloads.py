"""Downloads against a server on this machine: cut, wrong, missing, twice at once."""

import hashlib
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ibtools.data import downloads
from ibtools.data.downloads import DataError, RemoteFile, default_root, local_file

_CONTENT = np.random.default_rng(0).bytes(200_000)
_FILE = RemoteFile("data.bin", hashlib.md5(_CONTENT).hexdigest())


@pytest.fixture
def nowhere() -> str:
    """Return the address of a port where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{bound.getsockname()[1]}/"


def _fetch(root: Path, *mirrors: str, download: bool = True, file: RemoteFile = _FILE) -> Path:
    return local_file(file, folder="set", root=root, mirrors=mirrors, download=download)


def _left(root: Path) -> set[str]:
    return {path.name for path in (root / "set").iterdir()} - {"data.bin.lock"}


def test_downloads_once_and_then_needs_no_network(server, tmp_path: Path, nowhere: str) -> None:
    server.files["/data.bin"] = _CONTENT
    path = _fetch(tmp_path, server.address)
    assert path == tmp_path / "set" / "data.bin"
    assert path.read_bytes() == _CONTENT
    assert _left(tmp_path) == {"data.bin"}
    assert _fetch(tmp_path, nowhere) == path
    assert _fetch(tmp_path, nowhere, download=False) == path
    assert server.requests == [("/data.bin", None, len(_CONTENT))]


def test_a_cut_connection_is_taken_up_where_it_broke(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    server.cuts = [70_000, 50_000]
    assert _fetch(tmp_path, server.address).read_bytes() == _CONTENT
    assert server.requests == [
        ("/data.bin", None, 70_000),
        ("/data.bin", "bytes=70000-", 50_000),
        ("/data.bin", "bytes=120000-", 80_000),
    ]


def test_what_one_call_got_the_next_one_keeps(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    server.cuts = [1000] * 5
    with pytest.raises(DataError, match=r"cut after 5000 of 200000 bytes[\s\S]*first 5000 bytes"):
        _fetch(tmp_path, server.address)
    assert _left(tmp_path) == {"data.bin.part"}
    server.requests.clear()
    assert _fetch(tmp_path, server.address).read_bytes() == _CONTENT
    assert server.requests == [("/data.bin", "bytes=5000-", 195_000)]


def test_an_interrupted_download_is_kept(
    server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/data.bin"] = _CONTENT

    class Impatient:
        def __init__(self, answer: object) -> None:
            self.answer = answer
            self.blocks = 2

        def __getattr__(self, name: str) -> object:
            return getattr(self.answer, name)

        def __enter__(self) -> "Impatient":
            return self

        def __exit__(self, *_: object) -> None:
            self.answer.close()

        def read(self, size: int) -> bytes:
            if not self.blocks:
                raise KeyboardInterrupt
            self.blocks -= 1
            return self.answer.read(size)

    import urllib.request

    patient = urllib.request.urlopen
    with monkeypatch.context() as patch:
        patch.setattr("urllib.request.urlopen", lambda *a, **k: Impatient(patient(*a, **k)))
        with pytest.raises(KeyboardInterrupt):
            _fetch(tmp_path, server.address)
    assert _left(tmp_path) == {"data.bin.part"}
    server.requests.clear()
    assert _fetch(tmp_path, server.address).read_bytes() == _CONTENT
    got = 2 * downloads._BLOCK
    assert server.requests == [("/data.bin", f"bytes={got}-", len(_CONTENT) - got)]


def test_a_server_without_ranges_starts_again(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    server.ranges = False
    server.cuts = [70_000]
    assert _fetch(tmp_path, server.address).read_bytes() == _CONTENT
    assert [sent for *_, sent in server.requests] == [70_000, 200_000]


def test_a_server_that_sends_another_range_is_not_believed(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    server.cuts = [70_000]
    server.shift = 10
    with pytest.raises(DataError, match="asked for the bytes from 70000 on, it sent 'bytes 70010-"):
        _fetch(tmp_path, server.address)
    server.shift = 0
    assert _fetch(tmp_path, server.address).read_bytes() == _CONTENT


def test_a_wrong_first_piece_is_dropped_and_fetched_again(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    part = tmp_path / "set" / "data.bin.part"
    part.parent.mkdir()
    part.write_bytes(b"something else")
    assert _fetch(tmp_path, server.address).read_bytes() == _CONTENT
    assert [asked for _, asked, _ in server.requests] == ["bytes=14-", None]


def test_a_piece_longer_than_the_file_is_dropped(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    part = tmp_path / "set" / "data.bin.part"
    part.parent.mkdir()
    part.write_bytes(_CONTENT + b"more")
    assert _fetch(tmp_path, server.address).read_bytes() == _CONTENT


def test_a_whole_part_needs_no_network(tmp_path: Path, nowhere: str) -> None:
    part = tmp_path / "set" / "data.bin.part"
    part.parent.mkdir()
    part.write_bytes(_CONTENT)
    assert _fetch(tmp_path, nowhere).read_bytes() == _CONTENT
    assert _left(tmp_path) == {"data.bin"}


def test_a_wrong_checksum_is_reported_and_nothing_is_left(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = b"<html>please log in</html>"
    found = hashlib.md5(server.files["/data.bin"]).hexdigest()
    with pytest.raises(DataError) as caught:
        _fetch(tmp_path, server.address)
    message = str(caught.value)
    assert f"{server.address}data.bin: its MD5 checksum is {found}, expected {_FILE.md5}" in message
    assert f"save it as {tmp_path / 'set' / 'data.bin'}" in message
    assert _left(tmp_path) == set()
    assert len(server.requests) == 1


def test_the_second_mirror_is_tried(server, tmp_path: Path, nowhere: str) -> None:
    server.files["/good/data.bin"] = _CONTENT
    server.files["/bad/data.bin"] = _CONTENT[::-1]
    mirrors = (nowhere, *(f"{server.address}{at}" for at in ("missing/", "bad", "good")))
    assert _fetch(tmp_path, *mirrors).read_bytes() == _CONTENT
    assert [at for at, *_ in server.requests] == [
        f"/{a}/data.bin" for a in ("missing", "bad", "good")
    ]


def test_the_second_mirror_goes_on_where_the_first_gave_up(
    server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_CONNECTIONS_PER_MIRROR", 1)
    server.files["/one/data.bin"] = server.files["/two/data.bin"] = _CONTENT
    server.cuts = [123_456]
    path = _fetch(tmp_path, server.address + "one", server.address + "two")
    assert path.read_bytes() == _CONTENT
    assert server.requests[1] == ("/two/data.bin", "bytes=123456-", 200_000 - 123_456)


def test_a_folder_can_be_a_mirror(tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "data.bin").write_bytes(_CONTENT)
    address = (tmp_path / "usb").as_uri()
    assert _fetch(tmp_path / "cache", address).read_bytes() == _CONTENT
    with pytest.raises(DataError, match=r"other\.bin"):
        _fetch(tmp_path, address, file=RemoteFile("other.bin", "0" * 32))


def test_a_server_that_does_not_say_how_long_the_file_is(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    server.announce = False
    assert _fetch(tmp_path, server.address).read_bytes() == _CONTENT


def test_offline_says_everything_one_needs(server, tmp_path: Path, nowhere: str) -> None:
    with pytest.raises(DataError) as caught:
        _fetch(tmp_path, nowhere, server.address)
    message = str(caught.value)
    path = tmp_path / "set" / "data.bin"
    assert f"data.bin is not in {path.parent}, and no mirror gives it" in message
    assert f"{nowhere}data.bin: [Errno" in message
    assert "refused" in message
    assert f"{server.address}data.bin: HTTP Error 404: Not Found" in message
    for needed in (_FILE.md5, f"save it as {path}", "mirrors=", "root=", "IBTOOLS_DATA"):
        assert needed in message
    assert "are kept" not in message
    assert isinstance(caught.value, OSError)


def test_download_can_be_forbidden(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    with pytest.raises(DataError, match=r"is not there, and download=False[\s\S]*save it as"):
        _fetch(tmp_path / "new", server.address, download=False)
    assert server.requests == []
    assert not (tmp_path / "new").exists()


def test_a_corrupt_file_is_reported_and_kept(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    path = _fetch(tmp_path, server.address)
    damaged = _CONTENT[:-1] + bytes([_CONTENT[-1] ^ 1])
    path.write_bytes(damaged)
    found = hashlib.md5(damaged).hexdigest()
    with pytest.raises(DataError, match=f"corrupt.*{found}, expected {_FILE.md5}; delete it"):
        _fetch(tmp_path, server.address)
    assert path.read_bytes() == damaged
    assert len(server.requests) == 1
    path.unlink()
    assert _fetch(tmp_path, server.address).read_bytes() == _CONTENT


def test_two_at_once_download_once(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda _: _fetch(tmp_path, server.address), range(6)))
    assert {path.read_bytes() for path in paths} == {_CONTENT}
    assert len(server.requests) == 1


def test_processes_wait_for_the_one_that_downloads(server, tmp_path: Path) -> None:
    server.files["/data.bin"] = _CONTENT
    code = (
        "from ibtools.data.downloads import *\n"
        f"local_file(RemoteFile('data.bin', {_FILE.md5!r}), folder='set', root={str(tmp_path)!r}, "
        f"mirrors=[{server.address!r}], download=True)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(server.requests) == 1
    assert (tmp_path / "set" / "data.bin").read_bytes() == _CONTENT


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"data.bin cannot be kept in .*file.set: .*root="):
        _fetch(tmp_path / "file", server.address)


def test_a_full_disk_is_not_blamed_on_the_mirror(
    server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/data.bin"] = _CONTENT

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DataError, match=r"cannot be kept in .*No space left.*make room"):
        _fetch(tmp_path, server.address)


def test_where_files_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nowhere: str
) -> None:
    monkeypatch.delenv("IBTOOLS_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert default_root() == tmp_path / ".cache" / "ibtools"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert default_root() == tmp_path / "caches" / "ibtools"
    monkeypatch.setenv("IBTOOLS_DATA", os.path.join("~", "data"))
    assert default_root() == tmp_path / "data"
    for root, folder in ((None, tmp_path / "data"), ("~/own", tmp_path / "own")):
        (folder / "set").mkdir(parents=True)
        (folder / "set" / "data.bin").write_bytes(_CONTENT)
        found = local_file(_FILE, folder="set", root=root, mirrors=(nowhere,), download=False)
        assert found == folder / "set" / "data.bin"


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"root": 3}, TypeError, "root must be the path of a folder, got 3"),
        (
            {"mirrors": "https://example.org/"},
            ValueError,
            "mirrors must be a sequence of addresses",
        ),
        ({"mirrors": ()}, ValueError, "mirrors must be a sequence of addresses"),
        ({"mirrors": ("ftp://example.org/",)}, ValueError, "begin with http://, https:// or file"),
        ({"mirrors": (3,)}, ValueError, "mirrors must be a sequence of addresses"),
        ({"mirrors": 3}, ValueError, "mirrors must be a sequence of addresses"),
        ({"download": 1}, TypeError, "download must be True or False, got 1"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong(
    wrong: dict, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    right = {"root": tmp_path, "mirrors": ("https://example.org/",), "download": False}
    with pytest.raises(kind, match=message):
        local_file(_FILE, folder="set", **right | wrong)
