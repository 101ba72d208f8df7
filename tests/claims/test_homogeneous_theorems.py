"""The further claims on homogeneous networks fail on slips that look harmless."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ibtools.claims import Claim
from ibtools.claims import homogeneous_theorems as claims
from ibtools.theory import KinkLimit

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_a_user")]

Patch = pytest.MonkeyPatch


def _change(patch: Patch, name: str, **options: Callable[[Any], Any]) -> None:
    """Let the claims call `name` with some of its options changed."""
    right = getattr(claims, name)

    def wrong(*args: Any, **given: Any) -> Any:
        return right(*args, **given | {key: how(given[key]) for key, how in options.items()})

    patch.setattr(claims, name, wrong)


@pytest.mark.parametrize(
    ("theorem", "name", "options"),
    [
        # The cap of two classes for all of them.
        (claims.exists, "norm_bound", {"classes": lambda k: 2}),
        (claims.losses, "margin_bracket", {"n": lambda n: 2 * n}),
        # One layer more, as in 2 − 1/L.
        (claims.time_bracket, "log_time_bracket", {"order": lambda L: L + 1}),
        (claims.descent_rates, "log_time_bracket", {"share": lambda s: 0.2}),
        (claims.kkt_visit, "kkt_visit_bound", {"order": lambda L: 2 * L}),
        (claims.blocks, "block_norms", {"exponents": lambda k: [1] * len(k)}),
    ],
)
def test_a_slip_in_a_theorem_fails(
    monkeypatch: Patch, theorem: Claim, name: str, options: dict[str, Callable[[Any], Any]]
) -> None:
    _change(monkeypatch, name, **options)
    assert not theorem.run().holds


def test_the_derivative_that_programs_take_at_a_kink_is_not_the_flow_s(monkeypatch: Patch) -> None:
    monkeypatch.setattr(claims, "kink_limit", lambda angle: KinkLimit(1.0, np.sin(angle) / 4))
    assert not claims.kink.run().holds


def test_the_limit_at_sixty_degrees() -> None:
    outcome = claims.kink.outcome()
    assert outcome.holds, outcome
    assert outcome.comparison.predicted == pytest.approx(0.5, rel=1e-12, abs=0)
