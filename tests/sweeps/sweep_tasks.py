"""What the sweeps of these tests run: in a module, so that other processes find it."""

import os
import time

import numpy as np

from ibtools.models import DiagonalNet
from ibtools.trainers import gradient_flow


def limit(scale: float, shape: float, seed: int) -> dict[str, object]:
    """The limit of a diagonal network on data drawn from a seed."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((2, 3)), rng.standard_normal(2)
    run = gradient_flow(DiagonalNet.from_scale_shape(scale=scale, shape=shape, d=3), X, y)
    return {"limit": run.w[-1], "norm": float(np.abs(run.w[-1]).sum())}


def sometimes(x: int, broken: int) -> float:
    if x == broken:
        raise RuntimeError(f"no answer at {x}")
    return float(x * x)


def logged(x: int, log: str) -> dict[str, float]:
    time.sleep(0.02)
    with open(log, "a") as file:
        file.write(f"{x}\n")
    return {"process": float(os.getpid()), "square": float(x * x)}


def interrupting(x: int) -> int:
    if x == 2:
        raise KeyboardInterrupt
    return x
