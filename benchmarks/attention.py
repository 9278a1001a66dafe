"""Packed against padded rows at uneven token counts: time and memory of the transformer's blocks.

    python benchmarks/attention.py [--counts 60 400] [--batch 16] [--depth 4] [--device cuda]

Both layouts, and what `attention="auto"` makes of it, take turns in one process, so that times may
be compared with each other. Peak memory is what a pass adds to a process of its own: resident
memory on the CPU, allocated memory on CUDA.
"""

import argparse
import multiprocessing
import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from spitgraph.nn import Backbone, TokenSequences
from spitgraph.nn.sequences import pack

LAYOUTS = ("padded", "packed", "auto")
CLEAR_REFS, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
WIDTHS = {"small": (384, 6), "base": (768, 12)}


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


def machine(device: str) -> str:
    if device != "cpu":
        return f"{torch.cuda.get_device_name(device)}, PyTorch {torch.__version__}"
    info = Path("/proc/cpuinfo")
    model = re.search("model name.*: (.*)", info.read_text() if info.exists() else "")
    return (
        f"{model[1] if model else platform.processor()}, {torch.get_num_threads()} threads on "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, PyTorch {torch.__version__}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--counts", type=int, nargs=2, default=(60, 400), metavar=("LOW", "HIGH"))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--sizes", nargs="+", choices=WIDTHS, default=list(WIDTHS))
    parser.add_argument("--graph-bias", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    low, high = options.counts
    cases = [
        Case(
            size=size,
            training=training,
            depth=options.depth,
            batch=options.batch,
            low=low,
            high=high,
            device=options.device,
            threads=options.threads,
            graph_bias=options.graph_bias,
        )
        for size in options.sizes
        for training in (False, True)
    ]
    counts = cases[0].counts()
    padding = 1 - counts.sum().item() / (len(counts) * counts.max().item())
    print(machine(options.device))
    print(
        f"{options.batch} images of {counts.min()}–{counts.max()} tokens, {counts.sum()} in all, "
        f"{padding:.0%} padding when padded; {options.depth} blocks, medians of {options.repeats}"
    )
    print(f"{'':16}{'ms a block':>30}{'ratio':>8}{'peak MB':>22}{'ratio':>8}")
    print(
        f"{'':16}{''.join(f'{layout:>10}' for layout in LAYOUTS)}{'':8}{'padded':>12}{'packed':>10}"
    )
    for case in cases:
        times = median_times(case, options.repeats)
        memory = {}
        for layout in ("padded", "packed"):
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as fresh:
                memory[layout] = fresh.submit(added_memory, replace(case, layout=layout)).result()
        print(
            f"{case.size + (', training' if case.training else ', forward'):16}"
            + "".join(f"{times[layout]:10.1f}" for layout in LAYOUTS)
            + f"{times['packed'] / times['padded']:8.2f}"
            + f"{memory['padded']:12.0f}{memory['packed']:10.0f}"
            + f"{memory['packed'] / memory['padded']:8.2f}"
        )


if __name__ == "__main__":
    main()
