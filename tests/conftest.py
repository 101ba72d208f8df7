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


def without_shape_checks() -> Iterator[None]:
    """Switch the run-time shape checks off, as they are for a user.

    The suite runs with every annotation checked, so a wrong shape is stopped before it reaches our
    own validation. Tests of what a *user* is told about bad input need the validation itself.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


as_a_user = pytest.fixture(without_shape_checks, name="as_a_user")
# For a module of laws, which Hypothesis tries many times within one fixture.
as_users = pytest.fixture(without_shape_checks, name="as_users", scope="module")
