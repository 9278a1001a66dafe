"""Faithfulness of attributions of a pretrained classifier: by dropped tokens, and by filled pixels.

    python benchmarks/faithfulness.py WEIGHTS IMAGES [--count N] [--methods NAME ...] [--csv OUT]

WEIGHTS is a plain ViT as safetensors, IMAGES a folder with `train/CLASS/` and `val/CLASS/`. For
every tokenizer, a linear probe of the frozen class token, fitted to all of `train`, is the
classifier; attributions are of the class that it predicts, of N pictures of `val`, spread evenly
over the classes. Measures: METHOD section 7. Intervals are 95 % bootstrap intervals over pictures;
*s* is CPU time of the attribution alone, a picture.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from machine import processor
from PIL import Image
from pretrained import settings_of
from torch import nn
from tqdm import tqdm

from spitgraph import SPiT, explain, from_vit, kernels
from spitgraph.images import load_image
from spitgraph.models.files import read_state

try:
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError as error:
    raise SystemExit(f'{error.name} is missing: pip install "spitgraph[bench,explain]"') from None

TOKENIZERS = ("patch", "superpixel", "voronoi")
EXTRACTORS = ("windows", "interpolation")
MEASURES = {
    "comprehensiveness": "↑",
    "sufficiency": "↓",
    "deletion": "↓",
    "insertion": "↑",
}
#: Methods of the table by filling, if none are named: it costs more, and compares tokenizers.
FILLED = ("random", "LIME over SLIC")
INTEGRATION_STEPS = 8
#: What is drawn goes by the seed and the picture's number.
SEEDS_APART = 10_000


class Picture(NamedTuple):
    image: torch.Tensor  # uint8 [3, S, S]
    label: int


# ---- attributions --------------------------------------------------------------------------------


def methods(samples: int) -> dict[str, Callable[..., explain.Attribution]]:
    """By name; those that draw take a generator."""
    sampled = {"n_samples": samples, "progress": False}
    return {
        "random": explain.random_order,
        "attention": explain.attention,
        "rollout": explain.rollout,
        "flow": explain.attention_flow,
        "prototype PCA": explain.prototype_pca,
        "gradient × input": explain.input_gradient,
        "integrated gradients": partial(explain.integrated_gradients, n_steps=INTEGRATION_STEPS),
        "token relevance": explain.token_relevance,
        "LIME": partial(explain.lime, **sampled),
        "KernelSHAP": partial(explain.kernel_shap, **sampled),
        "Owen": partial(explain.owen, **sampled),
        "LIME over SLIC": partial(explain.lime, regions="slic", **sampled),
    }


DRAWING = {"random", "LIME", "KernelSHAP", "Owen", "LIME over SLIC"}


def drawn(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(SEEDS_APART * seed + number)


def anew(model: SPiT, seed: int, number: int) -> None:
    """Random cells are drawn as for every other method on the same picture."""
    if hasattr(model.tokenizer, "generator"):
        model.tokenizer.generator = drawn(seed, number)


# ---- the classifier ------------------------------------------------------------------------------


def pictures(folder: Path, count: int | None, size: int, classes: list[str]) -> list[Picture]:
    """The first of every class in turn, until there are enough."""
    by_class = [sorted((folder / name).iterdir()) for name in classes]
    turns = range(max(map(len, by_class)))
    paths = [(files[i], c) for i in turns for c, files in enumerate(by_class) if i < len(files)]
    return [Picture(read(path, size), label) for path, label in paths[:count]]


def read(path: Path, size: int) -> torch.Tensor:
    picture = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
    return load_image(picture)


def classifier(
    weights: dict[str, torch.Tensor], tokenizer: str, options: argparse.Namespace
) -> SPiT:
    """The frozen ViT over a tokenizer, without a head of its own."""
    settings = settings_of(weights) | {"extractor": options.extractor}
    if tokenizer != "patch":
        settings["num_tokens"] = options.num_tokens
    if tokenizer == "superpixel":
        settings["quality"] = options.quality
    model = from_vit(weights, tokenizer=tokenizer, image_size=options.image_size, **settings)
    model.head = nn.Identity()
    return model.eval()


@torch.no_grad()
def features(model: SPiT, some: list[Picture], what: str) -> torch.Tensor:
    return torch.cat([model(picture.image) for picture in tqdm(some, desc=what, leave=False)])


def probe(model: SPiT, train: list[Picture], tokenizer: str) -> nn.Linear:
    """Logistic regression on the class token, standardised, as one linear layer."""
    x = features(model, train, f"{tokenizer}, probe")
    fit = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    fit.fit(x.numpy(), [picture.label for picture in train])
    scaler, regression = (step for _, step in fit.steps)
    weight = torch.from_numpy(regression.coef_ / scaler.scale_)
    bias = torch.from_numpy(regression.intercept_) - weight @ torch.from_numpy(scaler.mean_)
    head = nn.Linear(*reversed(weight.shape))
    head.weight.data, head.bias.data = weight.float(), bias.float()
    return head.requires_grad_(False)


# ---- measuring -----------------------------------------------------------------------------------


def measured(
    model: SPiT, tokenizer: str, some: list[tuple[int, Picture]], options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """A row for every picture, method and way of removing."""
    chosen = {name: f for name, f in methods(options.samples).items() if name in options.methods}
    for number, picture in tqdm(some, desc=tokenizer, unit="picture"):
        anew(model, options.seed, number)
        tokens = model.tokenize(picture.image)
        with torch.no_grad():
            target = int(model.forward_tokens(tokens).argmax())
        for name, method in chosen.items():
            given = {"generator": drawn(options.seed, number)} if name in DRAWING else {}
            anew(model, options.seed, number)
            start = time.process_time()
            attribution = method(model, tokens, target, **given)
            row = {
                "tokenizer": tokenizer,
                "method": name,
                "picture": number,
                "tokens": tokens.num_nodes,
                "correct": target == picture.label,
                "seconds": time.process_time() - start,
            }
            for removal in ("dropping", "filling"):
                if removal == "filling" and name not in options.filled:
                    continue
                anew(model, options.seed, number)
                start = time.process_time()
                found = explain.faithfulness(
                    model, attribution, steps=options.steps, removal=removal
                )
                yield {
                    **row,
                    "removal": removal,
                    "comprehensiveness": found.comprehensiveness,
                    "sufficiency": found.sufficiency,
                    "deletion": found.deletion.area,
                    "insertion": found.insertion.area,
                    "measuring": time.process_time() - start,
                }


# ---- tables --------------------------------------------------------------------------------------


def table(rows: pd.DataFrame, seed: int) -> str:
    """Means with intervals, a row a tokenizer and method, in Markdown."""
    heads = ["tokenizer", "method", *(f"{name} {arrow}" for name, arrow in MEASURES.items()), "s"]
    lines = ["| " + " | ".join(heads) + " |", "| --- | --- |" + " ---: |" * (len(heads) - 2)]
    for (tokenizer, method), part in rows.groupby(["tokenizer", "method"], sort=False):
        cells = [interval(part[name].to_numpy(), seed) for name in MEASURES]
        cells = [tokenizer, method, *cells, f"{part['seconds'].mean():.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def interval(values: Any, seed: int) -> str:
    found = explain.bootstrap_interval(torch.tensor(values), generator=drawn(seed, 0))
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def report(rows: pd.DataFrame, accuracy: dict[str, float], options: argparse.Namespace) -> str:
    told = ", ".join(f"{name} {value:.3f}" for name, value in accuracy.items())
    parts = [
        f"{rows['picture'].nunique()} pictures of {options.image_size}², "
        f"{rows['tokens'].mean():.0f} tokens, {options.samples} samples, curves of {options.steps} "
        f"steps. Accuracy of the probe: {told}"
    ]
    titles = {"dropping": "Tokens dropped", "filling": "Pixels filled with the mean colour"}
    for removal, part in rows.groupby("removal", sort=False):
        parts.append(f"{titles[removal]}\n\n{table(part, options.seed)}")
    return "\n\n".join(parts)


def machine(options: argparse.Namespace) -> str:
    packages = ("torch", "torch-geometric", "captum", "scikit-learn", "scikit-image", "scipy")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return (
        f"{processor()}, {os.cpu_count()} cores, {options.workers} processes of {options.threads} "
        f"threads; {platform.platform()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = list(methods(8))
    parser.add_argument("weights", type=Path, metavar="WEIGHTS")
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("--count", type=int, default=200, metavar="N", help="pictures")
    parser.add_argument("--train", type=int, metavar="N", help="pictures of the probe; all of them")
    parser.add_argument("--methods", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--filled", nargs="*", default=FILLED, choices=names, metavar="NAME")
    parser.add_argument("--tokenizers", nargs="+", default=TOKENIZERS, choices=TOKENIZERS)
    parser.add_argument(
        "--extractor", choices=EXTRACTORS, default="windows", help="see from_vit (default: windows)"
    )
    parser.add_argument("--quality", default="fast", help="of superpixels: fast or fine")
    parser.add_argument("--image-size", type=int, default=98, metavar="SIDE")
    parser.add_argument("--samples", type=int, default=48, metavar="N", help="versions of LIME")
    parser.add_argument("--steps", type=int, default=5, metavar="N", help="of the curves")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each process")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write all rows as CSV")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="write the tables for docs")
    options = parser.parse_args()
    for part in ("train", "val"):
        if not (options.images / part).is_dir():
            parser.error(f"no folder {options.images / part}")
    return options


def results(
    options: argparse.Namespace, tokenizer: str, share: int
) -> tuple[list[dict[str, Any]], float]:
    """Rows of a share of the pictures, which has a process of its own, and the probe's accuracy."""
    torch.set_num_threads(options.threads)
    weights = read_state(options.weights)
    patch_size = weights["patch_embed.proj.weight"].shape[-1]
    options.num_tokens = (options.image_size // patch_size) ** 2
    classes = sorted(path.name for path in (options.images / "train").iterdir() if path.is_dir())
    train = pictures(options.images / "train", options.train, options.image_size, classes)
    everything = pictures(options.images / "val", None, options.image_size, classes)
    model = classifier(weights, tokenizer, options)
    anew(model, options.seed, SEEDS_APART - 1)
    head = probe(model, train, tokenizer)
    with torch.no_grad():
        predicted = head(features(model, everything, f"{tokenizer}, accuracy")).argmax(1)
    truth = torch.tensor([picture.label for picture in everything])
    model.head = head
    chosen = list(enumerate(everything[: options.count]))[share :: options.workers]
    rows = list(measured(model, tokenizer, chosen, options))
    return rows, float((predicted == truth).double().mean())


def main() -> None:
    options = arguments()
    jobs = [(name, share) for name in options.tokenizers for share in range(options.workers)]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(partial(results, options), *zip(*jobs, strict=True)))
    accuracy = {name: value for (name, _), (_, value) in zip(jobs, parts, strict=True)}
    frame = pd.DataFrame([row for rows, _ in parts for row in rows])
    text = f"{report(frame, accuracy, options)}\n\n{machine(options)}"
    print("\n" + text)
    if options.csv:
        frame.to_csv(options.csv, index=False)
    if options.markdown:
        options.markdown.write_text(text + "\n")


if __name__ == "__main__":
    kernels.warm_up()
    main()
