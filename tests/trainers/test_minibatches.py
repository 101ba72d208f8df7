"""Gradients of minibatches, one by one and by what stands for a recorded graph."""

import numpy as np
import pytest
import torch

from ibtools.models import MLP
from ibtools.trainers.margins.minibatches import Minibatches
from ibtools.trainers.margins.problem import Problem

ORDER = torch.tensor([4, 0, 6, 2, 1, 5, 3])


def problem() -> Problem:
    random = np.random.default_rng(0)
    y = random.integers(0, 3, size=7)
    return Problem(MLP([4, 5, 3], seed=0), random.normal(size=(7, 4)), y, "cross_entropy")


def expected(of: Problem, log_frame: float) -> list[torch.Tensor]:
    return [of.batch_gradient(samples, log_frame) for samples in ORDER.split(3)]


def test_each_batch_has_its_gradient_and_the_last_is_smaller() -> None:
    of = problem()
    found = list(Minibatches(of, 3).epoch(ORDER, 0.7))
    assert [taken for taken, _ in found] == [3, 3, 1]
    for (_, gradient), right in zip(found, expected(of, 0.7), strict=True):
        torch.testing.assert_close(gradient, right, rtol=0, atol=0)


class Replayed:
    """What a graph does: its program once more, on what its tensors hold, into its own tensor."""

    def __init__(self, batches: Minibatches) -> None:
        self.batches, self.replays = batches, 0

    def replay(self) -> None:
        self.replays += 1
        batches = self.batches
        new = batches._problem.batch_gradient(batches._samples, batches._frame)
        batches._gradient.copy_(new)


def test_a_graph_is_given_the_samples_and_the_frame_of_each_batch() -> None:
    of = problem()
    batches = Minibatches(of, 3)
    batches._samples, batches._frame = ORDER[:3].clone(), torch.zeros(()).double()
    batches._gradient = torch.zeros_like(of.flat)
    batches._graph = graph = Replayed(batches)
    for frame in (0.7, -40.0):
        right = expected(of, frame)
        # The gradient is overwritten by the next: it is looked at while it is there.
        for k, (_, gradient) in enumerate(batches.epoch(ORDER, frame)):
            torch.testing.assert_close(gradient, right[k], rtol=1e-14, atol=0)
    assert graph.replays == 4


def test_a_net_that_cannot_be_recorded_is_run_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "Stream", refuse)
    of = problem()
    batches = Minibatches(of, 3)
    batches._recordable = True
    found = [gradient for _, gradient in batches.epoch(ORDER, 0.7)]
    assert not batches._recordable
    torch.testing.assert_close(found[0], expected(of, 0.7)[0], rtol=0, atol=0)
