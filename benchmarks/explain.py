"""What explanations, a deletion curve and a mask cost: time, and in forward passes of the model.

    python benchmarks/explain.py [--model vit_base_16] [--weights VIT] [--size 224] [--samples 512]

Without weights they are random, which changes what attention flow and integrated gradients cost.
An explanation's time holds its own forward passes; that of TokenCut begins with the features.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pretrained import settings_of

from spitgraph import TokenData, create_model, explain, from_vit, segment
from spitgraph.images import load_image
from spitgraph.models.files import read_state

COFFEE = Path(__file__).resolve().parent.parent / "examples" / "pictures" / "coffee.jpg"
#: Steps of the deletion curve.
STEPS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what explanations cost.")
    parser.add_argument("--model", default="vit_base_16", help="with random weights")
    parser.add_argument("--weights", type=Path, help="a plain ViT's, as safetensors")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5, help="of the quick methods")
    parser.add_argument("--methods", nargs="+", help="as the table calls them; by default, all")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = make_model(args)
    image = load_image(COFFEE)[:, : args.size, : args.size]
    tokens = model.tokenize(image)

    def forward():
        with torch.no_grad():
            model.forward_tokens(tokens)

    with torch.no_grad():
        features = model.forward_features(tokens).tokens
    order = explain.random_order(model, tokens, 0)
    sampling = {"n_samples": args.samples, "progress": False}
    names = ("attention", "rollout", "prototype_pca", "token_relevance", "input_gradient")
    quick = {name: explaining(name, model, tokens) for name in names}
    quick["token_cut"] = lambda: segment.token_cut(features, tokens)
    slow = {
        f"deletion, {STEPS} steps": lambda: explain.deletion(model, order, steps=STEPS),
        "attention_flow": explaining("attention_flow", model, tokens),
        "kernel_shap": explaining("kernel_shap", model, tokens, **sampling),
        "lime": explaining("lime", model, tokens, **sampling),
        "lime slic": explaining("lime", model, tokens, **sampling, regions="slic"),
        "integrated_gradients": explaining("integrated_gradients", model, tokens),
    }
    once = best(forward, args.repeats)
    print(f"{tokens.num_nodes} tokens, {args.threads} threads: forward pass {once:.3f} s")
    print("| method | time, s | forward passes |\n|---|---:|---:|")
    for methods, repeats in ((quick, args.repeats), (slow, 1)):
        for name, method in methods.items():
            if args.methods and name not in args.methods:
                continue
            # a forward pass before each, as the machine's pace changes
            pace = best(forward, args.repeats)
            seconds = best(method, repeats)
            print(f"| {name} | {seconds:.3f} | {seconds / pace:.2f} |", flush=True)


def explaining(name: str, model: torch.nn.Module, tokens: TokenData, **options: Any) -> Callable:
    """A method of the package, called for the first class."""
    return partial(getattr(explain, name), model, tokens, 0, **options)


def make_model(args: argparse.Namespace) -> torch.nn.Module:
    if args.weights is None:
        torch.manual_seed(0)
        return create_model(args.model).eval()
    state = read_state(args.weights)
    return from_vit(state, **settings_of(state))


def best(function, repeats: int) -> float:
    """Least time of several calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
