"""What a student's process may not do: take all memory, fill the disk, use the network."""

import contextlib
import ctypes
import os
import resource
import signal
import sys

LARGEST_FILE = 256 * 2**20
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_DIE_WITH_PARENT = 1


def put_up(*, seconds: float, memory: int) -> bool:
    """Fence in this process for good.

    Parameters
    ----------
    seconds
        Of CPU, for everything that it does.
    memory
        Bytes, beyond what it has already.

    Returns
    -------
    bool
        Whether the network is cut off. Where the system does not allow that, it is not.
    """
    alone = _without_network()
    _die_with_parent()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, LARGEST_FILE)
    _limit(resource.RLIMIT_CPU, int(seconds) + 1)
    _limit(resource.RLIMIT_AS, _memory_now() + memory)
    return alone


def _limit(which: int, most: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # a system without this limit, or a lower one
        _, hard = resource.getrlimit(which)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (most, most))


def _memory_now() -> int:
    try:
        with open("/proc/self/statm", encoding="utf-8") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 8 * 2**30  # where nobody says, the limit is a loose one


def _without_network() -> bool:
    """Move to a network of one's own, which has no cable."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_NETWORK) == 0:
        return True
    if libc.unshare(_NEW_USER | _NEW_NETWORK) != 0:
        return False
    with contextlib.suppress(OSError):  # keep one's own name; without it one is nobody
        for name, line in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="utf-8") as file:
                file.write(line)
    return True


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
