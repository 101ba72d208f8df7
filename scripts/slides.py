"""`make slides`: the decks of all lectures in one folder, for a memory stick; as PDF with PDF=1."""

import os
import shutil
import sys
from pathlib import Path

import decks
import formulas
from browser import find_chromium
from printing import Printer

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
TARGET = ROOT / "_build" / "slides"


def main() -> int:
    faults: list[str] = []
    formulas.keep_in(ROOT / "_build" / ".formulas.json")
    shutil.rmtree(TARGET, ignore_errors=True)
    written = decks.write_decks(SITE, TARGET, list(decks.sources()), complain=faults.append)
    decks.write_assets(SITE, TARGET)
    if faults:
        print("\n".join(faults), file=sys.stderr)
        return 1
    print(f"{len(written)} decks, to be opened in a browser (S: the speaker's view; ?: all keys):")
    for path in written:
        print(f"    {path.as_uri()}")
    return print_decks(written) if os.environ.get("PDF") else 0


def print_decks(written: list[Path]) -> int:
    if find_chromium() is None:
        print("PDF=1 needs Chromium; python scripts/browser.py installs it.", file=sys.stderr)
        return 1
    with Printer() as printer:
        for path in written:
            printer.deck(path, path.with_suffix(".pdf"))
            print(f"    {path.with_suffix('.pdf')}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
