"""What the README shows is true."""

import re
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

from ibtools.sweeps import load_sweep

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_examples_run_and_the_two_sides_agree(tmp_path, monkeypatch):
    regression, classification, many = re.findall(r"```python\n(.*?)```", README, re.S)
    names: dict = {"__name__": "__main__"}
    exec(regression, names)
    assert names["run"].converged
    reached, predicted = names["run"].w[-1], names["w"]
    assert np.linalg.norm(reached - predicted) <= 1e-6 * np.linalg.norm(predicted)
    assert np.isfinite(names["q"](predicted))
    torch.manual_seed(0)
    exec(classification, names)
    assert names["run"].converged
    assert np.isfinite(names["run"].stationarity[-1])
    assert names["run"].order == 2
    late, later = names["run"].normalized_margin[[-5, -1]]
    assert 0 < late < later
    monkeypatch.chdir(tmp_path)
    with joblib.parallel_config("threading"):  # processes are tested with the sweeps
        exec(many, names)
    assert names["runs"].finished
    assert names["errors"].shape == (3, 3)
    assert np.all(np.diff(names["errors"], axis=0) > 0), "the smaller the start, the sparser"
    assert len(load_sweep("runs").tasks) == 9


def test_every_command_and_file_it_names_exists():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    commands = re.findall(r"make ([a-z-]+)", README)
    assert len(commands) > 5
    assert set(commands) <= set(targets)
    for file in re.findall(r"\]\(([A-Z][\w.-]+)\)", README):
        assert (ROOT / file).exists(), file
