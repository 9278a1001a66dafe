"""A picture into a graph of superpixels: what the graph holds, and a file of it.

    python examples/tokenize_picture.py [IMAGE] [-k TOKENS] [-o FILE]

(The module of Python called `tokenize` is why this file is not.) `spitgraph tokenize` does it for
folders of pictures.
"""

import argparse
from pathlib import Path

import torch

from spitgraph import InterpolationExtractor, SuperpixelTokenizer, TokenData

COFFEE = Path(__file__).resolve().parent / "pictures" / "coffee.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description="Turn a picture into a graph of its regions.")
    parser.add_argument("image", nargs="?", type=Path, default=COFFEE)
    parser.add_argument("-k", "--num-tokens", type=int, default=196, metavar="TOKENS")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="where to save the graph")
    args = parser.parse_args()
    try:
        tokens = tokenize(args.image, args.num_tokens)
        describe(tokens)
        if args.out:
            torch.save(tokens, args.out)
            again = torch.load(
                args.out
            )  # needs to know the class: `from spitgraph import TokenData`
            print(f"{args.out}: {again.num_nodes} tokens")
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")


def tokenize(path: Path, num_tokens: int) -> TokenData:
    """The superpixels of a picture, each with its vector."""
    tokens = SuperpixelTokenizer(num_tokens=num_tokens)(path)
    return InterpolationExtractor()(tokens)


def describe(tokens: TokenData) -> None:
    height, width = tokens.image_size[0].tolist()
    print(f"{width}×{height} pixels, {tokens.num_nodes} tokens, {tokens.num_edges // 2} borders")
    print(f"vectors {list(tokens.x.shape)}, regions by level {tokens.tree.image_counts[0]}")
    largest = int(tokens.size.argmax())
    x, y = tokens.pos[largest].tolist()
    red, green, blue = (255 * tokens.color[largest]).round().int().tolist()
    print(
        f"the largest is token {largest}: {int(tokens.size[largest])} pixels around "
        f"({x:.0f}, {y:.0f}), mean colour #{red:02x}{green:02x}{blue:02x}"
    )
    from_it = tokens.edge_index[0] == largest
    border = tokens.edge_attr[from_it, 0]
    neighbour = int(tokens.edge_index[1, from_it][border.argmax()])
    print(
        f"of its {len(border)} neighbours, token {neighbour} shares most: {border.max():.0f} sides"
    )


if __name__ == "__main__":
    main()
