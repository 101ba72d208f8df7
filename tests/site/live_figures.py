"""All figures that pages compute, on a page of their own."""

import book_live

from ibtools.data import sparse_regression, toy_a
from ibtools.models import TwoLayerNet
from ibtools.show import figure, live_figure, picture

LIVE = sorted(path.stem for path in book_live.LIVE.glob("*.js") if path.stem != "frame")

# What the pages give to their figures, from the same calls.
DATA = {
    "switching": {"X": sparse_regression(n=40, d=60, sparsity=5, noise_std=0.0, seed=0).X.round(2)},
    "neurons": {"start": TwoLayerNet.initialize(m=8, d=2, slope=0.3, scale=1.0, seed=3).W},
    "turning": {"y": toy_a().y},
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
