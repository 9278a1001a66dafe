"""What is in a photograph: the five likeliest classes, read from superpixel tokens.

    python examples/classify.py [IMAGE ...] [--weights FILE] [--labels FILE]

FILE of weights is a spitgraph `.safetensors` or one that SPiT's authors released (`.pth`). Without
one, weights are random, and so is the answer.
"""

import argparse
import time
from pathlib import Path

import torch
from torch.nn.functional import interpolate

from spitgraph.images import load_image
from spitgraph.models import create_model, list_models, model_from_weights

PICTURES = sorted((Path(__file__).resolve().parent / "pictures").glob("*.[jp][pn]g"))
BAR = 24  # characters, for a probability of 1


def main() -> None:
    parser = argparse.ArgumentParser(description="Classify photographs.")
    parser.add_argument("images", nargs="*", type=Path, default=PICTURES)
    parser.add_argument("--weights", type=Path, help=".safetensors, or the authors' .pth")
    parser.add_argument("--labels", type=Path, help="text file, the name of a class a line")
    parser.add_argument(
        "--model",
        choices=list_models(),
        default="spit_small_16",
        metavar="NAME",
        help="for random weights, or for files that hold no name (default: %(default)s)",
    )
    parser.add_argument(
        "--size", type=int, help="pixels of the shorter side (default: the model's)"
    )
    args = parser.parse_args()
    try:
        classify(args)
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")


@torch.inference_mode()
def classify(args: argparse.Namespace) -> None:
    if args.weights is None:
        print("No --weights: these are random, and the classes mean nothing.")
        torch.manual_seed(0)
        model = create_model(args.model).eval()
    else:
        model = model_from_weights(args.weights, family=args.model.split("_")[0]).eval()
    labels = read_labels(args.labels, model.head.out_features)
    size = args.size or model.image_size or 224
    model(torch.zeros(3, 32, 32))  # the first call is slower: libraries load
    for path in args.images:
        image = resized(load_image(path), size)
        start = time.perf_counter()
        tokens = model.tokenize(image)
        between = time.perf_counter()
        probabilities = model.forward_tokens(tokens)[0].softmax(0)
        end = time.perf_counter()
        height, width = image.shape[1:]
        print(
            f"\n{path.name}: {width}×{height} pixels, {tokens.num_nodes} tokens in "
            f"{1000 * (between - start):.0f} ms, read in {1000 * (end - between):.0f} ms"
        )
        for probability, index in zip(*probabilities.topk(min(5, len(labels))), strict=True):
            bar = "█" * round(BAR * float(probability)) or "▏"
            print(f"  {100 * float(probability):5.1f} %  {bar:<{BAR}}  {labels[index]}")


def read_labels(path: Path | None, num_classes: int) -> list[str]:
    """Names of all classes; their numbers where there is no file."""
    if path is None:
        return [f"class {index}" for index in range(num_classes)]
    labels = path.read_text(encoding="utf-8").splitlines()
    if len(labels) != num_classes:
        raise ValueError(f"{path} names {len(labels)} classes, and the model has {num_classes}")
    return labels


def resized(image: torch.Tensor, shorter: int) -> torch.Tensor:
    """The image, its shorter side of so many pixels, its proportions kept."""
    factor = shorter / min(image.shape[1:])
    sides = [round(side * factor) for side in image.shape[1:]]
    return interpolate(image[None], sides, mode="bilinear", antialias=True)[0].clamp(0, 1)


if __name__ == "__main__":
    main()
