"""A page that shows the tokens of a picture in the browser, two tokenizers beside each other.

    python examples/inspect_page.py [IMAGE] [-o PAGE]

For one tokenizer there is `spitgraph inspect IMAGE -o page.html`.
"""

import argparse
from pathlib import Path

import torch

from spitgraph import SuperpixelTokenizer, VoronoiTokenizer, inspection

PICTURE = Path(__file__).resolve().parent / "pictures" / "coffee.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description="Show the tokens of a picture in the browser.")
    parser.add_argument("image", nargs="?", type=Path, default=PICTURE)
    parser.add_argument("-o", "--out", type=Path, default=Path("page.html"), help="to write")
    parser.add_argument("--num-tokens", type=int, default=196)
    args = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    try:
        superpixels = SuperpixelTokenizer(num_tokens=args.num_tokens, quality="fine")(args.image)
        cells = VoronoiTokenizer(args.num_tokens, generator=generator)(args.image)
        inspection.write_page(
            [superpixels, cells], args.out, image=args.image, names=["superpixels", "Voronoi cells"]
        )
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")
    print(f"{args.out}: {args.out.stat().st_size:,} bytes; open it in a browser")


if __name__ == "__main__":
    main()
