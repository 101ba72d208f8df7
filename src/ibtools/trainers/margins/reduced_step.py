r"""An implicit step where very many margins matter: the heaviest vary, the others vary as one.

The step solves

.. math:: \min_d\; \log\mathcal L(s+Jd)+\frac{\|d\|^2}{2h}

on all margins. Let :math:`w_i=-\partial\mathcal L/\partial s_i` at some d₀. With W the rows of
largest weight, R the others, :math:`w_R=\sum_Rw_i` and their mean gradient
:math:`\bar g=\sum_Rw_iJ_i/w_R`, the model

.. math:: C+\sum_Ww_ie^{-J_i(d-d_0)}+w_Re^{-\bar g\cdot(d-d_0)},\qquad C=\mathcal L-\sum_iw_i\ge0,

has the value and the gradient of 𝓛 at d₀, and its logarithm is convex. On W it is above 𝓛 and for
the exponential loss equal to it; that R moves as one leaves out the spread of its margins, of
second order. So the least of the model with ‖d‖²/2h has |W| + 1 unknowns. Where it lies is the next
d₀, and so on until the gradient of the problem itself, of all margins, is as small as is asked. A
fixed point solves the problem whatever W is; a larger W comes there sooner.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibtools.trainers.margins.entropy import entropy_step
from ibtools.trainers.margins.problem import Linearization, Problem, State, Tangents

# Shares of all weight below this are not looked at.
_NOTHING = 1e-12
# Rows that leave out this share have all weight; for that there may be so many times as many.
_ALL, _MORE = 1e-6, 1.25
# Samples whose weight is below this share of all weight add only rounding to a gradient.
_ROUNDING = 1e-17
_CHUNK = 2048
# Numbers that the rows may hold, a gigabyte: where a row is not an outer product, few fit.
_HELD = 2**27
_REMEMBERED = 4
_TIMES = 30


def log_weights(margins: Float[Tensor, "n c"], loss: str) -> Float[Tensor, "n c"]:
    """Return log(−∂𝓛/∂s) of each margin."""
    if loss == "exponential":
        return -margins
    z = torch.logsumexp(-margins, dim=1, keepdim=True)
    return -margins - torch.logaddexp(z, z.new_zeros(()))


def log_excess(margins: Float[Tensor, "n c"], loss: str) -> float:
    """Return log(𝓛 − Σw), w the weights −∂𝓛/∂s; −inf for the exponential loss."""
    if loss == "exponential":
        return -np.inf
    z = torch.logsumexp(-margins, dim=1)
    each = torch.nn.functional.softplus(z) - torch.sigmoid(z)
    # There both are e^z but for e^(2z)/2.
    each = torch.where(z < -8.0, 2 * z - np.log(2.0), each.clamp(min=1e-300).log())
    return float(torch.logsumexp(each, 0))


class ReducedSteps:
    """The implicit steps of every length from one point, by a model with few unknowns.

    Parameters
    ----------
    problem
        At the point.
    state
        Its state there.
    gradient
        Norm of the gradient of log 𝓛 there.
    rows
        Number of margins that vary one by one; a quarter more where these have all weight.
    longest
        Length beyond which a step is of no use; then only its length is right, and roughly.
    tolerance
        Size of the gradient of the step's problem at which to stop, relative to that at d = 0.
    """

    def __init__(
        self,
        problem: Problem,
        state: State,
        *,
        gradient: float,
        rows: int,
        longest: float,
        tolerance: float,
    ) -> None:
        self._problem = problem
        self._start = state
        self._first = gradient
        self._longest = longest
        self._tolerance = tolerance
        self._width = state.margins.shape[1]
        held = self._tangents_of(torch.zeros(1, dtype=torch.int64, device=problem.X.device)).held
        self._most = max(1, min(int(_MORE * rows), _HELD // held))
        self._rows = min(rows, self._most)
        self._multipliers = torch.zeros_like(state.weights).reshape(-1)
        self._of_the_rest = 0.0
        self._chosen = self._heaviest(state.weights.reshape(-1))
        self._tangents = self._tangents_of(self._chosen)
        self._K = self._tangents.gram()

    def _heaviest(self, weights: Float[Tensor, " m"]) -> Int[Tensor, " k"]:
        """Return the rows of nearly all weight if so many are few enough, or else the heaviest."""
        most = torch.topk(weights, min(self._most, len(weights)))
        left = 1.0 - torch.cumsum(most.values, 0) / weights.sum()
        enough = int((left > _ALL).sum()) + 1
        return most.indices[: self._rows if enough > self._most else enough].sort().values

    def _tangents_of(self, rows: Int[Tensor, " k"]) -> Tangents:
        samples = torch.div(rows, self._width, rounding_mode="floor")
        return self._problem.tangents(samples, rows % self._width)

    def _choose(self, chosen: Int[Tensor, " k"]) -> None:
        """Take other rows; of their Gram matrix only what is new is computed."""
        known = torch.isin(chosen, self._chosen)
        was = torch.searchsorted(self._chosen, chosen[known]).cpu().numpy()
        old, new = (torch.nonzero(part)[:, 0].cpu().numpy() for part in (known, ~known))
        tangents = self._tangents_of(chosen)
        K = np.empty((len(chosen), len(chosen)))
        K[np.ix_(old, old)] = self._K[np.ix_(was, was)]
        if len(new):
            K[new] = self._tangents_of(chosen[~known]).products(tangents)
            K[:, new] = K[new].T
        self._chosen, self._tangents, self._K = chosen, tangents, K

    def __call__(self, h: float) -> Float[Tensor, " p"] | None:
        """Return the displacement of the step of length `h`, or None if it was not found."""
        problem, start = self._problem, self._start
        d = torch.zeros_like(problem.flat)
        moved = torch.zeros_like(start.margins)
        state, objective, left = start, start.log_loss, 1.0
        linear = Linearization(problem)
        earlier: list[tuple[Tensor, Tensor, Tensor]] = []
        guess = h * start.weights.reshape(-1)
        if float(self._multipliers.sum()) > 0:
            guess = self._multipliers * (h / float(self._multipliers.sum()))
        self._multipliers = guess
        for _ in range(_TIMES):
            accuracy = max(0.2 * self._tolerance, 0.02 * min(left, 1.0))
            target = self._least_of_model(h, d, moved, state, accuracy)
            if float(target.norm()) > 1.02 * self._longest:
                return target
            target_moved = linear.along(target)
            earlier.append((target, target - d, target_moved))
            del earlier[:-_REMEMBERED]
            found = self._best(h, objective, earlier, d, moved)
            if found is None:
                return None
            d, moved, state, objective = found
            residual = d / h - self._pulled(state.weights)
            left = float(residual.norm()) / self._first
            if left <= self._tolerance:
                return d
            if self._renewed(h, state):
                earlier.clear()
        return None

    def _least_of_model(
        self,
        h: float,
        d: Float[Tensor, " p"],
        moved: Float[Tensor, "n c"],
        state: State,
        accuracy: float,
    ) -> Float[Tensor, " p"]:
        """Return the least of the model around `d` with ‖d‖²/2h."""
        loss, chosen = self._problem.loss, self._chosen
        margins = self._start.margins + moved
        excess = log_excess(margins, loss)
        weights = state.weights.reshape(-1)
        rest = weights.clone()
        rest[chosen] = 0.0
        share = float(rest.sum())
        logs = log_weights(margins, loss).reshape(-1)[chosen]
        s = (-logs - moved.reshape(-1)[chosen]).cpu().numpy()
        guess = self._multipliers[chosen].cpu().numpy()
        K, mean = self._K, None
        if share > _NOTHING:
            mean = self._pulled(rest.view_as(state.weights)) / share
            across = self._tangents.along(mean)
            K = np.block([[K, across[:, None]], [across, np.array(float(mean @ mean))]])
            s = np.append(s, -np.log(share) - state.log_loss - float(mean @ d))
            guess = np.append(guess, self._of_the_rest or h * share)
        c = entropy_step(s, K, h, log_constant=excess, start=guess, tolerance=accuracy)
        self._multipliers = torch.zeros_like(weights)
        self._multipliers[chosen] = torch.as_tensor(c[: len(chosen)]).to(weights)
        target = self._tangents.combination(c[: len(chosen)])
        if mean is not None:
            self._of_the_rest = float(c[-1])
            target = target + c[-1] * mean
        return target

    def _best(
        self,
        h: float,
        objective: float,
        earlier: list[tuple[Tensor, Tensor, Tensor]],
        d: Tensor,
        moved: Tensor,
    ) -> tuple[Tensor, Tensor, State, float] | None:
        """Go where the model says, or to the mixture of what it said that promises most."""
        target, _, target_moved = earlier[-1]
        candidates = [(target, target_moved)]
        if len(earlier) > 1:
            # Anderson's mixture: of all that are of sum 1, that of the least change.
            changes = torch.stack([change for _, change, _ in earlier])
            gram = (changes @ changes.T).double().cpu().numpy()
            gram[np.diag_indices_from(gram)] += 1e-12 * np.trace(gram)
            share = np.linalg.solve(gram, np.ones(len(gram)))
            share /= share.sum()
            candidates.append((
                sum((float(a) * t for a, (t, _, _) in zip(share, earlier, strict=True)), 0 * d),
                sum((float(a) * m for a, (_, _, m) in zip(share, earlier, strict=True)), 0 * moved),
            ))  # fmt: skip
        found = min(
            (self._at(h, there, margins) for there, margins in candidates), key=lambda at: at[3]
        )
        slack = 1e-12 * max(1.0, abs(objective))
        t = 0.5
        while not found[3] <= objective + slack:
            if t < 1e-3:
                return None
            found = self._at(h, d + t * (target - d), moved + t * (target_moved - moved))
            t *= 0.5
        return found

    def _at(self, h: float, d: Tensor, moved: Tensor) -> tuple[Tensor, Tensor, State, float]:
        state = self._problem._state(self._start.margins + moved)
        return d, moved, state, state.log_loss + float(d @ d) / (2 * h)

    def _renewed(self, h: float, state: State) -> bool:
        """Choose other rows where these leave out twice the weight that others would."""
        weights = torch.maximum(state.weights.reshape(-1), self._multipliers / h)
        heaviest = self._heaviest(weights)
        total, best = float(weights.sum()), float(weights[heaviest].sum())
        if total - float(weights[self._chosen].sum()) <= 2 * (total - best) + 1e-4:
            return False
        self._choose(heaviest)
        # Where the model went astray a few have all weight: none is to begin above the mean.
        known = self._multipliers[heaviest]
        new = (h * state.weights.reshape(-1)[heaviest]).clamp(max=h / len(heaviest))
        self._multipliers[heaviest] = torch.where(known > 0, known, new)
        return True

    def _pulled(self, weights: Float[Tensor, "n c"]) -> Float[Tensor, " p"]:
        """Return Jᵀv, without the samples of which nothing is seen."""
        problem, each = self._problem, weights.sum(1)
        seen = torch.nonzero(each > _ROUNDING * each.sum())[:, 0]
        total = torch.zeros_like(problem.flat)
        for samples in seen.split(_CHUNK):
            total += problem._backward(
                problem.outputs_at(problem.X[samples]),
                problem.margins.pulled(weights[samples], samples),
            )
        return total
