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

Where the net has kinks, some margins are the least of several linear functions (`Cuts`).
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibtools.trainers.margins.cuts import Cuts
from ibtools.trainers.margins.entropy import entropy_step
from ibtools.trainers.margins.newton_systems import NewtonSystems
from ibtools.trainers.margins.problem import Linearization, Problem, State, Tangents

# Shares of all weight below this are not looked at.
_NOTHING = 1e-12
# Rows that leave out this share have all weight; for that there may be so many times as many.
_ALL, _MORE = 1e-6, 1.25
# Samples whose weight is below this share of all weight add only rounding to a gradient.
_ROUNDING = 1e-17
# What the rest pulls is the gradient less the chosen margins' part if it has more than this share.
_SUBTRACTED = 1e-2
# Numbers that the rows may hold, a gigabyte: where a row is not an outer product, few fit.
_HELD = 2**27
_REMEMBERED = 4
_TIMES = 30
# Margins are cut that fall short of what a step promised by more than this, in nats, over their
# sharpness; of those that have all weight but this share there; so many at a time at most.
_SHORT, _LIGHT, _AT_ONCE = 0.4, 1e-3, 1000
# How sharply a cut margin is the least of its functions: at first, and more at each further cut.
_SHARP, _SHARPER = 8.0, 2.0


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


def _bordered(
    K: Float[Tensor, "m m"], across: Float[Tensor, "k m"], own: Float[Tensor, "k k"]
) -> Float[Tensor, "m+k m+k"]:
    """Return the Gram matrix of rows and of more rows."""
    return torch.cat([torch.cat([K, across.T], dim=1), torch.cat([across, own], dim=1)])


