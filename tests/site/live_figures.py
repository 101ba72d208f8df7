"""All figures that pages compute, on a page of their own."""

from functools import cache

import book_live
import numpy as np
import torch

from ibtools.data import digits, sparse_regression, three_points
from ibtools.models import MLP, TwoLayerNet
from ibtools.show import figure, live_figure, picture
from ibtools.trainers import MarginRun, margin_flow

LIVE = sorted(path.stem for path in book_live.LIVE.glob("*.js") if path.stem != "frame")

RECORDS = list(range(4, 52))


@cache
def small_run() -> tuple[MarginRun, np.ndarray]:
    """A network that has learned a few images, and their margins at 48 of its records."""
    X, y = digits(classes=(3, 8))
    net = MLP(widths=[64, 8, 1], activation="squared_relu", scale=0.3, seed=0)
    run = margin_flow(net, X[:60], y[:60], until_log10_loss=-1000)
    with torch.no_grad():
        outputs = [run.net_at(i)(torch.tensor(X[:60])).numpy() for i in RECORDS]
    return run, y[:60] * outputs / run.norm[RECORDS, None] ** 3


def margins_data() -> dict[str, object]:
    """As the page gives it to the figure of margins: whole numbers, and what is added to them."""
    run, margins = small_run()
    hidden = [
        100 * np.clip(run.net_at(i).layers[0].weight.detach().numpy(), -1, 1) for i in RECORDS
    ]
    images = 16 * digits(classes=(3, 8)).X[:60]
    return {
        "powers": run.log10_inverse_loss[RECORDS],
        "margins": np.diff(np.rint(1e6 * margins).astype(int), axis=0, prepend=0),
        "support": [0, 7, 21, 40],
        "pixels": ["".join(chr(ord("a") + int(v)) for v in image) for image in images],
        "weights": np.diff(np.rint(hidden).astype(int).reshape(48, -1), axis=0, prepend=0),
        "outputs": np.array([run.net_at(i).layers[-1].weight.detach().numpy()[0] for i in RECORDS]),
    }


# What the pages give to their figures, from the same calls.
DATA = {
    "switching": {"X": sparse_regression(n=40, d=60, sparsity=5, noise_std=0.0, seed=0).X.round(2)},
    "neurons": {"start": TwoLayerNet.initialize(m=8, d=2, slope=0.3, scale=1.0, seed=3).W},
    "turning": {"y": three_points().y},
    "margins": margins_data(),
}


def live_blocks(*names: str) -> list[str]:
    """What a page holds for figures that it computes: their scripts, and a still for each."""
    fig, ax = figure(4.4, 4.2)
    for power in range(1, 7):
        ax.plot([0, 0.5, 1], [0, 0.5**power, 1])
    still = picture(fig, alt="Six powers of a number between 0 and 1, the still of a figure.")
    scripts = [*book_live.library(), *book_live.scripts(list(names))]
    assert all(path.is_file() for path in scripts)
    style = f"<style>{(book_live.LIVE / 'live.css').read_text(encoding='utf-8')}</style>"
    tags = [f'<script defer src="{path.as_uri()}"></script>' for path in scripts]
    return [style, *tags, *(live_figure(name, still, data=DATA.get(name)).html() for name in names)]
