"""Graph neural networks on superpixels, beside a transformer that reads the same graphs.

    python examples/gnn.py DATA --model gcn|gin|gps|transformer --features colour|vectors
                                --partition superpixel|slic --graph regions|knn

DATA is a folder of train.npz and test.npz (`images` [n, H, W, 3] uint8, `labels` [n]), or of
train/CLASS/*.png and test/CLASS/*.png. Graphs are made once and kept in memory; with --flip, those
of the mirrored training pictures too, and each epoch draws which of the two is read. Or it is a
folder of two corpora, train and val, that `spitgraph tokenize-corpus` wrote: their graphs are read
from disk batch by batch, by --workers. The accuracy that is printed last is that of the last epoch,
with its 95 % interval (Wilson).
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch_geometric.transforms as T
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, Subset
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader
from torch_geometric.nn import MLP, BatchNorm, GCNConv, GINEConv, GPSConv, global_mean_pool
from torch_geometric.utils import to_torch_csr_tensor
from tqdm import tqdm

from spitgraph import TokenData, TokenDataset, create_model, datasets
from spitgraph.datasets import NearestCentroids, SLICTokenizer
from spitgraph.extractors import Extractor, InterpolationExtractor
from spitgraph.nn import TokenEmbedder
from spitgraph.train import Pictures, open_pictures
from spitgraph.train.evaluation.accuracy import Accuracy
from spitgraph.transforms import ToSuperpixels

#: Width and depth by model: about 100,000 parameters, as in Dwivedi et al. 2020.
SIZES = {"gcn": (146, 4), "gin": (110, 4), "gps": (56, 3), "transformer": (64, 2)}
HEADS = 4
#: How many numbers a positional encoding has.
PE_DIM = 8
#: Row groups of a corpus that a process keeps, a quarter of a megabyte each.
KEPT_GROUPS = 256


# ---- pictures → graphs ---------------------------------------------------------------------------


def graph_transform(partition: str, num_tokens: int) -> Callable[[Tensor], TokenData]:
    """Picture → superpixels; of SLIC, about so many."""
    return (
        SLICTokenizer(num_tokens) if partition == "slic" else ToSuperpixels(num_tokens=num_tokens)
    )


def edge_transform(encoding: str, graph: str, num_tokens: int) -> T.Compose:
    """Superpixels, at least so many → other edges, and a positional encoding `pe` [N, 8]."""
    if encoding == "laplacian" and (num_tokens <= PE_DIM or graph == "knn"):
        why = f"more than {num_tokens} tokens" if num_tokens <= PE_DIM else "edges both ways"
        raise ValueError(f"{PE_DIM} eigenvectors need {why}")
    steps: list[T.BaseTransform] = []
    if graph == "knn":
        steps.append(NearestCentroids())
    if encoding == "walk":
        steps.append(T.AddRandomWalkPE(PE_DIM, attr_name="pe"))
    if encoding == "laplacian":
        laplacian = T.AddLaplacianEigenvectorPE(PE_DIM, attr_name="pe", is_undirected=True)
        laplacian.SPARSE_THRESHOLD = torch.inf  # all of it: the sparse solver starts anywhere
        steps.append(laplacian)
    return T.Compose(steps)


def make_graphs(
    pictures: Pictures, indices: Sequence[int], transform: T.Compose, *, mirrored: bool = False
) -> list[TokenData]:
    """The token graphs of some pictures, each with its class as `y`."""
    graphs = []
    for index in tqdm(indices, "mirrored" if mirrored else "graphs", leave=False):
        picture = pictures.picture(index)
        graph = transform(picture.flip(-1) if mirrored else picture)
        graph.y = pictures.labels[index].view(1)
        graphs.append(graph)
    return graphs


class Graphs(NamedTuple):
    """What is learned from, once a picture or once a side of it; what is tested; classes."""

    sides: list[Sequence[TokenData]]
    test: Sequence[TokenData]
    num_classes: int


def graphs_of_pictures(args: argparse.Namespace, generator: torch.Generator) -> Graphs:
    """Graphs that are made now, and kept in memory."""
    train, test = open_pictures(args.data, "train"), open_pictures(args.data, "val")
    count = args.num_tokens or 117
    transform = T.Compose(
        [
            graph_transform(args.partition, count),
            edge_transform(args.encoding, args.graph, count),
        ]
    )
    kept = torch.randperm(len(train), generator=generator)[: args.limit].tolist()
    sides = [
        make_graphs(train, kept, transform, mirrored=mirrored)
        for mirrored in ([False, True] if args.flip else [False])
    ]
    return Graphs(sides, make_graphs(test, range(len(test)), transform), len(train.classes))


def graphs_of_corpora(args: argparse.Namespace, generator: torch.Generator) -> Graphs:
    """Graphs that were made before, and are read when they are asked for."""
    if args.flip or args.partition != "superpixel" or args.num_tokens:
        given = "--flip, --partition and --num-tokens"
        raise ValueError(f"{given} are for pictures: {args.data} has graphs, as they were made")
    train, test = (
        TokenDataset(Path(args.data, split), cached_groups=KEPT_GROUPS)
        for split in ("train", "val")
    )
    fewest = int(min(train.num_tokens.min(), test.num_tokens.min()))
    train.transform = test.transform = edge_transform(args.encoding, args.graph, fewest)
    kept = torch.randperm(len(train), generator=generator)[: args.limit].tolist()
    return Graphs([train[kept]], test, train.num_classes)


class ColourAndPlace(datasets.ColourAndPlace):
    """What the literature gives the nodes: mean RGB and centroid, here all in [−1, 1]."""

    def forward(self, tokens: TokenData) -> TokenData:
        tokens = super().forward(tokens)
        tokens.x = 2 * tokens.x - 1
        return tokens


def extractor_of(features: str) -> Extractor:
    """What sets `x`, batch by batch: vectors of 24,000 pictures would take gigabytes."""
    if features == "colour":
        return ColourAndPlace()
    return InterpolationExtractor(8, gradient=False)


# ---- models --------------------------------------------------------------------------------------


class GNN(nn.Module):
    """Layers of PyG over the region graph, the mean over its nodes, and an MLP.

    The longer the border that two regions share, the more it means: it weighs the edges of GCN, and
    is a feature of the edges for the others.
    """

    def __init__(self, kind: str, in_channels: int, num_classes: int, pe_dim: int = 0) -> None:
        super().__init__()
        width, depth = SIZES[kind]
        self.pe_dim = pe_dim
        self.encode = nn.Linear(in_channels + pe_dim, width)
        self.layers = nn.ModuleList(LAYERS[kind](width) for _ in range(depth))
        self.decode = MLP([width, width // 2, width // 4, num_classes], norm=None)

    def forward(self, data: Batch) -> Tensor:
        """Logits [B, classes] of graphs with `x`, `edge_index`, `edge_attr`, and perhaps `pe`."""
        x = self.encode(torch.cat([data.x, data.pe], dim=1) if self.pe_dim else data.x)
        for layer in self.layers:
            x = layer(x, data)
        return self.decode(global_mean_pool(x, data.batch))


class GCNLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv, self.norm = GCNConv(width, width), BatchNorm(width)

    def forward(self, x: Tensor, data: Batch) -> Tensor:
        # as a sparse matrix: on CPUs, three times as fast as by edges
        size = (data.num_nodes, data.num_nodes)
        ends = data.edge_index.flip(0)  # a row an end: those of the nearest centroids lead one way
        adjacency = to_torch_csr_tensor(ends, data.edge_attr.flatten(), size)
        return x + self.norm(self.conv(x, adjacency)).relu()


class GINLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv, self.norm = gine(width), BatchNorm(width)

    def forward(self, x: Tensor, data: Batch) -> Tensor:
        return x + self.norm(self.conv(x, data.edge_index, data.edge_attr.log())).relu()


class GPSLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = GPSConv(width, gine(width), heads=HEADS)

    def forward(self, x: Tensor, data: Batch) -> Tensor:
        return self.layer(x, data.edge_index, data.batch, edge_attr=data.edge_attr.log())


def gine(width: int) -> GINEConv:
    """GIN that reads a number an edge."""
    return GINEConv(MLP([width, width, width]), edge_dim=1)


LAYERS = {"gcn": GCNLayer, "gin": GINLayer, "gps": GPSLayer}


class Transformer(nn.Module):
    """The library's transformer, as narrow as the others: it attends, and reads no edges."""

    def __init__(self, in_channels: int, num_classes: int, pe_dim: int = 0) -> None:
        super().__init__()
        width, depth = SIZES["transformer"]
        sizes = {"embed_dim": width, "depth": depth, "num_heads": HEADS}
        pe = {"pe_name": "pe", "pe_dim": pe_dim} if pe_dim else {}
        self.model = create_model("spit_tiny_16", num_classes=num_classes, **sizes)
        self.model.embedder = TokenEmbedder(in_channels, width, **pe)

    def forward(self, data: Batch) -> Tensor:
        return self.model.forward_tokens(data)


