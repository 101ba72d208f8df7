"""Run claims and print them: ``python -m ibtools.claims [--json] [--out FILE] [id ...]``."""

import argparse
import contextlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tqdm.auto import tqdm

from ibtools._console import run_command
from ibtools._files import write_whole
from ibtools._validation import quiet

try:
    from ibtools.claims import CLAIMS, Claim, Outcome, Scoreboard
except ModuleNotFoundError as error:
    sys.exit(f"python -m ibtools.claims: {error}")

_ABOUT = """\
Run theorems: what theory predicts, beside what training measures. All of them take one to two
minutes; one that cannot be run is reported and does not stop the others.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the claims named in `arguments` (default all); return 1 if one fails, else 0."""
    return run_command(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ibtools.claims", description=_ABOUT)
    parser.add_argument("ids", nargs="*", metavar="id", help="claims to run; default all")
    parser.add_argument("--json", action="store_true", help="print records for machines")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="keep the records there, written after each claim"
    )
    asked = parser.parse_args(arguments)
    known = {claim.id: claim for claim in CLAIMS}
    unknown = [name for name in asked.ids if name not in known]
    if unknown:
        parser.error(f"no claim {unknown[0]!r}; there are: {', '.join(known)}")
    if asked.out is not None and (asked.out.is_dir() or not asked.out.parent.is_dir()):
        parser.error(f"--out must be a file in a folder that is there, got {str(asked.out)!r}")
    chosen = [known[name] for name in asked.ids] or list(CLAIMS)
    with _kept(asked.out) as file:
        return _run(chosen, file, as_json=asked.json)


def _run(chosen: Sequence[Claim], file: Path, *, as_json: bool) -> int:
    outcomes: list[Outcome] = []
    records: list[dict[str, object]] = []
    for claim in tqdm(chosen, desc="claims", disable=quiet(), leave=False):
        try:
            outcome = claim.run()
        except Exception as error:  # whatever it is, the other claims are not to be lost
            told = f"{type(error).__name__}: {error}"
            records.append({"id": claim.id, "holds": False, "failed": told})
        else:
            outcomes.append(outcome)
            records.append(_plain(outcome.record()))
        write_whole(file, _text(records))
    board = Scoreboard(outcomes)
    print(_text(records) if as_json else board)
    failed = [record for record in records if "failed" in record]
    for record in failed:
        print(f"{record['id']} could not be run: {record['failed']}", file=sys.stderr)
    return 0 if board.all_hold and not failed else 1


@contextlib.contextmanager
def _kept(file: Path | None) -> Iterator[Path]:
    """Give the file of the records; without a name, one that stays only if something goes wrong."""
    own = file is None
    if file is None:
        handle, name = tempfile.mkstemp(prefix="claims-", suffix=".json")
        os.close(handle)
        file = Path(name)
    try:
        yield file
    except BaseException as error:
        if file.exists() and file.stat().st_size:
            print(f"what was measured so far is in {file}", file=sys.stderr)
        elif own:
            file.unlink(missing_ok=True)
        if isinstance(error, KeyboardInterrupt):
            raise SystemExit(130) from error
        raise
    if own:
        file.unlink()


def _text(records: Sequence[Mapping[str, object]]) -> str:
    return json.dumps(records, indent=2, allow_nan=False)


def _plain(record: Mapping[str, object]) -> dict[str, object]:
    """Return a record without NaN and ∞, which JSON does not have."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in record.items()
    }


if __name__ == "__main__":
    sys.exit(main())
