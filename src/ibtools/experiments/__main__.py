"""``python -m ibtools.experiments {list,run,report,margins,robustness,cost} [options]``."""

import argparse
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ibtools._console import run_command
from ibtools._validation import quiet

try:
    import torch
except ModuleNotFoundError:
    sys.exit("the experiments train nets with PyTorch, which is missing: pip install torch")

from ibtools.experiments import named
from ibtools.experiments.catalogue import experiment
from ibtools.experiments.settings import BIASES, SCHEDULES, SETTINGS
from ibtools.experiments.tasks import images, one_run
from ibtools.experiments.training import Choice, seconds_per_epoch, write_table
from ibtools.sweeps import outcomes

_ABOUT = """\
Experiments at full length. Those that have a name, from several papers:

  list        what they are, and what they took where they were run
  run NAME    run one, and keep its curves in results/; `run --help` says more
  report      tables of what is kept

Your own, after Lyu and Li (2020), Gradient descent maximizes the margin of homogeneous neural
networks:

  margins     train, and print the normalized margin: a constant rate against the loss-based one,
              with biases and without
  robustness  train, keep the net at several losses, and attack each of them: certified radius,
              distance of an L2 attack, robust accuracy
  cost        what an epoch costs on this machine; random images of the true shape, no download
"""

_COSTS = """\
The small digits take about a minute and need no download (with --schedule flow some minutes; it
goes to losses of 1e-100). MNIST and CIFAR-10 are downloaded once (12 MB, 170 MB; the environment
variable IBTOOLS_DATA says where they are kept). Their nets are the paper's, and 10000 epochs take
long. For an epoch we measured, on a few batches of random images of the true shape and one core of
a server, in seconds with float32 | float64:

  MNIST      78 |  180
  CIFAR-10 1700 | 9800

Ask `cost` what it is here, and use --device cuda, --dtype float32, --epochs, --samples.

Ctrl-C stops at any time; the same command goes on from the last checkpoint, and ends where it would
have ended. With --resume it goes on to more epochs or other losses. For each run the folder holds
run.npz (ibtools.trainers.load_run reads it), history.csv, and the nets at the losses asked for.

Each schedule, bias and seed is a run of its own: --jobs says how many at a time on this machine,
--cluster has the workers of a Dask cluster do them, which must see the same folders. A run that
fails is named at the end, and the others finish.

examples
  python -m ibtools.experiments margins --data digits
  python -m ibtools.experiments robustness --data digits --schedule flow --log10-loss 0 -10 -100
  python -m ibtools.experiments margins --data mnist --bias first all --device cuda --out runs
  python -m ibtools.experiments margins --seeds 0 1 2 3 4 --jobs -1
  python -m ibtools.experiments cost --data cifar10 --dtype float32
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an experiment; return 0, 1 if something is missing or wrong, 130 if interrupted."""
    return run_command(lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in named.WORDS:
        options = named.read(given, {"seed": _seed, "jobs": _jobs, "minutes": _minutes})
    else:
        options = _parser().parse_args(given)
    try:
        if options.experiment in named.WORDS:
            return _named(options)
        device = _device(options.device, getattr(torch, options.dtype))
        choices = _choices(options)
        if options.experiment == "cost":
            _cost(choices, device)
        else:
            _check_folder(options.out, "--out")
            return _experiment(options, choices, device)
    except ValueError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except torch.OutOfMemoryError as error:
        told = str(error).splitlines()[0]
        print(f"{told}; use --dtype float32, fewer --samples, or --device cpu", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(str(error) or "interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


def _named(options: argparse.Namespace) -> int:
    if options.experiment == "list":
        print(named.listed(options.results))
        return 0
    if options.experiment == "report":
        print(named.report(options.names, options.results))
        return 0
    experiment(options.name)  # a name that is none is told first
    _check_folder(options.out, "--out")
    _check_folder(options.results, "--results")
    options.device = _device(options.device, torch.float32)
    return named.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ibtools.experiments",
        description=_ABOUT,
        epilog=_COSTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("experiment", choices=("margins", "robustness", "cost"))
    parser.add_argument("--data", choices=tuple(SETTINGS), default="digits")
    parser.add_argument(
        "--schedule",
        nargs="+",
        choices=SCHEDULES,
        help="constant rate, the paper's loss-based rate, or implicit flow after a start with "
        "minibatches; default for margins: constant loss_based; for robustness: loss_based, on "
        "digits constant",
    )
    parser.add_argument(
        "--bias",
        nargs="+",
        choices=tuple(BIASES),
        default=["first"],
        help="which layers have one; only with first or none is the net homogeneous "
        "(default: first, which the paper calls without bias)",
    )
    parser.add_argument("--epochs", type=_count, help="default: the paper's 10000; 60 on digits")
    parser.add_argument(
        "--log10-loss",
        type=_number,
        nargs="+",
        help="margins: where to stop; robustness: the losses at which nets are attacked",
    )
    parser.add_argument("--samples", type=_count, help="use the first so many training images only")
    parser.add_argument("--attacked", type=_count, default=100, help="test images to attack (100)")
    parser.add_argument(
        "--seeds",
        "--seed",
        nargs="+",
        type=_seed,
        default=[0],
        help="of the start and the order of the samples; a run for each (default: 0)",
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=1,
        help="how many runs at a time; -1 for as many as there are cores (default: 1)",
    )
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="run on the Dask cluster whose scheduler is there"
    )
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1, …"
    )
    parser.add_argument("--out", type=Path, default=Path("experiments"), metavar="FOLDER")
    parser.add_argument("--root", type=Path, help="folder of the data sets")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with what is in FOLDER, also to other epochs or losses",
    )
    return parser


