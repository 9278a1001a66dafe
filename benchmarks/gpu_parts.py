"""The checks and measurements of gpu.py, part by part: a name, and a call that gives figures."""

import random
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import torch
from attention import Case, median_times
from methods import Images, Ours, VisionTransformer, timings
from pictures import photographs, pictures
from PIL import Image
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from spitgraph import InterpolationExtractor, SuperpixelTokenizer, colour, refine
from spitgraph.contraction.cuda import hierarchy as fast
from spitgraph.contraction.cuda.colour import quantised_lab
from spitgraph.contraction.fine.cuda import hierarchy as fine
from spitgraph.contraction.graph import quantise
from spitgraph.contraction.weights import SIMILARITIES
from spitgraph.extractors.interpolation.cuda.vectors import token_vectors
from spitgraph.hierarchy import Hierarchy
from spitgraph.images import unit_rgb
from spitgraph.kernels import fused, plain
from spitgraph.kernels.cuda.images import channels
from spitgraph.nn.packed_attention import looped_attention, nested_attention
from spitgraph.pixels import comparison_features
from spitgraph.regions.cuda import describe_regions
from spitgraph.settings import Settings

T = TypeVar("T")
Check = tuple[str, Callable[[], dict[str, Any]]]

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
TESTS = Path(__file__).resolve().parents[1] / "tests"


@dataclass(frozen=True)
class Scale:
    """How much there is to do."""

    settings: int  # random ones
    photographs: int  # at most, at their own size
    side: int
    colours: int  # of each channel, evenly spaced; 256 are all
    batches: tuple[int, ...]
    large: int
    rounds: int
    tests: str  # those of the kernels, as pytest's -k has it
    fine_tests: str  # and of those of the fine rule
    fine: Settings
    tokens: tuple[int, int]  # of the fewest and most an image, for attention
    images: int  # for attention, and for the transformer
    transformer: str


FULL = Scale(
    settings=200,
    photographs=32,
    side=224,
    colours=256,
    batches=(1, 2, 4, 8, 16, 32, 64, 128, 256),
    large=4096,
    rounds=9,
    tests="",
    fine_tests="",
    fine=Settings(num_tokens=196, quality="fine"),
    tokens=(60, 400),
    images=32,
    transformer="vit_base_16",
)
TINY = Scale(
    settings=6,
    photographs=2,
    side=16,
    colours=16,
    batches=(1, 2),
    large=24,
    rounds=2,
    tests="wait_for or leaves_pixels or lab",
    fine_tests="evidence or meets",
    fine=Settings(num_tokens=16, quality="fine"),
    tokens=(3, 9),
    images=2,
    transformer="vit_tiny_16",
)
SCALE = FULL if GPU else TINY


# ---- tests ---------------------------------------------------------------------------------------


