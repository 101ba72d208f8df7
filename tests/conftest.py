"""Fixtures every test may use."""

from collections.abc import Iterator

import jaxtyping
import pytest


@pytest.fixture
def as_a_user() -> Iterator[None]:
    """Switch the run-time shape checks off, as they are for a user.

    The suite runs with every annotation checked, so a wrong shape is stopped before it reaches our
    own validation. Tests of what a *user* is told about bad input need the validation itself.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
