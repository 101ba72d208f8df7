"""Gradient descent in the log domain: losses far below the smallest float are ordinary."""

from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ibtools._validation import count, generator, one_of, positive
from ibtools.models.nets import torch_generator
from ibtools.trainers.margins.driver import Plan, Position, Stepper, drive
from ibtools.trainers.margins.growth import GapBound, order_of_run
from ibtools.trainers.margins.minibatches import Minibatches
from ibtools.trainers.margins.problem import Problem, State, number
from ibtools.trainers.margins.runs import MarginRun

Net = TypeVar("Net", bound=nn.Module)

SCHEDULES = ("constant", "loss_based", "armijo")

_UP, _DOWN = 2 ** (1 / 5), 2 ** (-1 / 10)


def descend(
    net: Net,
    X: ArrayLike | torch.Tensor,
    y: ArrayLike,
    *,
    loss: str = "exponential",
    schedule: str = "constant",
    step_size: float | None = None,
    batch_size: int | None = None,
    seed: int | np.random.Generator | None = None,
    until_log10_loss: float = -100.0,
    max_epochs: int = 100_000,
    record_growth: float = 1.02,
    near_homogeneity: GapBound | None = None,
    order: int | None = None,
    resume: MarginRun[Net] | None = None,
) -> MarginRun[Net]:
    r"""Train by gradient descent, of which only the logarithm of the loss is stored.

    ========== ==========================================================================
    schedule   update
    ========== ==========================================================================
    constant   :math:`\theta \leftarrow \theta - \eta\nabla\mathcal L`
    loss_based :math:`\theta \leftarrow \theta - \alpha\nabla\mathcal L/\mathcal L'` with
               :math:`\mathcal L'` the loss after the last epoch. If an epoch does not raise the
               loss, :math:`\alpha` grows by :math:`2^{1/5}`; else its start is restored and
               :math:`\alpha` shrinks by :math:`2^{-1/10}` (Lyu & Li 2020, exactly).
    armijo     :math:`\theta \leftarrow \theta - \alpha\nabla\log\mathcal L`, :math:`\alpha` halved
               until :math:`\log\mathcal L` falls by :math:`\tfrac12\alpha\|\nabla\log\mathcal
               L\|^2`, doubled for the next step. Full batch only.
    ========== ==========================================================================

    Parameters
    ----------
    net
        The net at its start; it is copied.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.
    loss
        "exponential", "logistic", or with k outputs "cross_entropy". Sums over samples.
    schedule
        One of the table.
    step_size
        η of a constant step, on the sum 𝓛, by default 0.1/n; or the first α, by default 0.1 for
        "loss_based" and 1 for "armijo".
    batch_size
        Samples of a minibatch; ``None`` takes all at once. A batch's loss is scaled up to all
        samples, n/batch_size times its sum.
    seed
        Of the order of the samples; required with `batch_size`.
    until_log10_loss
        log₁₀ 𝓛 at which to stop.
    max_epochs
        Largest number of passes over the data, of accepted and rejected ones together.

    Returns
    -------
    MarginRun
        With ``converged`` whether the asked loss was reached.

    Other Parameters
    ----------------
    record_growth
        Epochs are recorded at numbers that grow by this factor, each one at first; 1 for all.
    near_homogeneity
        For a net that is only nearly homogeneous, its order and p_a; see `margin_flow`. Of layers
        that can be read the order is known without; such a run is the same, but has no
        ``modified_margin``.
    order
        L, declared for a net whose layers do not say it; it is held against the data.
    resume
        A run of this trainer to continue, with the same other arguments; it then goes as if it had
        not stopped.

    Raises
    ------
    ValueError, TypeError
        If the data do not fit the net or the loss, something is not finite, a number is out of
        range, `seed` is missing for minibatches, Armijo is asked for minibatches, or `resume` is
        not a run of this trainer on these data.
    NotHomogeneousError
        If the outputs' growth with the parameters is not known, or on the data it is not as was
        read off the layers, or as `near_homogeneity` says; a ValueError.

    Warns
    -----
    TrainingWarning
        If the run diverges (the last finite point is returned), no step lowers the loss, the steps
        are below rounding, or `max_epochs` is reached.

    See Also
    --------
    margin_flow : the flow that small steps follow.
    psi_flow : steps that raise ψ by the same amount, where a constant step would stand still.
    train_two_layer : for a `TwoLayerNet`, whose first layer alone is trained.

    References
    ----------
    Lyu & Li (2020), training with loss-based learning rate.

    Examples
    --------
    >>> from ibtools.models import DeepLinear
    >>> from ibtools.trainers import descend
    >>> X, y = [[3.0, -1.0], [1.0, 2.0], [-4.0, -4.0]], [1.0, 1.0, -1.0]
    >>> net = DeepLinear(d=2, depth=1, seed=0)
    >>> run = descend(net, X, y, schedule="loss_based", until_log10_loss=-1000)
    >>> run.converged
    True
    """
    one_of("schedule", schedule, SCHEDULES)
    target = number("until_log10_loss", until_log10_loss) * np.log(10.0)
    count("max_epochs", max_epochs)
    if seed is not None:
        generator(seed)
    growth = number("record_growth", record_growth)
    if growth < 1:
        raise ValueError(f"record_growth must be at least 1, got {growth:g}; 1 records every epoch")
    problem = Problem(net, X, y, loss)
    facts = order_of_run(problem, near_homogeneity, order)
    batches = None
    if batch_size is not None:
        batches = _Batches(problem, batch_size, seed)
        if schedule == "armijo":
            raise ValueError(
                "schedule 'armijo' compares the loss of all samples before and after each step and "
                "takes no minibatches; drop batch_size or use 'loss_based'"
            )
    default = {"constant": 0.1 / problem.n, "loss_based": 0.1, "armijo": 1.0}[schedule]
    alpha = default if step_size is None else positive("step_size", number("step_size", step_size))
    plan = Plan(-target, max_epochs, f"{until_log10_loss:g}", growth=growth, least=1.0)
    stepper = _Descent(problem, schedule, alpha, batches)
    return drive(net, stepper, facts, plan, near_homogeneity=near_homogeneity, resume=resume)


