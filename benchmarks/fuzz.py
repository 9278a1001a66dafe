"""Random inputs of every kind: what is valid becomes a sound token graph, what is not is refused.

    python benchmarks/fuzz.py --count 100000 --processes 2

Images of all shapes, types, strides and values, alone and in batches; all tokenizers and their
settings; extractors, levels, batches and files; and mistakes in all of these. Of every token graph
everything is counted again, in NumPy. Mistakes have to end in ValueError or TypeError, and say
something. Each find is printed with the seed that draws it again (`--seed N --count 1`); with any,
exit status 1.
"""

import argparse
import io
import multiprocessing
import sys
import time
import traceback
import warnings
from collections import Counter
from ctypes import c_int64
from random import Random
from typing import Any

import numpy as np
import torch
from fuzz_inputs import EITHER, REFUSAL, Case, draw_case, wrong
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch_geometric.data import Batch

import spitgraph
from spitgraph import InterpolationExtractor, TokenData, kernels

#: How much plain and fused vectors may differ; where they are larger than 1, of their values.
#: Gaussians wider than the image are nearly 1 everywhere: what they are divided by rounds more.
TOLERANCE, TOLERANCE_OF_WIDE = 2e-6, 4e-6
#: An input that takes longer, in seconds, hangs.
PATIENCE = 120.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=0, help="of the first; each has its own")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds")
    args = parser.parse_args()
    start = time.perf_counter()
    spitgraph.warm_up()
    done, finds = share(args.seed, args.count, args.processes, args.limit)
    seconds = time.perf_counter() - start
    print(f"{done.total()} inputs in {seconds:.0f} s, {done.total() / seconds:.0f} a second")
    print(", ".join(f"{name}: {count}" for name, count in sorted(done.items())))
    print(f"{finds} finds" if finds else "no finds")
    return 1 if finds or done.total() == 0 else 0


# ---- processes -----------------------------------------------------------------------------------


def share(first: int, count: int, processes: int, limit: float) -> tuple[Counter[str], int]:
    """Run all inputs in processes of their own; what they ended in, and how many finds."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = []
    for index in range(processes):
        seeds = range(first + index, first + count, processes)
        at = context.Value(c_int64, -1, lock=False)
        worker = context.Process(target=run, args=(seeds, limit, at, results), daemon=True)
        worker.start()
        workers.append((worker, at))
    done, finds = Counter[str](), 0
    for worker, at in workers:
        finds += watch(worker, at)
    while not results.empty():
        some, found = results.get()
        done += some
        finds += found
    return done, finds


def watch(worker: Any, at: Any) -> int:
    """Wait for a process; 1 if an input crashed it, or did not end."""
    seed, since = at.value, time.monotonic()
    while worker.is_alive():
        worker.join(0.5)
        if at.value != seed:
            seed, since = at.value, time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            worker.kill()
            print(f"seed {seed}: did not end within {PATIENCE:.0f} s", flush=True)
            return 1
    if worker.exitcode != 0:
        print(f"seed {at.value}: the process ended with {worker.exitcode}", flush=True)
        return 1
    return 0


def run(seeds: range, limit: float, at: Any, results: Any) -> None:
    """One process."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1 if len(seeds) > 1 else 2)
    done, finds, end = Counter[str](), 0, time.monotonic() + limit
    for seed in seeds:
        if time.monotonic() > end:
            break
        at.value = seed
        kind, find = examine(seed)
        done[kind] += 1
        if find:
            finds += 1
            print(f"seed {seed}: {find}", flush=True)
    results.put((done, finds))


def examine(seed: int) -> tuple[str, str]:
    """What a seed draws, and what is wrong with what comes of it."""
    case = draw_case(seed)
    try:
        tokens = case.tokenize(case.images)
    except (ValueError, TypeError) as error:
        kind = f"{case.kind} refused"
        if not str(error).strip():
            return kind, f"{case.kind}: {type(error).__name__} without a message"
        if case.ends in (REFUSAL, EITHER):
            return kind, ""
        return kind, f"{case.kind}: refused what is valid: {type(error).__name__}: {error}"
    except Exception:
        return case.kind, f"{case.kind}: {last_lines()}"
    if case.ends == REFUSAL:
        return case.kind, f"{case.kind}: took what is not valid"
    try:
        check(case, tokens)
    except Exception:
        return case.kind, f"{case.kind}: {last_lines()}"
    return case.kind, ""


