"""What may have kept a run from where it was to go, and what can be done about it."""

import torch

from ibtools.trainers.margins.problem import Problem, State

# Norms of inputs beyond which the loss sees the margins of an ordinary start as all 0, or as ∞.
_SMALL, _LARGE = 1e-6, 1e6
# So many samples on the wrong side are looked at for others that contradict them, and named.
_LOOKED_AT, _NAMED = 100, 5


def hints(problem: Problem, state: State, *, stuck: bool, still: bool = False) -> list[str]:
    """Return what to say of a run that did not reach what was asked; it may be nothing.

    Parameters
    ----------
    problem, state
        The problem, and margins at the end of the run.
    stuck
        Whether no step was possible any more.
    still
        Whether the gradient is zero.
    """
    found = [scale_hint(problem), _samples_in_the_way(problem, state, still=still)]
    if stuck and problem.flat.dtype != torch.float64:
        kind = str(problem.flat.dtype).removeprefix("torch.")
        found.insert(
            0,
            f"the net computes in {kind}, whose rounding ends a run early: train net.double()",
        )
    return [hint for hint in found if hint]


def scale_hint(problem: Problem) -> str:
    """Return by what to multiply inputs that are very long or very short; "" if they are not."""
    longest = float(problem.X.flatten(1).abs().max())
    if longest == 0 or _SMALL <= longest <= _LARGE:
        return ""
    return (
        f"the entries of X are as large as {longest:.2g}, which one step of an ordinary length "
        f"does not fit: rescale it, X * {1 / longest:.2g}"
    )


def _samples_in_the_way(problem: Problem, state: State, *, still: bool) -> str:
    least = state.margins.amin(1)
    wrong = torch.nonzero(least <= 0)[:, 0]
    if not len(wrong):
        return ""
    flat, labels = problem.X.flatten(1), problem.margins.labels
    for i in wrong[:_LOOKED_AT].tolist():
        same = (flat == flat[i]).all(1) & (labels != labels[i])
        if bool(same.any()):
            j = int(torch.nonzero(same)[0])
            return (
                f"no net separates these data: rows {min(i, j)} and {max(i, j)} of X are the same "
                "and have different labels; leave out one of them, or correct its label"
            )
    if still:
        return (
            "no neuron may be active on any sample: start from other weights, or come here by "
            "shorter steps"
        )
    named = ", ".join(map(str, wrong[:_NAMED].tolist())) + (", …" if len(wrong) > _NAMED else "")
    return (
        f"{len(wrong)} of {problem.n} samples are not on the right side of the net (rows {named} "
        "of X): if more steps do not help, it does not separate these data; give it more "
        "features or neurons, or leave these samples out"
    )