def make_model(kind: str, in_channels: int, num_classes: int, pe_dim: int = 0) -> nn.Module:
    if kind == "transformer":
        return Transformer(in_channels, num_classes, pe_dim)
    return GNN(kind, in_channels, num_classes, pe_dim)


# ---- training ------------------------------------------------------------------------------------


def train_epoch(
    model: nn.Module,
    extractor: Extractor,
    loader: DataLoader,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> tuple[float, float]:
    """The mean loss of an epoch, and the share of pictures that were classified right in it."""
    model.train()
    losses, right = 0.0, 0
    for batch in loader:
        batch = extractor(batch.to(device_of(model)))
        logits = model(batch)
        loss = cross_entropy(logits, batch.y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses += loss.item() * len(batch.y)
        right += int((logits.argmax(dim=1) == batch.y).sum())
    return losses / len(loader.dataset), right / len(loader.dataset)


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


@torch.no_grad()
def evaluate(model: nn.Module, extractor: Extractor, loader: DataLoader) -> tuple[Accuracy, float]:
    """What is right of all pictures, and how many tokens one has on average."""
    model.eval()
    right, tokens = 0, 0
    for batch in loader:
        batch = extractor(batch.to(device_of(model)))
        right += int((model(batch).argmax(dim=1) == batch.y).sum())
        tokens += batch.num_nodes
    return Accuracy(right, len(loader.dataset)), tokens / len(loader.dataset)


def run(args: argparse.Namespace) -> None:
    """Train as the command line says, then count once what is right of the test pictures."""
    torch.manual_seed(args.seed)  # weights, and the signs of eigenvectors
    generator = torch.Generator().manual_seed(args.seed)  # all else that is drawn
    made_before = Path(args.data, "train", "part-00000.parquet").exists()
    open_graphs = graphs_of_corpora if made_before else graphs_of_pictures
    sides, test, num_classes = open_graphs(args, generator)
    pictures, loading = len(sides[0]), {"num_workers": args.workers}
    to_test = DataLoader(test, args.batch_size, **loading)
    extractor = extractor_of(args.features)
    pe_dim = 0 if args.encoding == "none" else PE_DIM
    model = make_model(args.model, extractor.out_channels, num_classes, pe_dim).to(args.device)
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, weight_decay=args.weight_decay)
    steps = args.epochs * -(-pictures // args.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, steps, pct_start=0.1)
    began, learning = time.process_time(), 0.0
    for epoch in range(1, args.epochs + 1):
        drawn = torch.randint(len(sides), (pictures,), generator=generator)
        graphs = Subset(ConcatDataset(sides), (drawn * pictures + torch.arange(pictures)).tolist())
        loader = DataLoader(graphs, args.batch_size, shuffle=True, generator=generator, **loading)
        start = time.perf_counter()
        loss, share = train_epoch(model, extractor, loader, optimizer, schedule)
        learning += time.perf_counter() - start
        print(f"epoch {epoch}: loss {loss:.3f}, training accuracy {share:.3f}", flush=True)
    accuracy, tokens = evaluate(model, extractor, to_test)
    seconds = time.process_time() - began
    size = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"{args.model}, {named(args)}: test accuracy {accuracy}; {size:,} parameters, "
        f"{pictures:,} pictures, {tokens:.4g} tokens, {seconds:.0f} s of CPU "
        f"({args.epochs * pictures / learning:.0f} pictures/s)"
    )


def named(args: argparse.Namespace) -> str:
    """What nodes are told, and which graphs where they are not the library's own."""
    usual = ("superpixel", "regions")
    graphs = [name for name in (args.partition, args.graph) if name not in usual]
    return ", ".join([args.features, *graphs])


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a GNN on superpixels.")
    parser.add_argument("data", help="folder, see above")
    parser.add_argument("--model", choices=SIZES, default="gcn")
    parser.add_argument("--features", choices=["colour", "vectors"], default="colour")
    parser.add_argument("--encoding", choices=["none", "walk", "laplacian"], default="none")
    parser.add_argument("--partition", choices=["superpixel", "slic"], default="superpixel")
    parser.add_argument("--graph", choices=["regions", "knn"], default="regions")
    parser.add_argument("--num-tokens", type=int, help="superpixels a picture (default: 117)")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="pictures, at most (default: all)")
    parser.add_argument("--workers", type=int, default=0, help="processes that read graphs")
    parser.add_argument("--flip", action="store_true", help="learn from mirrored pictures too")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", "Sparse (CSR tensor|invariant)")
    try:
        run(args)
    except (ImportError, OSError, TypeError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).split())}\n")


if __name__ == "__main__":
    main()