def tests(*selected: str) -> dict[str, Any]:
    """How many tests passed; and what pytest says where one did not."""
    command = [sys.executable, "-m", "pytest", "-vv", "--tb=short", "-p", "no:cacheprovider"]
    with subprocess.Popen(
        [*command, *selected],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=TESTS.parent,
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:  # as they come: where time runs out, it is known what passed
            print(line, end="", flush=True)
            lines.append(line)
    counted = re.findall(r"(\d+) (passed|failed|skipped|errors?)", lines[-1] if lines else "")
    result: dict[str, Any] = {name: int(count) for count, name in counted}
    if process.returncode:
        result["error"] = "".join(lines)[-4000:]
    return result


def kernel_tests(folder: Path) -> Iterator[Check]:
    file = str(TESTS / "kernels" / "triton_checks.py")
    fine_file = str(TESTS / "kernels" / "triton_fine_checks.py")
    fine_tests = partial(tests, fine_file, *(["-k", SCALE.fine_tests] if SCALE.fine_tests else []))
    yield "the fine rule", fine_tests
    if not GPU:
        yield "the step tests, some of them", partial(tests, file, "-k", SCALE.tests)
        return
    yield "contraction", partial(tests, file, "-k", "hierarch or edges or loops or lab")
    yield "from images to tokens", partial(tests, file, "-k", "doors or pixels or wait or refused")
    yield "regions and vectors", partial(tests, file, "-k", "regions or vectors")


def model_tests(folder: Path) -> Iterator[Check]:
    yield "models on every device", partial(tests, str(TESTS / "nn" / "test_device.py"))
    if GPU:
        others = "device or cuda", "--ignore", str(TESTS / "nn" / "test_device.py")
        yield "all that take a device", partial(tests, str(TESTS), "-k", *others)


# ---- exactness -----------------------------------------------------------------------------------


def exact(folder: Path) -> Iterator[Check]:
    """The kernels against plain operations on the CPU, the specification."""
    yield "τ of random settings", partial(random_settings, folder)
    yield "τ of photographs", partial(of_photographs, folder)
    yield "τ by the fine rule", partial(of_fine_batches, folder)
    yield "φ of photographs", partial(vectors_of_photographs, folder)
    if GPU:
        yield "the tokenizer, CPU and CUDA", partial(by_tokenizer, folder)
    yield "quantised Lab of 8-bit colours", all_colours


def all_colours() -> dict[str, Any]:
    """Every colour of 8 bits a channel, as one image; the CPU takes as many as it has time for."""
    shade = torch.linspace(0, 255, SCALE.colours).round().byte()
    colours = torch.cartesian_prod(shade, shade, shade).t()  # [3, colours³]
    image = colours.unflatten(1, (round(colours.shape[1] ** 0.5), -1))
    came = quantised_lab(channels([image.to(DEVICE)])).cpu().view(image.shape)
    differ, done = 0, 0
    for rows, strip in while_time(zip(image.split(64, 1), came.split(64, 1), strict=True), 40):
        differ += int((strip != colour.quantised_lab(rows)).sum())
        done += rows[0].numel()
    return {"equal": not differ, "colours": done, "values that differ": differ}


def random_settings(folder: Path) -> dict[str, Any]:
    """Batches of one to three pieces of photographs, in settings of all kinds."""
    draw, photos = random.Random(0), pictures(folder, 8, max(SCALE.side, 32))
    differ, done = [], 0
    for _ in while_time(range(SCALE.settings), 25):
        images = [_piece(draw.choice(photos), draw) for _ in range(draw.randint(1, 3))]
        smallest = min(image[0].numel() for image in images)
        exactly = draw.random() < 0.5
        settings = Settings(
            draw.randint(1, 6),
            num_tokens=draw.randint(1, min(400, smallest)) if exactly else None,
            compactness=draw.choice([0.0, 0.0, 0.1, 0.5, 1.0, draw.random()]),
            similarity=draw.choice(list(SIMILARITIES)),
            features=draw.choice(["lab", "lab", "spit"]),
        )
        parts = differing(images, settings)
        if parts:
            sizes = [tuple(image.shape[1:]) for image in images]
            differ.append(f"{settings} of {sizes}: {', '.join(parts)}")
        done += 1
    return {"equal": not differ, "settings": done, "first that differ": differ[:3]}


def _piece(photo: np.ndarray, draw: random.Random) -> Tensor:
    """A random window, in bytes or floats, [3, H, W]."""
    height, width = draw.randint(2, SCALE.side), draw.randint(2, SCALE.side)
    top, left = (
        draw.randint(0, have - want)
        for have, want in zip(photo.shape, (height, width), strict=False)
    )
    image = torch.from_numpy(photo[top : top + height, left : left + width]).permute(2, 0, 1)
    return image if draw.random() < 0.5 else unit_rgb(image)


def of_photographs(folder: Path) -> dict[str, Any]:
    differ, done = [], 0
    for name, image in while_time(whole_photographs(folder), 12):
        if differing([image], Settings()):
            differ.append(name)
        done += 1
    return {"equal": not differ, "photographs": done, "that differ": differ}


def of_fine_batches(folder: Path) -> dict[str, Any]:
    """Batches of one to four pieces of photographs, to all kinds of counts."""
    draw, photos = random.Random(1), pictures(folder, 8, max(SCALE.side, 32))
    differ, done = [], 0
    for _ in while_time(range(SCALE.settings), 20 if GPU else 5):
        images = [_piece(draw.choice(photos), draw) for _ in range(draw.randint(1, 4))]
        smallest = min(image[0].numel() for image in images)
        features = draw.choice(["lab", "lab", "spit"])
        count = draw.randint(1, min(400, smallest))
        settings = Settings(num_tokens=count, features=features, quality="fine")
        parts = differing(images, settings)
        if parts:
            sizes = [tuple(image.shape[1:]) for image in images]
            differ.append(f"{settings} of {sizes}: {', '.join(parts)}")
        done += 1
    return {"equal": not differ, "batches": done, "first that differ": differ[:3]}


def vectors_of_photographs(folder: Path) -> dict[str, Any]:
    """The largest difference of a number of a token's vector, of either kind of colour."""
    largest, done = 0.0, 0
    normal = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    for _, image in while_time(whole_photographs(folder), 12):
        for statistics in ({}, normal):
            with plain():
                tokens = SuperpixelTokenizer()(image)
                expected = InterpolationExtractor(16, **statistics)(tokens).x
            kernels = Kernels(vectors=True, statistics=statistics)
            came = kernels.tokens([image.to(DEVICE)])["x"].cpu()
            largest = max(largest, float((came - expected).abs().max() / expected.abs().max()))
        done += 1
    return {"equal": largest <= 1e-6, "photographs": done, "largest difference": largest}


def by_tokenizer(folder: Path) -> dict[str, Any]:
    """What users call chooses the kernels, and gives the same on both devices."""
    images = [torch.from_numpy(image).permute(2, 0, 1) for image in pictures(folder, 4, SCALE.side)]
    differ = []
    fine_options = {"num_tokens": 100, "quality": "fine"}
    others = {"num_tokens": 100}, {"similarity": "cosine", "features": "spit"}
    for options in ({}, fine_options, *others):
        there = SuperpixelTokenizer(**options)([image.to(DEVICE) for image in images]).cpu()
        with plain():
            here = SuperpixelTokenizer(**options)(images)
        same = all(torch.equal(there[name], here[name]) for name in here.to_dict())
        differ += [] if same else [str(options)]
    squares = torch.arange(SCALE.side) // 16
    label = squares[:, None] * (int(squares.max()) + 1) + squares
    there = refine([image.to(DEVICE) for image in images], [label] * len(images)).cpu()
    with plain():
        here = refine(images, [label] * len(images))
    differ += [] if torch.equal(there.cluster, here.cluster) else ["refine"]
    serves = all(fused(torch.device(DEVICE), rule) for rule in ("contraction", "fine"))
    return {"equal": not differ and serves, "kernels serve": serves, "that differ": differ}


def whole_photographs(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """The photographs as they are, by name; for the interpreter a small part of each."""
    for path in photographs(folder)[: SCALE.photographs]:
        image = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)
        yield path.name, image if GPU else image[:, :16, :16]


def while_time(items: Iterable[T], seconds: float) -> Iterator[T]:
    """The items, as many as there is time for."""
    start = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - start > seconds:
            return


def differing(images: list[Tensor], settings: Settings) -> list[str]:
    """What of the kernels' tokens is not the same, bit for bit, as the plain path's on the CPU."""
    features_q = None
    if settings.features != "lab" or settings.similarity == "cosine":
        features = [
            quantise(comparison_features(unit_rgb(image), settings.features, settings.similarity))
            for image in images
        ]
        features_q = torch.cat(features, dim=1).int().to(DEVICE)
    came = Kernels(settings).tokens([image.to(DEVICE) for image in images], features_q)
    with plain():
        tokens = SuperpixelTokenizer(
            settings.levels,
            num_tokens=settings.num_tokens,
            compactness=settings.compactness,
            similarity=settings.similarity,
            features=settings.features,
            quality=settings.quality,
        )(images)
    return [name for name, value in came.items() if not torch.equal(value.cpu(), tokens[name])]


# ---- speed ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kernels:
    """The kernels alone, without what a tokenizer does around them; a method as in methods.py."""

    settings: Settings = Settings()  # noqa: RUF009  frozen
    vectors: bool = False
    device: str = DEVICE
    statistics: dict[str, Any] = field(default_factory=dict)  # mean and std, for plain colour

    def prepared(self, images: Images) -> list[Tensor]:
        return [
            torch.from_numpy(image).permute(2, 0, 1).contiguous().to(self.device)
            for image in images
        ]

    def tokens(self, images: list[Tensor], features_q: Tensor | None = None) -> dict[str, Tensor]:
        """As named in `TokenData`."""
        rule = fine if self.settings.is_fine else fast
        hierarchy = rule.contract(images, features_q, self.settings)
        counts = last_counts(hierarchy)
        described = describe_regions(images, hierarchy.cluster, counts)
        names = ("pixels", "size", "bbox", "pos", "color", "edge_index", "edge_attr")
        tokens = dict(zip(names, described, strict=False))
        tokens |= {"cluster": hierarchy.cluster, "hierarchy": hierarchy.parent}
        tokens["num_levels"] = hierarchy.num_levels
        if self.vectors:
            heights, widths = ([image.shape[side] for image in images] for side in (1, 2))
            tokens["x"] = token_vectors(
                tokens["pixels"], hierarchy.cluster, tokens["size"], tokens["bbox"],
                heights, widths, counts, bins=16, sigma=0.05, gradient=True, mode="bilinear",
                **self.statistics,
            )  # fmt: skip
        return tokens

    def __call__(self, images: list[Tensor]) -> float:
        tokens = self.tokens(images)
        wait()
        return len(tokens["size"]) / len(images)

    def num_tokens(self, result: float) -> float:
        return result


def last_counts(hierarchy: Hierarchy) -> list[int]:
    """Tokens of each image."""
    return hierarchy.counts[hierarchy.num_levels.add(1).cumsum(0) - 1].tolist()


def wait() -> None:
    if GPU:
        torch.cuda.synchronize()


def methods() -> dict[str, Any]:
    """What users call, on a GPU as it is and else plain; and the kernels alone."""
    ours = {"device": DEVICE} if GPU else {"is_plain": True}
    return {
        "τ": Ours(**ours),
        "τ+φ": Ours(vectors=True, **ours),
        "τ kernels": Kernels(),
        "τ+φ kernels": Kernels(vectors=True),
    }


def speed(folder: Path) -> Iterator[Check]:
    yield "a level's launches and waits", partial(launches_a_level, folder)
    yield "share of a ViT in bfloat16", partial(share_of_transformer, folder)
    if GPU:
        yield "the fine rule's launches and waits", partial(fine_launches, folder)
    for batch in SCALE.batches[:: 3 if GPU else 2]:
        yield f"fine, {batch} × {SCALE.side}²", partial(speed_of_fine, folder, batch)
    for batch in SCALE.batches:
        yield f"{batch} × {SCALE.side}²", partial(speed_of, folder, batch, SCALE.side)
    yield f"1 × {SCALE.large}²", partial(speed_of, folder, 1, SCALE.large)


def speed_of(folder: Path, batch: int, side: int) -> dict[str, Any]:
    """Milliseconds an image, and images a second."""
    return compared(methods(), pictures(folder, batch, side), Kernels())


def speed_of_fine(folder: Path, batch: int) -> dict[str, Any]:
    """The same of the fine rule: what users call, and the kernels alone."""
    kernels = Kernels(SCALE.fine)
    both = {"fine τ kernels": kernels}
    if GPU:
        both |= {"fine τ": Ours(SCALE.fine.num_tokens, quality="fine", device=DEVICE)}
    return compared(both, pictures(folder, batch, SCALE.side), kernels)


def compared(these: dict[str, Any], images: Images, kernels: Kernels) -> dict[str, Any]:
    """Milliseconds an image, and images a second, of some methods; memory of the kernels."""
    for method in these.values():  # pays for compilation and memory
        method(method.prepared(images))
    result = {}
    for name, timing in timings(these, images, SCALE.rounds, seconds=1.0).items():
        result[f"{name}, ms an image"] = 1000 * timing.seconds / len(images)
        result[f"{name}, images/s"] = len(images) / timing.seconds
    if GPU:
        given = kernels.prepared(images)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        kernels(given)
        taken = torch.cuda.max_memory_allocated() - before
        result["bytes a pixel"] = taken / sum(image[0].numel() for image in given)
    return result


def share_of_transformer(folder: Path) -> dict[str, Any]:
    """Time of τ and φ beside the forward pass that reads their tokens."""
    images = pictures(folder, SCALE.images if GPU else 1, 224)
    vit = VisionTransformer(DEVICE, torch.bfloat16, SCALE.transformer)
    pair = {"τ+φ": methods()["τ+φ"], SCALE.transformer: vit}
    for method in pair.values():
        method(method.prepared(images))
    of = timings(pair, images, SCALE.rounds, seconds=3.0)
    ms = {f"{name}, ms an image": 1000 * of[name].seconds / len(images) for name in pair}
    return {"images": len(images), **ms, "share": of["τ+φ"].seconds / of[SCALE.transformer].seconds}


def launches_a_level(folder: Path) -> dict[str, Any]:
    """What one level more adds, and what all takes at T = 4."""
    batch = max(batch for batch in SCALE.batches if batch <= 8)
    images = Kernels().prepared(pictures(folder, batch, SCALE.side))
    three, four = (device_work(partial(Kernels(Settings(t)).tokens, images)) for t in (3, 4))
    result = {f"{name} of τ": four[name] for name in four}
    result |= {f"{name} a level": four[name] - three[name] for name in four}
    both = device_work(partial(Kernels(vectors=True).tokens, images))
    return result | {f"{name} of τ+φ": both[name] for name in both}


def fine_launches(folder: Path) -> dict[str, Any]:
    """What the fine rule starts on the device for a batch."""
    batch = max(batch for batch in SCALE.batches if batch <= 8)
    images = Kernels().prepared(pictures(folder, batch, SCALE.side))
    return dict(device_work(partial(Kernels(SCALE.fine).tokens, images)))


def device_work(call: Callable[[], Any]) -> dict[str, int]:
    """Kernels, copies and fills that a call starts on the device, and how often the host waits."""
    call()  # compiles
    wait()
    activities = [torch.profiler.ProfilerActivity.CPU]
    if GPU:
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        call()
        wait()
    device_type = torch.autograd.DeviceType.CUDA
    names = [event.name for event in profiler.events() if event.device_type == device_type]
    moved = sum(name.startswith(("Memcpy", "Memset")) for name in names)
    return {"launches": len(names) - moved, "copies": moved, "waits": host_waits(call)}


def host_waits(call: Callable[[], Any]) -> int:
    """How often PyTorch waits for the device within a call."""
    if not GPU:
        call()
        return 0
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            call()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("called a synchronizing" in str(warning.message) for warning in told)


# ---- attention -----------------------------------------------------------------------------------


def attention(folder: Path) -> Iterator[Check]:
    for size, heads in (("small", 6), ("base", 12)):
        for training in (False, True):
            what = f"{size}, {'training' if training else 'forward'}"
            bodies = "loop", "jagged", "varlen", "padded"
            for body in bodies:
                if GPU or body != "varlen":  # which has no body for the CPU
                    yield f"{body}: {what}", partial(attention_of, body, heads, training)
            yield f"blocks: {what}", partial(blocks, size, training)


def case(size: str, training: bool) -> Case:
    threads = torch.get_num_threads()
    return Case(size, training, 2 if GPU else 1, SCALE.images, *SCALE.tokens, DEVICE, threads)


def blocks(size: str, training: bool) -> dict[str, Any]:
    """Whole blocks in float32, as benchmarks/attention.py measures them: ms a block."""
    return median_times(case(size, training), SCALE.rounds)


def attention_of(body: str, heads: int, training: bool) -> dict[str, Any]:
    """Milliseconds and memory of one attention, head width 64, and how far it is from the loop."""
    counts = case("small", training).counts().tolist()
    dtype = torch.bfloat16 if GPU else torch.float32
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(3, sum(counts), heads, 64, generator=generator).to(DEVICE, dtype)
    q, k, v = (x.clone().requires_grad_(training) for x in rows)
    attend = attention_bodies(counts)[body]
    difference = (attend(q, k, v) - attention_bodies(counts)["loop"](q, k, v)).abs().max()

    def run() -> None:
        with torch.set_grad_enabled(training):
            out = attend(q, k, v)
        if training:
            torch.autograd.grad(out.sum(), (q, k, v))
        wait()

    result = {"ms": 1000 * median(_times(run)), "from the loop": float(difference)}
    if GPU:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        result["MB"] = (torch.cuda.max_memory_allocated() - before) / 2**20
    return result


def _times(run: Callable[[], None]) -> list[float]:
    times = []
    for _ in range(3 * SCALE.rounds + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times[1:]  # the first warms up


def attention_bodies(counts: Sequence[int]) -> dict[str, Callable[[Tensor, Tensor, Tensor], Any]]:
    """Attention among packed rows [S, heads, d] of so many an image, in four ways."""
    number = torch.tensor(counts, device=DEVICE)
    offsets = torch.cat([number.new_zeros(1), number.cumsum(0)])
    longest = max(counts)
    here = torch.arange(longest, device=DEVICE) < number[:, None]  # [B, L]
    mask = here[:, None, None]

    def padded(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        dense = [x.new_zeros(len(counts), longest, *x.shape[1:]) for x in (q, k, v)]
        query, key, value = (
            zeros.masked_scatter(here[..., None, None], x).transpose(1, 2)
            for zeros, x in zip(dense, (q, k, v), strict=True)
        )
        out = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return out.transpose(1, 2)[here]

    def varlen(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        from torch.nn.attention.varlen import varlen_attn  # of newer PyTorch only

        ends = offsets.int()
        return varlen_attn(q, k, v, ends, ends, longest, longest)

    return {
        "loop": lambda q, k, v: looped_attention(q, k, v, counts, None),
        "jagged": lambda q, k, v: nested_attention(q, k, v, offsets, counts),
        "varlen": varlen,
        "padded": padded,
    }


CHECKS: dict[str, Callable[[Path], Iterator[Check]]] = {
    "kernel tests": kernel_tests,
    "exact": exact,
    "speed": speed,
    "attention": attention,
    "model tests": model_tests,
}
