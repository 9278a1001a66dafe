"""Many threads, many processes, one library: results stay the same, and memory does not grow.

    python benchmarks/stress.py --seconds 120

Threads share every tokenizer, an extractor and a model, and compare what they get with what one
thread got before; processes, forked and spawned, share the kernels' cache and do the same. One
line a check; exit status 1 if one failed.

Memory is judged between rounds, of which there are `ROUNDS`: when all threads have ended, and what
the C library keeps at hand is given back. What is still held grows at first, since the C library
has a heap for each thread, until these are as large as they ever have to be at once. So the last
three rounds are compared with the three before them (their medians), which may differ by `GROWTH`;
a leak of one image a call would be far more. Runs of less than a minute are not judged.
"""

import argparse
import ctypes
import gc
import hashlib
import multiprocessing
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty
from statistics import median
from typing import Any

import torch
from torch import Tensor

import spitgraph
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    create_model,
    from_partition,
)

#: Sides of the images: some are one thread's work, others are divided among all.
SIZES = ((1, 1), (1, 90), (17, 23), (64, 64), (96, 130), (224, 224), (380, 500), (600, 800))
#: Bytes by which memory may be larger at the end; from how many seconds on that says something.
GROWTH, ROUNDS, JUDGED = 2**26, 9, 60.0
#: How much logits may differ: a matrix product depends on how many threads share it.
TOLERANCE = 1e-5
STATUS = Path("/proc/self/statm")
PAGE = 4096


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--processes", type=int, default=10)
    args = parser.parse_args()
    spitgraph.warm_up()
    ways = all_ways()
    expected = [way() for way in ways]
    checks = [
        ("one thread, once more", lambda: repeat(ways, expected)),
        (
            f"{args.threads} threads, {args.seconds:g} s",
            lambda: in_threads(ways, expected, args.threads, args.seconds),
        ),
        *(
            (
                f"{args.processes} processes by {method}",
                lambda method=method: in_processes(method, args.processes, expected),
            )
            for method in ("fork", "spawn")
            if args.processes > 0 and method in multiprocessing.get_all_start_methods()
        ),
    ]
    failed = 0
    for name, run in checks:
        try:
            print(f"{name:<28} right: {run()}", flush=True)
        except Exception as error:
            failed += 1
            print(f"{name:<28} WRONG: {type(error).__name__}: {error}", flush=True)
    return 1 if failed else 0


# ---- what is done --------------------------------------------------------------------------------


def pictures() -> list[Tensor]:
    """Noise, smooth and flat, as bytes and floats."""
    generator = torch.Generator().manual_seed(0)
    images = []
    for index, (height, width) in enumerate(SIZES):
        image = torch.rand(3, height, width, generator=generator)
        if index % 3 == 1:
            image = (image[:, :1, :1] + torch.linspace(0, 1, width)).expand(3, height, width) / 2
        images.append((image * 255).byte() if index % 2 else image)
    return images


def all_ways() -> list[Callable[[], list[Tensor]]]:
    """Calls that share tokenizers, an extractor and a model; what each gives depends on nothing."""
    torch.manual_seed(0)
    images = pictures()
    small = [image for image in images if image[0].numel() <= 128**2]
    extract = InterpolationExtractor(8)
    options = {"embed_dim": 32, "depth": 2, "num_heads": 2, "bins": 4, "num_classes": 5}
    model = create_model("spit_tiny_16", **options).eval()
    tokenizers = [
        SuperpixelTokenizer(),
        SuperpixelTokenizer(levels=30, similarity="ward"),
        SuperpixelTokenizer(num_tokens=1, compactness=0.1),
        SuperpixelTokenizer(num_tokens=1, quality="fine"),
        PatchTokenizer(16),
    ]

    def described(tokens: Any) -> list[Tensor]:
        tokens = extract(tokens)
        return [value for value in tokens.to_dict().values() if isinstance(value, Tensor)]

    def cells(image: Any) -> list[Tensor]:
        generator = torch.Generator().manual_seed(3)
        return described(VoronoiTokenizer(50, generator=generator)(image))

    def quarters(image: Tensor) -> list[Tensor]:
        height, width = image.shape[1:]
        rows, columns = torch.arange(height) * 2 // height, torch.arange(width) * 2 // width
        return described(from_partition(image, rows[:, None] * 2 + columns))

    def logits(some: Any) -> list[Tensor]:
        with torch.no_grad():
            return [model(some)]

    ways: list[Callable[[], list[Tensor]]] = [lambda: logits(small)]
    for image in images:
        ways += [lambda t=t, image=image: described(t(image)) for t in tokenizers]
        ways += [lambda image=image: cells(image), lambda image=image: quarters(image)]
    ways += [lambda t=t: described(t(small)) for t in tokenizers]
    return ways


