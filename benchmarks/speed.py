"""Speed and memory of τ and φ, beside superpixels of others and the transformer that reads them.

    python benchmarks/speed.py [FOLDER] [--threads 2] [--rounds 9] [--sweeps] [--out out]
    python benchmarks/speed.py --plot-only [--out out]

FOLDER holds photographs. All methods go in turns, in one process; memory is measured in a fresh
process each. Writes speed.md (what is printed) and speed.csv (all rows), both as they come, and
with --sweeps speed.png, also when interrupted; --plot-only draws it from speed.csv.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import isnan, nan
from pathlib import Path
from statistics import median
from typing import Any

import torch
from machine import copy_bandwidth, description, peak_bytes
from methods import Images, Method, Ours, Peer, VisionTransformer, fast_slic, peers, timings
from pictures import TILE, pictures
from sweeps import (
    BATCH_SIDE,
    LONGEST,
    ROUNDS,
    SECONDS,
    TOKENS_SIDE,
    Row,
    frame,
    pd,
    plot,
    sweep,
)

from spitgraph import warm_up

BATCH, SIDE = 8, 224
ALONE, ALONE_ROUNDS = (64, 96, 112, 160, 224, 512), 25
MEMORY_SIDE, LARGE_SIDE = 1024, 2048  # the large image does not fit into a processor's cache
HUGE, BLOCKS = 4096, 3
VIT, VIT_CUDA = "ViT-B/16 forward, float32", "ViT-B/16 forward, bfloat16, CUDA"
FAST_SLIC = ("fast-slic", "fast-slic, side by side")
FUSED = ("ours, fused", "ours, fused, CUDA")
COSTED = (*FUSED, "ours, fused, 196 fine ones")
READ_THUS = f"""\
Every method gets the same {BATCH} decoded photographs of {SIDE}×{SIDE} as it likes them best: ours
a uint8 tensor [B, 3, H, W] (for CUDA, on the GPU), the others arrays [H, W, 3]. Ours returns whole
token graphs: label maps, colours, centroids, boxes, sizes, neighbours with shared borders, the
hierarchy and float32 pixels; with +φ, also token vectors. The others return label maps only.

