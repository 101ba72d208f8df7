"""``python -m ibtools.experiments {margins,robustness,cost} [options]``."""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ibtools._console import run_command

try:
    import torch
except ModuleNotFoundError:
    sys.exit("the experiments train nets with PyTorch, which is missing: pip install torch")

from ibtools.experiments.assessment import assess
from ibtools.experiments.settings import BIASES, SCHEDULES, SETTINGS
from ibtools.experiments.training import (
    Choice,
    InterruptedTrainingError,
    Trained,
    accuracy,
    seconds_per_epoch,
    train,
    write_table,
)

_ABOUT = """\
Experiments of Lyu and Li (2020), Gradient descent maximizes the margin of homogeneous neural
networks, at full length.

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

examples
  python -m ibtools.experiments margins --data digits
  python -m ibtools.experiments robustness --data digits --schedule flow --log10-loss 0 -10 -100
  python -m ibtools.experiments margins --data mnist --bias first all --device cuda --out runs
  python -m ibtools.experiments cost --data cifar10 --dtype float32
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an experiment; return 0, 1 if something is missing or wrong, 130 if interrupted."""
    return run_command(lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    try:
        device = _device(options.device, getattr(torch, options.dtype))
        choices = _choices(options)
        if options.experiment == "cost":
            _cost(choices, device)
        else:
            _check_folder(options.out)
            _experiment(options, choices, device)
    except ValueError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except torch.OutOfMemoryError as error:
        told = str(error).splitlines()[0]
        print(f"{told}; use --dtype float32, fewer --samples, or --device cpu", file=sys.stderr)
        return 1
    except InterruptedTrainingError as error:
        print(f"{error}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


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
    parser.add_argument("--seed", type=_seed, default=0)
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


def _integer(text: str, *, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least {least}, got {text!r}")
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


def _check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be, before hours are spent."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise ValueError(f"--out {folder}: {there} is not a folder; name another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"--out {folder}: {there} cannot be written to; name another place")


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
            seed=options.seed,
            epochs=setting.epochs if options.epochs is None else options.epochs,
            log10_losses=tuple(sorted(losses, reverse=True)),
            samples=options.samples,
            dtype=options.dtype,
        )
        for schedule in schedules
        for bias in dict.fromkeys(options.bias)
    ]


def _cost(choices: Sequence[Choice], device: str) -> None:
    for bias_choice in choices:
        seconds = seconds_per_epoch(bias_choice, device=device)
        total = seconds * bias_choice.epochs / 3600
        print(
            f"{bias_choice.data}, bias {bias_choice.bias}, {bias_choice.dtype}, on {device}: "
            f"{seconds:.3g} s for an epoch, {total:.3g} h for {bias_choice.epochs} epochs "
            "(extrapolated from a few batches of random images)"
        )


def _experiment(options: argparse.Namespace, choices: Sequence[Choice], device: str) -> None:
    setting = SETTINGS[options.data]
    number = "float32" if options.dtype == "float32" else "float64"
    X, y = setting.load(split="train", dtype=number, root=options.root)
    X_test, y_test = setting.load(split="test", dtype=number, root=options.root)
    if options.samples is not None and options.samples > len(X):
        raise ValueError(
            f"--samples must be at most {len(X)}, the training images there are, got "
            f"{options.samples}; lower it, or leave it out for all of them"
        )
    if options.experiment == "robustness" and options.attacked > len(X_test):
        raise ValueError(
            f"--attacked must be at most {len(X_test)}, the test images there are, got "
            f"{options.attacked}; lower it"
        )
    results = []
    for choice in choices:
        trained = train(choice, X, y, options.out, device=device, resume=options.resume)
        results.append(trained)
        if options.experiment == "robustness":
            _robustness(trained, X_test, y_test, options, device)
    if options.experiment == "margins":
        _margins(results, X_test, y_test, options.out)
    print(f"runs and tables are in {options.out}")


def _margins(results: Sequence[Trained], X: np.ndarray, y: np.ndarray, out: Path) -> None:
    header = (
        "schedule",
        "bias",
        "epochs",
        "log10 loss",
        "norm",
        "margin/norm^L",
        "margin/layers",
        "test accuracy",
        "seconds",
        "ended",
    )
    rows = [
        (
            result.choice.schedule,
            result.choice.bias,
            str(result.epochs),
            f"{-result.run.log10_inverse_loss[-1]:.4g}",
            f"{result.run.norm[-1]:.4g}",
            f"{result.run.normalized_margin[-1]:.4g}",
            f"{result.run.layer_product_margin[-1]:.4g}",
            f"{accuracy(result.run.net, X, y):.4f}",
            f"{result.seconds:.1f}",
            result.run.message,
        )
        for result in results
    ]
    _table(header, rows, out / f"margins-{results[0].choice.data}.csv")


def _robustness(
    trained: Trained, X: np.ndarray, y: np.ndarray, options: argparse.Namespace, device: str
) -> None:
    setting = SETTINGS[options.data]
    assessed = assess(
        trained,
        X[: options.attacked],
        y[: options.attacked],
        radii=setting.radii,
        seed=options.seed,
        device=device,
    )
    header = (
        "log10 loss",
        "margin/layers",
        "accuracy",
        "certified",
        "attack",
        *(f"robust at {radius:g}" for radius in setting.radii),
    )
    rows = [
        (
            f"{one.log10_loss:.4g}",
            f"{one.layer_product_margin:.4g}",
            f"{one.accuracy:.3f}",
            f"{one.certified:.4g}",
            f"{one.distance:.4g}",
            *(f"{share:.3f}" for share in one.robust_accuracy),
        )
        for one in assessed
    ]
    title = f"{trained.choice.name}: {options.attacked} test images, mean ℓ₂ distances"
    _table(header, rows, options.out / f"robustness-{trained.choice.name}.csv", title)
    if len(rows) < len(trained.choice.log10_losses):
        print(f"not all losses were reached: {trained.run.message}")


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], path: Path, title: str = ""
) -> None:
    write_table(path, [header, *rows])  # first: printing may fail
    if title:
        print(title)
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
