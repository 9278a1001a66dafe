"""What an explanation costs: process CPU time of every method, in forward passes of the model.

    python benchmarks/explain.py [--model vit_base_16] [--weights VIT] [--size 224] [--samples 512]

Without weights they are random, which changes what attention flow and integrated gradients cost.
"""

import argparse
import time
from pathlib import Path

import torch

from spitgraph import create_model, explain, from_vit
from spitgraph.images import load_image

COFFEE = Path(__file__).resolve().parent.parent / "examples" / "pictures" / "coffee.jpg"
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what explanations cost.")
    parser.add_argument("--model", default="vit_base_16", help="with random weights")
    parser.add_argument("--weights", type=Path, help="a ViT's, read as OpenAI's CLIP is")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5, help="of the quick methods")
    parser.add_argument("--methods", nargs="+", help="as the table calls them; by default, all")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = make_model(args)
    image = load_image(COFFEE)[:, : args.size, : args.size]
    tokens = model.tokenize(image)

    def forward():
        with torch.no_grad():
            model.forward_tokens(tokens)

    sampling = {"n_samples": args.samples, "progress": False}
    quick = {
        "attention": {},
        "rollout": {},
        "prototype_pca": {},
        "token_relevance": {},
        "input_gradient": {},
    }
    slow = {
        "attention_flow": {},
        "integrated_gradients": {},
        "kernel_shap": sampling,
        "lime": sampling,
        "lime slic": {**sampling, "regions": "slic"},
    }
    once = best(forward, args.repeats)
    print(
        f"{tokens.num_nodes} tokens, {args.threads} threads: forward pass {once:.2f} s of CPU time"
    )
    print("| method | CPU time, s | forward passes |\n|---|---:|---:|")
    for methods, repeats in ((quick, args.repeats), (slow, 1)):
        for name, options in methods.items():
            if args.methods and name not in args.methods:
                continue
            method = getattr(explain, name.split()[0])
            # a forward pass before each, as the machine's pace changes
            pace = best(forward, repeats)
            seconds = best(lambda m=method, o=options: m(model, tokens, 0, **o), repeats)
            print(f"| {name} | {seconds:.2f} | {seconds / pace:.2f} |", flush=True)


def make_model(args: argparse.Namespace) -> torch.nn.Module:
    if args.weights is None:
        torch.manual_seed(0)
        return create_model(args.model).eval()
    from safetensors.torch import load_file

    tensors = {name: tensor.float() for name, tensor in load_file(args.weights).items()}
    return from_vit(tensors, mean=MEAN, std=STD, activation="quick_gelu").eval()


def best(function, repeats: int) -> float:
    """Least CPU time of several calls."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
