"""How fast this tree is beside another commit: by turns, medians and the ratios of pairs.

    python tools/same_speed.py COMMIT PHOTOS [--pairs 5] [--calls 30]

PHOTOS is a folder of at least eight photographs.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from two_trees import run, two_trees, warm_up


def measure(out: Path, photos: Path, calls: int) -> None:
    """Milliseconds of each call, median, by the spitgraph that is imported."""
    import numpy as np
    from PIL import Image

    from spitgraph import (
        InterpolationExtractor,
        PatchTokenizer,
        SuperpixelTokenizer,
        VoronoiTokenizer,
        kernels,
    )

    source = warm_up()
    paths = sorted(photos.glob("*.jpg"))[:8]
    batch = [np.array(Image.open(path).convert("RGB").resize((224, 224))) for path in paths]
    small = [image[y : y + 32, :32].copy() for image in batch for y in range(0, 192, 3)][:500]
    superpixels, extract = SuperpixelTokenizer(), InterpolationExtractor()
    patches, cells = PatchTokenizer(16), VoronoiTokenizer(196)
    with kernels.plain():
        tokens = superpixels(batch)

    def plainly(call):
        def plain() -> None:
            with kernels.plain():
                call()

        return plain

    rows = {
        "8 × 224²: τ": lambda: superpixels(batch),
        "8 × 224²: τ + φ": lambda: extract(superpixels(batch)),
        "one of 224²: τ": lambda: superpixels(batch[0]),
        "one of 224²: τ + φ": lambda: extract(superpixels(batch[0])),
        "8 × 224²: τ, plain": plainly(lambda: superpixels(batch)),
        "8 × 224²: φ, plain": plainly(lambda: extract(tokens)),
        "8 × 224²: patches": lambda: patches(batch),
        "8 × 224²: Voronoi cells": lambda: cells(batch),
        "500 × 32²: superpixels": lambda: superpixels(small),
        "500 × 32²: patches": lambda: patches(small),
        "500 × 32²: Voronoi cells": lambda: cells(small),
    }
    told = {}
    for name, call in rows.items():
        call()
        times = []
        for _ in range(calls if "plain" not in name and "500" not in name else max(calls // 4, 3)):
            start = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - start))
        told[name] = statistics.median(times)
    out.write_text(json.dumps({"source": str(source), "rows": told}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("commit")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        return measure(options.record, options.photos, options.calls)
    pairs: list[tuple[dict[str, float], dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder, two_trees(options.commit) as trees:
        out = Path(folder, "times.json")
        for pair in range(options.pairs + 1):
            both = {}
            for source in trees if pair % 2 else trees[::-1]:
                arguments = [options.commit, str(options.photos), "--calls", str(options.calls)]
                run(__file__, source, *arguments, "--record", str(out))
                told = json.loads(out.read_text())
                assert told["source"] == str(source.resolve()), told["source"]
                both[source] = told["rows"]
            if pair:  # in the first, kernels were compiled
                pairs.append((both[trees[0]], both[trees[1]]))
    print(f"{'median of ' + str(len(pairs)) + ' pairs':28} before, ms  now, ms  ratio (all)")
    for name in pairs[0][0]:
        before, now = ([pair[i][name] for pair in pairs] for i in range(2))
        ratios = [new / old for old, new in zip(before, now, strict=True)]
        print(
            f"{name:28} {statistics.median(before):10.2f} {statistics.median(now):8.2f} "
            f"{statistics.median(ratios):6.3f} ({', '.join(f'{r:.2f}' for r in ratios)})"
        )


if __name__ == "__main__":
    main()
