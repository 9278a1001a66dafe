"""Time and memory of τ and φ in plain PyTorch, and tokens at four levels.

    python benchmarks/plain_path.py FOLDER [--threads 2] [--repeats 7] [--keep-memory]

FOLDER holds photographs. Small and large images go in turns, so that their costs may be compared.
"""

import argparse
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import torch
from machine import processor
from PIL import Image

from spitgraph import InterpolationExtractor, SuperpixelTokenizer, kernels
from spitgraph.contraction import SIMILARITIES
from spitgraph.memory import kept_at_hand

SMALL, LARGE, BATCH = 224, 2048, 8


def seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def memory_growth(call) -> int | None:
    """Bytes by which a call's peak exceeds what was held before; None where Linux does not tell."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not status.exists():
        return None

    def kilobytes(field: str) -> int:
        line = next(li for li in status.read_text().splitlines() if li.startswith(field))
        return int(line.split()[1])

    reset.write_text("5")
    before = kilobytes("VmRSS")
    call()
    return 1024 * (kilobytes("VmHWM") - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--keep-memory", action="store_true", help="by spitgraph.memory")
    args = parser.parse_args()
    with kernels.plain(), kept_at_hand(LARGE**2) if args.keep_memory else nullcontext():
        measure(args)


def measure(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    photos = [Image.open(p).convert("RGB") for p in sorted(args.folder.glob("*.jpg"))]
    if len(photos) < BATCH:
        raise SystemExit(
            f"{args.folder} holds {len(photos)} photographs, at least {BATCH} are needed"
        )

    def resized(photo: Image.Image, side: int) -> Image.Image:
        return photo.resize((side, side), Image.Resampling.BILINEAR)

    tokenize, extract = SuperpixelTokenizer(), InterpolationExtractor()
    batch, large = [resized(p, SMALL) for p in photos[:BATCH]], resized(photos[0], LARGE)
    tokens, large_tokens = tokenize(batch), tokenize(large)
    calls = {
        f"τ, {BATCH}×{SMALL}²": (lambda: tokenize(batch), BATCH * SMALL**2),
        f"τ, {LARGE}²": (lambda: tokenize(large), LARGE**2),
        f"φ, {BATCH}×{SMALL}²": (lambda: extract(tokens), BATCH * SMALL**2),
        f"φ, {LARGE}²": (lambda: extract(large_tokens), LARGE**2),
    }
    # of the large image only: small ones fit into memory that was in use before
    growth = {
        name: memory_growth(call) if pixels == LARGE**2 else None
        for name, (call, pixels) in calls.items()
    }
    times = {name: [] for name in calls}
    for _ in range(args.repeats):
        for name, (call, _) in calls.items():
            times[name].append(seconds(call))

    print(f"{processor()}, {args.threads} threads, torch", end=" ")
    print(torch.__version__)
    for name, (_, pixels) in calls.items():
        middle, best = 1e9 * median(times[name]) / pixels, 1e9 * min(times[name]) / pixels
        memory = "" if growth[name] is None else f", {growth[name] / pixels:.0f} bytes a pixel"
        image = f" = {middle * SMALL**2 / 1e6:.1f} ms an image" if str(SMALL) in name else ""
        print(f"{name:<10} median {middle:.0f}, best {best:.0f} ns a pixel{image}{memory}")
    for similarity in SIMILARITIES:
        four = SuperpixelTokenizer(levels=4, similarity=similarity)
        count = sum(four(resized(p, SMALL)).num_nodes for p in photos) / len(photos)
        print(f"levels=4, {similarity}: {count:.0f} tokens on average of {len(photos)} photographs")


if __name__ == "__main__":
    main()
