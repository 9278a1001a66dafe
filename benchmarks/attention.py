"""Packed against padded rows at uneven token counts: time and memory of the transformer's blocks.

    python benchmarks/attention.py [--counts 60 400] [--batch 16] [--threads 2] [--device cuda]

Both layouts take turns in one process, so that their times may be compared. Peak memory is what a
pass adds to a process of its own: resident memory on the CPU (Linux), allocated memory on CUDA.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from machine import processor
from torch import Tensor

from spitgraph.nn import Backbone, TokenSequences
from spitgraph.nn.sequences import pack

LAYOUTS = ("padded", "packed")
CLEAR_REFS, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
WIDTHS = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}


@dataclass(frozen=True)
class Case:
    """One pass through blocks of one width, over one batch."""

    size: str
    training: bool
    depth: int
    batch: int
    low: int
    high: int
    device: str
    threads: int
    layout: str = "auto"
    graph_bias: bool = False

    def counts(self) -> Tensor:
        """Tokens of each image."""
        generator = torch.Generator().manual_seed(0)
        return torch.randint(self.low, self.high + 1, (self.batch,), generator=generator)

    def prepared(self) -> Callable[[], None]:
        """What is measured; memory it needs beforehand is allocated."""
        torch.manual_seed(0)
        torch.set_num_threads(self.threads)
        width, heads = WIDTHS[self.size]
        backbone = Backbone(
            width, self.depth, heads, attention=self.layout, graph_bias=self.graph_bias
        ).to(self.device)
        sequences = self._sequences(width)
        edges = torch.arange(sequences.num_nodes - 1, device=self.device)
        edge_index = torch.stack([torch.cat([edges, edges + 1]), torch.cat([edges + 1, edges])])

        def run() -> None:
            with torch.set_grad_enabled(self.training):
                out = backbone(sequences, edge_index).x
            if self.training:
                out.sum().backward()
                backbone.zero_grad()
            if self.device != "cpu":
                torch.cuda.synchronize()

        return run

    def _sequences(self, width: int) -> TokenSequences:
        counts = self.counts()
        total = int(counts.sum())
        vectors, class_token = torch.randn(total, width), torch.randn(1, width)
        return pack(
            vectors.to(self.device), class_token.to(self.device), counts.to(self.device), total
        )


def resident(key: str) -> float:
    """MB of resident memory, now (VmRSS) or at its peak (VmHWM)."""
    status = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(status[key].split()[0]) / 1024


def added_memory(case: Case) -> float:
    """MB that a pass adds at its peak; meant for a fresh process."""
    run = case.prepared()
    run()  # libraries' workspaces
    if case.device == "cpu":
        CLEAR_REFS.write_text("5")  # Linux: the peak starts again from here
        before = resident("VmRSS")
        run()
        return resident("VmHWM") - before
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def median_times(case: Case, repeats: int) -> dict[str, float]:
    """Milliseconds a block, by layout."""
    runs = {layout: replace(case, layout=layout).prepared() for layout in LAYOUTS}
    times: dict[str, list[float]] = {layout: [] for layout in LAYOUTS}
    for repeat in range(repeats + 1):
        for layout, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat:  # the first warms up
                times[layout].append(time.perf_counter() - start)
    return {k: 1e3 * statistics.median(v) / case.depth for k, v in times.items()}


def peak_memory(case: Case) -> dict[str, float]:
    """MB that a pass adds, by layout."""
    context = multiprocessing.get_context("spawn")
    memory = {}
    for layout in LAYOUTS:
        with ProcessPoolExecutor(1, mp_context=context) as fresh:
            memory[layout] = fresh.submit(added_memory, replace(case, layout=layout)).result()
    return memory


def machine(device: str) -> str:
    """Where the numbers were taken."""
    if device != "cpu":
        return f"{torch.cuda.get_device_name(device)}, PyTorch {torch.__version__}"
    return (
        f"{processor()}, {torch.get_num_threads()} threads on {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}, PyTorch {torch.__version__}"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs=2, default=(60, 400), metavar=("LOW", "HIGH"))
    parser.add_argument("--batch", type=int, default=16, metavar="B")
    parser.add_argument("--sizes", nargs="+", choices=WIDTHS, default=["small", "base"])
    parser.add_argument("--depth", type=int, default=2, metavar="BLOCKS")
    parser.add_argument("--graph-bias", action="store_true", help="with the hop bias")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of PyTorch")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    # glibc then gives memory back as soon as it is free, so that peaks are those of tensors
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
    low, high = options.counts
    common = (options.depth, options.batch, low, high, options.device, options.threads)
    cases = [
        Case(size, training, *common, graph_bias=options.graph_bias)
        for size in options.sizes
        for training in (False, True)
    ]
    counts = cases[0].counts()
    padding = 1 - counts.sum().item() / (len(counts) * counts.max().item())
    print(machine(options.device))
    print(f"{len(counts)} images of {counts.min()}–{counts.max()} tokens: {padding:.0%} padding")
    print(f"Times a block, memory of {options.depth}; medians of {options.repeats}\n")
    heads = ("", "padded", "packed", "ratio")
    print("| {:15} | {:>9} | {:>9} | {:>5} ".format(*heads), end="")
    print("| {:>9} | {:>9} | {:>5} |".format(*heads[1:]))
    print("| --- |" + " ---: |" * 6)
    for case in cases:
        times, memory = median_times(case, options.repeats), peak_memory(case)
        print(f"| {case.size + (', training' if case.training else ', forward'):15} ", end="")
        for values, unit in ((times, "ms"), (memory, "MB")):
            cells = [f"{values[layout]:6.0f} {unit}" for layout in LAYOUTS]
            print(f"| {' | '.join(cells)} | {values['packed'] / values['padded']:5.2f} ", end="")
        print("|", flush=True)


if __name__ == "__main__":
    main()
