"""Many runs: nothing is lost, nothing runs twice, one failure stops nobody."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_tasks import interrupting, limit, logged, sometimes

from ibtools.sweeps import Sweep, grid, load_sweep, outcomes, sweep

HERE = Path(__file__).parent


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_a_grid_has_every_combination_once(sizes):
    axes = {f"axis{i}": range(size) for i, size in enumerate(sizes)}
    found = [tuple(task.values()) for task in grid(**axes)]
    assert found == list(np.ndindex(*sizes))


def test_results_stand_in_the_order_of_the_tasks(tmp_path):
    tasks = grid(scale=[0.1, 1.0], shape=[0.0, 0.5], seed=[0, 1])
    runs = sweep(limit, tasks, folder=tmp_path / "runs", jobs=1)
    assert runs.finished
    assert runs.message == "finished"
    for task, result in zip(tasks, runs.results, strict=True):
        alone = limit(**task)
        np.testing.assert_array_equal(result["limit"], alone["limit"])
        assert result["norm"] == alone["norm"]
    assert runs.column("limit").shape == (8, 3)
    assert runs.column("seed").tolist() == [0, 1] * 4
    scales, shapes, norms = runs.table("norm", rows="scale", columns="shape")
    assert (scales.tolist(), shapes.tolist()) == ([0.1, 1.0], [0.0, 0.5])
    by_hand = np.array([result["norm"] for result in runs.results]).reshape(2, 2, 2).mean(axis=2)
    np.testing.assert_allclose(norms, by_hand, rtol=1e-15, atol=0)


def test_what_is_loaded_is_what_was_returned(tmp_path):
    runs = sweep(sometimes, grid(x=[12, 3, 5], broken=[5]), folder=tmp_path, jobs=1)
    again = load_sweep(tmp_path)
    assert again.column("x").tolist() == [3, 5, 12]
    assert again.done.tolist() == [True, False, True]
    assert again.column("value").tolist() == [9.0, 144.0]
    assert again.message.startswith("1 of 3 tasks failed, the first with {'x': 5, 'broken': 5}")
    assert runs.failures == {2: "RuntimeError: no answer at 5"}
    values = again.table("value", rows="x", columns="broken")[2]
    np.testing.assert_array_equal(values, [[9.0], [np.nan], [144.0]])


def test_a_task_that_failed_is_tried_again_and_no_other(tmp_path):
    tasks = grid(x=[1, 2, 3], broken=[2])
    assert sweep(sometimes, tasks, folder=tmp_path, jobs=1).failures.keys() == {1}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "tasks").glob("*.npz")}
    assert sweep(sometimes, tasks, folder=tmp_path, jobs=1).failures.keys() == {1}
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "tasks").glob("*.npz")}
    assert before == after
    assert len(after) == 2
    assert "no answer at 2" in next((tmp_path / "tasks").glob("*.failed.json")).read_text()


def test_a_failure_that_is_mended_is_forgotten(tmp_path):
    log = tmp_path / "there"

    def picky(x):
        return float(log.exists())

    assert sweep(picky, grid(x=[1]), folder=tmp_path / "runs", jobs=1).message == "finished"

    def absent(x):
        return float(log.read_text())

    folder = tmp_path / "others"
    assert not sweep(absent, grid(x=[1]), folder=folder, jobs=1).finished
    log.write_text("7")
    assert sweep(absent, grid(x=[1]), folder=folder, jobs=1).column("value").tolist() == [7.0]
    assert load_sweep(folder).message == "finished"


def test_ctrl_c_returns_what_there_is(tmp_path):
    runs = sweep(interrupting, grid(x=[0, 1, 2, 3]), folder=tmp_path, jobs=1)
    assert runs.message == "interrupted"
    assert runs.done.tolist() == [True, True, False, False]
    assert load_sweep(tmp_path).column("value").tolist() == [0, 1]


def test_results_of_another_function_are_not_taken_for_ones_own(tmp_path):
    sweep(sometimes, grid(x=[1], broken=[0]), folder=tmp_path, jobs=1)
    with pytest.raises(ValueError, match=r"those of sweep_tasks\.sometimes; name another folder"):
        sweep(interrupting, grid(x=[1]), folder=tmp_path, jobs=1)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ([{"x": 1, "broken": 2}, {"x": 1, "broken": 2}], r"tasks\[1\] must be another"),
        ([{"x": 1}], r"tasks\[0\] must name the parameters .*missing a required"),
        ([{"x": 1, "broken": 2, "y": 3}], "unexpected keyword argument 'y'"),
        ([{"x": np.ones(2), "broken": 2}], "x must be a finite number"),
        ([{"x": float("nan"), "broken": 2}], "x must be a finite number"),
        ([3], r"tasks\[0\] must be a dict"),
        ({"x": 1, "broken": 2}, "tasks must be a list"),
    ],
)
def test_tasks_that_cannot_be_run_are_refused_before_any_runs(tmp_path, tasks, told):
    folder = tmp_path / "runs"
    with pytest.raises((TypeError, ValueError), match=told):
        sweep(sometimes, tasks, folder=folder, jobs=1)
    assert not folder.exists()


@pytest.mark.parametrize("jobs", [0, -2])
def test_no_jobs_are_refused(tmp_path, jobs):
    with pytest.raises(ValueError, match="jobs must be at least 1"):
        sweep(sometimes, grid(x=[1], broken=[2]), folder=tmp_path, jobs=jobs)


def test_what_cannot_be_kept_is_a_failure_of_its_task(tmp_path):
    def odd(x):
        return {"net": object()} if x else {"net": 1.0}

    runs = sweep(odd, grid(x=[0, 1]), folder=tmp_path, jobs=1)
    assert runs.column("net").tolist() == [1.0]
    assert "return a dict of what is wanted" in runs.failures[1]


def test_a_damaged_file_is_named(tmp_path):
    sweep(sometimes, grid(x=[1], broken=[0]), folder=tmp_path, jobs=1)
    (path,) = (tmp_path / "tasks").glob("*.npz")
    path.write_bytes(b"")
    with pytest.raises(OSError, match=f"{path.name} cannot be read .*; delete it"):
        load_sweep(tmp_path)


def test_nobody_at_the_address_is_told(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")

    def nobody(*_, **__):
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed, "Client", nobody)
    with pytest.raises(
        OSError, match=r"no Dask scheduler answers at cluster='tcp://127\.0\.0\.1:1'"
    ):
        sweep(
            sometimes,
            grid(x=[1], broken=[0]),
            folder=tmp_path,
            cluster="tcp://127.0.0.1:1",
        )


KILLED = """
import sys
from sweep_tasks import logged
from ibtools.sweeps import grid, sweep
if __name__ == "__main__":
    folder, log = sys.argv[1:]
    print(sweep(logged, grid(x=range(200), log=[log]), folder=folder, jobs=2).message)
