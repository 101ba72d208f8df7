"""A kernel that is forked from one that has the libraries is what any other is."""

import json
import os
import signal

import book_kernels
import pytest
from jupyter_client import KernelManager
from jupyter_client.provisioning import local_provisioner

ASK = """
import json, os, random, signal, subprocess, sys
print(json.dumps({
    "where": os.getcwd(), "path": sys.path, "flags": str(sys.flags),
    "environment": {k: v for k, v in os.environ.items() if k != "JPY_PARENT_PID"},
    "children": str(signal.getsignal(signal.SIGCHLD)),
    "fails": subprocess.run(["false"]).returncode,
    "group": os.getpgid(0) == os.getsid(0) == os.getpid(),
    "package": "ibtools" in sys.modules,
    "names": sorted(globals()),
}))
"""


def answer(client, code: str) -> str:
    said: list[str] = []

    def listen(message) -> None:
        said.append(message["content"].get("text", ""))

    client.execute_interactive(code, output_hook=listen, timeout=60)
    return "".join(said)


def started(folder):
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    return manager, client


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(book_kernels, "LIBRARIES", ("ipykernel.kernelapp",))
    monkeypatch.setattr(local_provisioner, "launch_kernel", book_kernels.launch_kernel)
    book_kernels.warm.cache_clear()
    yield
    server = book_kernels.warm()
    server.stdin.close()
    assert server.wait(timeout=30) == 0
    server.stdout.close()
    book_kernels.warm.cache_clear()


def test_it_is_as_one_that_was_started(tmp_path, monkeypatch, request) -> None:
    for name in ("JUPYTER_PLATFORM_DIRS", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)
    manager, client = started(tmp_path)
    usual = json.loads(answer(client, ASK))
    client.stop_channels()
    manager.shutdown_kernel(now=True)

    request.getfixturevalue("forked")
    manager, client = started(tmp_path)
    found = json.loads(answer(client, ASK))
    assert found == usual
    assert usual["fails"] == 1
    # A second one knows nothing of the first, which can die without it.
    answer(client, "x = 1")
    other, other_client = started(tmp_path)
    assert json.loads(answer(other_client, ASK))["names"] == usual["names"]
    number = manager.provisioner.process.pid
    os.kill(number, signal.SIGKILL)
    assert manager.provisioner.process.wait() == 0
    assert not manager.is_alive()
    assert other.is_alive()
    for one, its_client in ((manager, client), (other, other_client)):
        its_client.stop_channels()
        one.shutdown_kernel(now=True)
    assert not other.is_alive()
