"""What a ViT pretrained on patches still knows when it reads other regions: k-NN accuracy.

    python benchmarks/transfer.py WEIGHTS IMAGES [--ways windows pooled ...] [--csv OUT]

WEIGHTS are a plain ViT's as safetensors, IMAGES a folder with `train` and `val`, each with a folder
of pictures a class. Neither is in the repository. As many regions as the ViT has patches; the
classes of the five nearest training pictures (cosine) vote. *class* compares class tokens, *mean*
the tokens' mean by area; intervals are Wilson's, 95 %. *cosine* is that between the class token and
the ViT's own. The ways, of which the last two learn from the training pictures without labels:

own          the ViT on its patches
least norm   `retrofit`: regions stretched and masked, positions through histograms
stretched    `from_vit(extractor="interpolation")`: the same, positions from the ViT's table
windows      `from_vit`: the window round each centroid
pooled       `RegionPool`: the ViT on its patches, its features averaged over regions
adapter      windows, and norms and biases distilled
distilled    windows, and all weights distilled
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from machine import description
from pretrained import Picture, labels, pictures, settings_of
from torch import Tensor
from torch_geometric.utils import scatter
from tqdm import tqdm

from spitgraph import RegionPool, SPiT, TokenData, create_model, from_vit, retrofit, save_weights
from spitgraph.models import configuration_of
from spitgraph.models.files import read_state
from spitgraph.models.from_vit import TOKENIZERS
from spitgraph.train import adapter_parameters, distill

try:
    import pandas as pd
    from scipy.stats import binomtest
    from sklearn.neighbors import KNeighborsClassifier
except ImportError as error:
    raise SystemExit(f'{error.name} is missing: pip install "spitgraph[bench]"') from None

NEIGHBOURS = 5
NAMES = ("least norm", "stretched", "windows", "pooled", "adapter", "distilled")
#: Ways that are the ViT itself on its own patches.
WITHOUT_PATCHES = ("stretched", "windows", "pooled", "adapter", "distilled")
#: A reader: pictures → class tokens [B, D], means of tokens [B, D].
Reader = Callable[[list[Path]], tuple[Tensor, Tensor]]


class Ways:
    """Models of a ViT's weights by the ways to read regions."""

    def __init__(self, state: dict[str, Tensor], args: argparse.Namespace) -> None:
        self.state, self.args, self.told = state, args, settings_of(state)
        self.vit = from_vit(state, **self.told)
        self.count = self.vit.embedder.position_grid[0] * self.vit.embedder.position_grid[1]

    def options(self, tokenizer: str) -> dict[str, Any]:
        """Those of a tokenizer."""
        return {} if tokenizer == "patch" else {"num_tokens": self.count}

    def windows(self, tokenizer: str) -> Reader:
        return reader(self.student(tokenizer))

    def stretched(self, tokenizer: str) -> Reader:
        return reader(self.student(tokenizer, extractor="interpolation"))

    def least_norm(self, tokenizer: str) -> Reader:
        like = configuration_of(self.vit).arguments()
        for name in ("name", "extractor", "position_grid"):
            del like[name]
        size = configuration_of(self.vit).name.split("_", 1)[1]
        model = create_model(f"{TOKENIZERS[tokenizer]}_{size}", **like, **self.options(tokenizer))
        return reader(retrofit(model, self.state, mean=like["mean"], std=like["std"]).eval())

    def pooled(self, tokenizer: str) -> Reader:
        pool, model = RegionPool(self.vit), self.student(tokenizer)

        def read(paths: list[Path]) -> tuple[Tensor, Tensor]:
            tokens = model.tokenizer(paths)
            whole, parts = pool.pooled(tokens)
            return whole, mean_by_area(parts, tokens)

        return read

    def adapter(self, tokenizer: str) -> Reader:
        model = self.student(tokenizer)
        return self.taught("adapter", tokenizer, model, adapter_parameters(model).values(), 1e-3)

    def distilled(self, tokenizer: str) -> Reader:
        model = self.student(tokenizer)
        return self.taught("distilled", tokenizer, model, model.parameters(), 2e-5)

    def student(self, tokenizer: str, **options: Any) -> SPiT:
        """The same weights on other regions."""
        model = from_vit(
            self.state, tokenizer=tokenizer, **self.told, **self.options(tokenizer), **options
        )
        if tokenizer == "voronoi":
            model.tokenizer.generator = torch.Generator().manual_seed(self.args.seed)
        return model

    def taught(
        self, way: str, tokenizer: str, model: SPiT, parameters: Any, learning_rate: float
    ) -> Reader:
        """A student after its lessons; it is kept in the folder that is told."""
        generator = torch.Generator().manual_seed(self.args.seed)
        paths = [picture.path for picture in self.args.lessons]
        drawn = [
            paths[place]
            for _ in range(self.args.epochs)
            for place in torch.randperm(len(paths), generator=generator).tolist()
        ]
        batches = [
            drawn[start : start + self.args.batch]
            for start in range(0, len(drawn), self.args.batch)
        ]
        model.embedder.token_budget = self.args.budget
        distill(
            model,
            RegionPool(self.vit),
            batches,
            parameters=parameters,
            learning_rate=learning_rate,
            generator=generator,
        )
        model.embedder.token_budget = None
        if self.args.out:
            self.args.out.mkdir(parents=True, exist_ok=True)
            save_weights(model, self.args.out / f"{way}-{tokenizer}.safetensors")
        return reader(model)


