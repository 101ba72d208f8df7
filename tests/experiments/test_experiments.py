"""The experiments end to end, small: interrupted and resumed, offline, and what they print."""

import csv
import json
import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ibtools.experiments import SETTINGS, Choice, InterruptedTrainingError, train
from ibtools.experiments import training as module
from ibtools.experiments.__main__ import main
from ibtools.experiments.assessment import assess
from ibtools.experiments.training import accuracy, seconds_per_epoch
from ibtools.metrics.attack import l2_attack
from ibtools.metrics.certificate import certified_radius
from ibtools.sweeps import outcomes
from ibtools.trainers import load_run
from ibtools.trainers.margins import implicit

CHOICE = Choice("digits", "constant", "first", 0, 6, (-50.0,), samples=60)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoint every second epoch."""
    setting = replace(SETTINGS["digits"], checkpoint_every=2)
    monkeypatch.setitem(SETTINGS, "digits", setting)


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    return SETTINGS["digits"].load(split="train")


def columns(path: Path) -> dict[str, np.ndarray]:
    run = load_run(path, CHOICE.new_net())
    weights = torch.cat([p.detach().reshape(-1) for p in run.net.parameters()]).numpy()
    return {"loss": run.log_loss, "margin": run.normalized_margin, "weights": weights}


def table_in(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_settings_are_the_papers() -> None:
    for name, order in (("mnist", 4), ("cifar10", 14)):
        setting = SETTINGS[name]
        assert setting.batch_size == 100
        assert setting.epochs == 10_000
        assert setting.rates["loss_based"] == 0.1
        assert Choice(name, "loss_based", "first", 0, 1, (-1.0,)).new_net().order == order
    assert SETTINGS["mnist"].rates["constant"] == 0.01
    assert SETTINGS["cifar10"].rates["constant"] == 0.1


def test_a_rate_on_the_mean_loss(tmp_path: Path, images) -> None:
    """One epoch of one batch is a step of the rate on the mean loss of the whole set."""
    X, y = images[0][:20], images[1][:20]
    trained = train(replace(CHOICE, epochs=1), X, y, tmp_path)
    net = CHOICE.new_net()
    loss = torch.nn.functional.cross_entropy(net(torch.tensor(X)), torch.tensor(y))
    for p, gradient, after in zip(
        net.parameters(),
        torch.autograd.grad(loss, list(net.parameters())),
        trained.run.net.parameters(),
        strict=True,
    ):
        torch.testing.assert_close(after, p - 0.1 * gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("schedule", ["constant", "loss_based", "flow"])
def test_an_interrupted_run_ends_where_it_would_have_ended(
    schedule: str, tmp_path: Path, images, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = (0.5, -1.0) if schedule == "flow" else (-50.0,)
    choice = replace(CHOICE, schedule=schedule, log10_losses=losses)
    whole = train(choice, *images, tmp_path / "whole")
    name = "margin_flow" if schedule == "flow" else "descend"
    real, calls = getattr(module, name), []

    def stops(*arguments, **named):
        calls.append(1)
        run = real(*arguments, **named)
        return replace(run, message="interrupted") if len(calls) == 2 else run

    monkeypatch.setattr(module, name, stops)
    with pytest.raises(InterruptedTrainingError, match="--resume"):
        train(choice, *images, tmp_path / "parts")
    with pytest.raises(FileExistsError, match="holds a run already, with epochs=6 and not 7"):
        train(replace(choice, epochs=7), *images, tmp_path / "parts")
    with pytest.raises(ValueError, match="a run with samples=60 and not 50"):
        train(replace(choice, samples=50), images[0][:50], images[1][:50], tmp_path / "parts")
    with pytest.raises(ValueError, match="a run on other images"):
        train(choice, 1 - images[0], images[1], tmp_path / "parts", resume=True)
    train(choice, *images, tmp_path / "parts")
    one, two = (columns(tmp_path / place / choice.name / "run.npz") for place in ("whole", "parts"))
    for key, value in one.items():
        np.testing.assert_array_equal(two[key], value, err_msg=key)
    assert whole.run.log_loss[-1] < whole.run.log_loss[0]
    if schedule == "flow":
        assert whole.run.converged
        assert list(whole.snapshots) == [0.5, -1.0]
        for loss, path in whole.snapshots.items():
            assert columns(path)["loss"][-1] <= loss * np.log(10)
    else:
        assert whole.epochs == 6
        assert whole.snapshots == {}
    # There is nothing left to do: the same run again, and no training.
    again = train(choice, *images, tmp_path / "parts", resume=True)
    np.testing.assert_array_equal(again.run.log_loss, whole.run.log_loss)


def test_with_very_many_margins_the_flow_makes_the_minibatches_itself(
    tmp_path: Path, images, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = replace(CHOICE, schedule="flow", log10_losses=(0.5, -1.0))
    assert train(choice, *images, tmp_path / "few").run.first_epochs == 0
    # 60 samples with 9 margins each.
    monkeypatch.setattr(module, "MANY", 539)
    monkeypatch.setattr(implicit, "MANY", 539)
    trained = train(choice, *images, tmp_path / "many")
    assert trained.epochs == 0
    assert trained.run.first_epochs > 0
    assert trained.run.converged
    assert list(trained.snapshots) == [0.5, -1.0]


def test_more_epochs_are_what_one_resumes_for(tmp_path: Path, images) -> None:
    train(replace(CHOICE, epochs=4), *images, tmp_path / "a")
    train(replace(CHOICE, epochs=8), *images, tmp_path / "a", resume=True)
    train(replace(CHOICE, epochs=8), *images, tmp_path / "b")
    a, b = (columns(tmp_path / place / CHOICE.name / "run.npz") for place in "ab")
    np.testing.assert_array_equal(a["weights"], b["weights"])


def test_histories_and_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["margins", "--samples", "60", "--epochs", "3", "--out", str(tmp_path)]
    assert main([*command, "--schedule", "constant", "--bias", "first", "none"]) == 0
    printed = capsys.readouterr().out
    table = table_in(tmp_path / "margins-digits.csv")
    assert [row["bias"] for row in table] == ["first", "none"]
    for row in table:
        name = f"digits-constant-bias_{row['bias']}-seed0"
        choice = Choice(**{
            key: tuple(value) if isinstance(value, list) else value
            for key, value in json.loads((tmp_path / name / "settings.json").read_text()).items()
        })  # fmt: skip
        run = load_run(tmp_path / name / "run.npz", choice.new_net())
        history = table_in(tmp_path / name / "history.csv")
        assert len(history) == len(run.steps)
        assert float(history[-1]["log10_loss"]) == -run.log10_inverse_loss[-1]
        assert float(history[-1]["layer_product_margin"]) == run.layer_product_margin[-1]
        assert float(row["margin/layers"]) == pytest.approx(
            run.layer_product_margin[-1], rel=1e-3, abs=0
        )
        assert row["epochs"] == "3"
        assert "max_epochs" in row["ended"]
        assert f"{run.norm[-1]:.4g}" in printed


def test_robustness_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    losses = ["--log10-loss", "1.8", "1.6", "-9"]
    command = ["robustness", "--samples", "60", "--epochs", "20", "--attacked", "5", *losses]
    assert main([*command, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "not all losses were reached: max_epochs=20" in printed
    path = tmp_path / "robustness-digits-constant-bias_first-seed0.csv"
    rows = table_in(path)
    assert len(rows) == 2
    assert float(rows[0]["log10 loss"]) <= 1.8
    assert float(rows[1]["log10 loss"]) <= 1.6
    for row in rows:
        assert 0 <= float(row["certified"]) <= float(row["attack"])
        shares = [float(row[f"robust at {r:g}"]) for r in SETTINGS["digits"].radii]
        assert sorted(shares, reverse=True) == shares
        assert shares[0] <= float(row["accuracy"])


def test_an_assessment_counts_what_the_attack_found(tmp_path: Path, images) -> None:
    X, y = images[0][60:80], images[1][60:80]
    trained = train(replace(CHOICE, epochs=20, log10_losses=(1.8,)), *images, tmp_path)
    kept = load_run(trained.snapshots[1.8], CHOICE.new_net())
    net = kept.net
    right = net(torch.tensor(X)).argmax(1).numpy() == y
    assert 0 < right.sum() < len(y)
    distance = l2_attack(net, X, y, seed=0).distance
    np.testing.assert_array_equal(distance > 0, right)
    radii = (0.0, *np.sort(distance)[-3:-1])
    (one,) = assess(trained, X, y, radii=radii, seed=0)
    assert one.accuracy == right.mean()
    # At a radius that is a sample's own distance the attack has changed it.
    assert one.robust_accuracy == (right.mean(), 2 / 20, 1 / 20)
    assert one.distance == pytest.approx(distance.mean(), rel=1e-12, abs=0)
    assert one.certified == pytest.approx(certified_radius(net, X, y).mean(), rel=1e-12, abs=0)
    assert one.log10_loss == -kept.log10_inverse_loss[-1]
    assert one.layer_product_margin == kept.layer_product_margin[-1]


def test_cost_asks_for_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--data", "digits", "--device", "cpu"]) == 0
    assert "s for an epoch" in capsys.readouterr().out


@pytest.mark.parametrize("samples", [None, 144])
def test_an_epoch_costs_its_updates(samples: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def descend(net, X, y, *, batch_size: int, max_epochs: int, **options: object) -> None:
        """Take 7 s to begin, and 1/4 s for an update."""
        now[0] += 7 + max_epochs * len(X) / batch_size / 4

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(module, "descend", descend)
    setting = SETTINGS["digits"]
    cost = seconds_per_epoch(replace(CHOICE, samples=samples), device="cpu")
    images = setting.n if samples is None else samples
    assert cost == pytest.approx(images / setting.batch_size / 4, rel=1e-14, abs=0)


def test_accuracy_counts(images) -> None:
    net = CHOICE.new_net()
    X, y = images
    expected = (net(torch.tensor(X)).argmax(1).numpy() == y).mean()
    assert accuracy(net, X, y) == pytest.approx(expected, rel=1e-12, abs=0)


def test_missing_data_are_told_as_the_loader_tells_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ibtools.data.images._MNIST_MIRRORS", (tmp_path.as_uri() + "/nowhere/",))
    command = ["margins", "--data", "mnist", "--root", str(tmp_path / "data")]
    assert main([*command, "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "train-images-idx3-ubyte.gz" in told
    assert "To put it there by hand" in told
    assert "Traceback" not in told


def test_a_second_call_and_ctrl_c(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["margins", "--samples", "40", "--epochs", "2", "--schedule", "constant", "--out"]
    assert main([*command, str(tmp_path)]) == 0
    first = capsys.readouterr().out
    assert main([*command, str(tmp_path), "--epochs", "3"]) == 1
    assert "--resume" in capsys.readouterr().err

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "descend", interrupted)
    assert main([*command, str(tmp_path / "other")]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    # Nothing is left to train, and the tables are printed once more.
    monkeypatch.undo()
    assert main([*command, str(tmp_path)]) == 0
    assert capsys.readouterr().out == first


def test_many_seeds_go_to_other_processes_and_one_that_fails_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["margins", "--samples", "40", "--epochs", "1", "--schedule", "constant"]
    command += ["--out", str(tmp_path)]
    for seed in ("0", "1"):
        assert main([*command, "--seed", seed]) == 0
    alone = table_in(tmp_path / "margins-digits.csv")
    (tmp_path / "digits-constant-bias_first-seed0" / "state.json").write_text("{")
    asked = []

    def elsewhere(function, tasks, *, jobs: int, cluster: str | None):
        """Do what is pickled for another process."""
        asked.append((jobs, cluster, {task["progress"] for task in tasks}))
        return outcomes(*pickle.loads(pickle.dumps((function, tasks))), jobs=1)

    monkeypatch.setattr("ibtools.experiments.__main__.outcomes", elsewhere)
    many = ["--seeds", "0", "1", "2", "--jobs", "-1", "--cluster", "tcp://host:8786"]
    capsys.readouterr()
    assert main([*command, *many]) == 1
    assert asked == [(-1, "tcp://host:8786", {False})]
    told = capsys.readouterr().err
    assert told.startswith("digits-constant-bias_first-seed0: ")
    assert len(told.splitlines()) == 1
    table = table_in(tmp_path / "margins-digits.csv")
    assert [row["seed"] for row in table] == ["1", "2"]
    assert table[0] == alone[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--jobs", "0"], "--jobs: must be a whole number, at least 1, got '0'"),
        (["--epochs", "0"], "--epochs: must be a whole number, at least 1, got '0'"),
        (["--samples", "-5"], "--samples: must be a whole number, at least 1, got '-5'"),
        (["--samples", "0"], "--samples"),
        (["--samples", "1e3"], "--samples"),
        (["--attacked", "-350"], "--attacked"),
        (["--seed", "-1"], "--seed: must be a whole number, at least 0"),
        (["--log10-loss", "nan"], "--log10-loss: must be a finite number, got 'nan'"),
    ],
)
def test_what_is_no_count_is_a_wrong_usage(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["robustness", *arguments, "--out", str(tmp_path / "new")])
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--samples", "1438"], "samples must be at most 1437"),
        (["--attacked", "361"], "--attacked must be at most 360"),
        (["--device", "meta"], "use cpu"),
        (["--out", "{file}"], "{file} is not a folder"),
        (["--out", "{file}/below"], "{file} is not a folder"),
        (["--data", "mnist", "--root", "{file}"], "{file}"),
        (["--data", "mnist", "--root", "~nobody-of-that-name/x"], "~nobody-of-that-name"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_nothing(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    given = [argument.format(file=file) for argument in arguments]
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "new")]
    assert main(["robustness", *given, *out]) == 1
    printed = capsys.readouterr()
    assert told.format(file=file) in printed.err
    assert len(printed.err.splitlines()) <= 4
    assert "Errno" not in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert file.read_bytes() == b""


def test_a_damaged_run_is_named_with_what_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["margins", "--samples", "40", "--epochs", "1", "--schedule", "constant"]
    command += ["--out", str(tmp_path)]
    assert main(command) == 0
    place = tmp_path / "digits-constant-bias_first-seed0"
    whole = {path.name: path.read_bytes() for path in place.iterdir()}
    mend = f"delete the folder {place} and train again"
    for name, damages in {
        "settings.json": (None, b"", b"[]", b"{"),
        "state.json": (b"", b"[]", b"{}", b'{"stage": 3, "chunks": []}'),
        "run.npz": (None, b"", whole["run.npz"][:-100]),
    }.items():
        for damage in damages:
            if damage is None:
                (place / name).unlink()
            else:
                (place / name).write_bytes(damage)
            for resume in ([], ["--resume"]):
                capsys.readouterr()
                assert main([*command, *resume]) == 1, (name, damage)
                told = capsys.readouterr().err
                assert str(place / name) in told
                assert mend in told
            (place / name).write_bytes(whole[name])
    # Without the file that comes last, nothing was finished, and the same command starts anew.
    (place / "state.json").unlink()
    assert main(command) == 0
    assert {path.name: path.read_bytes() for path in place.iterdir()}.keys() == whole.keys()


def test_results_are_kept_where_they_cannot_be_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["margins", "--samples", "40", "--epochs", "1", "--schedule", "constant", "--out"]

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("builtins.print", full)
    with pytest.raises(OSError, match="No space"):
        main([*command, str(tmp_path)])
    assert len(table_in(tmp_path / "margins-digits.csv")) == 1


def test_wrong_words_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="schedule must be one of"):
        replace(CHOICE, schedule="armijo")
    with pytest.raises(ValueError, match="log10_losses must be"):
        replace(CHOICE, log10_losses=(-3.0, -1.0))
    with pytest.raises(SystemExit):
        main(["margins", "--data", "imagenet"])
    assert "imagenet" in capsys.readouterr().err
    assert main(["margins", "--device", "abacus"]) == 1
    assert "use cpu" in capsys.readouterr().err
