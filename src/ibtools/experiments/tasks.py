"""One run of an experiment, from the images to its rows: what a process does by itself."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch

from ibtools._console import sentence
from ibtools.data import Classification
from ibtools.experiments.assessment import assess
from ibtools.experiments.settings import SETTINGS
from ibtools.experiments.training import (
    Choice,
    InterruptedTrainingError,
    Trained,
    accuracy,
    margin_over_layers,
    train,
)

Table = Sequence[tuple[str, ...]]


def images(data: str, dtype: str, root: str | None) -> tuple[Classification, Classification]:
    """Return the images to train on and those to test with.

    Parameters
    ----------
    data, dtype
        As in `Choice`.
    root
        The folder of the data sets; ``None`` for the usual one.
    """
    return _loaded(data, "float32" if dtype == "float32" else "float64", root)


@lru_cache(maxsize=1)  # the tasks of a process have the same
def _loaded(data: str, dtype: str, root: str | None) -> tuple[Classification, Classification]:
    load = SETTINGS[data].load
    return load(split="train", dtype=dtype, root=root), load(split="test", dtype=dtype, root=root)


def one_run(
    *,
    choice: Mapping[str, Any],
    out: str,
    root: str | None,
    device: str,
    resume: bool,
    attacked: int,
    progress: bool,
) -> Mapping[str, Any]:
    """Train a net, measure it, and return a table, or why there is none.

    Parameters
    ----------
    choice
        The parameters of `Choice`.
    out
        The folder of the runs.
    root
        The folder of the data sets; ``None`` for the usual one.
    device, resume, progress
        As for `train`.
    attacked
        How many test images to attack at each loss; 0 for the margins alone.

    Returns
    -------
    Mapping
        "table", whose first row has the names of the columns, and "message", why training ended; or
        "failed", a sentence.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, with the place of what is kept.
    """
    try:
        chosen = Choice(**choice)
        train_on, test = images(chosen.data, chosen.dtype, root)
        trained = train(chosen, *train_on, out, device=device, resume=resume, progress=progress)
        table = (
            _robustness(trained, test, attacked, device) if attacked else _margins(trained, test)
        )
    except InterruptedTrainingError as error:  # it is no failure of the task, and stops the others
        raise KeyboardInterrupt(str(error)) from error
    except torch.OutOfMemoryError as error:
        told = str(error).splitlines()[0]
        return {"failed": f"{told}; use --dtype float32, fewer --samples, or --device cpu"}
    except OSError as error:
        return {"failed": sentence(error)}
    except ValueError as error:
        return {"failed": str(error)}
    return {"table": table, "message": trained.run.message}


def _margins(trained: Trained, test: Classification) -> Table:
    run = trained.run
    row = {
        "schedule": trained.choice.schedule,
        "bias": trained.choice.bias,
        "seed": str(trained.choice.seed),
        "epochs": str(trained.epochs),
        "log10 loss": f"{-run.log10_inverse_loss[-1]:.4g}",
        "norm": f"{run.norm[-1]:.4g}",
        "margin/norm^L": f"{run.normalized_margin[-1]:.4g}",
        "margin/layers": f"{margin_over_layers(run)[-1]:.4g}",
        "test accuracy": f"{accuracy(run.net, *test):.4f}",
        "seconds": f"{trained.seconds:.1f}",
        "ended": run.message,
    }
    return [tuple(row), tuple(row.values())]


def _robustness(trained: Trained, test: Classification, attacked: int, device: str) -> Table:
    radii = SETTINGS[trained.choice.data].radii
    assessed = assess(
        trained,
        test.X[:attacked],
        test.y[:attacked],
        radii=radii,
        seed=trained.choice.seed,
        device=device,
    )
    header = (
        "log10 loss",
        "margin/layers",
        "accuracy",
        "certified",
        "attack",
        *(f"robust at {radius:g}" for radius in radii),
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
    return [header, *rows]