def reader(model: SPiT) -> Reader:
    """What a model says of pictures."""

    def read(paths: list[Path]) -> tuple[Tensor, Tensor]:
        tokens = model.tokenize(paths)
        features = model.forward_features(tokens)
        return features.class_token, mean_by_area(features.tokens, tokens)

    return read


def mean_by_area(features: Tensor, tokens: TokenData) -> Tensor:
    """[B, D], every pixel with its token's features."""
    area = tokens.size.as_subclass(Tensor).to(features)
    total = scatter(features * area[:, None], tokens.batch)
    return total / scatter(area, tokens.batch)[:, None]


@torch.inference_mode()
def features_of(read: Reader, of: list[Picture], batch: int, title: str) -> list[Tensor]:
    """Class tokens and means of all pictures."""
    starts = tqdm(range(0, len(of), batch), desc=title, unit="batch", leave=False)
    parts = [read([picture.path for picture in of[i : i + batch]]) for i in starts]
    return [torch.cat(kind) for kind in zip(*parts, strict=True)]


def accuracy(train: Tensor, val: Tensor, args: argparse.Namespace) -> str:
    """Share of pictures that their neighbours classify right, and its interval."""
    model = KNeighborsClassifier(NEIGHBOURS, metric="cosine")
    model.fit(train.numpy(), labels(args.train).numpy())
    right = int((model.predict(val.numpy()) == labels(args.val).numpy()).sum())
    low, high = binomtest(right, len(val)).proportion_ci(method="wilson")
    return f"{right / len(val):.3f} ({low:.3f}–{high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("images", type=Path, help="folder with train and val")
    parser.add_argument("--ways", nargs="*", choices=NAMES, default=NAMES, help="default: all")
    parser.add_argument("--tokenizers", nargs="+", choices=TOKENIZERS, default=[*TOKENIZERS])
    parser.add_argument("--train-pictures", type=int, default=30, help="a class, default: 30")
    parser.add_argument("--val-pictures", type=int, default=20, help="a class, default: 20")
    parser.add_argument("--batch", type=int, default=8, help="pictures at once, default: 8")
    parser.add_argument("--epochs", type=int, default=1, help="of distillation, default: 1")
    parser.add_argument("--budget", type=int, default=64, help="tokens while learning, default: 64")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for models that learned")
    parser.add_argument("--csv", type=Path)
    args = parser.parse_args()
    ways = Ways(read_state(args.weights), args)
    args.train = pictures(args.images / "train", args.train_pictures)
    args.val = pictures(args.images / "val", args.val_pictures)
    args.lessons = args.train
    print(description(torch.get_num_threads()))
    own = [features_of(reader(ways.vit), of, args.batch, "own") for of in (args.train, args.val)]
    print(f"\n{len(args.train)} training pictures, {len(args.val)} tried\n")
    rows = [row("patch", "own", own, own, args)]
    for cells in (rows[0], ["---"] * len(rows[0]), rows[0].values()):
        tqdm.write(line(cells))
    for way in args.ways:
        for tokenizer in args.tokenizers:
            if tokenizer == "patch" and way in WITHOUT_PATCHES:
                continue
            read = getattr(ways, way.replace(" ", "_"))(tokenizer)
            title = f"{way}, {tokenizer}"
            came = [features_of(read, of, args.batch, title) for of in (args.train, args.val)]
            rows.append(row(tokenizer, way, came, own, args))
            tqdm.write(line(rows[-1].values()))
    if args.csv:
        pd.DataFrame(rows).to_csv(args.csv, index=False)


def line(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def row(
    tokenizer: str,
    way: str,
    came: list[list[Tensor]],
    own: list[list[Tensor]],
    args: argparse.Namespace,
) -> dict[str, str]:
    (train, train_mean), (val, val_mean) = came
    cosine = torch.cosine_similarity(val, own[1][0]).mean().item()
    return {
        "regions": tokenizer,
        "way": way,
        "class": accuracy(train, val, args),
        "mean": accuracy(train_mean, val_mean, args),
        "cosine": f"{cosine:.3f}",
    }


if __name__ == "__main__":
    main()
