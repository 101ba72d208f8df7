"""Create the virtual environment and install the pinned packages and this project into it.

Run with the Python the environment shall have: ``python3 scripts/environment.py .venv``.
Standard library only, because nothing is installed yet.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"


def main(environment: Path) -> None:
    python = environment / "bin" / "python"
    if not python.exists():
        print(f"Creating a virtual environment in {environment} ({sys.executable}).", flush=True)
        run(sys.executable, "-m", "venv", str(environment))
    pip = (str(python), "-m", "pip", "--disable-pip-version-check")
    if sys.platform == "linux":
        install_cpu_torch(pip)
    print("Installing the pinned packages of requirements.txt (a few minutes).", flush=True)
    run(*pip, "install", "--quiet", "-r", str(ROOT / "requirements.txt"))
    print("Installing this project's package, ibtools, from src/.", flush=True)
    editable = ("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    run(*pip, "install", "--quiet", *editable)


def install_cpu_torch(pip: tuple[str, ...]) -> None:
    """On Linux, plain pip takes a CUDA build of several GB; the CPU build is all the book needs."""
    torch = re.search(r"^torch==[^\s;]+", (ROOT / "requirements.txt").read_text(), re.M)[0]
    plan = ("install", "--quiet", "--dry-run", "--no-deps", "--report", "-", torch)
    answer = subprocess.run((*pip, *plan), capture_output=True, text=True)
    if answer.returncode == 0:
        chosen = json.loads(answer.stdout)["install"]
        if not chosen or chosen[0]["metadata"]["version"].endswith("+cpu"):
            return  # installed already, or pip is set up to find a CPU build by itself
    print(f"Installing {torch}, the CPU build.", flush=True)
    fetch = ("install", "--quiet", "--no-deps", "--timeout", "15", "--retries", "1")
    if subprocess.run((*pip, *fetch, "--index-url", CPU_WHEELS, torch)).returncode:
        print(f"{CPU_WHEELS} did not answer; taking whichever build pip finds.", flush=True)


def run(*command: str) -> None:
    if code := subprocess.run(command).returncode:
        sys.exit(f"Set-up failed (exit status {code}) at: {' '.join(command)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