def compare(way: int, found: list[Tensor], expected: list[Tensor]) -> None:
    assert len(found) == len(expected)
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        is_same = torch.equal(one, other)
        if way == 0:  # the model's
            is_same = torch.allclose(one, other, rtol=0, atol=TOLERANCE)
        assert is_same, f"way {way}, tensor {index} is another than one thread's"


def repeat(ways: list[Callable[[], list[Tensor]]], expected: list[list[Tensor]]) -> str:
    for index, way in enumerate(ways):
        compare(index, way(), expected[index])
    return f"{len(ways)} calls"


# ---- threads -------------------------------------------------------------------------------------


def in_threads(
    ways: list[Callable[[], list[Tensor]]],
    expected: list[list[Tensor]],
    num_threads: int,
    seconds: float,
) -> str:
    """All threads at once, each in an order of its own, for a time."""
    calls, held = 0, []
    for turn in range(ROUNDS):
        calls += one_round(ways, expected, num_threads, seconds / ROUNDS, turn * num_threads)
        held.append(resident())
    growth = median(held[-3:]) - median(held[-6:-3])
    shown = ", ".join(f"{size / 2**20:.0f}" for size in held)
    assert growth <= GROWTH or seconds < JUDGED, f"memory grew, in MiB: {shown}"
    return f"{calls} calls; memory after each round, in MiB: {shown}"


def one_round(
    ways: list[Callable[[], list[Tensor]]],
    expected: list[list[Tensor]],
    num_threads: int,
    seconds: float,
    seed: int,
) -> int:
    """How many calls the threads made."""
    start = time.monotonic()
    calls, errors = [0] * num_threads, []

    def work(worker: int) -> None:
        generator = torch.Generator().manual_seed(seed + worker)
        order = torch.randperm(len(ways), generator=generator).tolist()
        try:
            while time.monotonic() - start < seconds and not errors:
                index = order[calls[worker] % len(order)]
                compare(index, ways[index](), expected[index])
                calls[worker] += 1
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(calls)


def resident() -> int:
    """Bytes that this process needs in memory; 0 where the system does not say."""
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
    return int(STATUS.read_text().split()[1]) * PAGE if STATUS.exists() else 0


# ---- processes -----------------------------------------------------------------------------------


def in_processes(method: str, count: int, expected: list[list[Tensor]]) -> str:
    """As many processes at once, each all calls."""
    gc.collect()
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    hashes = [[summary(tensor) for tensor in tensors] for tensors in expected]
    processes = [
        context.Process(target=one_process, args=(hashes, answers), daemon=True)
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
        assert process.exitcode == 0, f"a process ended with {process.exitcode}"
    complaints = []
    while True:
        try:
            complaints.append(answers.get(timeout=0.2))
        except Empty:
            break
    assert not complaints, complaints[0]
    return f"{count * len(expected)} calls"


def summary(tensor: Tensor) -> tuple[Any, ...]:
    """What is compared across processes."""
    content = hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()
    return str(tensor.dtype), tuple(tensor.shape), content


def one_process(expected: list[list[tuple[Any, ...]]], answers: Any) -> None:
    try:
        torch.set_num_threads(1)  # as workers of a DataLoader: OpenMP's others end with a fork
        for index, way in enumerate(all_ways()):
            found = [summary(tensor) for tensor in way()]
            if index > 0:  # not the model's
                assert found == expected[index], f"way {index} gives something else"
    except Exception:
        answers.put(traceback.format_exc())


if __name__ == "__main__":
    sys.exit(main())
