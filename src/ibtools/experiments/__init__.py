"""Experiments at full length, from one command: ``python -m ibtools.experiments --help``.

What the chapters show on the small digits, and Lyu and Li (2020) on MNIST and CIFAR-10.
"""

from ibtools.experiments.assessment import Assessment, assess
from ibtools.experiments.settings import SETTINGS, Setting
from ibtools.experiments.training import Choice, InterruptedTrainingError, Trained, train

__all__ = [
    "SETTINGS",
    "Assessment",
    "Choice",
    "InterruptedTrainingError",
    "Setting",
    "Trained",
    "assess",
    "train",
]
