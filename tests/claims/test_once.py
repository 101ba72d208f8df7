"""Calls are made once only where they would come to the same end."""

import types

import numpy as np
import once
import pytest
from once import UnknownKindError, call_once, fingerprint

from ibtools.claims import homogeneous
from ibtools.models import DeepLinear, DiagonalNet


@pytest.mark.usefixtures("as_a_user")
def test_a_claim_says_the_same_when_its_calls_are_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fresh = homogeneous.linear_limit.run()
    call_once(monkeypatch, homogeneous)
    for _ in range(2):
        again = homogeneous.linear_limit.run()
        assert again.holds
        assert again.comparison == fresh.comparison


def test_the_same_arguments_and_no_others_have_the_same_fingerprint() -> None:
    def net(**changes: float) -> DiagonalNet:
        return DiagonalNet.from_scale_shape(**{"scale": 0.1, "shape": 0.5, "d": 3} | changes)

    assert fingerprint(net()) == fingerprint(net())
    assert fingerprint(net()) != fingerprint(net(shape=0.4))
    deep = [DeepLinear(d=2, depth=2, seed=seed) for seed in (0, 0, 1)]
    prints = [fingerprint(one) for one in deep]
    assert prints[0] == prints[1] != prints[2]
    assert fingerprint(np.zeros(2)) != fingerprint(np.zeros((1, 2)))
    assert fingerprint(1) != fingerprint(1.0)
    with pytest.raises(UnknownKindError):
        fingerprint(lambda: None)


def test_what_changes_its_arguments_or_is_short_is_called_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def adds(x: list[int]) -> list[int]:
        calls.append(len(x))
        if len(x) > 3:
            x.append(0)
        return [*x, 1]

    module = types.SimpleNamespace(adds=adds)
    adds.__module__ = "ibtools.trainers.made_up"
    call_once(monkeypatch, module)
    for _ in range(2):
        assert module.adds([1, 2]) == [1, 2, 1]
    assert calls == [2, 2], "it is not worth while"
    monkeypatch.setattr(once, "LONG", 0.0)
    for _ in range(3):
        found = module.adds([1, 2, 3])
        assert found == [1, 2, 3, 1]
        found.append("another's change")
        assert module.adds([1, 2, 3, 4]) == [1, 2, 3, 4, 0, 1]
    assert calls[2:] == [3, 4, 4, 4]
