"""A photograph as vectors: superpixels with shared, smooth borders, in groups that editors fold.

    python examples/vectorize.py [IMAGE] [-o FILE] [--num-tokens 400] [--tolerance 2]

Writes an SVG, and says how many pixels the simplified borders moved to another region. It needs
Shapely (pip install "spitgraph[vector]"). For many images there is `spitgraph vectorize`.
"""

import argparse
from pathlib import Path

from spitgraph import SuperpixelTokenizer, inspection, outlines

COFFEE = Path(__file__).resolve().parent / "pictures" / "coffee.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a photograph as vectors.")
    parser.add_argument("image", nargs="?", type=Path, default=COFFEE)
    parser.add_argument("-o", "--out", type=Path, default=Path("out.svg"))
    parser.add_argument("--num-tokens", type=int, default=400)
    parser.add_argument("--tolerance", type=float, default=2.0, help="in pixels")
    args = parser.parse_args()
    try:
        tokens = SuperpixelTokenizer(num_tokens=args.num_tokens, quality="fine")(args.image)
        inspection.write_svg(tokens, args.out, simplify=args.tolerance, smooth=True)
    except (ImportError, OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")

    # the same steps one by one: borders as arcs, each shared by the two regions beside it
    traced = outlines.trace(tokens.seg[0])
    arcs = outlines.simplify(traced, args.tolerance)
    curves = outlines.smooth(arcs, max(0.5, args.tolerance))
    moved = (outlines.region_map(arcs, curves) != tokens.seg[0]).double().mean()
    print(f"{args.out}: {tokens.num_nodes} regions, {len(arcs)} arcs between them")
    print(f"{len(arcs.points)} of {len(traced.points)} points left, {moved:.1%} of pixels moved")


if __name__ == "__main__":
    main()
