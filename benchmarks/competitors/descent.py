"""(a) Plain gradient descent, as research code runs it."""

from dataclasses import dataclass

from benchmarks.clock import Allowance
from benchmarks.competitors.base import Attempt, Run
from benchmarks.problem import Problem, Reference

# ½‖Xw − y‖² starts at about 50; below this, code that hunts for interpolation calls it zero.
LOSS_THRESHOLD = 1e-8


@dataclass(frozen=True)
class Descent:
    """A torch autograd loop over the layers' weights, step `fraction`/λmax.

    λmax is the largest curvature met along the path; descent is unstable from 2/λmax.
    """

    fraction: float
    group: str = "a"

    @property
    def name(self) -> str:
        return f"torch GD, step {self.fraction:g}/λmax, to loss {LOSS_THRESHOLD:.0e}"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        import torch

        torch.set_num_threads(1)
        network = problem.network
        X, y = torch.tensor(problem.X), torch.tensor(problem.y)
        step_size = self.fraction / reference.largest_curvature
        steps_to_midway = round(reference.midway_time / step_size)

        def run(allowance: Allowance) -> Attempt:
            parameters = [
                part.clone().requires_grad_() for part in network.parts(torch.tensor(problem.start))
            ]
            midway, steps = None, 0
            while True:
                loss = 0.5 * ((network.outputs(X, *parameters) - y) ** 2).sum()
                if steps == steps_to_midway:
                    midway = network.predictor(*parameters).detach().numpy()
                if loss.item() < LOSS_THRESHOLD or allowance.spent:
                    break
                loss.backward()
                with torch.no_grad():
                    for part in parameters:
                        part -= step_size * part.grad
                        part.grad = None
                steps += 1
            return Attempt(
                network.predictor(*parameters).detach().numpy(),
                midway,
                finished=loss.item() < LOSS_THRESHOLD,
                note=f"{steps} steps, loss {loss.item():.0e}",
            )

        return run
