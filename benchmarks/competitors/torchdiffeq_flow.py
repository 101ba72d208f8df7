"""(c) torchdiffeq on the parameters."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.clock import Allowance, OutOfTimeError
from benchmarks.competitors.base import Attempt, Run
from benchmarks.competitors.scipy_flow import RELATIVE, absolute
from benchmarks.problem import Problem, Reference


@dataclass(frozen=True)
class TorchdiffeqParameters:
    """All parameters by its default method, dopri5, with the velocity written by hand."""

    name: str = "torchdiffeq dopri5, parameters"
    group: str = "c"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        import torch
        from torchdiffeq import odeint

        torch.set_num_threads(1)
        network = problem.network
        X, y = torch.tensor(problem.X), torch.tensor(problem.y)
        times = torch.tensor([0.0, *reference.times], dtype=torch.float64)

        def predictor(state: np.ndarray) -> np.ndarray:
            return network.predictor(*network.parts(state))

        def run(allowance: Allowance) -> Attempt:
            latest: dict[str, Any] = {"time": 0.0, "state": torch.tensor(problem.start)}

            def field(time: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
                latest.update(time=float(time), state=state)
                allowance.check()
                return torch.cat(network.velocity(X, y, *network.parts(state)))

            try:
                with torch.no_grad():
                    _, midway, end = odeint(
                        field,
                        torch.tensor(problem.start),
                        times,
                        method="dopri5",
                        rtol=RELATIVE,
                        atol=absolute(problem),
                    ).numpy()
            except OutOfTimeError:
                share = latest["time"] / reference.horizon
                note = f"reached {share:.1%} of the time"
                return Attempt(predictor(latest["state"].numpy()), finished=False, note=note)
            return Attempt(predictor(end), predictor(midway))

        return run
