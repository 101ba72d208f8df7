"""An epoch of minibatches of MNIST on the paper's CNN: ``python -m benchmarks.epochs``.

Ours by a recorded graph, ours with each kernel launched by itself (what it was, and what it is on a
CPU), and the loop that a user writes. All from the same start, batches of 100, in float32.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn

from ibtools.data import mnist
from ibtools.experiments.results import commit_of_code, provenance
from ibtools.models import mnist_cnn
from ibtools.trainers import descend
from ibtools.trainers.margins.minibatches import Minibatches

BATCH = 100
RATE = 0.1
NAMES = ("recorded graph", "one kernel at a time", "a plain loop")


def _net(device: str) -> nn.Module:
    return mnist_cnn(bias="first", seed=0, dtype=torch.float32).to(device)


def _ours(X: Tensor, y: Tensor, epochs: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is stopped on purpose
        descend(
            _net(X.device.type),
            X,
            y.numpy(),
            loss="cross_entropy",
            step_size=RATE / len(X),
            batch_size=BATCH,
            seed=0,
            max_epochs=epochs,
        )


def _one_by_one(X: Tensor, y: Tensor, epochs: int) -> None:
    with mock.patch.object(Minibatches, "_recorded", return_value=False):
        _ours(X, y, epochs)


def _plain(X: Tensor, y: Tensor, epochs: int) -> None:
    net, labels = _net(X.device.type), y.to(X.device)
    optimizer, loss = torch.optim.SGD(net.parameters(), lr=RATE), nn.CrossEntropyLoss()
    for _ in range(epochs):
        for samples in torch.randperm(len(X)).to(X.device).split(BATCH):
            optimizer.zero_grad()
            loss(net(X[samples]), labels[samples]).backward()
            optimizer.step()
        # Ours looks at the loss of all samples after each epoch; so does whoever follows a margin.
        with torch.no_grad():
            sum(
                float(loss(net(X[i : i + 2048]), labels[i : i + 2048]))
                for i in range(0, len(X), 2048)
            )


WAYS: dict[str, Callable[[Tensor, Tensor, int], None]] = dict(
    zip(NAMES, (_ours, _one_by_one, _plain), strict=True)
)


def seconds(way: Callable[[Tensor, Tensor, int], None], X: Tensor, y: Tensor, epochs: int) -> float:
    """Return what an epoch takes, without what a run takes before its first."""

    def taken(count: int) -> float:
        begun = time.perf_counter()
        way(X, y, count)
        if X.is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    few = taken(1)
    return (taken(1 + epochs) - few) / epochs


def main() -> None:
    """Measure all in turn, several times, and print or keep the least of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.epochs", description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--root", help="folder of the data sets")
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    options = parser.parse_args()
    images, labels = mnist(split="train", dtype="float32", root=options.root)
    X = torch.tensor(images[: options.samples]).to(options.device)
    y = torch.tensor(labels[: options.samples])
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for way in WAYS.values():  # what a process does once is not to be counted
        way(X, y, 1)
    for _ in range(options.times):
        for name, way in WAYS.items():
            found[name].append(seconds(way, X, y, options.epochs))
    least = {name: min(times) for name, times in found.items()}
    for name, each in least.items():
        print(f"{name:24} {each:8.3f} s   {each / least[NAMES[0]]:.2f}")
    if options.out is not None:
        command = f"python -m benchmarks.epochs --device {options.device}"
        about = provenance(
            command, commit_of_code(), options.device, sum(map(sum, found.values())), 0.0
        )
        options.out.write_text(
            json.dumps({"about": about, "samples": len(X), "seconds": found}, indent=1) + "\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
