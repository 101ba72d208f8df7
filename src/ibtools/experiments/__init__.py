"""Experiments at full length, from one command: ``python -m ibtools.experiments --help``.

What the chapters show on the small digits, on the papers' data: MNIST, Fashion-MNIST, CIFAR-10.
"""

from ibtools.experiments.assessment import Assessment, assess
from ibtools.experiments.catalogue import EXPERIMENTS, Experiment
from ibtools.experiments.results import Result, load_result
from ibtools.experiments.settings import SETTINGS, Setting
from ibtools.experiments.training import Choice, InterruptedTrainingError, Trained, train

__all__ = [
    "EXPERIMENTS",
    "SETTINGS",
    "Assessment",
    "Choice",
    "Experiment",
    "InterruptedTrainingError",
    "Result",
    "Setting",
    "Trained",
    "assess",
    "load_result",
    "train",
]
