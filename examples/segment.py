"""The object of a photograph, and its parts, from a pretrained ViT: no labels, no decoder.

    python examples/segment.py WEIGHTS [IMAGE ...] [-o PICTURE]

WEIGHTS is the state dict of a plain ViT (timm, DINO, DINOv2, …). A row of PICTURE is the image, the
mask by the ViT's patches, the mask by superpixels with the same features, and parts. For masks as
files, from a model that spitgraph has saved, there is `spitgraph segment`.
"""

import argparse
import time
from pathlib import Path

import torch
from PIL import Image

from spitgraph import SuperpixelTokenizer, from_vit, inspection, segment
from spitgraph.images import load_image
from spitgraph.models.files import read_tensors

PICTURES = sorted((Path(__file__).resolve().parent / "pictures").glob("*.[jp][pn]g"))
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Of the picture, in pixels.
HEIGHT, GAP = 260, 8
#: Of parts, as many as may be asked for.
COLORS = torch.tensor(
    [
        *([0.90, 0.62, 0.0], [0.34, 0.71, 0.91], [0.0, 0.62, 0.45], [0.94, 0.89, 0.26]),
        *([0.0, 0.45, 0.70], [0.84, 0.37, 0.0], [0.80, 0.47, 0.65], [0.3, 0.3, 0.3]),
    ]
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Cut objects out of photographs.")
    parser.add_argument("weights", type=Path, help="state dict of a plain ViT")
    parser.add_argument("images", nargs="*", type=Path, default=PICTURES)
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("masks.jpg"), help="picture to write"
    )
    parser.add_argument("--mean", type=float, nargs=3, default=IMAGENET[0])
    parser.add_argument("--std", type=float, nargs=3, default=IMAGENET[1])
    parser.add_argument("--long-side", type=int, default=448, help="what the ViT sees")
    parser.add_argument("--num-tokens", type=int, default=256, help="superpixels")
    parser.add_argument("--threshold", type=float, default=0.5, help="cosine of what is alike")
    parser.add_argument("--parts", type=int, default=5, choices=range(1, len(COLORS) + 1))
    args = parser.parse_args()
    try:
        model = from_vit(read_tensors(args.weights)[0], mean=args.mean, std=args.std)
        rows = [row(path, model, args) for path in args.images]
        below_each_other(rows).save(args.out, quality=90)
    except (ImportError, OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")
    print(f"{args.out}: image, patches, superpixels, parts")


@torch.inference_mode()
def row(path: Path, model: torch.nn.Module, args: argparse.Namespace) -> Image.Image:
    """The pictures of one photograph, side by side."""
    image = load_image(path)
    start = time.perf_counter()
    grid = segment.grid_features(model, image, long_side=args.long_side)
    between = time.perf_counter()
    patches = segment.grid_tokens(grid, image)
    tokens = SuperpixelTokenizer(num_tokens=args.num_tokens, quality="fine")(image)
    features = segment.pool_grid(grid, tokens)
    by_patches = segment.token_cut(grid.flatten(1).T, patches, threshold=args.threshold)
    by_superpixels = segment.token_cut(features, tokens, threshold=args.threshold, by_size=True)
    parts = segment.to_map(segment.group(features, tokens, args.parts), tokens)
    end = time.perf_counter()
    print(
        f"{path.name}: {patches.num_nodes} patches read in {1000 * (between - start):.0f} ms, cut "
        f"by these and {tokens.num_nodes} superpixels, grouped, in {1000 * (end - between):.0f} ms"
    )
    picture = tokens.pixels.T.unflatten(1, by_patches.shape)
    painted = torch.lerp(picture, COLORS[parts].permute(2, 0, 1), 0.65)
    shown = [
        picture,
        inspection.highlight(patches, by_patches),
        inspection.highlight(tokens, by_superpixels),
        painted,
    ]
    return side_by_side([inspection.to_pil(one) for one in shown])


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    scaled = [p.resize((round(p.width * HEIGHT / p.height), HEIGHT)) for p in pictures]
    strip = Image.new("RGB", (sum(p.width + GAP for p in scaled) - GAP, HEIGHT), "white")
    for place, picture in enumerate(scaled):
        strip.paste(picture, (place * (picture.width + GAP), 0))
    return strip


def below_each_other(rows: list[Image.Image]) -> Image.Image:
    width = max(one.width for one in rows)
    sheet = Image.new("RGB", (width, len(rows) * (HEIGHT + GAP) - GAP), "white")
    for place, one in enumerate(rows):
        sheet.paste(one, (0, place * (HEIGHT + GAP)))
    return sheet


if __name__ == "__main__":
    main()
