"""A pretrained vision transformer reads superpixels: its weights as they are, its patches no more.

    python examples/retrofit.py [WEIGHTS] [IMAGE ...] [--num-tokens N] [-o FILE]

WEIGHTS is the state dict of a plain ViT (`.safetensors`, `.pth`; names of timm, Hugging Face, DINO,
DINOv2, MAE or CLIP). Without it, weights of a ViT-Ti/16 are random: everything runs, nothing is
known. For each picture, how alike are the features that it gives on its own patches and on
superpixels? FILE gets the model of superpixels, for `spitgraph.model_from_weights`.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from spitgraph import from_vit, save_weights
from spitgraph.images import load_image
from spitgraph.models.files import read_state

PICTURES = sorted((Path(__file__).resolve().parent / "pictures").glob("*.[jp][pn]g"))
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main() -> None:
    parser = argparse.ArgumentParser(description="Put superpixels under a pretrained ViT.")
    parser.add_argument("weights", nargs="?", type=Path, help="state dict of a plain ViT")
    parser.add_argument("images", nargs="*", type=Path, default=PICTURES)
    parser.add_argument("--num-tokens", type=int, default=196)
    parser.add_argument("--mean", type=float, nargs=3, default=IMAGENET[0])
    parser.add_argument("--std", type=float, nargs=3, default=IMAGENET[1])
    parser.add_argument("--activation", default="gelu", help="quick_gelu for OpenAI's CLIP")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE")
    args = parser.parse_args()
    try:
        compare(args)
    except (ImportError, OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")


@torch.inference_mode()
def compare(args: argparse.Namespace) -> None:
    said = {"mean": args.mean, "std": args.std, "activation": args.activation}
    if args.weights is None:
        print("No WEIGHTS: these are random, and the features mean nothing.")
    state = read_state(args.weights) if args.weights else random_state()
    on_patches = from_vit(state, **said).eval()
    on_superpixels = from_vit(
        state, tokenizer="superpixel", num_tokens=args.num_tokens, **said
    ).eval()
    for path in args.images:
        image = load_image(path)
        own, other = (
            model.forward_features(model.tokenize(image)) for model in (on_patches, on_superpixels)
        )
        alike = cosine_similarity(own.class_token, other.class_token).item()
        print(
            f"{path.name}: {len(own.tokens)} patches, {len(other.tokens)} superpixels, "
            f"cosine of what the ViT says {alike:.3f}"
        )
    if args.out:
        save_weights(on_superpixels, args.out)
        print(f"{args.out}: for spitgraph.model_from_weights")


def random_state() -> Mapping[str, Tensor]:
    """What a file of a ViT-Ti/16 for 224×224 would hold, with timm's names and random weights."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "cls_token": (1, 1, 192),
        "pos_embed": (1, 197, 192),
        "patch_embed.proj.weight": (192, 3, 16, 16),
        "patch_embed.proj.bias": (192,),
    }
    for block in (f"blocks.{number}." for number in range(12)):
        shapes |= layer(block + "norm1", 192) | layer(block + "attn.qkv", 576, 192)
        shapes |= layer(block + "attn.proj", 192, 192) | layer(block + "norm2", 192)
        shapes |= layer(block + "mlp.fc1", 768, 192) | layer(block + "mlp.fc2", 192, 768)
    shapes |= layer("norm", 192) | layer("head", 1000, 192)
    return {
        name: ("norm" in name) + 0.1 * torch.randn(shape, generator=generator)
        for name, shape in shapes.items()
    }


def layer(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


if __name__ == "__main__":
    main()