def _count(text: str) -> int:
    return _integer(text, least=1)


def _seed(text: str) -> int:
    return _integer(text, least=0)


def _jobs(text: str) -> int:
    return -1 if text == "-1" else _integer(text, least=1)


def _integer(text: str, *, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least {least}, got {text!r}")
    return value


def _minutes(text: str) -> float:
    value = _number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text!r}")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a finite number, got {text!r}")
    return value


def _device(name: str, dtype: torch.dtype) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # To the device and back: some devices take anything and give nothing.
        float(torch.ones(1, device=name, dtype=dtype).sum())
    except Exception as error:  # every device has errors of its own
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"device {name!r} cannot be used here with {str(dtype).removeprefix('torch.')}: "
            f"{told}; use cpu"
        ) from error
    return name


def _check_folder(folder: Path, option: str) -> None:
    """Refuse a folder that cannot be, before hours are spent."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise ValueError(f"{option} {folder}: {there} is not a folder; name another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{option} {folder}: {there} cannot be written to; name another place")


def _choices(options: argparse.Namespace) -> list[Choice]:
    setting = SETTINGS[options.data]
    robust = options.experiment == "robustness"
    if options.schedule is None:
        # A minute is too short for the growing rate to overtake the constant one.
        patient = "constant" if options.data == "digits" else "loss_based"
        schedules = ["constant", "loss_based"]
        if options.experiment != "margins":
            schedules = [patient]
    else:
        schedules = list(dict.fromkeys(options.schedule))
    losses = options.log10_loss
    if losses is None:
        losses = setting.log10_losses if robust else (setting.log10_loss,)
    return [
        Choice(
            data=options.data,
            schedule=schedule,
            bias=bias,
            seed=seed,
            epochs=setting.epochs if options.epochs is None else options.epochs,
            log10_losses=tuple(sorted(losses, reverse=True)),
            samples=options.samples,
            dtype=options.dtype,
        )
        for schedule in schedules
        for bias in dict.fromkeys(options.bias)
        for seed in dict.fromkeys(options.seeds)
    ]


def _cost(choices: Sequence[Choice], device: str) -> None:
    for choice in {choice.bias: choice for choice in reversed(choices)}.values():
        seconds = seconds_per_epoch(choice, device=device)
        total = seconds * choice.epochs / 3600
        print(
            f"{choice.data}, bias {choice.bias}, {choice.dtype}, on {device}: "
            f"{seconds:.3g} s for an epoch, {total:.3g} h for {choice.epochs} epochs "
            "(extrapolated from a few batches of random images)"
        )


def _experiment(options: argparse.Namespace, choices: Sequence[Choice], device: str) -> int:
    """Train and measure; return 1 if a run failed."""
    root = None if options.root is None else str(options.root)
    train_on, test = images(options.data, options.dtype, root)  # what is missing is told once
    if options.samples is not None and options.samples > len(train_on.X):
        raise ValueError(
            f"--samples must be at most {len(train_on.X)}, the training images there are, got "
            f"{options.samples}; lower it, or leave it out for all of them"
        )
    robust = options.experiment == "robustness"
    if robust and options.attacked > len(test.X):
        raise ValueError(
            f"--attacked must be at most {len(test.X)}, the test images there are, got "
            f"{options.attacked}; lower it"
        )
    alone = options.jobs == 1 and options.cluster is None
    tasks = [
        {
            "choice": asdict(choice),
            "out": str(options.out.absolute()),
            "root": root,
            "device": device,
            "resume": options.resume,
            "attacked": options.attacked if robust else 0,
            "progress": alone,
        }
        for choice in choices
    ]
    found: dict[int, Mapping[str, Any]] = {}
    # Alone, a run shows its epochs; many show how many are done.
    bar = tqdm(total=len(tasks), unit="run", disable=alone or quiet())
    with bar:
        for outcome in outcomes(one_run, tasks, jobs=options.jobs, cluster=options.cluster):
            result = outcome.value or {"failed": outcome.traceback}
            found[outcome.index] = result
            if robust and "table" in result:
                _robustness(choices[outcome.index], result, options)
            bar.update()
    done = [found[i] for i in sorted(found) if "table" in found[i]]
    if done and not robust:
        rows = [row for result in done for row in result["table"][1:]]
        _table([done[0]["table"][0], *rows], options.out / f"margins-{options.data}.csv")
    if done:
        print(f"runs and tables are in {options.out}")
    for i in sorted(found):
        if "failed" in found[i]:
            print(f"{choices[i].name}: {found[i]['failed']}", file=sys.stderr)
    return 1 if len(done) < len(tasks) else 0


def _robustness(choice: Choice, result: Mapping[str, Any], options: argparse.Namespace) -> None:
    title = f"{choice.name}: {options.attacked} test images, mean ℓ₂ distances"
    _table(result["table"], options.out / f"robustness-{choice.name}.csv", title)
    if len(result["table"]) - 1 < len(choice.log10_losses):
        print(f"not all losses were reached: {result['message']}")


def _table(rows: Sequence[Sequence[str]], path: Path, title: str = "") -> None:
    write_table(path, rows)  # first: printing may fail
    if title:
        print(title)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
