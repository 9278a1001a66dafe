"""What shines through between regions of our SVG, by renderer, with each remedy.

    python benchmarks/seams.py [IMAGE] [--num-tokens 256] [--tolerance 1.5] [--scales 0.5 1 1.5 3]

All regions are white, over black: what is not white is a seam. Remedies: none, `crispEdges` (no
softened edges), a line of one pixel around each region in its own colour, and what we write, lines
of 1½ pixels beneath all regions. Prints the largest and the mean difference from white, of 255.
Renderers that are not installed are left out: resvg, CairoSVG, and Chromium by Playwright.
"""

import argparse
import io
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from spitgraph import SuperpixelTokenizer, inspection

CHELSEA = Path(__file__).resolve().parents[1] / "examples" / "pictures" / "chelsea.jpg"
CHROMIUM = "/usr/bin/chromium"
#: Left out on every side, where softened edges of the picture itself are.
RIM = 3
Renderer = Callable[[str, float], Image.Image]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure seams between regions.")
    parser.add_argument("image", nargs="?", type=Path, default=CHELSEA)
    parser.add_argument("--num-tokens", type=int, default=256)
    parser.add_argument("--tolerance", type=float, default=1.5)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.5, 1, 1.5, 3])
    args = parser.parse_args()
    tokens = SuperpixelTokenizer(num_tokens=args.num_tokens)(args.image)
    white = torch.ones(len(tokens.size), 3)
    files = {
        "as traced": inspection.svg(tokens, fill=white),
        "simplified": inspection.svg(tokens, fill=white, simplify=args.tolerance),
        "smooth": inspection.svg(tokens, fill=white, simplify=args.tolerance, smooth=True),
    }
    print("| borders | renderer | scale | none | crispEdges | own line | lines beneath |")
    print("|---|---|---|---|---|---|---|")
    with ExitStack() as stack:
        for renderer, draw in renderers(stack).items():
            for name, text in files.items():
                for scale in args.scales:
                    cells = [seam(draw(way, scale)) for way in remedies(text)]
                    print(f"| {name} | {renderer} | {scale:g} | {' | '.join(cells)} |", flush=True)


def remedies(text: str) -> list[str]:
    beneath = re.search(r"<use [^>]*/>\n", text)[0]
    unit = 8 if "scale(0.125)" in text else 1
    bare = text.replace(beneath, "")
    own_line = f'<g stroke-width="{unit}" stroke-linejoin="round">'
    return [
        bare,
        bare.replace('<g id="regions"', '<g id="regions" shape-rendering="crispEdges"'),
        bare.replace('<g stroke-width="0">', own_line),
        text,
    ]


def seam(picture: Image.Image) -> str:
    picture = picture.convert("RGBA")
    over_black = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture)
    inner = 255 - np.asarray(over_black.convert("L"), int)[RIM:-RIM, RIM:-RIM]
    return f"{inner.max()} ({inner.mean():.2f})"


def size(text: str) -> tuple[int, int]:
    width, height = re.search(r'width="(\d+)" height="(\d+)"', text).groups()
    return int(width), int(height)


def renderers(stack: ExitStack) -> dict[str, Renderer]:
    found: dict[str, Renderer] = {}
    try:
        import resvg_py

        found["resvg"] = lambda text, scale: Image.open(
            io.BytesIO(
                bytes(resvg_py.svg_to_bytes(svg_string=text, width=round(scale * size(text)[0])))
            )
        )
    except ImportError:
        pass
    try:
        import cairosvg

        found["CairoSVG"] = lambda text, scale: Image.open(
            io.BytesIO(cairosvg.svg2png(bytestring=text.encode(), scale=scale))
        )
    except ImportError:
        pass
    try:
        from playwright.sync_api import sync_playwright

        browsers = stack.enter_context(sync_playwright()).chromium
        browser = browsers.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stack.callback(browser.close)
    except Exception as error:  # no browser, or no way to run one
        print(f"without Chromium: {' '.join(str(error).split())[:80]}")
    else:

        def drawn(text: str, scale: float) -> Image.Image:
            width, height = size(text)
            viewport = {"width": width, "height": height}
            page = browser.new_page(viewport=viewport, device_scale_factor=scale)
            svg = text.split("?>", 1)[1]
            page.set_content(f'<body style="margin:0;background:black">{svg}')
            picture = Image.open(io.BytesIO(page.screenshot()))
            page.close()
            return picture

        found["Chromium"] = drawn
    return found


if __name__ == "__main__":
    main()