Ours has T = 4 and the others are set to our mean count, except where a count is named. fast-slic
has its defaults, AVX2 where it can, as many threads as ours, and a new object for every image.
"Side by side" is as many images at once as there are threads, each with one thread. Times are
medians over rounds; "÷ fast-slic" is to the faster of its rows at our count, "÷ plain" to our plain
operations for the same, with φ or without. "Cores" is how many were busy. Memory is the peak beyond
the input on one image of {MEMORY_SIDE}×{MEMORY_SIDE}, result included."""
#: What τ must move at level 0 at the very least, each once: bytes a pixel.
MOVED = {
    "uint8 photograph in": 3 * torch.uint8.itemsize,
    "float32 pixels out": 3 * torch.float32.itemsize,
    "labels": torch.int32.itemsize,
    "cluster and first parents out": 2 * torch.int64.itemsize,
}
SWEPT = {
    "side": "ms, one image of side",
    "batch": f"ms an image, batch of {BATCH_SIDE}²",
    "tokens": f"ms, one image of {TOKENS_SIDE}², tokens",
}
STARTS = {
    "import torch": "import torch",
    "and torch_geometric": "import torch, torch_geometric",
    "and spitgraph, and tokenize one image of 64×64": (
        "import torch, torch_geometric, spitgraph; "
        "spitgraph.SuperpixelTokenizer()(torch.zeros(3, 64, 64, dtype=torch.uint8))"
    ),
}


def ours() -> dict[str, Ours]:
    methods = {
        "ours, plain": Ours(is_plain=True),
        "ours, fused": Ours(),
        "ours, fused, exactly 196": Ours(count=196),
        "ours, fused, 196 fine ones": Ours(count=196, quality="fine"),
        "ours +φ, plain": Ours(is_plain=True, vectors=True),
        "ours +φ, fused": Ours(vectors=True),
    }
    if torch.cuda.is_available():
        methods["ours, fused, CUDA"] = Ours(device="cuda")
        methods["ours +φ, fused, CUDA"] = Ours(vectors=True, device="cuda")
    return methods


def only_tokens(methods: Mapping[str, Ours]) -> dict[str, Ours]:
    """Those at T = 4, without vectors."""
    return {n: m for n, m in methods.items() if m.count is None and not m.vectors}


def others(matched: Mapping[str, Peer], threads: int) -> dict[str, Peer]:
    methods = {}
    for name, peer in matched.items():
        methods[name] = peer
        if threads > 1:
            methods[f"{name}, side by side"] = peer.side_by_side()
        if name == "fast-slic":
            methods["fast-slic, 196 clusters"] = Peer(fast_slic, 196, threads)
    return methods


def transformers() -> dict[str, VisionTransformer]:
    on_cpu = {VIT: VisionTransformer()}
    if not torch.cuda.is_available():
        return on_cpu
    return on_cpu | {VIT_CUDA: VisionTransformer("cuda", torch.bfloat16)}


def main_rows(
    folder: Path, methods: Mapping[str, Method], rounds: int, threads: int
) -> Iterator[Row]:
    """Time of the batch in turns, then the memory of one image for all that cut images up."""
    images, small = pictures(folder, BATCH, SIDE), pictures(folder, 1, 64)
    large = pictures(folder, 1, MEMORY_SIDE)
    for method in methods.values():  # pays for imports, compilation and threads
        method(method.prepared(images))
    for name, timing in timings(methods, images, rounds).items():
        has_memory = name not in (VIT, VIT_CUDA) and "side by side" not in name
        peak = peak_bytes(methods[name], large, small, threads) if has_memory else None
        yield Row("main", BATCH, name, BATCH, SIDE, *timing, peak)


def main_table(by_name: Mapping[str, Row]) -> str:
    fast = min((by_name[name].seconds for name in FAST_SLIC if name in by_name), default=None)
    cells = [
        {
            "method": name,
            "tokens": f"{row.tokens:.0f}",
            "ms an image": f"{row.ms:.2f}",
            "best": f"{1000 * row.best / row.images:.2f}",
            "images/s": f"{row.images / row.seconds:.0f}",
            "megapixels/s": f"{row.pixels / row.seconds / 1e6:.2f}",
            "÷ fast-slic": f"{row.seconds / fast:.2f}" if fast else "",
            "÷ plain": f"{row.seconds / by_name[plain_of(name)].seconds:.3f}",
            "cores": f"{row.cores:.1f}",
            "bytes a pixel": f"{row.peak_bytes / MEMORY_SIDE**2:.0f}" if row.peak_bytes else "",
        }
        for name, row in by_name.items()
        if name not in (VIT, VIT_CUDA)
    ]
    return markdown(cells)


def plain_of(name: str) -> str:
    """The method whose plain operations give the same."""
    return "ours +φ, plain" if "+φ" in name else "ours, plain"


def transformer_shares(by_name: Mapping[str, Row]) -> str:
    """How long τ and φ take compared with the transformer that reads their tokens."""
    pairs = [
        (VIT, "ours +φ, plain"),
        (VIT, "ours +φ, fused"),
        (VIT_CUDA, "ours +φ, fused, CUDA"),
    ]
    cells = [
        {
            "196 tokens and class token": vit,
            "ms an image": f"{by_name[vit].ms:.2f}",
            "tokens and vectors": name,
            "of that": f"{100 * by_name[name].seconds / by_name[vit].seconds:.1f} %",
        }
        for vit, name in pairs
        if vit in by_name
    ]
    return markdown(cells)


def starts(repeats: int = 3) -> str:
    """Seconds until a fresh process is ready; what is compiled was compiled before."""
    seconds: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in range(repeats):
        for name, code in STARTS.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            seconds[name].append(time.perf_counter() - begin)
    middle = [median(values) for values in seconds.values()]
    cells = [
        {"a fresh process": name, "s": f"{now:.2f}", "more": f"{now - before:+.2f}"}
        for name, now, before in zip(STARTS, middle, [0.0, *middle], strict=False)
    ]
    return markdown(cells)


def memory_bound(folder: Path) -> str:
    """How near τ is to what the machine's bandwidth would allow."""
    methods, total = only_tokens(ours()), sum(MOVED.values())
    bandwidth = {device: copy_bandwidth(device) for device in {m.device for m in methods.values()}}
    cells = []
    for name, timing in timings(methods, pictures(folder, 1, LARGE_SIDE), rounds=3).items():
        copied = bandwidth[methods[name].device]
        bound, taken = 1e9 * total / copied, 1e9 * timing.seconds / LARGE_SIDE**2
        cells.append(
            {
                "method": name,
                "copy, GB/s": f"{copied / 1e9:.1f}",
                "bound, ns a pixel": f"{bound:.2f}",
                "taken, ns a pixel": f"{taken:.2f}",
                "bound ÷ taken": f"{100 * bound / taken:.1f} %",
            }
        )
    parts = ", ".join(f"{name} {size}" for name, size in MOVED.items())
    return (
        f"One image of {LARGE_SIDE}×{LARGE_SIDE}. At level 0 τ must move at least {total} bytes a "
        f"pixel:\n{parts}.\nAt the bandwidth of a large copy (bytes read and written) that takes "
        "the bound.\nNear 100 %, memory limits τ; far below, arithmetic or scattered access.\n\n"
        + markdown(cells)
    )


