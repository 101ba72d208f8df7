"""The experiments that have a name: what each shows, and the runs it consists of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ibtools._validation import one_of
from ibtools.sweeps import grid

Task = Mapping[str, Any]


@dataclass(frozen=True)
class Experiment:
    """An experiment with a name.

    Attributes
    ----------
    name
        Under which it is run and kept; it says how many images are used.
    shows
        What is to be seen, in a sentence.
    source
        The figure or section of a paper that it follows.
    kind
        "nets", trained by `train`, or "two_layer", by `ibtools.trainers.train_two_layer`.
    tasks
        The settings of each run.
    """

    name: str
    shows: str
    source: str
    kind: str
    tasks: tuple[Task, ...]

    def with_seeds(self, seeds: Sequence[int]) -> "Experiment":
        """Return the experiment with each of its runs from each of these seeds.

        Parameters
        ----------
        seeds
            Of the starts.
        """
        others: list[Task] = []
        for task in self.tasks:
            plain = {**task, "seed": seeds[0]}
            if plain not in others:
                others.append(plain)
        return replace(self, tasks=tuple({**t, "seed": s} for t in others for s in seeds))


_RATES = "Lyu & Li (2020), Figure 1: training loss and normalized margin on MNIST"
_ROBUST = "Lyu & Li (2020), Figure 1 and the section on robustness"
_NEARLY = "Cai et al. (2025), modified margin of nearly homogeneous networks"
_KOU = "Kou, Chen & Gu (2023), experiments on MNIST"

_LOW = (0.0, -1.0, -3.0, -10.0, -30.0, -100.0, -300.0, -1000.0)


def _rates(
    name: str, data: str, samples: int, epochs: int, what: str, *, dtype: str = "float64"
) -> Experiment:
    return Experiment(
        name,
        f"{what}: a constant rate against the loss-based one, with a bias in the first layer "
        "(homogeneous) and in all",
        _RATES,
        "nets",
        tuple(
            grid(
                data=[data],
                schedule=["constant", "loss_based"],
                bias=["first", "all"],
                seed=[0],
                epochs=[epochs],
                log10_losses=[[-800.0]],
                samples=[samples],
                dtype=[dtype],
                attacked=[0],
            )
        ),
    )


def _flow(
    data: str, bias: str, samples: int, *, losses: Sequence[float], attacked: int, dtype: str
) -> tuple[Task, ...]:
    return tuple(
        grid(
            data=[data],
            schedule=["flow"],
            bias=[bias],
            seed=[0],
            epochs=[100],
            log10_losses=[list(losses)],
            samples=[samples],
            dtype=[dtype],
            attacked=[attacked],
        )
    )


def _longer(
    name: str,
    data: str,
    samples: int,
    what: str,
    *,
    losses: Sequence[float] = _LOW,
    attacked: int = 50,
    dtype: str = "float64",
) -> Experiment:
    shows = f"{what}: the margin's growth to a loss of 1e{losses[-1]:g}"
    if attacked:
        shows += ", and how far training and test images are from the boundary on the way"
    return Experiment(
        name,
        shows,
        _ROBUST,
        "nets",
        _flow(data, "first", samples, losses=losses, attacked=attacked, dtype=dtype),
    )


def _nearly(
    name: str, data: str, bias: str, samples: int, what: str, *, low: float, dtype: str = "float64"
) -> Experiment:
    return Experiment(
        name,
        f"{what}: the modified margin of a network that is not homogeneous, to a loss of 1e{low:g}",
        _NEARLY,
        "nets",
        _flow(data, bias, samples, losses=[low], attacked=0, dtype=dtype),
    )


def _two_layer(name: str, data: str, what: str) -> Experiment:
    return Experiment(
        name,
        f"{what}, with noise: stable ranks and margins of a leaky-ReLU network from several "
        "starts and scales",
        _KOU,
        "two_layer",
        tuple(
            grid(
                data=[data],
                noise=[0.0, 0.1, 0.3],
                scale=[1e-4, 1e-3, 1e-2],
                samples=[20],
                steps=[1000],
                seed=[0, 1, 2],
            )
        ),
    )


_ALL = (
    _rates("mnist-1000-mlp-rates", "mnist_mlp", 1000, 300, "MLP 784–100–10, 1000 digits of MNIST"),
    _rates(
        "fashion-1000-mlp-rates",
        "fashion_mlp",
        1000,
        300,
        "MLP 784–100–10, 1000 images of Fashion-MNIST",
    ),
    _rates(
        "mnist-500-small-cnn-rates",
        "mnist_small_cnn",
        500,
        300,
        "small CNN (4 and 8 channels), 500 digits of MNIST",
        dtype="float32",
    ),
    _longer(
        "mnist-300-squared-mlp-longer",
        "mnist_squared_mlp",
        300,
        "squared-ReLU MLP 784–100–10, 300 digits of MNIST",
    ),
    _longer(
        "fashion-300-squared-mlp-longer",
        "fashion_squared_mlp",
        300,
        "squared-ReLU MLP 784–100–10, 300 images of Fashion-MNIST",
    ),
    _longer(
        "mnist-300-cnn-margin",
        "mnist",
        300,
        "the paper's CNN, 300 digits of MNIST",
        losses=(-800.0,),
        attacked=0,
        dtype="float32",
    ),
    _nearly(
        "mnist-300-residual-longer",
        "mnist_residual",
        "none",
        300,
        "residual net with 100 GELUs, 300 digits of MNIST",
        low=-100_000.0,
    ),
    _nearly(
        "mnist-300-small-cnn-longer",
        "mnist_small_cnn",
        "all",
        300,
        "small CNN (4 and 8 channels) with biases in all layers, 300 digits of MNIST",
        low=-10_000.0,
    ),
    _two_layer("mnist-20-two-layer", "mnist", "20 digits of MNIST, threes and eights"),
    _two_layer("fashion-20-two-layer", "fashion", "20 images of Fashion-MNIST, dresses and bags"),
    _rates(
        "mnist-60000-mlp-rates",
        "mnist_mlp",
        60_000,
        200,
        "MLP 784–100–10, all of MNIST",
        dtype="float32",
    ),
    _longer(
        "mnist-60000-squared-mlp-longer",
        "mnist_squared_mlp",
        60_000,
        "squared-ReLU MLP 784–100–10, all of MNIST",
        attacked=100,
    ),
    _rates(
        "mnist-60000-cnn-rates",
        "mnist",
        60_000,
        100,
        "the paper's CNN, all of MNIST (for a GPU)",
        dtype="float32",
    ),
    _longer(
        "mnist-60000-cnn-margin",
        "mnist",
        60_000,
        "the paper's CNN, all of MNIST (for a GPU)",
        losses=(-400.0,),
        attacked=0,
        dtype="float32",
    ),
    _longer(
        "mnist-60000-cnn-longer",
        "mnist",
        60_000,
        "the paper's CNN, all of MNIST (for a GPU)",
        losses=(0.0, -1.0, -10.0, -30.0, -100.0, -300.0, -800.0),
        attacked=100,
        dtype="float32",
    ),
    _nearly(
        "mnist-60000-residual-longer",
        "mnist_residual",
        "none",
        60_000,
        "residual net with 100 GELUs, all of MNIST (for a GPU)",
        low=-100_000.0,
    ),
    _nearly(
        "mnist-60000-biased-cnn-longer",
        "mnist",
        "all",
        60_000,
        "the paper's CNN with biases in all layers, all of MNIST (for a GPU)",
        low=-800.0,
        dtype="float32",
    ),
)
EXPERIMENTS: Mapping[str, Experiment] = {one.name: one for one in _ALL}
"""All experiments that have a name."""


def experiment(name: str) -> Experiment:
    """Return the experiment of this name.

    Parameters
    ----------
    name
        One of `EXPERIMENTS`.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> from ibtools.experiments.catalogue import experiment
    >>> len(experiment("mnist-20-two-layer").tasks)
    27
    """
    return EXPERIMENTS[one_of("name", name, EXPERIMENTS)]