def last_lines() -> str:
    return " | ".join(line.strip() for line in traceback.format_exc().splitlines()[-5:])


# ---- what has to hold ----------------------------------------------------------------------------


def check(case: Case, tokens: TokenData) -> None:
    """Everything that a token graph promises."""
    rng = Random(case.seed + 1)
    assert isinstance(tokens, Batch) == case.is_batch, "batch in, batch out"
    graphs = tokens.to_data_list() if case.is_batch else [tokens]
    assert len(graphs) == len(case.expected)
    for graph, image in zip(graphs, case.expected, strict=True):
        check_graph(graph, image)
        check_levels(graph)
        if case.kind == "superpixels":
            check_connected(graph)
            assert case.count in (None, graph.num_nodes), f"{graph.num_nodes} for {case.count}"
    if rng.random() < 0.1:
        with kernels.plain():
            same(case.tokenize(case.images), tokens, "fused and plain")
    if case.is_batch and case.kind in ("superpixels", "patches") and rng.random() < 0.3:
        for graph, image in zip(graphs, case.singles(), strict=True):
            same(case.tokenize(image), graph, "batch and single")
    if case.is_batch and rng.random() < 0.2:
        same(Batch.from_data_list(graphs), tokens, "batch and unbatched")
    if rng.random() < 0.2:
        check_extractor(rng, case, tokens)
    if rng.random() < 0.1:
        check_to_level(rng, case, tokens)
    if rng.random() < 0.03:
        check_files(tokens)


def check_graph(graph: TokenData, image: Tensor) -> None:
    """Everything about one image's regions, counted again."""
    height, width = image.shape[1:]
    assert graph.image_size.tolist() == [[height, width]]
    values = image.flatten(1).t()
    assert torch.equal(graph.pixels.detach(), values), "pixels"
    label = graph.cluster.numpy()
    count = graph.num_nodes
    size = np.bincount(label, minlength=count)
    assert len(size) == count and size.min() > 0, "every token has pixels, every pixel a token"
    assert (graph.size.numpy() == size).all(), "size"
    y, x = np.divmod(np.arange(len(label)), width)
    box = np.array([[width, height, 0, 0]]).repeat(count, 0)
    for column, (bound, place) in enumerate(
        ((np.minimum, x), (np.minimum, y), (np.maximum, x + 1), (np.maximum, y + 1))
    ):
        bound.at(box[:, column], label, place)
    assert (graph.bbox.numpy() == box).all(), "bbox"
    means = [np.bincount(label, v, count) / size for v in (x, y, *values.double().numpy().T)]
    assert np.allclose(graph.pos.numpy().T, means[:2], rtol=1e-6, atol=1e-5), "pos"
    assert np.allclose(graph.color.detach().numpy().T, means[2:], rtol=0, atol=1e-5), "color"
    ends, length = borders(label.reshape(height, width), count)
    assert np.array_equal(graph.edge_index.numpy(), ends), "edge_index"
    assert np.array_equal(graph.edge_attr.numpy()[:, 0], length), "edge_attr"