class _Batches:
    """The samples in an order that is drawn anew for each epoch."""

    def __init__(self, problem: Problem, size: int, seed: int | np.random.Generator | None) -> None:
        n = problem.n
        if seed is None:
            raise ValueError(
                "seed is needed with batch_size: the order of the samples is random; pass seed=0, "
                "say"
            )
        if count("batch_size", size) > n:
            raise ValueError(f"batch_size must be at most n={n}, got {size}; leave it out for all")
        self.n = n
        self.generator = torch_generator(seed)
        self._gradients = Minibatches(problem, size)

    def epoch(self, log_frame: float) -> Iterator[tuple[int, Float[Tensor, " p"]]]:
        """Yield of each batch its number of samples and its gradient over e^log_frame."""
        order = torch.randperm(self.n, generator=self.generator)
        return self._gradients.epoch(order, log_frame)


class _Descent(Stepper):
    """Epochs of descent by one schedule."""

    name: ClassVar[str] = "descend"
    limit_name: ClassVar[str] = "max_epochs"
    goal: ClassVar[str] = "loss"

    def __init__(
        self, problem: Problem, schedule: str, alpha: float, batches: _Batches | None
    ) -> None:
        super().__init__(problem)
        self.schedule = schedule
        self.alpha = alpha
        self.batches = batches
        self.epochs = 0

    @property
    def taken(self) -> int:
        """Epochs, accepted and rejected ones."""
        return self.epochs

    @property
    def reading(self) -> float:
        """Epochs as well."""
        return float(self.epochs)

    def look(self) -> tuple[State, Tensor | None]:
        """Evaluate the present parameters, with the gradient if the next step takes it."""
        if self.batches is None:
            return self.problem.descend_from()
        return self.problem.evaluate(), None

    def step(self, start: Float[Tensor, " p"]) -> bool:
        """Make one epoch, which may end where it began."""
        before = self.at
        accepted = self._armijo(start) if self.schedule == "armijo" else self._epoch(start)
        self.epochs += 1
        if not accepted:
            self.problem.flat.copy_(start)
            self.at = before
        if self.schedule == "loss_based":
            self.alpha *= _UP if accepted else _DOWN
            if self.alpha < 1e-300:
                self.trouble = "no step lowers the loss, however short"
        return not self.trouble

    def _epoch(self, start: Float[Tensor, " p"]) -> bool:
        """Go once through the data; return whether to stay where that leads."""
        before = self.at
        frame = before.state.log_loss
        step = self.alpha
        if self.schedule == "constant":
            # 0 where the loss is below the smallest float: then no step is left.
            step *= float(np.exp(min(frame, 700.0)))
        log_step = np.log(step) if step > 0 else -np.inf
        if step > torch.finfo(self.problem.flat.dtype).max / self.problem.n:
            if self.schedule == "constant":
                self.trouble = (
                    f"diverged after {before.steps} updates with step {self.alpha:g}; take a "
                    "smaller step"
                )
            return False
        self.at = at = Position(**vars(before))
        if self.batches is None:
            self.problem.flat.sub_(self.gradient(), alpha=step)
            at.advance(log_step - frame, step, self.alpha)
        else:
            for taken, gradient in self.batches.epoch(frame):
                self.problem.flat.sub_(gradient, alpha=step * (self.problem.n / taken))
                at.advance(log_step - frame, step, self.alpha)
            self.problem.evaluations += 1
        at.state, at.gradient = self.look()
        finite = bool(np.isfinite(at.state.log_loss))
        if self.schedule == "loss_based":
            if torch.equal(self.problem.flat, start) and not self.gradient().any():
                self.trouble = "the gradient is zero"
            return finite and at.state.log_loss <= frame
        if not finite:
            self.trouble = (
                f"diverged after {at.steps} updates with step {self.alpha:g}; take a smaller step"
            )
        elif torch.equal(self.problem.flat, start):
            self.trouble = "the steps are below rounding; take another schedule, or a longer step"
        return not self.trouble

    def _armijo(self, start: Float[Tensor, " p"]) -> bool:
        """Go down the gradient as far as the loss falls as much as it promises."""
        frame, gradient = self.at.state.log_loss, self.gradient()
        square = float(gradient @ gradient)
        for _ in range(200):
            candidate = self.problem.evaluate(start - self.alpha * gradient)
            wanted = frame - 0.5 * self.alpha * square
            if candidate.log_loss <= wanted and candidate.log_loss < frame:
                self.at = Position(**vars(self.at))
                self.at.advance(np.log(self.alpha) - frame, self.alpha, self.alpha)
                self.alpha *= 2.0
                self.at.state, self.at.gradient = self.look()
                return True
            self.alpha *= 0.5
        self.trouble = "no step lowers the loss enough, however short"
        return False

    def memory(self) -> dict[str, Any]:
        """Return the rate, the epochs, and where the order of the samples is drawn from."""
        kept: dict[str, Any] = {
            "schedule": self.schedule,
            "alpha": self.alpha,
            "epochs": self.epochs,
        }
        if self.batches is not None:
            kept["order"] = self.batches.generator.get_state().numpy()
        return kept

    def recall(self, memory: dict[str, Any]) -> None:
        """Take them up."""
        self.alpha = float(memory["alpha"])
        self.epochs = int(memory["epochs"])
        if self.batches is not None:
            self.batches.generator.set_state(torch.tensor(memory["order"]))
