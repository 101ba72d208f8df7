"""Pack the built site, the decks, the student notebooks and the package into one zip.

For a class without a network: unpack it, open ``site/index.html``, or install the package from its
folder. What is for instructors is not in it. The same content gives the same zip.
"""

import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ibtools._files import whole_file

ROOT = Path(__file__).resolve().parent.parent
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
NOT_FOR_READERS = {".buildinfo", ".DS_Store"}
PACKAGE = ("pyproject.toml", "README.md", "LICENSE", "requirements.txt")
READ_ME = """\
Implicit Bias of Gradient Descent{of}

  site/index.html   the book: open it in a browser; it needs no network
  notebooks/        the exercises, with places for the answers and checks
  package/          what the notebooks import; where Python has the packages of requirements.txt,
                    pip install --no-deps ./package
"""


def main() -> int:
    tag = os.environ.get("TAG", "")
    name = f"implicit-bias{f'-{tag}' if tag else ''}"
    out = ROOT / "_build" / f"{name}.zip"
    size = pack(ROOT, out, name, tag)
    print(f"{out}: {size / 2**20:.1f} MB")
    return 0


def pack(root: Path, out: Path, name: str, tag: str = "") -> int:
    """Write the zip whole; its size in bytes."""
    with whole_file(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        add(archive, f"{name}/README.txt", READ_ME.format(of=f", {tag}" if tag else "").encode())
        for where, file in files(root):
            add(archive, f"{name}/{where}", file.read_bytes())
    return out.stat().st_size


def files(root: Path) -> Iterator[tuple[str, Path]]:
    """What is packed, by its place in the zip."""
    site, students = root / "_build" / "html", root / "_build" / "course" / "student"
    if not (site / "index.html").is_file() or not students.is_dir():
        raise SystemExit("The site and the notebooks must be built before: type 'make bundle'.")
    for folder, place in ((site, "site"), (students, "notebooks"), (root / "src", "package/src")):
        for file in sorted(folder.rglob("*")):
            inside = file.relative_to(folder)
            if file.is_file() and not skipped(inside):
                yield f"{place}/{inside.as_posix()}", file
    for name in PACKAGE:
        yield f"package/{name}", root / name


def skipped(inside: Path) -> bool:
    folders = {"__pycache__", ".doctrees"}
    return bool(
        folders & set(inside.parts)
        or any(part.endswith(".egg-info") for part in inside.parts)
        or inside.name in NOT_FOR_READERS
    )


def add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


if __name__ == "__main__":
    sys.exit(main())
