"""What a newcomer meets first: the choice of a Python, and the list of commands."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def find_python(**environment):
    command = ["sh", str(ROOT / "scripts/find_python.sh")]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_the_python_one_names_is_taken():
    answer = find_python(PYTHON=sys.executable)
    assert (answer.returncode, answer.stdout.strip()) == (0, sys.executable)


def test_without_a_suitable_python_it_says_what_to_install():
    answer = find_python(PYTHON="false")
    assert answer.returncode == 1
    assert answer.stdout == ""
    for word in ("3.11", "apt install", "brew install", "PYTHON="):
        assert word in answer.stderr


def test_make_alone_lists_the_commands():
    answer = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True)
    commands = ("book", "test", "serve", "notebooks", "bench", "lint", "clean")
    assert all(f"make {command} " in answer.stdout for command in commands)
