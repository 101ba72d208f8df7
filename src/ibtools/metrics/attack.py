"""How far inputs are at most from a net's decision boundary: an attack that crosses it."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike
from torch import Tensor, nn
from tqdm.auto import tqdm

from ibtools._validation import count, generator, quiet
from ibtools.metrics.margins_of_nets import NetMargins

_SAMPLES = 256
_HALVINGS = 50
# Relative width of the bracket of a boundary point, on the way and at the end.
_ROUGH, _SHARP = 1e-6, 1e-12


class Attack(NamedTuple):
    """What an attack found.

    Attributes
    ----------
    distance
        ℓ₂ distance from each input to the changed one, (n,): 0 for a sample that is not classified
        correctly anyway, ∞ where nothing was found.
    X
        The changed inputs, of the shape of the given ones; the given one where nothing was found.
    """

    distance: Float[np.ndarray, " n"]
    X: Float[np.ndarray, "n ..."]


def l2_attack(
    net: nn.Module,
    X: ArrayLike | Tensor,
    y: ArrayLike,
    *,
    steps: int = 100,
    restarts: int = 3,
    seed: int | np.random.Generator,
) -> Attack:
    r"""Return small changes of the inputs that change their class, in the ℓ₂ norm.

    Starts are DeepFool's, steps to the boundary of the linearized net: to the nearest boundary at
    first, then to those with the second nearest class, the third, and so on, and when there are no
    more, from random points near the input. One more start is the nearest other sample that the net
    puts in another class. From a point across the boundary the attack then slides along the
    boundary: with b the boundary point on the way from x and g the gradient of its
    margin, towards

    .. math:: x - \frac{\langle g, x-b\rangle}{\|g\|^2}\,g,

    the point nearest to x on the boundary's tangent plane, as far as that shortens the way. Fixed
    points are the local minima of the distance; no step ever makes it longer.

    Parameters
    ----------
    net
        The net.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.
    steps
        Largest number of steps along the boundary, for each start.
    restarts
        How many times DeepFool is started, at least 1.
    seed
        Of the random starts: an int or a generator.

    Returns
    -------
    Attack
        Distances are bounds from above on the distance to the boundary. Changed inputs need not be
        images: their pixels may leave the range of the given ones.

    Raises
    ------
    TypeError, ValueError
        If the data do not fit the net, something is not finite, or a number is out of range.

    References
    ----------
    Moosavi-Dezfooli, Fawzi & Frossard (2016), DeepFool. Lyu & Li (2020) attack with Carlini and
    Wagner's method.

    Examples
    --------
    >>> import torch
    >>> from ibtools.metrics import l2_attack
    >>> from ibtools.models import DeepLinear
    >>> net = DeepLinear(d=2, depth=1, seed=0)
    >>> _ = net.layers[0].weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    >>> l2_attack(net, [[1.0, 0.5], [-1.0, 0.0]], [1, 1], seed=0).distance.round(9)
    array([1., 0.])
    """
    count("steps", steps)
    count("restarts", restarts)
    random = generator(seed)
    attack = _L2Attack(NetMargins(net, X, y))
    attack.begin()
    with tqdm(total=restarts + 1, desc="attack", disable=quiet(), leave=False) as bar:
        attack.slide(attack.nearest_other(), steps)
        bar.update()
        for restart in range(restarts):
            attack.slide(attack.deepfool(restart, random), steps)
            bar.update()
    return Attack(attack.distance.cpu().numpy(), attack.best.cpu().numpy())


class _L2Attack:
    """The best changed inputs found so far."""

    def __init__(self, problem: NetMargins) -> None:
        self.problem = problem
        self.x = problem.X
        self.best = self.x.clone()
        self.distance = torch.full_like(self.x.flatten(1)[:, 0], torch.inf)
        for p in problem.parameters:
            p.requires_grad_(False)

    def begin(self) -> None:
        """Give distance 0 to what is not classified correctly anyway."""
        self.distance[self.crossed(self.x)] = 0.0

    def crossed(
        self, points: Float[Tensor, "m ..."], samples: Tensor | None = None
    ) -> Bool[Tensor, " m"]:
        """Return which points are not classified as their samples should be."""
        return self._least(points, samples) <= 0

    def _least(self, points: Tensor, samples: Tensor | None = None) -> Float[Tensor, " m"]:
        which = torch.arange(len(self.x), device=self.x.device) if samples is None else samples
        with torch.no_grad():
            return torch.cat(
                [
                    self.problem.margins.of(self.problem.outputs_at(p), s).amin(1)
                    for p, s in zip(points.split(_SAMPLES), which.split(_SAMPLES), strict=True)
                ]
            )

    def _gradient(
        self, points: Tensor, samples: Tensor, column: int | None = None
    ) -> tuple[Float[Tensor, " m"], Float[Tensor, "m ..."]]:
        """Return one margin (of a column, or the least) at each point, and its gradient."""
        values, gradients = [], []
        for p, s in zip(points.split(_SAMPLES), samples.split(_SAMPLES), strict=True):
            inputs = p.detach().requires_grad_(True)
            margins = self.problem.margins.of(self.problem.outputs_at(inputs), s)
            value = margins.amin(1) if column is None else margins[:, column]
            (gradient,) = torch.autograd.grad(value.sum(), inputs)
            values.append(value.detach())
            gradients.append(gradient)
        return torch.cat(values), torch.cat(gradients)

    def nearest_other(self) -> Float[Tensor, "n ..."]:
        """Return for each sample the nearest one that the net puts in another class."""
        with torch.no_grad():
            outputs = torch.cat([self.problem.outputs_at(p) for p in self.x.split(_SAMPLES)])
        called = outputs.sign() if outputs.ndim == 1 else outputs.argmax(1)
        flat = self.x.flatten(1)
        apart = torch.cdist(flat, flat)
        wanted = self.problem.margins.labels.to(called.dtype)
        apart[called[None, :] == wanted[:, None]] = torch.inf
        return self.x[apart.argmin(1)]

    def deepfool(self, restart: int, random: np.random.Generator) -> Float[Tensor, "n ..."]:
        """Return where DeepFool comes within 50 steps, for the restarts one after the other."""
        points = self.x.clone()
        columns = max(self.problem.outputs - 1, 1)
        wanted = None
        if 0 < restart < columns:
            everyone = torch.arange(len(points), device=points.device)
            found = [self._gradient(points, everyone, column) for column in range(columns)]
            away = torch.stack([value / _lengths(gradient) for value, gradient in found])
            wanted = torch.nan_to_num(away, torch.inf).argsort(0)[restart]
        elif restart:
            noise = torch.tensor(random.standard_normal(tuple(points.shape))).to(points)
            reach = torch.where(torch.isfinite(self.distance), self.distance, 1.0)
            points += noise * _sized(reach / _lengths(noise), noise)
        for _ in range(50):
            going = torch.nonzero(~self.crossed(points))[:, 0]
            if not len(going):
                break
            here = points[going]
            shortest = torch.full_like(here.flatten(1)[:, 0], torch.inf)
            move = torch.zeros_like(here)
            for column in range(columns):
                value, gradient = self._gradient(here, going, column)
                size = _lengths(gradient).clamp(min=1e-300)
                nearer = value / size < shortest
                if wanted is not None:
                    nearer = wanted[going] == column
                shortest = torch.where(nearer, value / size, shortest)
                step = -gradient * _sized(value / size / size, gradient)
                move = torch.where(_sized(nearer, move), step, move)
            # A little beyond, so that the boundary is crossed.
            points[going] = here + 1.02 * torch.nan_to_num(move, 0.0, 0.0, 0.0)
        return points

    def slide(self, ends: Float[Tensor, "n ..."], steps: int) -> None:
        """Go from x towards `ends` to the boundary, then along it to nearer points."""
        samples = torch.nonzero(self.crossed(ends) & (self.distance > 0))[:, 0]
        if not len(samples):
            return
        x = self.x[samples]
        points = self._boundary(x, ends[samples], samples, _ROUGH)
        part = torch.ones_like(points.flatten(1)[:, 0])
        moving = torch.ones_like(part, dtype=torch.bool)
        for _ in range(steps):
            rows = torch.nonzero(moving)[:, 0]
            if not len(rows):
                break
            at, b, which = x[rows], points[rows], samples[rows]
            _, gradient = self._gradient(b, which)
            size = _lengths(gradient)
            inner = ((at - b) * gradient).flatten(1).sum(1)
            share = torch.where(size > 0, inner / size.square().clamp(min=1e-300), 0.0)
            tangent = at - gradient * _sized(share, gradient)
            way = b + _sized(part[rows], b) * (tangent - b) - at
            before = _lengths(b - at)
            # The new way, at almost the present length: if that is across, a shorter one is.
            length = before * (1 - 1e-9)
            end = at + way * _sized(length / _lengths(way).clamp(min=1e-300), way)
            better = self.crossed(end, which)
            won = rows[better]
            if len(won):
                found = self._boundary(x[won], end[better], samples[won], _ROUGH)
                gain = 1 - _lengths(found - x[won]) / before[better]
                points[won] = found
                moving[won] = gain > 1e-6
                part[won] = (2 * part[won]).clamp(max=1.0)
            lost = rows[~better]
            part[lost] /= 2
            moving[lost] &= part[lost] > 1e-3
        points = self._boundary(x, points, samples, _SHARP)
        distance = _lengths(points - x)
        nearer = distance < self.distance[samples]
        self.distance[samples[nearer]] = distance[nearer]
        self.best[samples[nearer]] = points[nearer]

    def _boundary(
        self, x: Tensor, ends: Tensor, samples: Tensor, sharp: float
    ) -> Float[Tensor, "m ..."]:
        """Return points just across the boundary on the way from x to ends that are across.

        By false position on the least margin, which is nearly linear on the way; the end that
        stays is halved (Illinois), and plain halving takes over where that is no better.
        """
        low = torch.zeros_like(x.flatten(1)[:, 0])
        high = torch.ones_like(low)
        above, below = self._least(x, samples), self._least(ends, samples)
        stayed = torch.zeros_like(low)
        for turn in range(_HALVINGS):
            wide = high - low
            if not bool((wide > sharp * high).any()):
                break
            share = above / (above - below).clamp(min=1e-300)
            share = share.clamp(0.25 * sharp, 1 - 0.25 * sharp)
            t = low + wide * (0.5 if turn % 4 == 3 else share)
            value = self._least(x + _sized(t, x) * (ends - x), samples)
            across = value <= 0
            above = torch.where(across, torch.where(stayed > 0, above / 2, above), value)
            below = torch.where(across, value, torch.where(stayed < 0, below / 2, below))
            stayed = torch.where(across, 1.0, -1.0)
            low, high = torch.where(across, low, t), torch.where(across, t, high)
        return x + _sized(high, x) * (ends - x)


def _lengths(points: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
    return points.flatten(1).norm(dim=1)


def _sized(values: Tensor, like: Tensor) -> Tensor:
    """Return one value for each sample in a shape that multiplies `like`."""
    return values.view(-1, *[1] * (like.ndim - 1))
