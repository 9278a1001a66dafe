"""Sweeps of the speed benchmark over image side, batch and number of tokens, and their plot."""

import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path

from machine import available_bytes, peak_bytes
from methods import BY_COUNT, Method, Ours, Peer, timings
from pictures import pictures
from tqdm import tqdm

try:
    import pandas as pd
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator
except ImportError as error:
    raise SystemExit(f'{error.name} is missing: pip install "spitgraph[bench]"') from None

SIDES = (64, 96, 112, 160, 224, 512, 1024, 2048, 4096)
BATCHES, BATCH_SIDE = (1, 2, 4, 8, 16, 32, 64, 128, 256), 224
TOKENS, TOKENS_SIDE = (16, 64, 256, 1024, 4096), 512
#: A method is called so often, or until its calls took so many seconds (`timings`).
ROUNDS, SECONDS = 9, 2.0
#: Seconds; a peer goes no further where a call would take longer.
LONGEST = 10.0


@dataclass(frozen=True)
class Row:
    """One method on so many images of one side."""

    table: str
    step: int  # of what the table sweeps: the side, the images, or the tokens asked for
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


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """The rows as a table, with what follows from them."""
    cells = [asdict(row) | {"pixels": row.pixels, "ms_per_image": row.ms} for row in rows]
    return pd.DataFrame(cells).astype({"peak_bytes": float})


@dataclass(frozen=True)
class Point:
    """One step of a sweep."""

    table: str
    step: int
    images: int
    side: int
    methods: dict[str, Method]


def points(methods: Mapping[str, Method], tokens: float) -> Iterator[Point]:
    """All steps, of methods that have T = 4 or about as many `tokens` at 224×224."""

    def set_to(count: float, name: str) -> Method:
        if name not in BY_COUNT:
            return methods[name]
        return replace(methods[name], setting=max(1, round(methods[name].setting * count / tokens)))

    for side in SIDES:
        count = tokens * (side / BATCH_SIDE) ** 2
        yield Point("side", side, 1, side, {name: set_to(count, name) for name in methods})
    for batch in BATCHES:
        together = {n: m.side_by_side() if isinstance(m, Peer) else m for n, m in methods.items()}
        yield Point("batch", batch, batch, BATCH_SIDE, dict(methods) if batch == 1 else together)
    for count in TOKENS:
        exact = {n: replace(m, count=count) for n, m in methods.items() if isinstance(m, Ours)}
        others = {name: set_to(count, name) for name in methods if name in BY_COUNT}
        yield Point("tokens", count, 1, TOKENS_SIDE, exact | others)


def sweep(
    folder: Path, methods: Mapping[str, Method], tokens: float, threads: int
) -> Iterator[Row]:
    """All sweeps, row by row, told on stderr; a method stops before what would take too much."""
    small, last_peak = pictures(folder, 1, 64), dict.fromkeys(methods, 0.0)  # bytes a pixel
    steps = tqdm(list(points(methods, tokens)), unit="step")

    def say(line: str) -> None:
        tqdm.write(line, file=sys.stderr)

    for table, of_table in groupby(steps, key=lambda point: point.table):
        a_pixel, stopped = dict.fromkeys(methods, 0.0), set()  # seconds; names
        for point in of_table:
            pixels = point.images * point.side**2
            what = f"{point.images} × {point.side}²"
            for name in [name for name in point.methods if name not in stopped]:
                method, seconds = point.methods[name], pixels * a_pixel[name]
                needed = pixels * last_peak[name]
                too_long = isinstance(method, Peer) and seconds > LONGEST
                if too_long or needed > 0.8 * available_bytes(method.device):
                    stopped.add(name)
                    cost = f"about {seconds:.0f} s and {needed / 2**30:.1f} GiB"
                    say(f"{table}: {name} stops before {what}, which would take {cost}")
            going = {n: method for n, method in point.methods.items() if n not in stopped}
            images = pictures(folder, point.images, point.side)
            for name, timing in timings(going, images, ROUNDS, SECONDS).items():
                peak = None
                if table == "side":
                    peak = peak_bytes(going[name], images, small, threads)
                    if peak is not None:
                        last_peak[name] = peak / pixels
                a_pixel[name] = timing.seconds / pixels
                row = Row(table, point.step, name, point.images, point.side, *timing, peak)
                say(f"{table}: {name}, {what}, {row.tokens:.0f} tokens: {row.ms:.2f} ms an image")
                yield row


STYLES = {
    "ours, plain": {"color": "#f2a65a", "marker": "o"},
    "ours, fused": {"color": "#c8102e", "marker": "o", "linewidth": 2.4},
    "ours, fused, CUDA": {"color": "#6a0f49", "marker": "s", "linewidth": 2.4},
    "fast-slic": {"color": "#1f6fb4", "marker": "^"},
    "scikit-image SLIC": {"color": "#5aa9a3", "marker": "v"},
    "scikit-image Felzenszwalb": {"color": "#7f7f7f", "marker": "D"},
}


def plot(rows: pd.DataFrame) -> bytes:
    """PNG: time and memory against pixels, time against batch and against tokens, log–log."""
    figure = Figure(figsize=(11, 8.2), layout="constrained")
    (time, memory), (batch, tokens) = figure.subplots(2, 2)
    by_side, by_batch, by_tokens = (rows[rows["table"] == n] for n in ("side", "batch", "tokens"))
    _lines(time, by_side, "pixels", "ms_per_image")
    measured = by_side[by_side["peak_bytes"] > 0].assign(MiB=by_side["peak_bytes"] / 2**20)
    _lines(memory, measured, "pixels", "MiB")
    _lines(batch, by_batch, "images", "ms_per_image")
    _lines(tokens, by_tokens, "tokens", "ms_per_image")
    time.set(title="Time of one image", ylabel="milliseconds")
    memory.set(title="Peak memory of one image, beyond the input", ylabel="MiB")
    used = sorted(by_side["side"].unique())
    for axes in (time, memory):
        axes.set_xlabel("pixels")
        # labels of the others would lie on those of their neighbours
        apart = [side for side in used if not any(side / 1.25 < other < side for other in used)]
        axes.set_xticks([side**2 for side in apart], [f"{side}²" for side in apart])
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


def _lines(axes, rows: pd.DataFrame, x: str, y: str) -> None:
    for name, of_method in rows.groupby("method", sort=False):
        style = {"linewidth": 1.6, "markersize": 5} | STYLES.get(name, {})
        axes.plot(of_method[x], of_method[y], label=name, **style)
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
