"""Compiles models and prints what came of it, as JSON; run by test_compilation.py.

A process of its own: the type checker that the other tests run under is nothing to compile.
"""

import json
import os
import shutil
from pathlib import Path

import torch
from torch._dynamo.utils import counters

from helpers.models import VIT_KINDS, make_random_model, make_random_tokens
from helpers.vits import random_vit
from spitgraph import create_model, explain, from_vit, kernels

#: The first one's shapes are fixed; then the number of tokens varies, and then that of images.
BATCHES = ((5, 6), (7, 8), (10, 20), (5, 3, 4), (6, 7, 8, 9))
#: Those of `VIT_KINDS` that are compiled too.
VITS = "registers", "attention"


def report(backend, batches, *, train=False, **options):
    """Graphs made, graph breaks, and the largest difference from the model itself."""
    model = make_random_model(depth=1, **options).train(train)
    torch.compiler.reset()
    counters.clear()
    compiled = torch.compile(model.forward_tokens, fullgraph=True, backend=backend)
    difference = 0.0
    for seed, counts in enumerate(batches):
        batch, results = make_random_tokens(counts, seed), []
        for forward in (compiled, model.forward_tokens):
            torch.manual_seed(seed)
            with torch.set_grad_enabled(train):
                logits = forward(batch)
            if train:
                model.zero_grad()
                logits.square().sum().backward()
                grads = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
                logits = grads / grads.abs().max()
            results.append(logits.detach())
        difference = max(difference, (results[0] - results[1]).abs().max().item())
    return {
        "graphs": counters["stats"]["unique_graphs"],
        "breaks": sum(counters["graph_break"].values()),
        "difference": difference,
    }


def difference_of_pictures():
    """How far a model that is compiled from pictures on is from itself, by plain operations."""
    model = create_model("spit_tiny_16", depth=1, num_classes=3, bins=4).eval()
    image = torch.rand(3, 20, 24)
    torch.compiler.reset()
    with kernels.plain(), torch.no_grad():
        compiled = torch.compile(model, backend="eager")
        return (compiled(image) - model(image)).abs().max().item()


def told_of_attention():
    """What rollout says of a compiled model, and of one whose backbone is compiled."""
    model, tokens = make_random_model(depth=1), make_random_tokens((4,))[0]
    torch.compiler.reset()
    before = explain.rollout(model, tokens).tokens
    same = torch.equal(
        explain.rollout(torch.compile(model, backend="eager"), tokens).tokens, before
    )
    model.backbone = torch.compile(model.backbone, backend="eager")
    try:
        explain.rollout(model, tokens)
    except explain.NoAttentionError as error:
        return [same, str(error)]
    return [same, ""]


def pretrained_vits():
    """Small random ones, and the real ones in the folder that a variable names."""
    yield random_vit(norm_pre=True, layer_scale=True), {"num_heads": 4}
    if "SPITGRAPH_WEIGHTS" in os.environ:
        from safetensors.torch import load_file

        for name in ("clip", "saliency"):
            path = Path(os.environ["SPITGRAPH_WEIGHTS"], f"{name}.safetensors")
            yield load_file(path), {"image_size": 112}


def difference_of_pretrained_vits():
    """How far pretrained ViTs, compiled whole or the blocks alone, are from themselves."""
    largest = 0.0
    for state, options in pretrained_vits():
        model = from_vit(state, **options)
        tokens = model.tokenize(torch.rand(2, 3, model.image_size, model.image_size))
        torch.compiler.reset()
        compiled = {"fullgraph": True, "backend": "aot_eager"}
        with torch.no_grad():
            expected = model.forward_tokens(tokens)
            whole = torch.compile(model.forward_tokens, **compiled)(tokens)
            blocks = torch.compile(model.backbone, **compiled)(model.embedder(tokens))
        for logits in (whole, model.head(blocks.class_tokens)):
            difference = (logits - expected).abs().max() / expected.abs().max()
            largest = max(largest, difference.item())
    return largest


def main():
    torch.set_num_threads(1)
    if torch.torch_version.TorchVersion(torch.__version__) < "2.8":
        torch._dynamo.config.capture_dynamic_output_shape_ops = True  # what later ones do anyway
    every_option = {"graph_bias": True, "qk_norm": True, "token_budget": 6, "drop_path": 0.5}
    every_option["size_bias"] = True
    reports = {
        "plain": report("aot_eager", BATCHES),
        "training": report("aot_eager", BATCHES[:3], train=True, **every_option),
    }
    reports["sizes"] = report("aot_eager", BATCHES, size_bias=True)
    for kind in VITS:
        reports[kind] = report("aot_eager", BATCHES[:3], **VIT_KINDS[kind])
    if shutil.which("g++"):
        reports["inductor"] = report("inductor", BATCHES[:3])
    reports["pictures"] = difference_of_pictures()
    reports["attention weights"] = told_of_attention()
    reports["pretrained"] = difference_of_pretrained_vits()
    print(json.dumps(reports))


if __name__ == "__main__":
    main()
