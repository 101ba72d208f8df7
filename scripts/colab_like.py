"""Run the student notebooks with the versions of Colab, which are older than those pinned here.

``python scripts/colab_like.py`` makes a virtual environment of its own in ``_build/.colab``, with
the package without its requirements, and runs every notebook of ``course/`` in it, each in a
process; name notebooks to run only those. Those that need PyTorch are passed over where it is not
installed: ``--torch torch==2.6.0`` installs it. What Colab has changes: look at VERSIONS when a
term begins (``%pip list`` in a notebook there).
"""

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "_build" / ".colab"
VERSIONS = (
    "numpy==2.0.2",
    "scipy==1.16.1",
    "matplotlib==3.10.0",
    "scikit-learn==1.6.1",
    "joblib==1.5.1",
    "ipython==7.34.0",
    "ipywidgets==7.7.1",
    "ipykernel==6.17.1",
    "tqdm==4.67.1",
    "filelock==3.18.0",
    "jaxtyping==0.3.2",
    "setuptools<81",  # IPython 7 imports pkg_resources' names
)
# In the environment: run the cells of a notebook as IPython does, and stop at the first that fails.
RUN = """\
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor")
shell.run_line_magic("config", "HistoryManager.enabled = False")
with open(sys.argv[1], encoding="utf-8") as file:
    cells = json.load(file)["cells"]
for cell in cells:
    if cell["cell_type"] != "code" or cell["metadata"].get("ibtools", {}).get("role") == "install":
        continue
    result = shell.run_cell("".join(cell["source"]))
    error = result.error_before_exec or result.error_in_exec
    if isinstance(error, ModuleNotFoundError) and "torch" in str(error).casefold():
        sys.exit(77)
    if error is not None:
        sys.exit(f"{cell.get('id')}: {error!r}")
"""
NO_TORCH = 77


def main() -> int:
    asked = parser().parse_args()
    python = prepare(asked.torch)
    failed, passed_over = [], []
    notebooks = asked.notebooks or sorted((ROOT / "course").rglob("*.ipynb"))
    for notebook in notebooks:
        done = run(python, notebook)
        if done.returncode == NO_TORCH:
            passed_over.append(notebook)
        elif done.returncode:
            failed.append(notebook)
            print(f"{notebook}: {done.stderr.strip() or done.stdout.strip()[-2000:]}", flush=True)
    print(
        f"{len(notebooks) - len(failed) - len(passed_over)} notebooks run, {len(failed)} fail, "
        f"{len(passed_over)} need PyTorch, which is not installed."
    )
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("notebooks", nargs="*", type=Path)
    arguments.add_argument("--torch", default="", help="a requirement, as torch==2.6.0")
    return arguments


def prepare(torch: str) -> Path:
    """The environment's Python, with the packages in it."""
    python = PLACE / "bin" / "python"
    if not python.exists():
        venv.create(PLACE, with_pip=True)
    install = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run([*install, *VERSIONS, *([torch] if torch else [])], check=True)
    return python


def run(python: Path, notebook: Path) -> subprocess.CompletedProcess[str]:
    variables = os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "IPYTHONDIR": str(PLACE / "ipython"),
        "MPLBACKEND": "Agg",
    }
    return subprocess.run(
        [python, "-c", RUN, notebook], capture_output=True, text=True, env=variables, timeout=1200
    )


if __name__ == "__main__":
    sys.exit(main())
