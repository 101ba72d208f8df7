"""Linear systems that change little from one to the next: (1/c + K)x = b for multipliers c."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

# A system of fewer unknowns is factored anew: that costs less than to look for more.
_LARGE = 800
# The error's size, relative and as the factored system sees it: Newton's method needs no more. A
# factor that is not there after so many products is of no use.
_ACCURATE, _PATIENCE = 1e-2, 25

Vector = Float[Tensor, " m"]
Right = Float[Tensor, "m r"]


class NewtonSystems:
    r"""Systems :math:`(\mathrm{diag}(1/c)+K)x=b` for one multiplier c after the other.

    A large one is solved by conjugate gradients, preconditioned by a factor, in single precision,
    of an earlier one: between the two the eigenvalues lie within the ratios of the c's, and at 1
    where K is larger than the diagonal. A factor is renewed when it no longer suffices. Where c has
    grown by q since then, an error may be √q times what is seen of it.
    """

    def __init__(self) -> None:
        self._rows: Int[Tensor, " l"] | None = None
        self._root: Vector = torch.zeros(0)
        self._factor: Float[Tensor, "l l"] = torch.zeros(0, 0)

    def solve(
        self, K: Float[Tensor, "m m"], c: Vector, rows: Int[Tensor, " l"], right: Right
    ) -> Right:
        """Return x on chosen rows, where K has these alone, and 0 elsewhere.

        Parameters
        ----------
        K
            Positive semi-definite, (m, m).
        c
            Multipliers, (m,), above 0.
        rows
            Those in the system, increasing.
        right
            b, (m, r), and 0 outside of the rows.
        """
        if len(rows) < _LARGE:
            return self._direct(K, c, rows, right)
        found = None
        if self._rows is not None and len(self._root) == len(c):
            found = self._iterated(K, c, rows, right)
        if found is None and self._renewed(K, c, rows):
            found = self._iterated(K, c, rows, right)
        return self._direct(K, c, rows, right) if found is None else found

    def _renewed(self, K: Float[Tensor, "m m"], c: Vector, rows: Int[Tensor, " l"]) -> bool:
        """Factor the system of these multipliers in single precision, if it has a factor there."""
        self._rows = None
        factor, failed = torch.linalg.cholesky_ex(scaled(K, c, rows, torch.float32))
        if int(failed):
            return False
        self._rows, self._factor = rows, factor
        self._root = torch.zeros_like(c)
        self._root[rows] = c[rows].sqrt()
        return True

    def _iterated(
        self, K: Float[Tensor, "m m"], c: Vector, rows: Int[Tensor, " l"], right: Right
    ) -> Right | None:
        """Return the solution by conjugate gradients, or None if it takes too many products."""
        root = torch.zeros_like(c)
        root[rows] = c[rows].sqrt()
        root = root[:, None]
        assert self._rows is not None
        # Two triangular solves: `cholesky_solve` copies the factor each time, which takes longer.
        known, factor = self._rows, self._factor
        ratio = torch.zeros_like(c)
        ratio[rows] = self._root[rows] / c[rows].sqrt()
        # A row without one in the factor keeps its diagonal.
        own = torch.where((root[:, 0] > 0) & (self._root == 0), 1 / (1 + c * K.diagonal()), 0.0)
        ratio, own = ratio[:, None], own[:, None]

        def improved(r: Right) -> Right:
            z = torch.linalg.solve_triangular(factor, (ratio * r)[known].float(), upper=False)
            z = torch.linalg.solve_triangular(factor.mT, z, upper=True)
            return (own * r).index_add_(0, known, ratio[known] * z)

        # In y = x/√c the system is 1 + √c K √c.
        y, r = torch.zeros_like(right), root * right
        z = improved(r)
        p, energy = z, (r * z).sum(0)
        square = torch.zeros_like(energy)
        for _ in range(_PATIENCE):
            moved = p + root * (K @ (root * p))
            step = energy / (p * moved).sum(0).clamp(min=1e-300)
            y = y + step * p
            # So much of the solution's square is found, in the system's norm.
            square = square + step * energy
            r = r - step * moved
            z = improved(r)
            before, energy = energy, (r * z).sum(0)
            if bool((energy <= _ACCURATE**2 * square).all()):
                return root * y
            p = z + energy / before.clamp(min=1e-300) * p
        return None

    @staticmethod
    def _direct(K: Float[Tensor, "m m"], c: Vector, rows: Int[Tensor, " l"], right: Right) -> Right:
        root = c[rows].sqrt()[:, None]
        factor = factored(scaled(K, c, rows, c.dtype))
        found = torch.zeros_like(right)
        found[rows] = root * torch.cholesky_solve(root * right[rows], factor)
        return found


def scaled(
    K: Float[Tensor, "m m"], c: Vector, rows: Int[Tensor, " l"], dtype: torch.dtype
) -> Float[Tensor, "l l"]:
    """Return 1 + √c K √c on chosen rows.

    Parameters
    ----------
    K, c, rows
        As for `NewtonSystems.solve`.
    dtype
        Of the matrix.
    """
    root = c[rows].sqrt().to(dtype)
    block = K.to(dtype) if len(rows) == len(c) else K[rows[:, None], rows].to(dtype)
    system = block * root[:, None]
    system *= root
    system.diagonal().add_(1.0)
    return system


def factored(system: Float[Tensor, "m m"]) -> Float[Tensor, "m m"]:
    """Return the Cholesky factor, of a little more where rounding made a system indefinite.

    Parameters
    ----------
    system
        Positive definite but for rounding; it is changed where it is not.
    """
    factor, failed = torch.linalg.cholesky_ex(system)
    more = 1e-12 * float(system.diagonal().sum())
    while int(failed):
        system.diagonal().add_(more)
        factor, failed = torch.linalg.cholesky_ex(system)
        more *= 10.0
    return factor
