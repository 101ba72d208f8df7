"""A project with this one's Makefile and scripts, and next to nothing to install."""

import ast
import os
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"

# In place of Jupyter Book: it writes a page and what it saw of the machine.
BUILDER = """
import json, os, sys, warnings
from pathlib import Path
def main():
    import ibtools, json as other
    folder = Path("_build/html")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text("<p>built</p>")
    seen = {"environ": dict(os.environ), "ibtools": ibtools.__file__, "json": other.__file__,
            "prefix": sys.prefix, "warnoptions": sys.warnoptions}
    (folder / "seen.json").write_text(json.dumps(seen))
    return 0
"""

# In place of setuptools: an editable install is a file that names src.
BACKEND = """
import os, zipfile
INFO = "ibtools-0.1.0.dist-info"
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "ibtools-0.1.0-py3-none-any.whl"
    files = {
        "ibtools_src.pth": os.path.abspath("src") + "\\n",
        f"{INFO}/METADATA": "Metadata-Version: 2.1\\nName: ibtools\\nVersion: 0.1.0\\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(f"{name},,\\n" for name in files) + f"{INFO}/RECORD,,\\n"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in {**files, f"{INFO}/RECORD": record}.items():
            wheel.writestr(path, text)
    return name
def build_wheel(*a, **k): raise NotImplementedError
def build_sdist(*a, **k): raise NotImplementedError
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "ibtools"
version = "0.1.0"
"""


def with_what_it_imports(script: Path) -> set[Path]:
    """``script`` and every script beside it that it needs."""
    found, unread = {script}, [script]
    while unread:
        for node in ast.walk(ast.parse(unread.pop().read_text())):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [name.name for name in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            new = {path for name in names if (path := script.with_name(f"{name}.py")).exists()}
            unread += new - found
            found |= new
    return found


class SmallProject:
    """The project in a folder of any name; wheels lie beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "Makefile", root)
        for path in (SCRIPTS / "find_python.sh", *with_what_it_imports(SCRIPTS / "commands.py")):
            shutil.copy(path, root / "scripts")
        (root / "src/ibtools").mkdir(parents=True)
        (root / "src/ibtools/__init__.py").write_text("")
        (root / "backend.py").write_text(BACKEND)
        (root / "pyproject.toml").write_text(PYPROJECT)
        (root / "requirements.txt").write_text("tiny==1.0\n")
        self.wheels = root.parent / "wheels"
        self.wheels.mkdir(exist_ok=True)
        for version in ("1.0", "2.0"):
            wheel(self.wheels, "tiny", version, {"jupyter_book/cli/main.py": BUILDER})

    def environment(self, **changes: str | None) -> dict[str, str]:
        """Return this machine's environment without an index, changed; ``None`` takes away."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
        environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.wheels.as_uri()}
        environ |= {"PYTHON": sys.executable}
        environ |= {name: value for name, value in changes.items() if value is not None}
        return {name: value for name, value in environ.items() if changes.get(name, "") is not None}

    def make(self, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *arguments], cwd=self.root, capture_output=True, text=True,
            env=self.environment(**changes), errors="replace", timeout=300,
        )  # fmt: skip

    @property
    def python(self) -> Path:
        return self.root / ".venv/bin/python"


def wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    """Write the wheel of a package that holds `files`."""
    info = f"{name}-{version}.dist-info"
    packages = {str(parent) for path in files for parent in Path(path).parents} - {"."}
    whole = {f"{package}/__init__.py": "" for package in packages} | files | {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": textwrap.dedent("""\
            Wheel-Version: 1.0
            Generator: test
            Root-Is-Purelib: true
            Tag: py3-none-any
            """),
    }  # fmt: skip
    record = "".join(f"{path},,\n" for path in [*whole, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**whole, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
