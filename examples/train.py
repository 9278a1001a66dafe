"""Train a classifier on superpixels, square patches or Voronoi cells, with Lightning's trainer.

    python examples/train.py DATA [--tokenizer superpixel|patch|voronoi] [--epochs N] [-o RUN]

DATA is a folder with train and val (or test), each with a folder of pictures a class, or with
train.npz and test.npz. A model for small pictures, such as CIFAR-10's; `spitgraph train` has a flag
for everything, checkpoints and curves.
"""

import argparse
import math
from pathlib import Path

from lightning.pytorch import Trainer, seed_everything

from spitgraph import create_model, save_weights
from spitgraph.train import Augmentation, Classifier, ImageData

FAMILIES = {"superpixel": "spit", "patch": "vit", "voronoi": "rvit"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a classifier on image tokens.")
    parser.add_argument("data", help="labelled pictures")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/train"), metavar="RUN")
    parser.add_argument("--tokenizer", choices=FAMILIES, default="superpixel")
    parser.add_argument("--num-tokens", type=int, default=64, metavar="K")
    parser.add_argument("--epochs", type=int, default=20, metavar="N")
    parser.add_argument("--devices", default="auto", help="how many; several share every step")
    parser.add_argument("--limit", type=int, metavar="N", help="use only so many pictures")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        train(args)
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")


def train(args: argparse.Namespace) -> None:
    seed_everything(args.seed, verbose=False)
    data = ImageData(
        args.data,
        augmentation=Augmentation(crop="pad", padding=3, cutmix=0.0),
        workers=1,
        limit=args.limit,
        seed=args.seed,
    )
    count = {"num_tokens": args.num_tokens}
    if args.tokenizer == "patch":
        _, height, width = data.train.picture(0).shape
        count = {"patch_size": math.isqrt(height * width // args.num_tokens)}
    model = create_model(
        f"{FAMILIES[args.tokenizer]}_tiny_16",
        num_classes=data.num_classes,
        embed_dim=128,
        depth=5,
        bins=8,
        init_values=1.0,
        **count,
    )
    data.tokenizer, data.extractor = model.tokenizer, model.extractor  # tokens come from workers
    classifier = Classifier(model, learning_rate=1e-3, seed=args.seed)
    trainer = Trainer(
        max_epochs=args.epochs,
        devices=args.devices,
        precision="bf16-mixed",
        gradient_clip_val=1.0,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
    )
    trainer.fit(classifier, data)
    accuracy = float(trainer.callback_metrics["val_accuracy"])
    if trainer.is_global_zero:
        args.out.mkdir(parents=True, exist_ok=True)
        save_weights(model, args.out / "weights.safetensors")
        print(f"accuracy {accuracy:.3f} on {len(data.val)} pictures; {args.out}")


if __name__ == "__main__":
    main()
