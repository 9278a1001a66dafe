"""How evenly `TokenBudgetSampler` spreads tokens over processes, beside a plain split of the order.

    python benchmarks/token_budget.py [DATA]

A step takes as long as the process with most tokens. *most/mean* is the mean over an epoch's steps
of that one's tokens by the mean over processes; *full* the mean share of the budget that batches
have. Counts are those of DATA's pictures (three levels of superpixels), if it is given, and
lognormal ones.
"""

import argparse

import numpy as np

from spitgraph import SuperpixelTokenizer
from spitgraph.train import TokenBudgetSampler, open_pictures
from spitgraph.train.data.counts import token_counts

PROCESSES, MEAN = 8, 196
SIZES = (16, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description="Tokens a process and step.")
    parser.add_argument("data", nargs="?", help="labelled pictures")
    args = parser.parse_args()
    drawn = np.random.default_rng(0).lognormal(0, 0.6, 12_000)
    kinds = {"lognormal, σ = .6": np.maximum(1, MEAN * drawn).astype(np.int64)}
    if args.data is not None:
        counts = token_counts(open_pictures(args.data, "train"), SuperpixelTokenizer(3), None)
        kinds = {"pictures": np.asarray(counts), **kinds}
    print(f"{'counts':<20} {'pictures':>8} {'budget':>8} {'plain':>8} {'full':>6}   (most/mean)")
    for name, counts in kinds.items():
        for size in SIZES:
            budget = int(size * counts.mean())
            steps = TokenBudgetSampler(
                counts, budget, num_replicas=PROCESSES, rank=0, seed=0
            ).all_batches(0)
            loads = np.array([[counts[batch].sum() for batch in step] for step in steps])
            order = np.random.default_rng(0).permutation(len(counts))
            whole = len(order) // (size * PROCESSES) * size * PROCESSES
            plain = counts[order[:whole]].reshape(-1, PROCESSES, size).sum(axis=2)
            row = f"{most_by_mean(loads):>8.4f} {most_by_mean(plain):>8.4f}"
            print(f"{name:<20} {PROCESSES} × {size:>4} {row} {loads.mean() / budget:>6.2f}")


def most_by_mean(loads: np.ndarray) -> float:
    """Of [steps, processes] tokens."""
    return float((loads.max(axis=1) / loads.mean(axis=1)).mean())


if __name__ == "__main__":
    main()
