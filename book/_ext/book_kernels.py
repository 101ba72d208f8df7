"""Kernels for the tests of the notebooks, which need not each import PyTorch anew.

To import the libraries takes a kernel longer than most notebooks take to run. So one process, this
file run as a program, imports them once, and every kernel is a fork of it: a new process, in which
no cell has run. The package it does not import: that a notebook does as for a reader.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("ipykernel.kernelapp", "ipywidgets", "matplotlib.figure", "matplotlib.backends.backend_svg"),
    *("scipy.integrate", "scipy.optimize", "scipy.stats", "sklearn.datasets", "sklearn.svm"),
    *("jaxtyping", "joblib", "tqdm.auto", "torch", "torch._dynamo"),  # for its derivatives
)
# Matplotlib reads it when it is imported; it is what a kernel sets.
BACKEND = "module://matplotlib_inline.backend_inline"


class Kernel:
    """A kernel that is another's child: of `subprocess.Popen` what Jupyter's client asks for."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """Return 0 when it has ended, however: its parent alone could say how."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def wait(self) -> int:
        while self.poll() is None:
            time.sleep(0.01)
        return 0

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # as `Popen` does
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def warm() -> subprocess.Popen[str]:
    """Start the process that has imported the libraries; it ends with the one that asked."""
    return subprocess.Popen(
        [sys.executable, __file__, *LIBRARIES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"MPLBACKEND": BACKEND},
    )


def launch_kernel(command: list[str], *, env: dict[str, str], cwd: str | None, **_: Any) -> Kernel:
    """Do what `jupyter_client.launcher.launch_kernel` does, where the command starts IPython's."""
    at = command.index("ipykernel_launcher")
    server = warm()
    wish = {"argv": command[at:], "env": env, "cwd": str(cwd or Path.cwd())}
    assert server.stdin
    assert server.stdout
    server.stdin.write(json.dumps(wish) + "\n")
    server.stdin.flush()
    return Kernel(int(server.stdout.readline()))


def serve() -> None:
    """Fork a kernel for each line that comes in."""
    del sys.path[0]  # this folder, which a reader does not have on the path
    for name in sys.argv[1:]:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that none is left when it has ended
    gc.freeze()  # to look through what was imported is no kernel's work
    server = os.getpid()
    for line in sys.stdin:
        if os.fork() == 0:
            become_kernel(json.loads(line), server)


def become_kernel(wish: dict[str, Any], server: int) -> None:
    """Be what a process would be that was started by the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()  # before its number is told: who interrupts it signals its group
    print(os.getpid(), flush=True)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(wish["env"])
    os.chdir(wish["cwd"])
    sys.argv = [*wish["argv"], f"--IPKernelApp.parent_handle={server}"]
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()
    sys.exit()


if __name__ == "__main__":
    serve()