def borders(label: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of regions that touch, in both directions, sorted; and how many pixel sides."""
    u = np.concatenate([label[:, :-1].ravel(), label[:-1].ravel()])
    v = np.concatenate([label[:, 1:].ravel(), label[1:].ravel()])
    apart = u != v
    u, v = np.concatenate([u[apart], v[apart]]), np.concatenate([v[apart], u[apart]])
    pair, length = np.unique(u * count + v, return_counts=True)
    return np.stack([pair // count, pair % count]), length


def check_levels(graph: TokenData) -> None:
    """From the pixels to the tokens, each level lies within the next, and is smaller."""
    region, before = torch.arange(len(graph.cluster)), len(graph.cluster)
    for parent in graph.parents:
        assert len(parent) == before, "a parent for each region"
        count = int(parent.max()) + 1
        assert len(parent.unique()) == count, "every region has parts"
        region, before = parent[region], count
    assert torch.equal(region, graph.cluster), "the last level are the tokens"


def check_connected(graph: TokenData) -> None:
    height, width = graph.image_size[0].tolist()
    place, label = np.arange(height * width).reshape(height, width), graph.seg[0].numpy()
    right, down = label[:, 1:] == label[:, :-1], label[1:] == label[:-1]
    u = np.concatenate([place[:, 1:][right], place[1:][down]])
    v = np.concatenate([place[:, :-1][right], place[:-1][down]])
    pieces, _ = connected_components(coo_array((np.ones(len(u)), (u, v)), [place.size] * 2), False)
    assert pieces == graph.num_nodes, "superpixels hang together"


def check_extractor(rng: Random, case: Case, tokens: TokenData) -> None:
    options = {
        "bins": rng.choice((2, 3, 4, 5, 8, 16)),
        "gradient": rng.random() < 0.5,
        "sigma": rng.choice((0.05, 1e-3, 1.0, 50, 1e-30)),
        "mode": rng.choice(("bilinear", "nearest")),
    }
    if rng.random() < 0.1:
        name, values = rng.choice(WRONG_EXTRACTORS)
        case_of_this = Case(case.seed, None, [])
        options[name] = wrong(rng, case_of_this, *values)
        refused(lambda: InterpolationExtractor(**options)(tokens), f"{name}={options[name]!r}")
        return
    extract = InterpolationExtractor(**options)
    x = extract(tokens).x
    assert x.shape == (tokens.num_nodes, extract.out_channels), "x"
    assert x.isfinite().all(), f"x is not finite with {options}"
    if case.is_batch:
        parts = x.split(tokens.ptr.diff().tolist())
        for graph, part in zip(tokens.to_data_list(), parts, strict=True):
            assert torch.equal(extract(graph).x, part), f"vectors of batch and single: {options}"
    if rng.random() < 0.3:
        with kernels.plain():
            difference = ((extract(tokens).x - x).abs() / x.abs().clamp(min=1)).max()
        tolerance = TOLERANCE_OF_WIDE if extract.sigma >= 1 else TOLERANCE
        assert difference <= tolerance, f"fused and plain vectors: {difference:.3g}, {options}"


WRONG_EXTRACTORS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("bins", (0, 1, -4, 2.5, "8", None, float("nan"))),
    ("sigma", (0, -1.0, float("nan"), float("inf"), "0.1")),
    ("mode", ("cubic", None, 3, "")),
)


def check_to_level(rng: Random, case: Case, tokens: TokenData) -> None:
    depth = tokens.tree.depth
    level = rng.randint(0, depth)
    at = tokens.to_level(level)
    assert torch.equal(at.cluster, tokens.partition(level)), "to_level and partition"
    graphs = at.to_data_list() if case.is_batch else [at]
    for graph, image in zip(graphs, case.expected, strict=True):
        check_graph(graph, image)
        check_levels(graph)
    values = torch.arange(len(tokens.cluster), dtype=torch.float64)
    lifted = tokens.tree.lift(tokens.tree.pool(values, level, "max"), level)
    assert (lifted >= values).all(), "pool and lift"
    refused(lambda: tokens.to_level(rng.choice((-1, depth + 1))), "a level that is not there")


def check_files(tokens: TokenData) -> None:
    file = io.BytesIO()
    detached = tokens.clone()
    detached.pixels = tokens.pixels.detach()
    torch.save(detached, file)
    file.seek(0)
    same(torch.load(file, weights_only=True), detached, "saved and loaded")


def same(one: TokenData, other: TokenData, what: str) -> None:
    assert type(one) is type(other), what
    left, right = one.to_dict(), other.to_dict()
    assert left.keys() == right.keys(), what
    for name, value in left.items():
        assert value.dtype == right[name].dtype, f"{what}: {name}"
        assert torch.equal(value, right[name]), f"{what}: {name}"


def refused(call: Any, what: str) -> None:
    try:
        call()
    except (ValueError, TypeError) as error:
        assert str(error).strip(), f"{what}: {type(error).__name__} without a message"
        return
    raise AssertionError(f"{what} was taken")


if __name__ == "__main__":
    sys.exit(main())