class ReducedSteps:
    """The implicit steps of every length from one point, by a model with few unknowns.

    Parameters
    ----------
    problem
        At the point.
    state
        Its state there.
    gradient
        Of log 𝓛 there, (p,).
    rows
        Number of margins that vary one by one; a quarter more where these have all weight.
    longest
        Length beyond which a step is of no use; then only its length is right, and roughly.
    tolerance
        Size of the gradient of the step's problem at which to stop, relative to that at d = 0.
    weights
        Of the margins where a step is known to lead, (n, c): what is heavy there varies as well.
    """

    def __init__(
        self,
        problem: Problem,
        state: State,
        *,
        gradient: Float[Tensor, " p"],
        rows: int,
        longest: float,
        tolerance: float,
        weights: Float[Tensor, "n c"] | None = None,
    ) -> None:
        self._problem = problem
        self._start = state
        self._gradient = gradient
        self._first = float(gradient.norm())
        self._longest = longest
        self._tolerance = tolerance
        self._width = state.margins.shape[1]
        held = self._tangents_of(torch.zeros(1, dtype=torch.int64, device=problem.X.device)).held
        self._most = max(1, min(int(_MORE * rows), _HELD // held))
        self._rows = min(rows, self._most)
        self._multipliers = torch.zeros_like(state.weights).reshape(-1)
        self._of_the_rest = 0.0
        self._cuts: Cuts | None = None
        self._sharpness = _SHARP / _SHARPER
        self._of_cuts = state.margins.new_zeros(0)
        weights = state.weights if weights is None else torch.maximum(state.weights, weights)
        self._linear = Linearization(problem)
        self._last: tuple[Tensor, Tensor] | None = None
        self._chosen = self._heaviest(weights.reshape(-1))
        self._tangents = self._tangents_of(self._chosen)
        self._K = self._tangents.gram()
        self._systems = NewtonSystems()
        self._across = self._of_cuts_alone = self._K[:0]

    def _heaviest(self, weights: Float[Tensor, " m"]) -> Int[Tensor, " k"]:
        """Return the rows of nearly all weight if so many are few enough, or else the heaviest."""
        most = torch.topk(weights, min(self._most, len(weights)))
        left = 1.0 - torch.cumsum(most.values, 0) / weights.sum()
        enough = int((left > _ALL).sum()) + 1
        chosen = most.indices[: self._rows if enough > self._most else enough]
        if self._cuts is not None:
            chosen = torch.cat([chosen, self._cuts.owners]).unique()
        return chosen.sort().values

    def _tangents_of(self, rows: Int[Tensor, " k"]) -> Tangents:
        samples = torch.div(rows, self._width, rounding_mode="floor")
        return self._problem.tangents(samples, rows % self._width)

    def _choose(self, chosen: Int[Tensor, " k"]) -> None:
        """Take other rows; of their Gram matrix only what is new is computed."""
        known = torch.isin(chosen, self._chosen)
        was = torch.searchsorted(self._chosen, chosen[known])
        old, new = (torch.nonzero(part)[:, 0] for part in (known, ~known))
        tangents = self._tangents_of(chosen)
        K = self._K.new_empty(len(chosen), len(chosen))
        K[old[:, None], old] = self._K[was[:, None], was]
        if len(new):
            K[new] = self._tangents_of(chosen[~known]).products(tangents)
            K[:, new] = K[new].T
        self._chosen, self._tangents, self._K = chosen, tangents, K
        self._systems = NewtonSystems()
        if self._cuts is not None:
            self._across = self._cuts.tangents.products(tangents)

    def cut(self, d: Float[Tensor, " p"], there: State) -> bool:
        """Take up what the margins are where a step led; return whether they fall short there.

        Parameters
        ----------
        d
            The step. The parameters are at its start.
        there
            The state at its end.
        """
        problem, start = self._problem, self._start.margins.reshape(-1)
        last = self._last
        moved = last[1] if last is not None and last[0] is d else self._moved(d)
        margins, weights = there.margins.reshape(-1), there.weights.reshape(-1)
        ordered = weights.sort(descending=True)
        heavy = 1.0 - (torch.cumsum(ordered.values, 0) - ordered.values) / weights.sum() > _LIGHT
        rows = ordered.indices[heavy]
        short = (self._model(moved)[0].reshape(-1) - margins)[rows]
        sharpness = _SHARPER * self._sharpness
        rows = rows[short > _SHORT / sharpness][:_AT_ONCE]
        if not len(rows):
            return False
        self._sharpness = sharpness
        before = problem.flat.clone()
        problem.flat.add_(d)
        tangents = self._tangents_of(rows)
        problem.flat.copy_(before)
        values = margins[rows] - tangents.along(d)
        # At the start none is below the margin there: it bends upwards between.
        new = Cuts(rows, torch.maximum(values, start[rows]), tangents)
        half = 0.5 * self._multipliers[rows]
        self._multipliers[rows] = half
        self._of_cuts = torch.cat([self._of_cuts, half])
        self._cuts = new if self._cuts is None else self._cuts.joined(new)
        self._of_cuts_alone = self._cuts.tangents.gram()
        self._choose(torch.cat([self._chosen, rows]).unique())
        return True

    def _moved(self, d: Float[Tensor, " p"]) -> Float[Tensor, " all"]:
        """Return the change of all margins along d by the start's functions, and of all cuts."""
        moved = self._linear.along(d).reshape(-1)
        return moved if self._cuts is None else torch.cat([moved, self._cuts.along(d)])

    def _model(
        self, moved: Float[Tensor, " all"]
    ) -> tuple[Float[Tensor, "n c"], Float[Tensor, " m"] | None, Float[Tensor, " k"] | None]:
        """Return the margins of the model, and the shares of the start's functions and of cuts."""
        start = self._start.margins
        if self._cuts is None:
            return start + moved.view_as(start), None, None
        own, of_cuts = moved[: start.numel()], moved[start.numel() :]
        least, shares, parts = self._cuts.least(start.reshape(-1) + own, of_cuts, self._sharpness)
        return least.view_as(start), shares, parts

    def __call__(self, h: float) -> Float[Tensor, " p"] | None:
        """Return the displacement of the step of length `h`, or None if it was not found."""
        problem, start = self._problem, self._start
        d = torch.zeros_like(problem.flat)
        count = start.margins.numel() + (0 if self._cuts is None else len(self._cuts.owners))
        moved = start.margins.new_zeros(count)
        d, moved, state, objective = self._at(h, d, moved)
        of_rest = self._of_rest_at_start(state, moved)
        left = 1.0
        earlier: list[tuple[Tensor, Tensor, Tensor]] = []
        guess = h * start.weights.reshape(-1)
        held = float(self._multipliers.sum()) + float(self._of_cuts.sum())
        if held > 0:
            guess = self._multipliers * (h / held)
            self._of_cuts = self._of_cuts * (h / held)
        self._multipliers = guess
        for _ in range(_TIMES):
            accuracy = max(0.2 * self._tolerance, 0.02 * min(left, 1.0))
            target = self._least_of_model(h, d, state, of_rest, accuracy)
            if float(target.norm()) > 1.02 * self._longest:
                return target
            target_moved = self._moved(target)
            earlier.append((target, target - d, target_moved))
            del earlier[:-_REMEMBERED]
            found = self._best(h, objective, earlier, d, moved)
            if found is None:
                return None
            d, moved, state, objective = found
            of_rest = self._of_rest(state.weights)
            residual = d / h - self._of_chosen(state.weights, moved) - of_rest
            left = float(residual.norm()) / self._first
            if left <= self._tolerance:
                self._last = d, moved
                return d
            if self._renewed(h, state):
                earlier.clear()
                of_rest = self._of_rest(state.weights)
        return None

    def _least_of_model(
        self,
        h: float,
        d: Float[Tensor, " p"],
        state: State,
        of_rest: Float[Tensor, " p"],
        accuracy: float,
    ) -> Float[Tensor, " p"]:
        """Return the least of the model around `d` with ‖d‖²/2h; Jᵀv of the rest is at hand."""
        loss, chosen, cuts = self._problem.loss, self._chosen, self._cuts
        excess = log_excess(state.margins, loss)
        weights = state.weights.reshape(-1)
        share = float(self._rest(state.weights).sum())
        # A margin s counts e^(−s) times this.
        offsets = (-log_weights(state.margins, loss) - state.margins).reshape(-1)[chosen]
        own = self._start.margins.reshape(-1)[chosen]
        s = own + offsets
        guess = self._multipliers[chosen]
        K, mean, several = self._K, None, torch.arange(len(chosen), device=s.device)
        if cuts is not None:
            place = torch.searchsorted(chosen, cuts.owners)
            s = torch.cat([s, cuts.values + offsets[place]])
            guess = torch.cat([guess, self._of_cuts])
            K = _bordered(K, self._across, self._of_cuts_alone)
            several = torch.cat([several, place])
        if share > _NOTHING:
            mean = of_rest / share
            across = self._tangents.along(mean)
            if cuts is not None:
                across = torch.cat([across, cuts.tangents.along(mean)])
            K = _bordered(K, across[None], (mean @ mean).double().view(1, 1))
            of_mean = -np.log(share) - state.log_loss - float(mean @ d)
            s = torch.cat([s, s.new_tensor([of_mean])])
            guess = torch.cat([guess, guess.new_tensor([self._of_the_rest or h * share])])
            several = torch.cat([several, several.new_tensor([len(chosen)])])
        c = entropy_step(
            s,
            K,
            h,
            log_constant=excess,
            start=guess,
            tolerance=accuracy,
            group=several,
            sharpness=self._sharpness,
            systems=self._systems,
        )
        self._multipliers = torch.zeros_like(weights)
        self._multipliers[chosen] = c[: len(chosen)]
        target = self._tangents.combination(c[: len(chosen)])
        if cuts is not None:
            self._of_cuts = c[len(chosen) : len(chosen) + len(cuts.owners)]
            target = target + cuts.tangents.combination(self._of_cuts)
        if mean is not None:
            self._of_the_rest = float(c[-1])
            target = target + self._of_the_rest * mean
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
        changes = torch.stack([change for _, change, _ in earlier])
        gram = (changes @ changes.T).double().cpu().numpy()
        if len(earlier) > 1 and np.trace(gram) > 0:
            # Anderson's mixture: of all that are of sum 1, that of the least change.
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
        state = self._problem._state(self._model(moved)[0])
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

    def _rest(self, weights: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Return the weights, and 0 of the chosen margins."""
        rest = weights.reshape(-1).clone()
        rest[self._chosen] = 0.0
        return rest.view_as(weights)

    def _of_rest(self, weights: Float[Tensor, "n c"]) -> Float[Tensor, " p"]:
        """Return Jᵀv of all margins that are not chosen, but samples of which nothing is seen."""
        rest = self._rest(weights)
        seen = rest.sum(1, keepdim=True) > _ROUNDING * weights.sum()
        return self._linear.pulled(torch.where(seen, rest, 0.0))

    def _of_rest_at_start(self, state: State, moved: Float[Tensor, " all"]) -> Float[Tensor, " p"]:
        """Return the same at the start, where the gradient of all is known."""
        if self._cuts is not None or float(self._rest(state.weights).sum()) < _SUBTRACTED:
            return self._of_rest(state.weights)
        return -self._gradient - self._of_chosen(state.weights, moved)

    def _of_chosen(
        self, weights: Float[Tensor, "n c"], moved: Float[Tensor, " all"]
    ) -> Float[Tensor, " p"]:
        """Return Jᵀv of the chosen margins; J is that of the model."""
        own = weights.reshape(-1)
        if self._cuts is None:
            return self._tangents.combination(own[self._chosen])
        _, shares, parts = self._model(moved)
        assert shares is not None
        assert parts is not None
        total = self._tangents.combination((own * shares)[self._chosen])
        return total + self._cuts.tangents.combination(parts * own[self._cuts.owners])
