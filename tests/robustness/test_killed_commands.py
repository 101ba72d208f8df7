"""Claims and experiments killed at any moment: the same command gets there, and to the same end."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.slow

COMMAND = (
    *(sys.executable, "-m", "ibtools.experiments", "robustness", "--samples", "40"),
    *("--epochs", "40", "--attacked", "2", "--log10-loss", "1.9", "1.7", "--dtype", "float32"),
)
NAME = "digits-constant-bias_first-seed0"


def run(out):
    return subprocess.Popen(
        [*COMMAND, "--out", out], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def results(out):
    """Return what was trained; times are left out, they are another's."""
    found = {}
    for path in sorted((out / NAME).glob("*.npz")):
        with np.load(path) as file:
            found[path.name] = {k: file[k] for k in ("log_loss", "parameters", "steps")}
    return found


def test_experiments_killed_at_any_moment_the_same_command_gets_there(tmp_path):
    """``IBTOOLS_KILLS=100`` makes it a hundred times; CI has one."""
    begun = time.monotonic()
    _, complaint = (process := run(tmp_path / "whole")).communicate()
    whole = time.monotonic() - begun
    assert process.returncode == 0, complaint
    expected = results(tmp_path / "whole")
    assert len(expected) == 3
    moments = random.Random(0)
    for i in range(int(os.environ.get("IBTOOLS_KILLS", "1"))):
        out = tmp_path / str(i)
        process = run(out)
        time.sleep(whole * moments.uniform(0.4, 1.0))  # before that it imports
        process.send_signal(signal.SIGKILL)
        process.communicate()
        printed, complaint = (process := run(out)).communicate()
        assert process.returncode == 0, complaint
        assert "robust at" in printed
        found = results(out)
        assert found.keys() == expected.keys()
        for name, arrays in expected.items():
            for key, values in arrays.items():
                np.testing.assert_array_equal(found[name][key], values, err_msg=f"{name} {key}")
        assert not list(out.rglob("*.part"))


def test_claims_killed_at_any_moment_leave_whole_records_or_none(tmp_path):
    out = tmp_path / "claims.json"
    ids = ("imd.row-space", "imd.hessian-map-fails")
    command = [sys.executable, "-m", "ibtools.claims", "--out", str(out), *ids]
    moments, whole = random.Random(0), 5.0
    for _ in range(int(os.environ.get("IBTOOLS_KILLS", "1"))):
        out.unlink(missing_ok=True)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            time.sleep(whole * moments.uniform(0.6, 1.0))
            process.kill()
        if out.exists():
            assert all(record["holds"] for record in json.loads(out.read_text()))
        begun = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        whole = time.monotonic() - begun
        assert [record["id"] for record in json.loads(out.read_text())] == list(ids)
