"""Borders as vectors beside vtracer's: bytes and time at equal error, and gaps and overlaps.

    python benchmarks/vectors.py [FOLDER] [--images 20] [--num-tokens 500] [--rounds 3] [--out out]
    python benchmarks/vectors.py [FOLDER] --large

FOLDER holds photographs; so many of them are taken, evenly. Both trace the same picture, the
photograph with 500 superpixels painted with their mean colours: vtracer gets it as PNG, and we get
the label map. The error is the root mean square difference of colours, in steps of 1/255, between
that picture and the file as resvg draws it at its size. For each of vtracer's modes, we simplify by
the largest tolerance whose error is not above vtracer's. Both go in turns; times are of the
process's CPU, the least of the rounds.

Coverage is counted at points of a grid four times as fine as the pixels: which share of them is in
none of the paths, and which is in two or more. vtracer's stacks are meant to overlap; its cutouts
are not. Writes vectors.md, which is printed, and vectors.csv. With --large, only our own steps are
timed, on the first photograph enlarged to 12 megapixels, with noise added, in 1,000 superpixels.
"""

import argparse
import io
import re
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import resvg_py
import torch
import vtracer
from PIL import Image

from spitgraph import SuperpixelTokenizer, TokenData, inspection, outlines
from spitgraph.images import load_image

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "photos"
TOLERANCES = (0.0, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0)
#: vtracer's modes, and whether ours is smooth, or not simplified at all (None).
MODES = {"none": None, "polygon": False, "spline": True}
LAYERS = ("stacked", "cutout")
#: vtracer's settings: its own, and such that all colours are told apart, and none is left out.
SETTINGS = {
    "default": {},
    "all": {"filter_speckle": 0, "color_precision": 8, "layer_difference": 0},
}
GRID = 4  # samples a pixel's side


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare our vectors with vtracer's.")
    parser.add_argument("folder", nargs="?", type=Path, default=PHOTOS)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--num-tokens", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--large", action="store_true", help="our own steps, on 12 megapixels")
    args = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(args.folder.glob("*.jpg"))
    if args.large:
        print(large(paths[0], args.rounds))
        return
    paths = paths[:: max(1, len(paths) // args.images)][: args.images]
    args.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for path in paths:
        rows += compared(path, args)
        pd.DataFrame(rows).to_csv(args.out / "vectors.csv", index=False)
    text = report(pd.DataFrame(rows))
    (args.out / "vectors.md").write_text(text)
    print(text)


def large(path: Path, rounds: int) -> str:
    """CPU seconds of each of our steps."""
    image = load_image(path).float()[None] / (255 if load_image(path).dtype == torch.uint8 else 1)
    image = torch.nn.functional.interpolate(image, (3000, 4000), mode="bilinear")[0]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    labels = SuperpixelTokenizer(num_tokens=1000)((image + 0.03 * noise).clamp(0, 1)).seg[0]
    traced = outlines.trace(labels)
    rings, arcs = outlines.rings_of(traced), outlines.simplify(traced, 1.5)
    shares = outlines.smooth(arcs, 1.5)
    steps = {
        "trace": lambda: outlines.trace(labels),
        "rings": lambda: outlines.rings_of(traced),
        "simplify": lambda: outlines.simplify(traced, 1.5),
        "smooth": lambda: outlines.smooth(arcs, 1.5),
        "path data, as traced": lambda: "".join(outlines.path_data(traced, rings)),
        "path data, smooth": lambda: "".join(outlines.path_data(arcs, rings, shares)),
    }
    times = in_turns(steps, rounds)
    lines = [f"{len(traced)} arcs, {len(traced.points)} points, {len(arcs.points)} simplified"]
    return "\n".join([*lines, *(f"{name}: {seconds:.2f} s" for name, seconds in times.items())])


def compared(path: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """One picture: vtracer in each mode, and ours at its error."""
    image = load_image(path)
    tokens = SuperpixelTokenizer(num_tokens=args.num_tokens)(image)
    mosaic = np.array(inspection.to_pil(inspection.mean_colors(tokens)))
    file = io.BytesIO()
    Image.fromarray(mosaic).save(file, "png")
    rows = []
    known: dict[tuple[bool | None, float], float] = {}
    for settings, mode, layers in product(SETTINGS, MODES, LAYERS):
        smooth = MODES[mode]
        theirs = partial(traced, file.getvalue(), mode, layers, settings)
        tolerance = tolerance_for(tokens, mosaic, smooth, error(theirs(), mosaic), known)
        ours = partial(inspection.svg, tokens, simplify=tolerance, smooth=bool(smooth))
        makers = {"vtracer": theirs, "ours": ours}
        times = in_turns(makers, args.rounds)
        for name, make in makers.items():
            text = make()
            none, several = coverage(text)
            rows.append(
                {
                    "image": path.name,
                    "settings": settings,
                    "mode": mode,
                    "layers": layers,
                    "method": name,
                    "tolerance": tolerance if name == "ours" else None,
                    "error": error(text, mosaic),
                    "kB": len(text.encode()) / 1000,
                    "ms": 1000 * times[name],
                    "% in none": none,
                    "% in several": several,
                }
            )
    return rows


def traced(png: bytes, mode: str, layers: str, settings: str) -> str:
    return vtracer.convert_raw_image_to_svg(
        png, img_format="png", mode=mode, hierarchical=layers, **SETTINGS[settings]
    )


def tolerance_for(
    tokens: TokenData,
    mosaic: np.ndarray,
    smooth: bool | None,
    limit: float,
    known: dict[tuple[bool | None, float], float],
) -> float:
    """The largest tolerance whose error is not above a limit; 0 where there is none.

    `known` holds errors by whether borders are smooth and the tolerance, and is added to.
    """
    best = 0.0
    for tolerance in () if smooth is None else TOLERANCES:
        if (smooth, tolerance) not in known:
            text = inspection.svg(tokens, simplify=tolerance, smooth=smooth)
            known[smooth, tolerance] = error(text, mosaic)
        if known[smooth, tolerance] > limit:
            break
        best = tolerance
    return best


def in_turns(makers: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    times = dict.fromkeys(makers, float("inf"))
    for _ in range(rounds):
        for name, make in makers.items():
            start = time.process_time()
            make()
            times[name] = min(times[name], time.process_time() - start)
    return times


def error(text: str, mosaic: np.ndarray) -> float:
    data = bytes(resvg_py.svg_to_bytes(svg_string=text, width=mosaic.shape[1]))
    drawn = Image.open(io.BytesIO(data)).convert("RGBA")
    drawn = Image.alpha_composite(Image.new("RGBA", drawn.size, "black"), drawn).convert("RGB")
    difference = np.asarray(drawn, float) - mosaic
    return float(np.sqrt((difference**2).mean()))


# ---- coverage ------------------------------------------------------------------------------------


def coverage(text: str) -> tuple[float, float]:
    """Percentage of the picture in no path, and in two or more."""
    width, height = (int(re.search(rf'<svg[^>]* {side}="(\d+)"', text)[1]) for side in SIDES)
    whole = re.search(r'id="regions" transform="scale\(([\d.]+)\)"', text)
    scale = float(whole[1]) if whole else 1.0
    change = np.zeros((GRID * height, GRID * width + 1), int)  # of how many paths, along a row
    for attributes in re.findall(r"<path ([^>]*)>", text):
        moved = re.search(r"translate\(([-\d.]+),([-\d.]+)\)", attributes)
        shift = (float(moved[1]), float(moved[2])) if moved else (0.0, 0.0)
        lines = lines_of(re.search(r'\bd="([^"]*)"', attributes)[1])
        fill(change, GRID * (scale * lines + shift) - OFFSET)
    count = change.cumsum(1)[:, :-1]
    return 100 * float((count == 0).mean()), 100 * float((count > 1).mean())


def fill(change: np.ndarray, lines: np.ndarray) -> None:
    """Add one path, of lines [n, 2, 2] from point to point, to what is in it by rows.

    Lines are cut by rows in one direction, whichever they run in: two that are the same are cut at
    the same places.
    """
    lines = lines[lines[:, 0, 1] != lines[:, 1, 1]]
    downwards = lines[:, 0, 1] < lines[:, 1, 1]
    (x, y), (to_x, to_y) = np.where(downwards[:, None, None], lines, lines[:, ::-1]).transpose(
        1, 2, 0
    )
    first, count = np.ceil(y).astype(int), (np.ceil(to_y) - np.ceil(y)).astype(int)
    line = np.repeat(np.arange(len(count)), count)
    row = first[line] + np.arange(len(line)) - np.repeat(count.cumsum() - count, count)
    at = x[line] + (row - y[line]) / (to_y - y)[line] * (to_x - x)[line]
    order = np.lexsort((at, row))
    row, column = row[order], np.ceil(at[order]).astype(int).clip(0, change.shape[1] - 1)
    winding = np.where(downwards[line], 1, -1)[order].cumsum()  # each row's add up to 0
    is_inside = (winding != 0).astype(int)
    turns = np.diff(is_inside, prepend=0)
    shown = (row >= 0) & (row < len(change))
    np.add.at(change, (row[shown], column[shown]), turns[shown])


SIDES = ("width", "height")
#: Where samples are, in samples: on no line of whole or half pixels.
OFFSET = 0.5137
#: Numbers that a command of a path takes, and lines that a curve is drawn with.
TAKES, LINES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "Q": 4, "T": 2}, 16


def lines_of(data: str) -> np.ndarray:
    """The lines [n, 2, 2] of the path data of an SVG, curves being made of several."""
    here = begin = bend = np.zeros(2)
    lines = []
    for letter, given in re.findall(r"([a-zA-Z])([^a-zA-Z]*)", data):
        command, relative = letter.upper(), letter.islower()
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", given)]
        if command == "Z":
            lines.append((here, begin))
            here = begin
        for start in range(0, len(numbers), TAKES.get(command, 1)):
            part = numbers[start : start + TAKES[command]]
            if command == "H":
                part = [part[0], 0.0 if relative else here[1]]
            elif command == "V":
                part = [0.0 if relative else here[0], part[0]]
            points = np.reshape(part, (-1, 2)) + (here if relative else 0)
            if command == "T":
                points = np.stack([2 * here - bend, points[0]])
            if command == "M":
                begin = points[0]
            elif len(points) == 1:
                lines.append((here, points[0]))
            else:
                drawn = curve(np.stack([here, *points]))
                lines += list(zip(drawn, drawn[1:], strict=False))
                bend = points[-2]
            here = points[-1]
    return np.reshape(lines, (-1, 2, 2))


def curve(control: np.ndarray) -> np.ndarray:
    """Points of a Bézier curve; the same ones in both directions."""
    if tuple(control[0]) > tuple(control[-1]):
        return curve(control[::-1])[::-1]
    t = np.linspace(0, 1, LINES + 1)[:, None, None]
    points = np.broadcast_to(control, (len(t), *control.shape))
    while points.shape[1] > 1:
        points = points[:, :-1] * (1 - t) + points[:, 1:] * t
    points = points[:, 0].copy()
    points[0], points[-1] = control[0], control[-1]
    return points


# ---- report --------------------------------------------------------------------------------------


def report(rows: pd.DataFrame) -> str:
    """Medians over pictures, and of ours to vtracer's picture by picture."""
    shown = ["tolerance", "error", "kB", "ms", "% in none", "% in several"]
    keys = ["settings", "mode", "layers"]
    table = rows.groupby([*keys, "method"], sort=False)[shown].median()
    by_method = rows.pivot(index=[*keys, "image"], columns="method", values=["kB", "ms"])
    ratios = {what: by_method[what].ours / by_method[what].vtracer for what in ("kB", "ms")}
    lines = [
        f"Medians of {rows.image.nunique()} pictures. In any of ours, at most "
        f"{worst(rows, '% in none')} % are in no path, {worst(rows, '% in several')} % in two.",
        "",
        f"| {' | '.join([*keys, 'method', *shown, 'kB ÷ vtracer', 'ms ÷ vtracer'])} |",
        "|---" * (len(keys) + len(shown) + 3) + "|",
    ]
    for key, values in table.iterrows():
        cells = ["" if np.isnan(value) else f"{value:.3g}" for value in values]
        if key[-1] == "ours":
            cells += [f"{ratios[what][key[:-1]].median():.2f}" for what in ("kB", "ms")]
        lines.append(f"| {' | '.join([*key, *cells, *([''] * 2)][: lines[2].count('|') - 1])} |")
    return "\n".join(lines) + "\n"


def worst(rows: pd.DataFrame, what: str) -> str:
    return f"{rows[rows.method == 'ours'][what].max():.3g}"


if __name__ == "__main__":
    main()
