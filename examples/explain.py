"""What a vision transformer looks at: every method of spitgraph.explain, side by side.

    python examples/explain.py [IMAGE ...] [--weights FILE] [--tokenizer NAME] [--methods NAME ...]

FILE is a pretrained plain ViT (safetensors, timm's names; the defaults of --mean, --std and
--activation are those of OpenAI's CLIP). The classes are the pictures themselves: a linear head
whose prototypes are their class tokens asks which of the pictures this is, and the explanations
show what in each picture makes it that one. Without FILE, weights are random, and so is what the
explanations show.
"""

import argparse
import time
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image
from torch.nn.functional import interpolate, normalize

from spitgraph import create_model, explain, from_vit
from spitgraph.images import load_image
from spitgraph.inspection import to_pil

HERE = Path(__file__).resolve().parent
PICTURES = sorted((HERE / "pictures").glob("*.[jp][pn]g"))
#: Methods in the order of what they ask of a model; the last ones take minutes.
QUICK = ["attention", "rollout", "prototype_pca", "token_relevance", "input_gradient"]
SLOW = ["attention_flow", "integrated_gradients", "lime", "kernel_shap"]
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PANEL = 240  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description="Explain what a transformer looks at.")
    parser.add_argument("images", nargs="*", type=Path, default=PICTURES, help="two at least")
    parser.add_argument("--weights", type=Path, help="a pretrained ViT, .safetensors")
    parser.add_argument("--mean", nargs=3, type=float, default=MEAN)
    parser.add_argument("--std", nargs=3, type=float, default=STD)
    parser.add_argument("--activation", default="quick_gelu")
    parser.add_argument("--tokenizer", choices=("patch", "superpixel", "voronoi"), default="patch")
    parser.add_argument("--methods", nargs="+", choices=QUICK + SLOW, default=QUICK)
    parser.add_argument("--size", type=int, default=224, help="pictures are cut to such squares")
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args()
    if len(args.images) < 2:
        parser.error("the classes are the pictures: name two at least")
    try:
        explain_all(args)
    except (ImportError, OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")


def explain_all(args: argparse.Namespace) -> None:
    images = [square(load_image(path), args.size) for path in args.images]
    model = make_model(args)
    model.head = head_of_pictures(model, images)
    rows = []
    for number, (path, image) in enumerate(zip(args.images, images, strict=True)):
        panels = [to_pil(image)]
        for method in args.methods:
            start = time.process_time()
            found = getattr(explain, method)(model, image, number)
            seconds = time.process_time() - start
            print(f"{path.name}: {method}, {len(found.tokens)} tokens, {seconds:.1f} s of CPU time")
            panels.append(as_picture(found.plot()))
        rows.append(panels)
    args.out.mkdir(parents=True, exist_ok=True)
    place = args.out / f"explained-{args.tokenizer}.jpg"
    joined(rows).save(place, quality=88)
    print(f"written to {place}")


def make_model(args: argparse.Namespace) -> torch.nn.Module:
    if args.weights is None:
        print("No --weights: these are random, and what the explanations show means nothing.")
        torch.manual_seed(0)
        name = {"patch": "vit", "superpixel": "spit", "voronoi": "rvit"}[args.tokenizer]
        return create_model(f"{name}_tiny_16").eval()
    from safetensors.torch import load_file

    tensors = {name: tensor.float() for name, tensor in load_file(args.weights).items()}
    return from_vit(
        tensors,
        tokenizer=args.tokenizer,
        mean=args.mean,
        std=args.std,
        activation=args.activation,
    ).eval()


@torch.no_grad()
def head_of_pictures(model: torch.nn.Module, images: list[torch.Tensor]) -> torch.nn.Linear:
    """Which of the pictures is it? The logits are projections on how each differs from the mean."""
    features = [model.forward_features(model.tokenize(image)).class_token for image in images]
    stacked = torch.cat(features)
    mean = stacked.mean(dim=0)
    head = torch.nn.Linear(stacked.shape[1], len(images))
    head.weight.copy_(normalize(stacked - mean, dim=-1))
    head.bias.copy_(-head.weight @ mean)
    return head


def square(image: torch.Tensor, side: int) -> torch.Tensor:
    """The middle of the image, as a square of so many pixels."""
    height, width = image.shape[1:]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    middle = image[:, top : top + short, left : left + short]
    return interpolate(middle[None], (side, side), mode="bilinear", antialias=True)[0].clamp(0, 1)


def as_picture(figure) -> Image.Image:
    file = BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file).convert("RGB")


def joined(rows: list[list[Image.Image]]) -> Image.Image:
    """Panels beside and below each other, aligned at their bottoms."""
    scale = PANEL / max(panel.height for panel in rows[0])
    sheet = []
    for row in rows:
        panels = [panel.resize([round(side * scale) for side in panel.size]) for panel in row[1:]]
        # the photograph as large as it is in the others, below their titles
        photo = row[0].resize((round(PANEL * 0.93),) * 2)
        strip = Image.new("RGB", (photo.width + sum(p.width for p in panels), PANEL), "white")
        strip.paste(photo, (0, PANEL - photo.height))
        left = photo.width
        for panel in panels:
            strip.paste(panel, (left + 4, PANEL - panel.height))
            left += panel.width
        sheet.append(strip)
    whole = Image.new(
        "RGB", (sheet[0].width + 8, sum(strip.height + 8 for strip in sheet)), "white"
    )
    for number, strip in enumerate(sheet):
        whole.paste(strip, (0, number * (PANEL + 8)))
    return whole


if __name__ == "__main__":
    main()
