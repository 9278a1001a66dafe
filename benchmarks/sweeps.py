"""Sweeps of the speed benchmark over image side, batch and number of tokens, and their plot."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, groupby, islice
from pathlib import Path

import numpy as np
from machine import available_bytes, peak_bytes
from methods import BY_COUNT, Method, Ours, Peer, timings
from PIL import Image, ImageOps

try:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator
except ImportError as error:
    raise SystemExit(f'{error.name} is missing: pip install "spitgraph[bench]"') from None

SIDES = (112, 224, 512, 1024, 2048, 4096)
BATCHES, BATCH_SIDE = (1, 2, 4, 8, 16, 32, 64, 128, 256), 224
TOKENS, TOKENS_SIDE = (16, 64, 256, 1024, 4096), 512
ROUNDS = 3
#: Larger images are mosaics of photographs of this side: an enlarged one would be too smooth.
TILE = 512


@dataclass(frozen=True)
class Row:
    """One method on so many images of one side."""

    table: str
    method: str
    images: int
    side: int
    seconds: float  # all images, median over rounds
    best: float  # all images
    cores: float  # busy
    tokens: float  # an image, on average
    peak_bytes: float | None = None

    @property
    def pixels(self) -> int:
        return self.images * self.side**2

    @property
    def ms(self) -> float:
        return 1000 * self.seconds / self.images


@dataclass(frozen=True)
class Point:
    """One step of a sweep."""

    table: str
    images: int
    side: int
    methods: dict[str, Method]


def pictures(folder: Path, count: int, side: int) -> list[np.ndarray]:
    """Squares [side, side, 3] of the folder's photographs, from the first again if too few."""
    paths = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    if not paths:
        raise SystemExit(f"{folder} holds no photographs (.jpg, .jpeg, .png)")
    photos, size, per_row = cycle(paths), (min(side, TILE),) * 2, range(-(-side // TILE))

    def tile() -> np.ndarray:
        return np.array(ImageOps.fit(Image.open(next(photos)).convert("RGB"), size))

    def mosaic() -> np.ndarray:
        rows = [np.hstack([tile() for _ in per_row]) for _ in per_row]
        return np.ascontiguousarray(np.vstack(rows)[:side, :side])

    images = [mosaic() for _ in range(min(count, len(paths)))]
    return list(islice(cycle(images), count))


def points(methods: Mapping[str, Method], tokens: float) -> Iterator[Point]:
    """All steps, of methods that have T = 4 or about as many `tokens` at 224×224."""

    def set_to(count: float, name: str) -> Method:
        if name not in BY_COUNT:
            return methods[name]
        return replace(methods[name], setting=max(1, round(methods[name].setting * count / tokens)))

    for side in SIDES:
        count = tokens * (side / BATCH_SIDE) ** 2
        yield Point("side", 1, side, {name: set_to(count, name) for name in methods})
    for batch in BATCHES:
        together = {n: m.side_by_side() if isinstance(m, Peer) else m for n, m in methods.items()}
        yield Point("batch", batch, BATCH_SIDE, dict(methods) if batch == 1 else together)
    for count in TOKENS:
        exact = {n: replace(m, count=count) for n, m in methods.items() if isinstance(m, Ours)}
        others = {name: set_to(count, name) for name in methods if name in BY_COUNT}
        yield Point("tokens", 1, TOKENS_SIDE, exact | others)


def sweep(
    folder: Path, methods: Mapping[str, Method], tokens: float, threads: int, seconds: float
) -> Iterator[Row]:
    """All sweeps, row by row.

    The calls of each may take so many seconds; a method goes no further once its next step would
    take more than what is left of its share, or too much memory.
    """
    small, last_peak = pictures(folder, 1, 64), dict.fromkeys(methods, 0.0)  # bytes a pixel
    for table, steps in groupby(points(methods, tokens), key=lambda point: point.table):
        left = dict.fromkeys(methods, seconds / len(methods))
        a_pixel = dict.fromkeys(methods, 0.0)  # seconds
        calls = ROUNDS + (table == "side")
        for point in steps:
            pixels = point.images * point.side**2
            affordable = {
                name: method
                for name, method in point.methods.items()
                if calls * pixels * a_pixel[name] <= left[name]
                and pixels * last_peak[name] <= 0.8 * available_bytes(method.device)
            }
            images = pictures(folder, point.images, point.side)
            for name, timing in timings(affordable, images, ROUNDS).items():
                peak = None
                if table == "side":
                    peak = peak_bytes(affordable[name], images, small, threads)
                    last_peak[name] = (peak or 0) / pixels
                left[name] -= calls * timing.seconds
                a_pixel[name] = timing.seconds / pixels
                yield Row(table, name, point.images, point.side, *timing, peak)


STYLES = {
    "ours, plain": {"color": "#f2a65a", "marker": "o"},
    "ours, fused": {"color": "#c8102e", "marker": "o", "linewidth": 2.4},
    "ours, fused, CUDA": {"color": "#6a0f49", "marker": "s", "linewidth": 2.4},
    "fast-slic": {"color": "#1f6fb4", "marker": "^"},
    "scikit-image SLIC": {"color": "#5aa9a3", "marker": "v"},
    "scikit-image Felzenszwalb": {"color": "#7f7f7f", "marker": "D"},
}


def plot(rows: Sequence[Row]) -> bytes:
    """PNG: time and memory against pixels, time against batch and against tokens, log–log."""
    figure = Figure(figsize=(11, 8.2), layout="constrained")
    (time, memory), (batch, tokens) = figure.subplots(2, 2)
    by_table = {
        name: [row for row in rows if row.table == name] for name in ("side", "batch", "tokens")
    }
    by_side = by_table["side"]
    _lines(time, by_side, lambda row: row.pixels, lambda row: row.ms)
    measured = [row for row in by_side if row.peak_bytes]
    _lines(memory, measured, lambda row: row.pixels, lambda row: row.peak_bytes / 2**20)
    _lines(batch, by_table["batch"], lambda row: row.images, lambda row: row.ms)
    _lines(tokens, by_table["tokens"], lambda row: row.tokens, lambda row: row.ms)
    time.set(title="Time of one image", ylabel="milliseconds")
    memory.set(title="Peak memory of one image, beyond the input", ylabel="MiB")
    used = sorted({row.side for row in by_side})
    for axes in (time, memory):
        axes.set_xlabel("pixels")
        axes.set_xticks([side**2 for side in used], [f"{side}²" for side in used])
        _guide(axes)
    batch.set(title=f"Time of an image of {BATCH_SIDE}² in a batch", xlabel="images in the batch")
    batch.set_xticks(BATCHES, [str(count) for count in BATCHES])
    tokens.set(title=f"Time of one image of {TOKENS_SIDE}², by number of tokens", xlabel="tokens")
    tokens.set_xticks(TOKENS, [str(count) for count in TOKENS])
    for axes in (batch, tokens):
        axes.set_ylabel("milliseconds an image")
    handles, labels = time.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    return png.getvalue()


def _lines(axes, rows: Sequence[Row], x: Callable[[Row], float], y: Callable[[Row], float]) -> None:
    for name in dict.fromkeys(row.method for row in rows):
        of_method = [row for row in rows if row.method == name]
        style = {"linewidth": 1.6, "markersize": 5} | STYLES.get(name, {})
        axes.plot([x(row) for row in of_method], [y(row) for row in of_method], label=name, **style)
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _guide(axes) -> None:
    """A dashed line proportional to the pixels, the slope of a constant cost a pixel."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    start = 1.5 * low
    end = min(right, left * high / start)
    axes.plot([left, end], [start, start * end / left], "--", color="#999999", lw=1, zorder=0)
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    middle = (left * end) ** 0.5, start * (end / left) ** 0.5
    axes.text(*middle, "∝ pixels", color="#777777", ha="center", va="center", bbox=behind, zorder=1)
    axes.set(xlim=(left, right), ylim=(low, high))