def images_alone(folder: Path, methods: Mapping[str, Peer], threads: int) -> str:
    """One image of each side, by one thread, two, four …: ours beside fast-slic."""
    return (
        f"One image alone, ms, medians of {ALONE_ROUNDS} calls in turns, each after a pause; "
        "behind the comma, threads.\n"
        "Without OMP_WAIT_POLICY=passive, PyTorch's threads, which spin after each operation,\n"
        f"hold up fast-slic's.\n\n{alone(folder, methods, threads, by_turns)}\n\n"
        "The same, one call right after the other: what they need is in the caches then.\n\n"
        f"{alone(folder, methods, threads, in_a_row)}"
    )


def alone(
    folder: Path,
    methods: Mapping[str, Peer],
    threads: int,
    seconds: Callable[[Mapping[str, Method], Images], dict[str, float]],
) -> str:
    """The table of one image, by one way to time some methods on it."""
    cells = []
    for side in ALONE:
        images = pictures(folder, 1, side)
        row = {"one image of side": str(side)}
        for number in dict.fromkeys([*_powers_of_2(threads), threads]):
            torch.set_num_threads(number)
            going: dict[str, Method] = {"ours": Ours()}
            if "fast-slic" in methods:
                setting = max(1, round(methods["fast-slic"].setting * (side / SIDE) ** 2))
                going["fast-slic"] = replace(methods["fast-slic"], setting=setting, threads=number)
            found = seconds(going, images)
            row |= {f"{name}, {number}": f"{1000 * s:.2f}" for name, s in found.items()}
            if len(found) == 2:
                mine, theirs = found.values()
                row[f"÷, {number}"] = f"{mine / theirs:.2f}"
        cells.append(row)
    torch.set_num_threads(threads)
    return markdown(cells)


def by_turns(methods: Mapping[str, Method], images: Images) -> dict[str, float]:
    """Medians of calls in turns, each after a pause."""
    return {n: timing.seconds for n, timing in timings(methods, images, ALONE_ROUNDS).items()}


def in_a_row(methods: Mapping[str, Method], images: Images) -> dict[str, float]:
    """Medians of calls, one right after the other; the first few do not count."""
    found = {}
    for name, method in methods.items():
        given = method.prepared(images)
        calls = [_seconds(method, given) for _ in range(2 * ALONE_ROUNDS)]
        found[name] = median(calls[ALONE_ROUNDS:])
    return found


def _powers_of_2(most: int) -> Iterator[int]:
    """1, 2, 4 … up to a number."""
    return (2**k for k in range(most.bit_length()))


