"""Fixtures every test may use."""

import os
from collections.abc import Iterator

import jaxtyping
import pytest
import shapes
from hypothesis import settings

os.environ["TQDM_DISABLE"] = "1"  # progress bars would litter the report

# A law holds or it does not; how long a loaded machine takes to see it is another matter. CI tries
# the same cases each time, so that red means a change; a laptop goes on looking for new ones.
settings.register_profile("book", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("book")


jaxtyping.jaxtyped = shapes.some_calls  # before the package is imported


def pytest_runtest_setup() -> None:
    shapes.next_test()


@pytest.fixture
def as_a_user() -> Iterator[None]:
    """Switch the run-time shape checks off, as they are for a user.

    The suite runs with every annotation checked, so a wrong shape is stopped before it reaches our
    own validation. Tests of what a *user* is told about bad input need the validation itself.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
