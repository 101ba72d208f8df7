"""The set-up on machines that are set otherwise, and after it was cut off."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse

import pytest
from environment import Environment, only_one
from small_project import SmallProject

pytestmark = pytest.mark.slow

HOSTILE = {
    "PIP_USER": "1",
    "PIP_TARGET": "/nowhere",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_NO_DEPS": "1",
    "PIP_DRY_RUN": "1",
    "PYTHONWARNINGS": "error",
    "PYTHONSAFEPATH": "1",
    "PYTHONHOME": "/nowhere",
    "PYTHONSTARTUP": "/nowhere",
    "MPLBACKEND": "nonsense",
    "MATPLOTLIBRC": "/nowhere",
    "JUPYTER_PATH": "/nowhere",
    "VIRTUAL_ENV": "/nowhere",
    "CONDA_PREFIX": "/nowhere",
    "LC_ALL": "tr_TR.ISO-8859-9",
    "OMP_DISPLAY_ENV": "TRUE",
    "TMPDIR": "/nowhere",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in a folder with an awkward name, set up on a hostile machine."""
    project = SmallProject(tmp_path_factory.mktemp("set-up") / "book [1] #2 50% ü 'x'")
    shadows = project.root.parent / "shadows"
    shadows.mkdir()
    (shadows / "json.py").write_text("raise ImportError('the wrong json')")
    home = project.root.parent / "home"
    (home / ".config/pip").mkdir(parents=True)
    (home / ".config/pip/pip.conf").write_text(
        f"[install]\nuser = true\n[global]\nfind-links = {project.wheels.as_uri()}\n"
    )
    (home / ".matplotlib").mkdir()
    project.first = project.make(
        "book", **HOSTILE, PYTHONPATH=str(shadows), HOME=str(home), PIP_FIND_LINKS=None
    )
    return project


def seen(project):
    return json.loads((project.root / "_build/html/seen.json").read_text())


def test_nothing_of_the_machine_gets_in(project):
    assert project.first.returncode == 0, project.first.stdout + project.first.stderr
    found = seen(project)
    assert set(HOSTILE) & set(found["environ"]) <= {"LC_ALL"}
    assert found["environ"]["LC_ALL"] in ("C", "C.UTF-8")
    assert found["prefix"] == str(project.root / ".venv")
    assert found["ibtools"].startswith(str(project.root / "src"))
    for name in ("PIP_USER", "PIP_TARGET", "install.user"):
        assert name in project.first.stdout, "what is not used is told"


def test_the_printed_link_opens(project):
    (link,) = (word for word in project.first.stdout.split() if word.startswith("file://"))
    parts = urllib.parse.urlsplit(link)
    assert not parts.fragment
    assert not parts.query
    assert os.path.exists(urllib.parse.unquote(parts.path))


def test_a_finished_set_up_is_used_and_found_damaged(project):
    """One after the other: nothing to do, pins changed, a package damaged, the folder renamed."""
    begun = time.monotonic()
    environment = Environment(project.root / ".venv", root=project.root)
    # As while it is set up for another, or another beside it.
    with only_one(environment.turn(), ""), only_one(project.root, ""):
        answer = project.make("setup")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert time.monotonic() - begun < 10

    (project.root / "requirements.txt").write_text("tiny==2.0\n")
    answer = project.make("setup")
    assert "has changed" in answer.stdout
    assert "Creating" not in answer.stdout
    assert version_of_tiny(project) == "2.0"

    (tiny,) = project.root.glob(".venv/lib/*/site-packages/tiny.py")
    tiny.unlink()
    moved = project.root.with_name("renamed")
    project.root.rename(moved)
    project.root = moved
    answer = project.make("book")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "was made for" in answer.stdout
    assert version_of_tiny(project) == "2.0"
    assert seen(project)["ibtools"].startswith(str(moved))


def version_of_tiny(project):
    code = "import tiny; print(tiny.VERSION)"
    return subprocess.check_output([project.python, "-c", code], text=True).strip()


def killed_once(project, seconds, *command):
    """Kill a command and all it has started, as a closed lid or the kernel does."""
    process = subprocess.Popen(
        ["make", *command], cwd=project.root, env=project.environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_at_any_moment_the_same_command_gets_there(tmp_path):
    """``IBTOOLS_KILLS=100`` makes it a hundred times; CI has one."""
    moments = random.Random(0)
    whole = 6.0
    for i in range(int(os.environ.get("IBTOOLS_KILLS", "1"))):
        project = SmallProject(tmp_path / str(i) / "book")
        killed_once(project, moments.uniform(0, whole), "book")
        begun = time.monotonic()
        answer = project.make("book")
        whole = time.monotonic() - begun
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert seen(project)["prefix"] == str(project.root / ".venv")
        shutil.rmtree(tmp_path / str(i))


def test_serve_asks_for_its_port_before_anything_else(project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = project.make("serve", f"PORT={port}")
    assert answer.returncode != 0
    assert f"Port {port} cannot be used here" in answer.stderr
    (remedy,) = (word for word in answer.stderr.split() if word.startswith("PORT="))
    with socket.create_server(("127.0.0.1", int(remedy[5:]))):
        pass
    for wrong in ("http", "0", "70000", "-1"):
        assert "from 1 to 65535" in project.make("serve", f"PORT={wrong}").stderr


def test_what_is_in_the_way_is_named_and_left_alone(tmp_path):
    project = SmallProject(tmp_path / "book")
    (project.root / ".venv").write_text("mine")
    assert "is no folder" in project.make("setup").stderr
    (project.root / ".venv").unlink()
    (project.root / ".venv").mkdir()
    (project.root / ".venv/thesis.tex").write_text("mine")
    answer = project.make("setup")
    assert answer.returncode != 0
    assert "holds other things" in answer.stderr
    assert (project.root / ".venv/thesis.tex").exists()


def test_a_missing_package_is_told_in_pips_words(tmp_path):
    project = SmallProject(tmp_path / "book")
    (project.root / "requirements.txt").write_text("tiny==3.0\ntorch==0.0.1\n")
    answer = project.make("setup", PIP_FIND_LINKS=(tmp_path / "empty").as_uri())
    assert answer.returncode != 0
    assert "No matching distribution found for torch==0.0.1" in answer.stderr
    assert "did not answer" not in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr
