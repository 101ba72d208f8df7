"""What is released is whole: the wheel, made from the sdist, runs the README's first example."""

import json
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import doctor
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def in_folder(folder: Path, *arguments: str) -> str:
    command = [sys.executable, *arguments]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_the_wheel_of_the_sdist_runs_the_example(tmp_path):
    made, sdist = tmp_path / "made", "from setuptools import build_meta as b; b.build_sdist('{}')"
    copy = tmp_path / "copy"
    in_folder(ROOT, "-c", f"import shutil; shutil.copytree('src', {str(copy / 'src')!r}, "
              "ignore=shutil.ignore_patterns('*.egg-info', '__pycache__'))")  # fmt: skip
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (copy / name).write_bytes((ROOT / name).read_bytes())
    in_folder(copy, "-c", sdist.format(made))
    (archive,) = made.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    in_folder(source, "-c", f"from setuptools import build_meta as b; b.build_wheel({str(made)!r})")
    (wheel,) = made.glob("*.whl")
    # On the path alone, as an archive: what is not in it cannot be found.
    target = tmp_path / "installed"
    in_folder(tmp_path, "-m", "zipfile", "-e", str(wheel), str(target))
    example = re.findall(r"```python\n(.*?)```", README, re.S)[0]
    run = f"import sys; sys.path.insert(0, {str(target)!r})\n{example}\nimport ibtools\n"
    assert str(target) in in_folder(tmp_path, "-c", run + "print(ibtools.__file__)")
    inside = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    there = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "ibtools").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there <= inside


def test_all_say_the_same_of_what_is_released():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    archive = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert archive["title"] == citation["title"]
    assert archive["keywords"] == citation["keywords"]
    assert archive["license"] in citation["license"]
    authors = [author["name"] for author in citation["authors"]]
    assert [creator["name"] for creator in archive["creators"]] == authors
    assert [author["name"] for author in PROJECT["authors"]] == authors
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", changes, re.M)
    assert headings[0] == "Unreleased" or headings[0].startswith(PROJECT["version"])


def test_a_report_says_what_differs_from_the_pins(tmp_path):
    told = dict(line.split(maxsplit=1) for line in doctor.lines(Path(sys.executable)))
    assert told["packages"].startswith("numpy ")
    assert "missing" not in told["packages"]
    pins = "numpy==2.4.6\nPyYAML==6.0.3\nsix==1.0; sys_platform == 'darwin'\n"
    found = doctor.installed("numpy==2.0.0\npyyaml==6.0.3\ntorch==2.13.0+cpu\n")
    assert found["torch"] == "2.13.0"
    assert doctor.differing(found, pins) == ["numpy 2.0.0, not 2.4.6"]
    absent = list(doctor.lines(tmp_path / "bin" / "python"))
    assert absent[-1].endswith("'make setup' makes it")


def test_templates_and_hooks_can_be_read():
    for path in sorted((ROOT / ".github").rglob("*.yml")):
        assert yaml.safe_load(path.read_text(encoding="utf-8")), path
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    for hook in hooks["repos"][0]["hooks"]:
        for word in hook["entry"].split():
            if word.endswith(".py"):
                assert (ROOT / word).exists(), word
