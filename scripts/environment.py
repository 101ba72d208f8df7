"""The virtual environment: made, filled with the pinned packages, and looked over at every use.

``.ready`` in it is written last. It says for which folder, which pins and which packages the
environment was finished; where that no longer fits, the environment is brought up to date or made
anew. Run with the Python that it shall have: ``python3 -I scripts/environment.py .venv``. Standard
library only, because nothing is installed yet.
"""

import ast
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))  # -I leaves it out

from isolation import PIP_KEPT, isolated, made, pip_settings, usable

ROOT = Path(__file__).resolve().parent.parent
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
DESCRIBED_BY = ("requirements.txt", "pyproject.toml", "scripts/environment.py")
PARTS = {"bin", "lib", "lib64", "include", "share", "etc", "pyvenv.cfg", ".gitignore"}
PARTS |= {".ready", ".ready.part"}
SECONDS_BETWEEN_WORDS = 10


class Finding(NamedTuple):
    """What has to be done to an environment, and why."""

    remedy: str  # "nothing", "update" or "make"
    reason: str = ""


class Environment:
    """A virtual environment at `place` for the project in `root`."""

    def __init__(self, place: Path, root: Path = ROOT, python: str = "") -> None:
        self.place = place if place.is_absolute() else root / place
        self.root = root
        self.python = self.place / "bin" / "python"
        self.mark = self.place / ".ready"
        # PYTHON=..., if it was named; then it is a wish, and not only the first that was found.
        self.named = python
        for folder, mend in (
            (root, "copy the folder to a place of your own and type the same command there"),
            (root / "_build", "remove it, if need be as the user who made it"),
            (self.place, "remove it, or name another place with VENV="),
        ):
            if folder.is_dir() and not usable(folder.resolve()):
                sys.exit(f"{folder} cannot be written to, and must be: {mend}.")
        self.variables = isolated(root / "_build")

    def prepare(self) -> None:
        """Leave a whole environment there, or exit with one sentence on what is in the way."""
        if self.mark.exists() and self.look_over().remedy == "nothing":
            return  # and nobody who sets up another one beside it needs to be waited for
        with only_one(self.turn(), "Another command is setting this up; waiting for it."):
            finding = self.look_over()
            if finding.remedy == "nothing":
                return
            if finding.reason:
                print(finding.reason, flush=True)
            self.mark.unlink(missing_ok=True)
            if finding.remedy == "make":
                self.make()
            self.fill()
            if damage := self.damage():
                sys.exit(f"Set-up failed: pip is done, but {damage}. The same command tries anew.")
            self.write_mark()
            print("Set-up is done; it runs again only when the packages' list changes.", flush=True)

    def turn(self) -> Path:
        """Return a folder to hold while the environment is set up; others may be beside it."""
        return made(self.root / "_build" / ".set-up" / self.place.name)

    def look_over(self) -> Finding:
        """Say what has to be done; takes a fraction of a second where that is nothing."""
        place = self.place
        if not os.path.lexists(place):
            return Finding("make")
        if not place.is_dir():
            sys.exit(f"{place} is no folder; move it away, or name another place with VENV=.")
        names = {path.name for path in place.iterdir()}
        if "pyvenv.cfg" not in names and not names <= PARTS:
            sys.exit(
                f"{place} holds other things than a virtual environment; name another place with "
                "VENV=, one that is not there yet."
            )
        mark = self.read_mark()
        if not mark:
            unfinished = f"The set-up of {place} was not finished; starting it again."
            return Finding("make", unfinished if names else "")
        made_at, made_for = Path(mark.get("place", place)), Path(mark.get("root", self.root))
        if made_for != self.root and (made_for / "requirements.txt").is_file() and same(
            place, made_at
        ):  # fmt: skip
            sys.exit(
                f"{place} is the environment of {made_for}; remove the link, or name another "
                "place with VENV=, and this folder gets one of its own."
            )
        if (made_for, made_at) != (self.root, place):
            return Finding(
                "make", f"The environment was made for {made_for} at {made_at}; making it anew."
            )
        version = self.version()
        if not version:
            return Finding("make", f"The Python of {place} does not run any more; making it anew.")
        if self.named and version != (wished := ".".join(map(str, sys.version_info[:2]))):
            return Finding(
                "make",
                f"{place} has Python {version}, PYTHON={self.named} is {wished}; making it anew.",
            )
        if damage := self.damage():
            return Finding("make", f"The environment is damaged: {damage}; making it anew.")
        if mark.get("digest") != self.digest() or not set(mark["packages"]) <= self.packages():
            return Finding("update", "The list of packages has changed; bringing them up to date.")
        return Finding("nothing")

    def read_mark(self) -> dict:
        try:
            text = self.mark.read_text(encoding="utf-8")
            mark = json.loads(text) if text else self.old_mark()
            return mark if isinstance(mark, dict) and isinstance(mark["packages"], list) else {}
        except (OSError, ValueError, KeyError):
            return {}

    def old_mark(self) -> dict:
        """Return what an empty mark, as there used to be, can still say."""
        text = (self.place / "pyvenv.cfg").read_text(encoding="utf-8")
        made = re.search(r"^command = .* -m venv (?:--\S+ )*(.+)$", text, re.M)
        place = Path(made[1]) if made else self.place
        return {"packages": [], "place": str(place), "root": str(place.parent)}

    def write_mark(self) -> None:
        mark = {
            "root": str(self.root),
            "place": str(self.place),
            "digest": self.digest(),
            "packages": sorted(self.packages()),
        }
        part = self.mark.with_name(".ready.part")
        part.write_text(json.dumps(mark, indent=1), encoding="utf-8")
        part.replace(self.mark)

    def digest(self) -> str:
        sha = hashlib.sha256()
        for name in DESCRIBED_BY:
            sha.update((self.root / name).read_bytes() + b"\0")
        return sha.hexdigest()

    def version(self) -> str:
        """Return "3.11", say, or nothing where the environment's Python does not run."""
        code = (
            "import sys; print(*sys.version_info[:2], sep='.'); "
            "sys.exit(sys.prefix == sys.base_prefix)"
        )
        try:
            answer = subprocess.run(
                [self.python, "-I", "-c", code], capture_output=True, text=True, env=self.variables
            )
        except OSError:
            return ""
        return answer.stdout.strip() if answer.returncode == 0 else ""

    def records(self) -> list[Path]:
        return sorted(self.place.glob("lib/python*/site-packages/*.dist-info"))

    def packages(self) -> set[str]:
        return {path.name for path in self.records()}

    def damage(self) -> str:
        """Say which file of a package is missing, if one is."""
        there: dict[Path, set[str]] = {}
        for record in self.records():
            library = record.parent
            if library not in there:
                # Some ten thousand files: asking for each would take seconds.
                there[library] = {
                    os.path.relpath(os.path.join(folder, name), library)
                    for folder, _, names in os.walk(library)
                    for name in names
                }
            try:
                lines = (record / "RECORD").read_text(encoding="utf-8").splitlines()
            except OSError:
                return f"{record.name} has no list of its files"
            names = (line.rsplit(",", 2)[0].strip('"') for line in lines)
            wanted = {name for name in names if not name.endswith(".pyc")}
            for name in sorted(wanted - there[library]):
                if not os.path.lexists(library / name):  # outside of the library, as programs are
                    return f"{library / name} is missing"
        return ""

    def make(self) -> None:
        base = getattr(sys, "_base_executable", sys.executable)
        print(f"Creating a virtual environment in {self.place} ({base}).", flush=True)
        self.run(base, "-I", "-m", "venv", "--clear", str(self.place))

    def fill(self) -> None:
        self.variables |= self.pip_variables()
        print("Installing the pinned packages; the first time this takes a few minutes.")
        if sys.platform == "linux":
            self.install_cpu_torch()
        self.pip("install", "-r", "requirements.txt", what="the packages of requirements.txt")
        self.install_the_package()

    def install_the_package(self) -> None:
        # In the folder, as ".": pip takes brackets in a path for something else.
        editable = ("--no-deps", "--no-build-isolation", "--editable", ".")
        # It writes beside the sources.
        with only_one(self.root, "Another command is installing this package; waiting for it."):
            self.pip("install", *editable, what="this project's package, ibtools, from src/")

    def pip_variables(self) -> dict[str, str]:
        """Return pip's settings of this machine, without those that change what goes where."""
        kept, dropped = pip_settings()
        found = {}
        answer = self.pip_says("config", "list", variables=self.variables | kept)
        if answer.returncode:
            sys.exit(f"Set-up failed: pip cannot read its settings.\n{answer.stderr.strip()}")
        for line in answer.stdout.splitlines():
            key, _, value = line.partition("=")
            section, _, option = key.rpartition(".")
            if section == ":env:":
                continue
            name = option.replace("-", "_")
            if name not in PIP_KEPT:
                dropped.append(key)
            elif section == "install" or (
                section == "global" and f"PIP_{name.upper()}" not in found
            ):
                found[f"PIP_{name.upper()}"] = " ".join(str(ast.literal_eval(value)).split())
        if dropped:
            print(f"Settings of pip that are not used here: {', '.join(sorted(dropped))}.")
        return found | kept | {
            "PIP_CONFIG_FILE": os.devnull,  # it has been read
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }  # fmt: skip

    def install_cpu_torch(self, wish: str = "") -> None:
        """On Linux, plain pip takes a CUDA build of several GB; the CPU build is all we need."""
        pins = (self.root / "requirements.txt").read_text(encoding="utf-8")
        pin = re.search(r"^torch==[^\s;]+", pins, re.M)
        if not (wanted := wish or (pin[0] if pin else "")):
            return
        plan = ("install", "--quiet", "--dry-run", "--no-deps", "--report", "-", wanted)
        answer = self.pip_says(*plan)
        if answer.returncode == 0:
            chosen = json.loads(answer.stdout)["install"]
            if not chosen or chosen[0]["metadata"]["version"].endswith("+cpu"):
                return  # installed already, or pip is set up to find a CPU build by itself
        fetch = ("--no-deps", "--timeout", "15", "--retries", "1", "--index-url", CPU_WHEELS)
        if self.pip("install", *fetch, wanted, what=f"{wanted}, the CPU build", must=False):
            print(
                f"pip could not install {wanted} from {CPU_WHEELS} (its words are above); going "
                "on with whichever build it finds elsewhere.",
                flush=True,
            )

    def pip_says(
        self, *arguments: str, variables: dict | None = None
    ) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.python, "-m", "pip", *arguments],
            capture_output=True, text=True, cwd=self.root, env=variables or self.variables,
            pass_fds=held(),
        )  # fmt: skip

    def pip(self, *arguments: str, what: str, must: bool = True) -> int:
        """Run pip; say every few seconds how far it is, and what it printed if it fails."""
        print(f"Installing {what}.", flush=True)
        # Python compiles what it imports; pip would compile all there is, a minute on one core.
        quick = ("--no-compile",) if arguments[0] == "install" else ()
        command = [str(self.python), "-m", "pip", *arguments, *quick, "--progress-bar", "off"]
        last: deque[str] = deque(maxlen=20)
        fetched = [0]
        with subprocess.Popen(
            command, cwd=self.root, env=self.variables, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=held(),
        ) as process:  # fmt: skip
            assert process.stdout

            def read(lines: Iterator[str]) -> None:
                for line in lines:
                    last.append(line)
                    fetched[0] += line.startswith("Collecting ")

            reader = threading.Thread(target=read, args=(process.stdout,))
            reader.start()
            begun = time.monotonic()
            while reader.is_alive():
                reader.join(SECONDS_BETWEEN_WORDS)
                if reader.is_alive():
                    doing = "installing" if any("Installing" in s for s in last) else "fetching"
                    seconds = time.monotonic() - begun
                    print(f"  {seconds:.0f} s, {doing}, {fetched[0]} packages so far", flush=True)
        if process.returncode:
            print("".join(last), file=sys.stderr, flush=True)
            if must:
                sys.exit(
                    f"Set-up failed: pip could not install {what}; its words are above. Once the "
                    "cause is removed, the same command starts the set-up again."
                )
        return process.returncode

    def run(self, *command: str) -> None:
        if code := subprocess.run(command, env=self.variables, pass_fds=held()).returncode:
            sys.exit(f"Set-up failed (exit status {code}) at: {' '.join(command)}")


_HELD: list[int] = []


def held() -> Sequence[int]:
    """Locks that a command passes on: a child that outlives it still has the folder to itself."""
    return tuple(_HELD)


@contextmanager
def only_one(folder: Path, words: str) -> Iterator[None]:
    """Let one process at a time work in a folder; the others wait."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(words, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks
        _HELD.append(handle)
        yield
    finally:
        if handle in _HELD:
            _HELD.remove(handle)
        os.close(handle)


def same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


if __name__ == "__main__":
    Environment(Path(sys.argv[1]), python=os.environ.get("PYTHON", "")).prepare()
