"""Runs: what they leave behind, that they go on after SIGKILL, and that processes agree."""

import errno
import itertools
import json
import os
import signal
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.labelled import npz_folder
from helpers.training import run_script, same_weights, short
from spitgraph import model_from_weights
from spitgraph.models.files import read_tensors
from spitgraph.train import ImageData, TokenBudgetSampler, resume, train
from spitgraph.train.data.counts import token_counts
from spitgraph.train.data.samplers import EpochSampler
from spitgraph.train.runs.full_disk import says_full, unless_full

#: Dies while the gradients of a step are there and its parameters are still the old ones.
DIES = """
import os, signal, sys
import torch
torch.set_num_threads(2)
sys.path[:0] = sys.argv[3:]
from helpers.training import short
from spitgraph.train import Classifier, train
def die(self):
    if self.global_step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
Classifier.on_after_backward = die
train(short(sys.argv[1], sys.argv[2], checkpoint_every=3, drop_path=0.3, token_budget=4, ema=0.9,
            cutmix=0.5))
"""
RUNS = """
import json, sys
import torch
torch.set_num_threads(1)
sys.path[:0] = sys.argv[3:]
from helpers.training import short
from spitgraph.train import train
for name, options in json.loads(sys.argv[2]).items():
    train(short(sys.argv[1] + "/data", sys.argv[1] + "/" + name, **options))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return npz_folder(tmp_path_factory.mktemp("pictures"), count=40)


@pytest.fixture
def paths(pytestconfig):
    return [pytestconfig.rootpath, pytestconfig.rootpath / "tests"]


def test_a_run_leaves_numbers_curves_and_weights(data, tmp_path):
    records = train(short(data, tmp_path / "run"))
    folder = tmp_path / "run"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("options.json", "command.txt", "steps.csv", "metrics.csv", "curves.png"),
        *("weights.safetensors", "best.safetensors", "last.ckpt"),
    }
    steps, epochs = pd.read_csv(folder / "steps.csv"), pd.read_csv(folder / "metrics.csv")
    assert steps["step"].tolist() == list(range(10)) and epochs["epoch"].tolist() == [0, 1]
    assert epochs["loss"].tolist() == pytest.approx(steps.groupby("epoch")["loss"].mean().tolist())
    assert epochs["val_accuracy"].max() == pytest.approx(records.best)
    assert ((steps["waited"] > 0) & (steps["waited"] < steps["seconds"])).all()
    assert json.loads((folder / "options.json").read_text())["num_tokens"] == 6
    assert (folder / "command.txt").read_text() == f"spitgraph train --resume {folder}\n"
    model = model_from_weights(folder / "weights.safetensors")
    assert model.head.out_features == 3 and model.tokenizer.num_tokens == 6


def test_a_run_leaves_the_global_generators_alone(data, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(short(data, tmp_path / "run", epochs=1, drop_path=0.5))
    assert torch.equal(torch.rand(3), expected)


def test_the_same_seed_is_the_same_run_wherever_tokens_are_made(data, tmp_path):
    runs = {"0": {}, "1": {"workers": 2}, "2": {"tokenize": "device"}, "3": {"seed": 1}}
    same = {"epochs": 1, "tokenizer": "voronoi", "token_budget": 4, "cutmix": 0.5}
    for name, options in runs.items():
        train(short(data, tmp_path / name, **same, **options))
    files = [tmp_path / name / "weights.safetensors" for name in runs]
    assert same_weights(files[0], files[1]) and same_weights(files[0], files[2])
    assert not same_weights(files[0], files[3])


@pytest.mark.slow
def test_killed_amid_a_step_and_resumed_ends_bit_equal(data, tmp_path, paths):
    options = {"drop_path": 0.3, "token_budget": 4, "ema": 0.9, "cutmix": 0.5}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(short(data, whole, checkpoint_every=3, **options))
    ended = run_script(DIES, data, cut, *paths)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(pd.read_csv(cut / "steps.csv")) == 6  # as far as the checkpoint
    resume(cut)
    assert same_weights(whole / "weights.safetensors", cut / "weights.safetensors")
    states = [torch.load(path / "last.ckpt", weights_only=False) for path in (whole, cut)]
    one, other = (state["optimizer_states"][0]["state"] for state in states)
    for key in one:
        assert all(torch.equal(one[key][name], other[key][name]) for name in one[key])
    ours, theirs = (pd.read_csv(path / "steps.csv") for path in (whole, cut))
    assert ours["loss"].tolist() == theirs["loss"].tolist() and len(ours) == 10
    ours, theirs = (pd.read_csv(path / "metrics.csv") for path in (whole, cut))
    assert ours["val_loss"].tolist() == theirs["val_loss"].tolist() and len(ours) == 2
    averaged = states[0]["state_dict"]["model.head.weight"]  # what is kept are averages
    assert torch.equal(averaged, read_tensors(whole / "weights.safetensors")[0]["head.weight"])


@pytest.mark.slow
def test_two_processes_learn_as_one(data, tmp_path, paths, monkeypatch):
    """Of the same pictures a step, also where the processes have unequal numbers of them."""
    even = {"epochs": 4, "cutmix": 0.5, "token_budget": 5}
    uneven = {**even, "num_tokens": None, "tokens_per_batch": 60, "epochs": 8}
    (tmp_path / "data").symlink_to(data)
    train(short(data, tmp_path / "one-even", **even))
    with monkeypatch.context() as patch:
        patch.setattr(ImageData, "_sampler", lambda self: Joined(of_two_processes(self)))
        train(short(data, tmp_path / "one-uneven", **uneven))
    both = {"devices": "2", "strategy": "ddp"}
    text = json.dumps({"two-even": even | both, "two-uneven": uneven | both})
    ended = run_script(RUNS, tmp_path, text, *paths, processes=2)
    assert ended.returncode == 0, ended.stderr
    for kind in ("even", "uneven"):
        one, two = (pd.read_csv(tmp_path / f"{n}-{kind}" / "steps.csv") for n in ("one", "two"))
        assert len(one) == len(two) >= 20
        assert two["loss"].tolist() == pytest.approx(one["loss"].tolist(), abs=1e-4)
        assert (two["pictures"].nunique() > 1) == (kind == "uneven")


class Joined(EpochSampler):
    """What two processes see in a step, in one."""

    def __init__(self, of_two):
        super().__init__(1, 0, shuffle=True, seed=of_two.seed)
        self.of_two = of_two

    def __len__(self):
        return len(self.of_two)

    def batches(self, epoch):
        return [np.concatenate(step) for step in self.of_two.all_batches(epoch)]


def of_two_processes(data):
    counts = token_counts(data.train, data.tokenizer, None, seed=data.seed)
    return TokenBudgetSampler(counts, 60, num_replicas=2, rank=0, seed=data.seed)


def test_a_full_disk_costs_the_newest_checkpoint(data, tmp_path, monkeypatch, caplog):
    save, times = torch.save, itertools.count()

    def fill(content, file):
        if next(times) == 1:
            file.write(b"half of it")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(content, file)

    monkeypatch.setattr(torch, "save", fill)
    train(short(data, tmp_path / "run"))
    assert "the disk is full" in caplog.text and next(times) == 2
    kept = torch.load(tmp_path / "run" / "last.ckpt", weights_only=False)
    assert kept["global_step"] == 5
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "no space"), True),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (OSError(errno.EACCES, "not allowed"), False),
    ],
)
def test_what_says_that_a_disk_is_full(error, full):
    assert says_full(error) is full
    with pytest.raises(type(error)) if not full else nullcontext(), unless_full("here"):
        raise error


def test_a_folder_holds_one_run(data, tmp_path):
    (tmp_path / "options.json").write_text("{}")
    with pytest.raises(FileExistsError, match="holds a run already"):
        train(short(data, tmp_path))
    with pytest.raises(FileNotFoundError, match="holds no run"):
        resume(tmp_path / "none")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"tokenizer": "patch", "num_tokens": 7}, "7 square patches do not make"),
        ({"cutmix": 2.0}, "cutmix"),
        ({"epochs": 0}, "epochs"),
        ({"precision": "8"}, "precision"),
        ({"ema": 1.0}, "ema must be below 1"),
        ({"ema": 0.9, "strategy": "fsdp"}, "sharded"),
        ({"vit": "some.safetensors"}, "width is told by vit"),
        ({"weights": "some.safetensors"}, "width is told by weights"),
    ],
)
def test_what_is_refused_leaves_no_folder(data, tmp_path, wrong, said):
    with pytest.raises((ValueError, OSError), match=said):
        train(short(data, tmp_path / "run", **wrong))
    assert not (tmp_path / "run").exists()
