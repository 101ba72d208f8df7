"""What a newcomer meets first: the choice of a Python, and what of the machine is let in."""

import os
import subprocess
import sys
from pathlib import Path

from isolation import isolated, pip_settings

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


def test_a_path_with_spaces_is_one_path(tmp_path):
    python = tmp_path / "my py" / "python3"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    answer = find_python(PYTHON=str(python))
    assert (answer.returncode, answer.stdout.strip()) == (0, str(python))


def test_what_is_wrong_with_the_python_one_names_is_told():
    assert "there is no such program" in find_python(PYTHON="/no such/python3").stderr
    assert "does not run as a Python" in find_python(PYTHON="false").stderr


def test_the_machine_is_kept_out_and_its_network_is_not(tmp_path):
    hostile = {"PYTHONPATH": "x", "PIP_USER": "1", "MPLBACKEND": "x", "LC_ALL": "tr_TR", "FOO": "x"}
    needed = {"https_proxy": "p", "SSL_CERT_FILE": "c", "IBTOOLS_DATA": "d", "PATH": "/bin"}
    found = isolated(tmp_path, hostile | needed | {"HOME": str(tmp_path / "nowhere")})
    assert needed.items() <= found.items()
    assert not {"PYTHONPATH", "PIP_USER", "MPLBACKEND", "FOO"} & set(found)
    assert found["LC_ALL"] in ("C", "C.UTF-8")
    assert Path(found["HOME"]).is_dir()
    assert isolated(tmp_path, {"HOME": str(tmp_path)})["HOME"] == str(tmp_path)


def test_pip_may_be_told_where_to_look_but_not_what_to_do():
    asked = {"PIP_INDEX_URL": "u", "PIP_CERT": "c", "PIP_TARGET": "t", "PIP_NO_DEPS": "1"}
    assert pip_settings(asked) == (
        {"PIP_INDEX_URL": "u", "PIP_CERT": "c"},
        ["PIP_NO_DEPS", "PIP_TARGET"],
    )
