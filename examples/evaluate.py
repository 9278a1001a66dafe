"""How much a model knows of labelled pictures, and what it costs.

    python examples/evaluate.py PICTURES WEIGHTS [--clip] [--tokenizer superpixel] [--append CSV]

PICTURES has `train` and `val`, each with a folder of pictures a class (or `train.npz` and
`val.npz`). WEIGHTS are a file that spitgraph.save_weights wrote, or with --clip those of CLIP's
image tower, which knows no classes: then only its features are asked. `spitgraph evaluate` does the
same with more options, for any plain ViT.
"""

import argparse
from pathlib import Path

from safetensors.torch import load_file

from spitgraph import SPiT, from_vit, model_from_weights
from spitgraph.train import append_row, evaluate, open_pictures

#: What CLIP's weights do not tell.
CLIP = {
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
    "activation": "quick_gelu",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a model on labelled pictures.")
    parser.add_argument("pictures", help="folder with train and val")
    parser.add_argument("weights", type=Path, help=".safetensors")
    parser.add_argument("--clip", action="store_true", help="weights are OpenAI CLIP's")
    parser.add_argument(
        "--tokenizer",
        choices=("superpixel", "patch", "voronoi"),
        default="patch",
        help="what CLIP reads, default: its own patches",
    )
    parser.add_argument("--limit", type=int, help="pictures a split")
    parser.add_argument("--append", type=Path, help="CSV file to add a row to")
    args = parser.parse_args()
    try:
        measure(args)
    except (ImportError, OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")


def measure(args: argparse.Namespace) -> None:
    model = read_model(args)
    came = evaluate(
        model,
        open_pictures(args.pictures, "val"),
        train=open_pictures(args.pictures, "train"),
        topk=() if args.clip else (1, 5),
        neighbours=(5, 20),
        probe=True,
        limit=args.limit,
    )
    for name, value in came.row().items():
        if value is not None:
            print(f"{name:20} {value:.4g}" if isinstance(value, float) else f"{name:20} {value}")
    if args.append:
        append_row(
            args.append, {"weights": args.weights, "tokenizer": model.tokenizer} | came.row()
        )


def read_model(args: argparse.Namespace) -> SPiT:
    """Weights of this library carry their configuration; a plain ViT's show it by their shapes."""
    if not args.clip:
        return model_from_weights(args.weights)
    state = {name: value.float() for name, value in load_file(args.weights).items()}
    return from_vit(state, tokenizer=args.tokenizer, **CLIP)


if __name__ == "__main__":
    main()
