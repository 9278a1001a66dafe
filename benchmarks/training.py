"""Superpixels, patches and Voronoi cells, trained alike: accuracy with intervals, time, ablations.

    python benchmarks/training.py DATA [--seeds 0 1 2] [--tokenizers ...] [--jobs 2] [-o RUNS]
    python benchmarks/training.py DATA --ablations [NAME ...] [--epochs N]

DATA is what `spitgraph train` takes; every run is one call of it: with the recipe, or the flags of
BASE and an ablation, and with every flag that is not known here. Runs are folders below RUNS; one
that is finished is not run again, and one that was cut off goes on. With `--jobs 2`, two run side
by side, a thread each: that changes times, and nothing else. Intervals are Wilson's, 95 %, of all
seeds' answers.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from machine import description

from spitgraph.train import open_pictures

try:
    import pandas as pd
    from matplotlib.figure import Figure
    from scipy.stats import binomtest
    from tqdm import tqdm
except ImportError as error:
    raise SystemExit(f'{error.name} is missing: pip install "spitgraph[bench,train]"') from None

TOKENIZERS = ("superpixel", "patch", "voronoi")
#: What the recipe was found from; each ablation changes one thing of it.
BASE = (
    *("--num-tokens", "64", "--bins", "8", "--width", "128", "--depth", "5", "--init-values", "1"),
    *("--padding", "3", "--token-budget", "48", "--precision", "bf16"),
)
ABLATIONS = {
    "base": (),
    "sigma .025": ("--sigma", "0.025"),
    "sigma .05": ("--sigma", "0.05"),
    "sigma .2": ("--sigma", "0.2"),
    "LayerScale from 1e-5": ("--init-values", "1e-5"),
    "rate 2e-3": ("--learning-rate", "2e-3"),
    "rate 5e-4": ("--learning-rate", "5e-4"),
    "batches of 64": ("--batch-size", "64"),
    "no shift": ("--crop", "none"),
    "CutMix": ("--cutmix", "0.5"),
    "MixUp": ("--mixup", "0.5"),
    "all tokens": ("--token-budget", "64"),
    "no gradients": ("--no-gradient",),
    "fine rule": ("--quality", "fine"),
    "compactness .1": ("--compactness", "0.1"),
    "compactness .3": ("--compactness", "0.3"),
    "log(size)": ("--size-bias",),
    "hops": ("--graph-bias",),
    "4 registers": ("--registers", "4"),
    "mean pool": ("--pool", "mean"),
    "table of positions": ("--position-grid", "8"),
    "plain colour": ("--mean", "0.49", "0.48", "0.45", "--std", "0.25", "0.24", "0.26"),
    "sigma .15": ("--sigma", "0.15"),
    "sigma .3": ("--sigma", "0.3"),
    "49 tokens": ("--num-tokens", "49"),
    "100 tokens": ("--num-tokens", "100"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, epilog="Other flags go to `spitgraph train`."
    )
    add = parser.add_argument
    add("data", type=Path, metavar="DATA")
    add("-o", "--out", type=Path, default=Path("out/training"), metavar="RUNS")
    add("--tokenizers", nargs="+", choices=TOKENIZERS, default=TOKENIZERS)
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--ablations", nargs="*", metavar="NAME", help=", ".join(ABLATIONS))
    add("--recipe", default="small-pictures")
    add("--epochs", type=int, default=30)
    add("--jobs", type=int, default=1, help="runs side by side")
    add("--csv", type=Path, help="write the table here too")
    add("--curves", type=Path, help="draw accuracy and loss by epochs here")
    args, args.flags = parser.parse_known_args()
    names = ["recipe"] if args.ablations is None else args.ablations or [*ABLATIONS]
    runs = [
        (tokenizer, name, seed)
        for seed in args.seeds
        for name in names
        for tokenizer in args.tokenizers
    ]
    with ThreadPoolExecutor(args.jobs) as pool:
        done = pool.map(lambda run: trained(*run, args), runs)
        rows = list(tqdm(done, total=len(runs), unit="run"))
    table = summarised(pd.DataFrame(rows), len(open_pictures(args.data, "val")))
    print(description(1 if args.jobs > 1 else torch.get_num_threads()))
    print(table.to_string(index=False))
    if args.csv is not None:
        table.to_csv(args.csv, index=False)
    if args.curves is not None:
        draw_curves({run: read(folder_of(*run, args)) for run in runs}, args.curves)


def trained(tokenizer: str, name: str, seed: int, args: argparse.Namespace) -> dict:
    """A run's last row, with what it is."""
    folder = folder_of(tokenizer, name, seed, args)
    if rows_of(folder) < args.epochs:
        command = [sys.executable, "-m", "spitgraph", "train"]
        if (folder / "options.json").exists():
            command += ["--resume", str(folder), "--quiet"]
        else:
            command += [str(args.data), "-o", str(folder), "--tokenizer", tokenizer]
            command += ["--recipe", args.recipe] if args.ablations is None else BASE
            command += ["--epochs", str(args.epochs), "--seed", str(seed), "--quiet"]
            command += [*ABLATIONS.get(name, ()), *args.flags]
        threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"} if args.jobs > 1 else {}
        ended = subprocess.run(
            command, env={**os.environ, **threads}, capture_output=True, text=True
        )
        if ended.returncode:
            raise SystemExit(f"{' '.join(command)}\n{ended.stderr}")
    rows = read(folder)
    return {
        "tokenizer": tokenizer,
        "setting": name,
        "seed": seed,
        "accuracy": rows["val_accuracy"].iloc[-1],
        "minutes": rows["seconds"].sum() / 60,
        "waited %": 100 * (rows["seconds"] * rows["waited"]).sum() / rows["seconds"].sum(),
    }