"""


@pytest.mark.slow
def test_a_sweep_of_200_killed_twice_runs_nothing_that_was_kept_again(tmp_path):
    folder, log, script = tmp_path / "runs", tmp_path / "log", tmp_path / "script.py"
    script.write_text(KILLED)
    command = [sys.executable, str(script), str(folder), str(log)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}

    def kept():
        return {path.name for path in folder.glob("tasks/*.npz")}

    for enough in (30, 100):
        running = subprocess.Popen(command, env=environment, start_new_session=True)
        while len(kept()) < enough:
            assert running.poll() is None
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        assert len(kept()) < 200
    end = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert end.stdout == "finished\n"
    runs = load_sweep(folder)
    assert runs.finished
    assert runs.column("square").tolist() == [float(x * x) for x in range(200)]
    assert len(set(runs.column("process"))) > 2, "it ran in processes of its own"
    times = Counter(log.read_text().split())
    assert len(times) == 200
    # What was under way when it was killed, and what was done and not yet handed back.
    assert sum(times.values()) <= 200 + 2 * 8


@pytest.mark.slow
def test_the_tasks_of_a_cluster_are_those_of_one_machine(tmp_path):
    from distributed import Client, LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    ) as cluster:
        address = cluster.scheduler_address
        tasks = grid(x=range(8), broken=[3])
        there = sweep(sometimes, tasks, folder=tmp_path / "there", cluster=address)
        assert there.failures == {3: "RuntimeError: no answer at 3"}
        with Client(cluster), joblib.parallel_config("dask"):
            inside = {o.index: o.value for o in outcomes(sometimes, tasks)}
            processes = sweep(
                logged,
                grid(x=range(20), log=[str(tmp_path / "log")]),
                folder=tmp_path / "inside",
            ).column("process")
    here = sweep(sometimes, tasks, folder=tmp_path / "here", jobs=1)
    assert there.results == here.results
    assert [inside[i] for i in range(8) if i != 3] == here.column("value").tolist()
    assert os.getpid() not in processes
    assert len(set(processes)) == 2


def test_curves_of_several_lengths_are_a_column_of_arrays_and_no_table() -> None:
    tasks = tuple({"seed": i} for i in range(3))
    results = tuple(
        {"curve": np.arange(i + 1.0), "end": float(i), "pair": [i, i]} for i in range(3)
    )
    runs = Sweep(tasks, results, {}, "finished")
    assert [curve.tolist() for curve in runs.column("curve")] == [[0], [0, 1], [0, 1, 2]]
    assert runs.column("pair").shape == (3, 2)
    for name, what in (("curve", "object"), ("pair", r"shape \(2,\)")):
        with pytest.raises(
            ValueError, match=f"one number for each task, got '{name}' with {what};"
        ):
            runs.table(name, rows="seed", columns="seed")
    assert np.nanmax(runs.table("end", rows="seed", columns="seed")[2]) == 2
    some = Sweep(tasks, (*results[:2], {"end": 2.0}), {}, "finished")
    with pytest.raises(ValueError, match=r"the task \{'seed': 2\} did not; return it always"):
        some.column("curve")
