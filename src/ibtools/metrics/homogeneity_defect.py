"""How a net's outputs change when all its parameters are scaled, at many parameters at once."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ibtools._validation import array, count, generator, offering, positive, real, sizes
from ibtools.models.homogeneity_on_data import outputs_and_growth
from ibtools.models.reading import (
    as_outputs,
    for_each,
    number_of_outputs,
    private_copy,
    refuse_no_net,
    refuse_parameters,
    with_parameters,
)
from ibtools.models.samples import finite_inputs

# The search starts at norms ‖θ‖ from e⁻³ to e⁷ and is free to leave them.
_LOG_NORMS = (-3.0, 7.0)
_LEARNING_RATE = 0.05
_LAST_RATE = 0.05


class HomogeneityDefects(NamedTuple):
    """What `homogeneity_defects` measured.

    Attributes
    ----------
    outputs
        f(θ; x), (t, n), or (t, n, k) for k outputs.
    defects
        ⟨θ, ∇f⟩ − M f, of the same shape.
    """

    outputs: Float[np.ndarray, "t n *k"]
    defects: Float[np.ndarray, "t n *k"]


def homogeneity_defects(
    net: nn.Module, parameters: ArrayLike, X: ArrayLike, *, order: float
) -> HomogeneityDefects:
    r"""Measure outputs and Euler's defect ⟨θ, ∇f⟩ − M f at each of many parameter vectors.

    ⟨θ, ∇f⟩ is the derivative of f(cθ) in c at c = 1.

    Parameters
    ----------
    net
        The net; its own parameters do not matter. It is taken in evaluation mode.
    parameters
        Flat parameter vectors, (t, p), in the order of ``net.parameters()``.
    X
        Inputs, (n, …), finite.
    order
        M.

    Raises
    ------
    ValueError
        If the net has another number of parameters than p, or something is not finite.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.metrics import homogeneity_defects
    >>> net = nn.Linear(1, 1, dtype=torch.float64)
    >>> homogeneity_defects(net, [[2.0, 1.0]], [[3.0]], order=2).defects.squeeze()
    array(-7.)
    """
    flat = array("parameters", parameters, ndim=2)
    read, _ = _reader(net)
    if flat.shape[1] != _size(net):
        raise ValueError(
            f"parameters must have {_size(net)} columns, one for each parameter of the net, got "
            f"{flat.shape[1]}; flatten them in the order of net.parameters()"
        )
    real("order", order)
    inputs = finite_inputs(X)
    number_of_outputs(private_copy(net).double().cpu(), inputs)

    def measure(theta: Tensor) -> tuple[Tensor, Tensor]:
        return _outputs_and_defects(lambda t: read(t, inputs), theta, order)

    with torch.no_grad():
        outputs, defects = for_each(lambda _, theta: measure(theta), None, torch.tensor(flat))
    return HomogeneityDefects(outputs.numpy(), defects.numpy())


def worst_defect_ratio(
    net: nn.Module,
    bound: Polynomial,
    *,
    order: float,
    radius: float,
    input_shape: Sequence[int],
    starts: int = 32,
    steps: int = 300,
    seed: int | np.random.Generator,
) -> float:
    r"""Search for parameters and an input where |⟨θ, ∇f⟩ − M f| comes nearest to its bound.

    Gradient ascent (Adam) on the logarithm of the ratio, over the direction and the norm of θ and
    over inputs with ‖x‖ = `radius`, from random starts.

    Parameters
    ----------
    net
        f, of one output.
    bound
        A polynomial in ‖θ‖ with coefficients ≥ 0, not 0.
    order
        M.
    radius
        Norm of the inputs, above 0.
    input_shape
        Shape of one input.
    starts, steps
        Number of starts, and of steps from each.
    seed
        Of the starts: an int or a NumPy generator.

    Returns
    -------
    float
        The largest ratio that was met; at most 1 if the bound is one.

    Raises
    ------
    ValueError
        If the bound is 0 (the net is homogeneous) or has a negative coefficient, or a number is out
        of range.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from numpy.polynomial import Polynomial
    >>> from torch import nn
    >>> from ibtools.metrics import worst_defect_ratio
    >>> net = nn.Linear(1, 1, dtype=torch.float64)  # order 1; against order 2 it misses itself
    >>> bound = Polynomial([0.0, np.sqrt(2)])
    >>> found = worst_defect_ratio(net, bound, order=2, radius=1.0, input_shape=(1,), seed=0)
    >>> round(found, 6)
    1.0
    """
    real("order", order)
    _refuse_unfit(net, input_shape)
    read, _ = _reader(net)

    def defect(theta: Tensor, x: Tensor) -> Tensor:
        return _outputs_and_defects(lambda t: read(t, x), theta, order)[1]

    return _worst_ratio(defect, bound, _size(net), radius, input_shape, starts, steps, seed)


def worst_gap_ratio(
    net: nn.Module,
    homogenized: nn.Module,
    bound: Polynomial,
    *,
    radius: float,
    input_shape: Sequence[int],
    starts: int = 32,
    steps: int = 300,
    seed: int | np.random.Generator,
) -> float:
    r"""Search for parameters and an input where |f − f_H| comes nearest to its bound.

    As `worst_defect_ratio` does.

    Parameters
    ----------
    net, homogenized
        f and f_H, of one output, with the same parameters under the same names.
    bound, radius, input_shape, starts, steps, seed
        As in `worst_defect_ratio`.

    Raises
    ------
    ValueError
        If the bound is 0 (the net is homogeneous) or has a negative coefficient, or a number is out
        of range.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from numpy.polynomial import Polynomial
    >>> from torch import nn
    >>> from ibtools.metrics import worst_gap_ratio
    >>> def through(activation):
    ...     outer = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    ...     return nn.Sequential(nn.Linear(1, 1, dtype=torch.float64), activation, outer)
    >>> found = worst_gap_ratio(
    ...     through(nn.Softplus()),
    ...     through(nn.ReLU()),
    ...     Polynomial([0.0, np.log(2)]),
    ...     radius=1.0,
    ...     input_shape=(1,),
    ...     seed=0,
    ... )
    >>> round(found, 2)
    1.0
    """
    refuse_no_net(homogenized, "homogenized")
    _refuse_unfit(net, input_shape)
    read, names = _reader(net)
    read_homogenized, _ = _reader(homogenized, names)

    def gap(theta: Tensor, x: Tensor) -> Tensor:
        return read(theta, x) - read_homogenized(theta, x)

    return _worst_ratio(gap, bound, _size(net), radius, input_shape, starts, steps, seed)


def _refuse_unfit(net: nn.Module, input_shape: Sequence[int]) -> None:
    """Raise unless a net takes inputs of this shape, and has parameters."""
    private = private_copy(net).double().cpu()
    refuse_parameters(list(private.parameters()))
    shape = sizes("input_shape", input_shape)
    number_of_outputs(private, torch.ones((2, *shape), dtype=torch.float64))


def _worst_ratio(
    quantity: Callable[[Tensor, Tensor], Tensor],
    bound: Polynomial,
    size: int,
    radius: float,
    input_shape: Sequence[int],
    starts: int,
    steps: int,
    seed: int | np.random.Generator,
) -> float:
    positive("radius", radius)
    count("starts", starts)
    count("steps", steps)
    offering("bound", bound, "coef", mend="give a numpy.polynomial.Polynomial in the norm")
    coefficients = np.asarray(bound.coef, dtype=np.float64)
    if not (np.all(coefficients >= 0) and np.any(coefficients > 0)):
        raise ValueError(
            f"bound must be a polynomial with coefficients ≥ 0, not 0, got {bound}; a homogeneous "
            "net has nothing to compare"
        )
    entries = int(np.prod(sizes("input_shape", input_shape)))
    drawn = generator(seed)
    points = drawn.normal(size=(starts, size + 1 + entries))
    points[:, size] = drawn.uniform(*_LOG_NORMS, size=starts)

    def log_ratio(point: Tensor) -> Tensor:
        direction, log_norm, x = point[:size], point[size], point[size + 1 :]
        theta = direction * (log_norm.exp() / direction.norm())
        value = quantity(theta, (radius / x.norm() * x).view(1, *input_shape))
        exponents = [np.log(c) + i * log_norm for i, c in enumerate(coefficients) if c > 0]
        return value.squeeze().abs().clamp(min=1e-300).log() - torch.logsumexp(
            torch.stack(exponents), 0
        )

    return _ascend(log_ratio, torch.tensor(points), steps)


def _reader(
    net: nn.Module, names: Sequence[str] | None = None
) -> tuple[Callable[[Tensor, Tensor], Tensor], list[str]]:
    """Return a net as a function of flat parameters and inputs, and the parameters' names."""
    private = private_copy(net).double().cpu()
    weights = dict(private.named_parameters())
    outputs_with = with_parameters(private, names)
    order = list(weights) if names is None else list(names)
    sizes = [weights[name].numel() for name in order]

    def read(theta: Tensor, inputs: Tensor) -> Tensor:
        pieces = zip(theta.split(sizes), order, strict=True)
        values = [piece.view(weights[name].shape) for piece, name in pieces]
        return as_outputs(outputs_with(values, inputs), len(inputs))

    return read, order


def _size(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def _outputs_and_defects(
    outputs_at: Callable[[Tensor], Tensor], theta: Tensor, order: float
) -> tuple[Tensor, Tensor]:
    outputs, growth = outputs_and_growth(lambda c: outputs_at(c * theta))
    return outputs, growth - order * outputs


def _ascend(objective: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> float:
    slope_and_value = torch.func.grad_and_value(objective)
    points = start.clone().requires_grad_()
    adam = torch.optim.Adam([points], lr=_LEARNING_RATE, betas=(0.9, 0.99))
    rates = torch.optim.lr_scheduler.LinearLR(adam, 1.0, _LAST_RATE, steps)
    best = -np.inf
    for _ in range(steps):
        slopes, values = for_each(lambda _, p: slope_and_value(p), None, points.detach())
        best = max(best, float(values.max()))
        points.grad = -torch.nan_to_num(slopes)
        adam.step()
        rates.step()
    return float(np.exp(best))