def folder_of(tokenizer: str, name: str, seed: int, args: argparse.Namespace) -> Path:
    """Where a run is kept."""
    plain = name.replace(" ", "_").replace("(", "").replace(")", "")
    return args.out / f"{tokenizer}-{plain}-{seed}"


def read(folder: Path) -> pd.DataFrame:
    """What a run noted after each epoch."""
    return pd.read_csv(folder / "metrics.csv")


def rows_of(folder: Path) -> int:
    """Epochs of a run so far."""
    path = folder / "metrics.csv"
    return len(pd.read_csv(path)) if path.exists() and path.stat().st_size > 1 else 0


def summarised(rows: pd.DataFrame, pictures: int) -> pd.DataFrame:
    """A row a tokenizer and setting, over the seeds."""
    table = []
    for (name, tokenizer), group in rows.groupby(["setting", "tokenizer"], sort=False):
        asked = pictures * len(group)
        right = round(group["accuracy"].sum() * pictures)
        interval = binomtest(right, asked).proportion_ci(method="wilson")
        table.append(
            {
                "setting": name,
                "tokenizer": tokenizer,
                "seeds": len(group),
                "accuracy": f"{right / asked:.3f}",
                "of each": " ".join(f"{value:.3f}" for value in group["accuracy"]),
                "95 %": f"{interval.low:.3f}–{interval.high:.3f}",
                "minutes": f"{group['minutes'].mean():.1f}",
                "waited %": f"{group['waited %'].mean():.1f}",
            }
        )
    return pd.DataFrame(table)


def draw_curves(runs: dict[tuple[str, str, int], pd.DataFrame], path: Path) -> None:
    """Accuracy of what was not learned from, and losses of both, a line a run."""
    colours = dict(zip(TOKENIZERS, ("#0072b2", "#d55e00", "#009e73"), strict=True))
    figure = Figure(figsize=(10, 3.8), dpi=120, layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    for (tokenizer, _, _), rows in runs.items():
        epochs, colour = rows["epoch"] + 1, colours[tokenizer]
        accuracy.plot(epochs, rows["val_accuracy"], color=colour, linewidth=1)
        loss.plot(epochs, rows["loss"], color=colour, linewidth=1)
        loss.plot(epochs, rows["val_loss"], color=colour, linewidth=1, linestyle=":")
    for tokenizer in dict.fromkeys(tokenizer for tokenizer, _, _ in runs):
        accuracy.plot([], color=colours[tokenizer], label=tokenizer)
    accuracy.legend(frameon=False, loc="lower right")
    accuracy.set(title="accuracy, pictures that were not learned from", xlabel="epoch")
    loss.set(title="loss in training; dotted: of the others", xlabel="epoch")
    for axes in (accuracy, loss):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
