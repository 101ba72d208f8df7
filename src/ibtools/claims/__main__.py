"""Run claims and print them: ``python -m ibtools.claims [--json] [id ...]``."""

import argparse
import json
import sys

from tqdm.auto import tqdm

from ibtools._validation import quiet
from ibtools.claims import CLAIMS, Scoreboard


def main(arguments: list[str] | None = None) -> int:
    """Run the claims named in `arguments` (default all); return 1 if one fails, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m ibtools.claims",
        description="Run theorems: what theory predicts, beside what training measures.",
    )
    parser.add_argument("ids", nargs="*", metavar="id", help="claims to run; default all")
    parser.add_argument("--json", action="store_true", help="print records for machines")
    asked = parser.parse_args(arguments)
    known = {claim.id: claim for claim in CLAIMS}
    unknown = [name for name in asked.ids if name not in known]
    if unknown:
        parser.error(f"no claim {unknown[0]!r}; there are: {', '.join(known)}")
    chosen = [known[name] for name in asked.ids] or list(CLAIMS)
    board = Scoreboard(
        [claim.run() for claim in tqdm(chosen, desc="claims", disable=quiet(), leave=False)]
    )
    if asked.json:
        print(json.dumps([outcome.record() for outcome in board.outcomes], indent=2))
    else:
        print(board)
    return 0 if board.all_hold else 1


if __name__ == "__main__":
    sys.exit(main())
