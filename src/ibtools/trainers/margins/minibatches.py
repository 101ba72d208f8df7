"""The gradients of one minibatch after another; on a GPU by a graph that is recorded once."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibtools.trainers.margins.problem import Problem

# Before a graph is recorded its kernels are to have run so often on another stream.
_WARM_UP = 3


class Minibatches:
    """Gradients of batches of one size: thousands of equal small programs.

    On a CPU each is run by itself. On a CUDA device most of the time of a small batch goes into
    launching its kernels one by one; there the program is recorded as a graph, which is launched at
    once, and during an epoch nothing waits for the device. A net whose forward cannot be recorded
    (it asks for a number, say) is run as on a CPU.

    Parameters
    ----------
    problem
        The net and its data; its parameters are read at each batch.
    size
        Number of samples of a batch.
    """

    def __init__(self, problem: Problem, size: int) -> None:
        self._problem = problem
        self._size = size
        self._graph: torch.cuda.CUDAGraph | None = None
        self._recordable = problem.flat.is_cuda

    def epoch(
        self, order: Int[Tensor, " n"], log_frame: float
    ) -> Iterator[tuple[int, Float[Tensor, " p"]]]:
        """Yield of each batch its number of samples, and the gradient of its loss over e^log_frame.

        Parameters
        ----------
        order
            The samples in the order in which they are taken.
        log_frame
            Logarithm of what the losses are divided by.

        Yields
        ------
        tuple
            The gradient is that of the batch's sum, at the parameters as they are then; the next
            one overwrites it.
        """
        problem = self._problem
        for samples in order.to(problem.X.device).split(self._size):
            if len(samples) < self._size or not self._recorded(samples):
                yield len(samples), problem.batch_gradient(samples, log_frame)
                continue
            assert self._graph is not None
            self._samples.copy_(samples)
            self._frame.fill_(log_frame)
            self._graph.replay()
            yield len(samples), self._gradient

    def _recorded(self, samples: Int[Tensor, " m"]) -> bool:
        """Return whether there is a graph; record it if there can be one."""
        if self._graph is not None or not self._recordable:
            return self._graph is not None
        problem, device = self._problem, samples.device
        self._samples = samples.clone()
        self._frame = torch.zeros((), dtype=torch.float64, device=device)
        try:
            aside = torch.cuda.Stream(device)
            aside.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(aside):
                for _ in range(_WARM_UP):
                    problem.batch_gradient(self._samples, self._frame)
            torch.cuda.current_stream(device).wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._gradient = problem.batch_gradient(self._samples, self._frame)
        except RuntimeError:
            self._recordable = False
            return False
        self._graph = graph
        return True