def one_large_image(folder: Path, threads: int) -> str:
    """What a pixel costs the fused kernels in one huge image, beside a pixel of a batch."""
    cells = []
    for name, method in {n: m for n, m in ours().items() if n in COSTED}.items():
        small = pictures(folder, 1, TILE if method.count else 64)
        inputs = [pictures(folder, n, side) for n, side in ((BATCH, SIDE), (1, SIDE), (1, HUGE))]
        pixels = [sum(image.shape[0] * image.shape[1] for image in images) for images in inputs]
        methods = [method] * 2
        methods += [as_dense(method, HUGE)]
        given = [m.prepared(images) for m, images in zip(methods, inputs, strict=True)]
        calls: list[list[list[float]]] = [[] for _ in given]
        for _ in range(BLOCKS):
            for m, x, blocks, repeats in zip(methods, given, calls, (20, 20, 3), strict=True):
                blocks.append([_seconds(m, x) for _ in range(repeats)])
        later = [1e9 * median(t for b in bs for t in b[1:]) for bs in calls]
        first = [1e9 * median(b[0] for b in bs) for bs in calls]
        batch = later[0] / pixels[0]
        for k, what in enumerate((f"{BATCH} × {SIDE}²", f"1 × {SIDE}²", f"1 × {HUGE}²")):
            peak = peak_bytes(methods[k], inputs[k], small, threads) if k == 2 else None
            cells.append(
                {
                    "method": name.replace("196 fine ones", "fine"),
                    "images": what,
                    "ns a pixel": f"{later[k] / pixels[k]:.1f}",
                    f"÷ {BATCH} × {SIDE}²": f"{later[k] / pixels[k] / batch:.2f}",
                    "first call": f"{first[k] / pixels[k]:.1f}",
                    "peak bytes a pixel": f"{peak / pixels[k]:.0f}" if peak else "",
                }
            )
    return (
        f"{BLOCKS} blocks of calls, one right after the other; their median, and that of the first "
        "of each block,\nfor which the system has to find and clear memory. Fine ones are as dense "
        f"in all: 196 in {SIDE}².\n\n" + markdown(cells)
    )


def as_dense(method: Ours, side: int) -> Ours:
    """As many tokens a pixel in larger images, if there is a count."""
    count = method.count and method.count * side**2 // SIDE**2
    return replace(method, count=count)


def _seconds(method: Method, given: Any) -> float:
    start = time.perf_counter()
    result = method(given)
    seconds = time.perf_counter() - start
    del result
    return seconds


def swept(rows: pd.DataFrame, table: str) -> str:
    """Milliseconds an image: a line for each step of a sweep, a column for each method."""
    of_table = rows[rows["table"] == table]
    shown = of_table.assign(ms=of_table["ms_per_image"].map("{:.2f}".format))
    wide = shown.pivot(index="step", columns="method", values="ms")[shown["method"].unique()]
    cells = wide.fillna("").reset_index(names=SWEPT[table])
    return markdown(cells.astype(str).to_dict("records"))


def pixel_costs(rows: pd.DataFrame, name: str) -> str:
    """What a pixel costs in one image of each side, beside a pixel of a batch at 224×224."""
    rows = rows[rows["method"] == name]
    batches = rows[(rows["images"] == BATCH) & (rows["side"] == SIDE)]  # of one table or two
    together = batches.tail(1).assign(peak_bytes=nan)  # its memory was not measured
    shown = pd.concat([together, rows[rows["table"] == "side"]])
    shown.index = [f"{row.images} × {row.side}²" for row in shown.itertuples()]
    costs = 1e9 * shown["seconds"] / shown["pixels"]
    ratios = {f"÷ {n} × {SIDE}²": costs / costs.get(f"{n} × {SIDE}²", nan) for n in (1, BATCH)}
    bytes_a_pixel = shown["peak_bytes"] / shown["pixels"]
    cells = [
        {name: what, "ns a pixel": f"{costs[what]:.1f}"}
        | {title: _figure(ratio[what], 2) for title, ratio in ratios.items()}
        | {"peak bytes a pixel": _figure(bytes_a_pixel[what], 0)}
        for what in shown.index
    ]
    return markdown(cells)


