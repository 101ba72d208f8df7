"""Gradient descent on two-layer networks through the Gram matrix of the data, many at a time.

Every step adds combinations of the samples to the weights, W = W₀ + A X. So nothing of size d need
be touched: the inputs Z = WXᵀ of the neurons move by A's change times the Gram matrix XXᵀ, and
norms and singular values of W follow from A, Z and what W₀ was.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from ibtools._validation import unchecked
from ibtools.metrics.rank import stable_rank_gram
from ibtools.models.two_layer import TwoLayerNet

LOSSES = ("logistic", "exponential")
SCHEDULES = ("constant", "loss_based")

# Steps after which the block of them is checked, and after which an interruption is noticed.
_BLOCK = 256
# A weight above this is a run that has left every useful range; its square still is a number.
_LARGEST_WEIGHT = 1e150

Batch = NDArray[np.intp]


class State(NamedTuple):
    """Where B networks stand.

    Attributes
    ----------
    inputs
        Z = WXᵀ, (B, 2m, n).
    position
        What gives the weights: A, (B, 2m, n), with W = W₀ + A X; or W itself, (B, 2m, d).
    log_time
        log Σ η over the steps so far, (B,); −∞ at the start.
    steps
        Steps taken, (B,).
    switches
        How often any neuron became active or inactive on any sample, (B,).
    last_switch
        The last step that did so, (B,); 0 for none.
    running
        Whether a network still is to be trained, (B,).
    finite
        Whether it never left the range of floats, (B,).
    calm
        Whether it did not switch in the last block, (B,): a guess that saves work, never one that
        is trusted. It is kept since rounding depends on it.
    """

    inputs: Float[np.ndarray, "B rows n"]
    position: Float[np.ndarray, "B rows _"]
    log_time: Float[np.ndarray, " B"]
    steps: Int[np.ndarray, " B"]
    switches: Int[np.ndarray, " B"]
    last_switch: Int[np.ndarray, " B"]
    running: Bool[np.ndarray, " B"]
    finite: Bool[np.ndarray, " B"]
    calm: Bool[np.ndarray, " B"]


class Snapshot(NamedTuple):
    """What is recorded of B networks at one step; see `TwoLayerRun`."""

    steps: Int[np.ndarray, " B"]
    log_time: Float[np.ndarray, " B"]
    log_loss: Float[np.ndarray, " B"]
    norm: Float[np.ndarray, " B"]
    stable_rank: Float[np.ndarray, " B"]
    stable_rank_signed: Float[np.ndarray, "B 2"]
    normalized_margins: Float[np.ndarray, "B n"]
    pattern_agreement: Float[np.ndarray, " B"]
    pattern_switches: Int[np.ndarray, " B"]
    last_switch: Int[np.ndarray, " B"]


class GramDescent:
    """B networks of equal n and m, each on its own data, in one array.

    Parameters
    ----------
    nets
        The networks at the start; slopes and d may differ.
    X, y
        Data and labels of each: (n, d) and (n,).
    step
        η of each, (B,), on the mean loss.
    loss
        One of `LOSSES`.
    schedule
        One of `SCHEDULES`.
    target
        The log of the summed loss at which a network is left alone; −∞ for never.
    """

    def __init__(
        self,
        nets: Sequence[TwoLayerNet],
        X: Sequence[Float[np.ndarray, "n _"]],
        y: Sequence[Float[np.ndarray, " n"]],
        *,
        step: Float[np.ndarray, " B"],
        loss: str,
        schedule: str,
        target: float,
    ) -> None:
        self.loss, self.schedule, self.target = loss, schedule, target
        self.m, self.n = nets[0].m, len(y[0])
        self.log_step = np.log(step)
        self.y = np.stack(y)
        self.slope = np.array([net.slope for net in nets])
        self.signs = nets[0].signs
        grams: dict[int, np.ndarray] = {}
        for data in X:  # networks that share data share the work
            if id(data) not in grams:
                with np.errstate(over="ignore", invalid="ignore"):
                    grams[id(data)] = data @ data.T
        self.gram = np.stack([grams[id(data)] for data in X])
        if not np.isfinite(self.gram).all():
            raise ValueError(
                "X is too large: an inner product of its rows overflows; divide X by a constant"
            )
        self.start_inputs = np.stack([net.W @ data.T for net, data in zip(nets, X, strict=True)])
        self.start_gram = np.stack([net.W @ net.W.T for net in nets])
        number = len(nets)
        self.state = State(
            self.start_inputs,
            np.zeros_like(self.start_inputs),
            np.full(number, -np.inf),
            np.zeros(number, dtype=int),
            np.zeros(number, dtype=int),
            np.zeros(number, dtype=int),
            np.ones(number, dtype=bool),
            np.ones(number, dtype=bool),
            np.zeros(number, dtype=bool),
        )

    def advance(self, steps: int) -> int:
        """Take up to `steps` steps, at most one block of them; return how many.

        The state changes at the very end only, so an interruption leaves the last one whole.
        """
        steps = min(steps, _BLOCK)
        state = State(*(part.copy() for part in self.state))
        calm = np.flatnonzero(state.running & state.calm)
        if calm.size:
            calm = self._frozen_steps(state, calm, steps)
        settled = np.zeros(len(state.calm), dtype=bool)
        settled[calm] = True
        rest = np.flatnonzero(self.state.running & ~settled)
        if rest.size:
            settled[rest] = self._full_steps(state, rest, steps)
        self.state = state._replace(calm=settled)
        return steps

    def _full_steps(self, state: State, chosen: Batch, steps: int) -> Bool[np.ndarray, " chosen"]:
        """Take `steps` of the `chosen` one by one; return which of them never switched."""
        Z, A = state.inputs[chosen], state.position[chosen]
        gram, y, slope = self.gram[chosen], self.y[chosen], self.slope[chosen]
        log_time, count = state.log_time[chosen], state.steps[chosen]
        running, finite = state.running[chosen], state.finite[chosen]
        active = Z >= 0
        whole, leaking = self._pulls(y, slope)
        pull = np.where(active, whole, leaking)
        calm = np.ones(len(chosen), dtype=bool)
        # With steps of one length and no loss to stop at, nothing but the weights need be known.
        log_eta = self.log_step[chosen]
        endless = self.schedule == "constant" and self.target == -np.inf and bool(running.all())
        for _ in range(steps):
            margins = np.einsum("brn,brn->bn", pull, Z) / self.m
            if endless:
                weights = self._scaled(_log_slopes(margins, self.loss) + log_eta[:, None])
                # Weights of 0, or beyond the range of floats, ask for a closer look.
                endless = bool(weights.max() < _LARGEST_WEIGHT and weights.min() > 0)
            if not endless:
                weights, log_eta, log_loss = self._weights(margins, chosen)
                running &= log_loss > self.target
                finite &= (weights.max(axis=1) < _LARGEST_WEIGHT) | ~running
                running &= finite
                if not running.all():
                    if not running.any():
                        break
                    weights = np.where(running[:, None], weights, 0.0)
            change = pull * weights[:, None, :]
            A += change
            Z += change @ gram
            count += running
            later = np.logaddexp(log_time, log_eta)
            log_time = later if endless else np.where(running, later, log_time)
            now = Z >= 0
            switched = now != active
            total = np.count_nonzero(switched)
            if total:
                number = switched.sum(axis=(1, 2)) if len(chosen) > 1 else np.array([total])
                state.switches[chosen] += number
                moved = number > 0
                state.last_switch[chosen[moved]] = count[moved]
                calm &= ~moved
                active, pull = now, np.where(now, whole, leaking)
        state.inputs[chosen], state.position[chosen] = Z, A
        state.log_time[chosen], state.steps[chosen] = log_time, count
        state.running[chosen], state.finite[chosen] = running, finite
        return calm

    def _frozen_steps(self, state: State, chosen: Batch, steps: int) -> Batch:
        """Take `steps` of those of the `chosen` that provably never switch; return which.

        While no neuron switches, margins are linear in the accumulated weights ω, (n,): the
        2m × n inputs need not be followed. Since ω only grows, how far any input can have gone the
        wrong way on the path to here is bounded by the parts of its change that go that way.
        """
        Z, gram, y = state.inputs[chosen], self.gram[chosen], self.y[chosen]
        active = Z >= 0
        pull = self._pull(active, y, self.slope[chosen])
        first = np.einsum("brn,brn->bn", pull, Z) / self.m
        kernel = np.swapaxes(pull, 1, 2) @ pull * gram / self.m
        total = np.zeros_like(first)
        log_time, count = state.log_time[chosen], state.steps[chosen]
        running = np.ones(len(chosen), dtype=bool)
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(steps):
                margins = first + (kernel @ total[:, :, None])[:, :, 0]
                weights, log_eta, log_loss = self._weights(margins, chosen)
                if self.target > -np.inf:
                    running &= log_loss > self.target
                    if not running.any():
                        break
                    weights = weights * running[:, None]
                    log_eta = np.where(running, log_eta, -np.inf)
                total = total + weights
                count = count + running
                log_time = np.logaddexp(log_time, log_eta)
            change = pull * total[:, None, :]
            # The part of the change of every input, sample by sample, that moves it to its kink.
            signed = self.y[chosen][:, :, None] * gram
            up, down = np.maximum(signed, 0), np.maximum(-signed, 0)
            size = np.abs(change)
            half = self.m
            rise = np.concatenate([size[:, :half] @ up, size[:, half:] @ down], axis=1)
            fall = np.concatenate([size[:, :half] @ down, size[:, half:] @ up], axis=1)
            danger = np.where(active, fall, rise)
            # Rounding may differ from that of single steps: what comes close is taken singly.
            reach = danger + 1e-12 * (np.abs(Z) + rise + fall)
            safe = ((reach < np.abs(Z)) | (danger == 0)).all(axis=(1, 2))
            safe &= total.max(axis=1) < _LARGEST_WEIGHT
        kept = chosen[safe]
        state.position[kept] += change[safe]
        state.inputs[kept] += change[safe] @ gram[safe]
        state.log_time[kept], state.steps[kept] = log_time[safe], count[safe]
        state.running[kept] = running[safe]
        return kept

    def _pull(
        self,
        active: Bool[np.ndarray, "b rows n"],
        y: Float[np.ndarray, "b n"],
        slope: Float[np.ndarray, " b"],
    ) -> Float[np.ndarray, "b rows n"]:
        """Return m times the margins' derivatives in the inputs: sign · label · slope."""
        return np.where(active, *self._pulls(y, slope))

    def _pulls(
        self, y: Float[np.ndarray, "b n"], slope: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "b rows n"], Float[np.ndarray, "b rows n"]]:
        """Return them for active neurons, and for inactive ones."""
        whole = self.signs[:, None] * y[:, None, :]
        return whole, whole * slope[:, None, None]

    def _weights(
        self, margins: Float[np.ndarray, "b n"], chosen: Batch
    ) -> tuple[Float[np.ndarray, "b n"], Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
        """Return the samples' weights η|ℓ'|/(nm), log η, and the log of the summed loss.

        All in the log domain: the quotient |ℓ'|/𝓛 is an ordinary number however small both are.
        """
        log_losses, log_slopes = log_loss_terms(margins, self.loss)
        log_loss = log_sum(log_losses)
        log_eta = self.log_step[chosen]
        if self.schedule == "loss_based":
            log_eta = log_eta - log_loss + np.log(self.n)
        with np.errstate(over="ignore"):
            weights = self._scaled(log_slopes + log_eta[:, None])
        return weights, log_eta, log_loss

    def _scaled(self, log_weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
        """Return what samples count in a step, of the logs of η|ℓ'|."""
        return np.exp(log_weights) / (self.n * self.m)

    def snapshot(self) -> Snapshot:
        """Return what is to be recorded of the present state."""
        state = self.state
        active = state.inputs >= 0
        margins = (
            np.einsum("brn,brn->bn", self._pull(active, self.y, self.slope), state.inputs) / self.m
        )
        half = state.position @ np.swapaxes(self.start_inputs, 1, 2)
        gram = self.start_gram + half + state.inputs @ np.swapaxes(state.position, 1, 2)
        return snapshot_of(
            (gram + np.swapaxes(gram, 1, 2)) / 2,
            margins,
            active == (self.signs[:, None] * self.y[:, None, :] > 0),
            state,
            loss=self.loss,
        )


class WeightDescent:
    """One network, by its weights themselves: what the Gram matrix is to agree with.

    Parameters are those of `GramDescent`, for a single network.
    """

    def __init__(
        self,
        nets: Sequence[TwoLayerNet],
        X: Sequence[Float[np.ndarray, "n _"]],
        y: Sequence[Float[np.ndarray, " n"]],
        *,
        step: Float[np.ndarray, " B"],
        loss: str,
        schedule: str,
        target: float,
    ) -> None:
        (self.net,), (self.X,), (self.y,), (self.step,) = nets, X, y, step
        self.loss, self.schedule, self.target = loss, schedule, target
        zero, yes = np.zeros(1, dtype=int), np.ones(1, dtype=bool)
        W = self.net.W[None]
        self.state = State(W @ self.X.T, W, np.full(1, -np.inf), zero, zero, zero, yes, yes, ~yes)

    def advance(self, steps: int) -> int:
        """Take up to `steps` steps, at most one block of them; return how many.

        The state changes at the very end only, so an interruption leaves the last one whole.
        """
        steps = min(steps, _BLOCK)
        replaced, moving, outputs, activity = (
            unchecked(self.net, n) for n in ("replace", "velocity", "predict", "activity")
        )
        net = replaced(self.net, self.state.position[0].ravel())
        _, _, log_time, count, switches, last, running, finite, calm = (
            part.copy() for part in self.state
        )
        active = net.activity(self.X)
        for _ in range(steps):
            log_losses, log_slopes = log_loss_terms(self.y * outputs(net, self.X), self.loss)
            log_loss, log_eta = log_sum(log_losses), np.log(self.step)
            running &= log_loss > self.target
            if self.schedule == "loss_based":
                log_eta = log_eta - log_loss + np.log(len(self.y))
            weights = np.exp(log_slopes + log_eta) / len(self.y)
            finite &= (weights.max() < _LARGEST_WEIGHT) | ~running
            running &= finite
            if not running[0]:
                break
            velocity = moving(net, self.X, self.y * weights)
            net = replaced(net, net.parameters + velocity)
            count = count + 1
            log_time = np.logaddexp(log_time, log_eta)
            now = activity(net, self.X)
            number = np.count_nonzero(now != active)
            if number:
                switches, last, active = switches + number, count, now
        self.state = State(
            (net.W @ self.X.T)[None],
            net.W[None],
            log_time,
            count,
            switches,
            last,
            running,
            finite,
            calm,
        )
        return steps

    def snapshot(self) -> Snapshot:
        """Return what is to be recorded of the present state."""
        W = self.state.position[0]
        net = self.net.replace(W.ravel())
        agreement = net.activity(self.X) == (np.outer(net.signs, self.y) > 0)
        margins = self.y * net.predict(self.X)
        return snapshot_of(
            (W @ W.T)[None], margins[None], agreement[None], self.state, loss=self.loss
        )


def snapshot_of(
    gram: Float[np.ndarray, "B rows rows"],
    margins: Float[np.ndarray, "B n"],
    agreement: Bool[np.ndarray, "B rows n"],
    state: State,
    *,
    loss: str,
) -> Snapshot:
    """Return a snapshot from WWᵀ, the margins, and where inputs have the sign label × neuron."""
    m = gram.shape[1] // 2
    norm = np.sqrt(np.trace(gram, axis1=1, axis2=2))
    signed = np.stack(
        [stable_rank_gram(gram[:, :m, :m]), stable_rank_gram(gram[:, m:, m:])], axis=1
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        normalized = margins / norm[:, None]
    return Snapshot(
        steps=state.steps.copy(),
        log_time=state.log_time.copy(),
        log_loss=log_sum(log_loss_terms(margins, loss)[0]),
        norm=norm,
        stable_rank=stable_rank_gram(gram),
        stable_rank_signed=signed,
        normalized_margins=normalized,
        pattern_agreement=agreement.mean(axis=(1, 2)),
        pattern_switches=state.switches.copy(),
        last_switch=state.last_switch.copy(),
    )


def log_loss_terms(
    margins: Float[np.ndarray, "*batch n"], loss: str
) -> tuple[Float[np.ndarray, "*batch n"], Float[np.ndarray, "*batch n"]]:
    """Return log ℓ and log |ℓ'| at each margin, of any size."""
    if loss == "exponential":
        return -margins, -margins
    # Beyond 700 both are −q to the last digit, and e^{−q} would underflow.
    beyond = np.maximum(margins - 700.0, 0.0)
    return np.log(np.logaddexp(0.0, beyond - margins)) - beyond, _log_slopes(margins, loss)


def _log_slopes(margins: Float[np.ndarray, "*batch n"], loss: str) -> Float[np.ndarray, "*batch n"]:
    """Return log |ℓ'| at each margin."""
    return -margins if loss == "exponential" else -np.logaddexp(0.0, margins)


def log_sum(terms: Float[np.ndarray, "*batch n"]) -> Float[np.ndarray, "*batch"]:
    """Return log Σ exp over the last axis."""
    largest = terms.max(axis=-1)
    return np.asarray(largest + np.log(np.exp(terms - largest[..., None]).sum(axis=-1)))