def sweep_tables(rows: pd.DataFrame) -> list[str]:
    """All sweeps, and what a pixel costs the fused kernels."""
    return [
        f"Medians of up to {ROUNDS} calls: fewer once they took {SECONDS:.0f} s, but three unless "
        "the first alone took as long.\nWhere a figure is missing, a call of a peer would take "
        f"more than {LONGEST:.0f} s, a call of anyone too much\nmemory, or the method takes no "
        f"number of tokens. Images above {TILE}² are mosaics of photographs of that\nside. The "
        "tokens reached are in speed.csv; fast-slic has 65533 at most.",
        *(swept(rows, table) for table in SWEPT if table in set(rows["table"])),
        *(pixel_costs(rows, name) for name in FUSED if name in set(rows["method"])),
    ]


def _figure(value: float, digits: int) -> str:
    return "" if isnan(value) else f"{value:.{digits}f}"


def markdown(rows: Iterable[Mapping[str, str]]) -> str:
    """A table, aligned in plain text too."""
    rows = list(rows)
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    padded = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def write(file: Path, content: bytes) -> None:
    """Beside, then renamed: nobody reads half a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.part")
    beside.write_bytes(content)
    beside.replace(file)


@dataclass
class Results:
    """What was told and measured so far, also in files."""

    folder: Path
    report: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def tell(self, part: str) -> None:
        self.report.append(part)
        print(part + "\n", flush=True)
        write(self.folder / "speed.md", ("\n\n".join(self.report) + "\n").encode())

    def add(self, row: Row) -> None:
        self.rows.append(row)
        write(self.folder / "speed.csv", frame(self.rows).to_csv(index=False).encode())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    examples = Path(__file__).parents[1] / "examples" / "pictures"
    parser.add_argument("folder", type=Path, nargs="?", default=examples, metavar="FOLDER")
    parser.add_argument("--threads", type=int, default=2, help="of every method (default: 2)")
    parser.add_argument("--rounds", type=int, default=9, help="of the main table (default: 9)")
    parser.add_argument("--sweeps", action="store_true", help="also by side, batch and tokens")
    plot_only = "only draw speed.png, and print the sweeps, from speed.csv"
    parser.add_argument("--plot-only", action="store_true", help=plot_only)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder (default: out)")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    return options


def with_threads(threads: int) -> None:
    """Start again with the environment that libraries read their number of threads from."""
    wanted = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL")}
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        command = [sys.executable, *sys.argv]
        raise SystemExit(subprocess.run(command, env=os.environ | wanted).returncode)
    torch.set_num_threads(threads)


def main() -> None:
    options = arguments()
    if options.plot_only:
        rows = pd.read_csv(options.out / "speed.csv")
        print("\n\n".join(sweep_tables(rows)))
        return write(options.out / "speed.png", plot(rows))
    warm_up()  # compiled before anything is timed
    with_threads(options.threads)
    folder, threads = options.folder, options.threads
    results = Results(options.out)
    tell = results.tell
    tell(description(threads))
    images, mine = pictures(folder, BATCH, SIDE), ours()
    tokens = Ours().num_tokens(Ours()(Ours().prepared(images)))
    matched, missing = peers(tokens, images, threads)
    settings = [f"- {name}: set to {peer.setting}" for name, peer in matched.items()]
    tell("\n".join(settings + [f"- {n} is missing, left out: {why}" for n, why in missing.items()]))
    tell(READ_THUS)
    methods = mine | others(matched, threads) | transformers()
    for row in main_rows(folder, methods, options.rounds, threads):
        results.add(row)
    by_name = {row.method: row for row in results.rows}
    tell(main_table(by_name))
    tell(transformer_shares(by_name))
    tell(images_alone(folder, matched, threads))
    tell(starts())
    tell(memory_bound(folder))
    tell(one_large_image(folder, threads))
    if options.sweeps:
        try:
            for row in sweep(folder, only_tokens(mine) | matched, tokens, threads):
                results.add(row)
        finally:
            rows = frame(results.rows)
            for part in sweep_tables(rows):
                tell(part)
            write(options.out / "speed.png", plot(rows))


if __name__ == "__main__":
    main()
