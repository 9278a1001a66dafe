"""Small models of random parameters, the token graphs they read, and what they answer."""

import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.utils import to_undirected

from spitgraph import TokenData
from spitgraph.nn import Backbone, SPiT, TokenEmbedder

from .pictures import noise, seeded

#: Options of `create_model` that make any configuration small.
TINY = {"embed_dim": 32, "depth": 2, "num_heads": 2, "bins": 4, "num_classes": 5}

FEATURES, WIDTH, CLASSES = 12, 16, 5
#: Token counts of the images of a batch.
UNEVEN, EVEN = (7, 1, 12, 4), (6, 6, 6)


def _random_tokens(count, generator):
    edges = torch.randint(count, (2, count), generator=generator)
    edges = edges[:, edges[0] != edges[1]]
    x = torch.randn(count, FEATURES, generator=generator)
    return TokenData(
        x=x,
        edge_index=to_undirected(edges, num_nodes=count),
        pos=x[:, :2].sigmoid() * torch.tensor([11.0, 7.0]),
        image_size=torch.tensor([[8, 12]]),
        size=torch.randint(1, 50, (count,), generator=generator),
    )


def make_random_tokens(counts=UNEVEN, seed=0):
    """A batch of random token graphs of so many tokens."""
    generator = seeded(seed)
    return Batch.from_data_list([_random_tokens(count, generator) for count in counts])


#: Options of models that pretrained vision transformers may need.
VIT_KINDS = {
    "registers": {"registers": 3, "position_grid": (2, 3), "norm_pre": True},
    "mean": {"class_token": False, "pool": "mean", "position_grid": (3, 3)},
    "mean, normed": {"registers": 2, "pool": "mean_norm", "activation": "quick_gelu"},
    "attention": {"class_token": False, "pool": "attention", "activation": "gelu_tanh"},
    "registers alone": {"class_token": False, "registers": 1, "pool": "attention"},
}


def make_random_model(
    *,
    depth=2,
    num_heads=4,
    token_budget=None,
    pe=(None, None),
    class_token=True,
    registers=0,
    position_grid=None,
    **options,
):
    """A SPiT without τ and φ, in eval mode; no parameter has a value where it might do nothing."""
    model = SPiT(
        nn.Identity(),
        nn.Identity(),
        TokenEmbedder(
            FEATURES,
            WIDTH,
            token_budget=token_budget,
            pe_name=pe[0],
            pe_dim=pe[1],
            class_token=class_token,
            registers=registers,
            position_grid=position_grid,
        ),
        Backbone(WIDTH, depth, num_heads, **options),
        nn.Linear(WIDTH, CLASSES),
    )
    generator = seeded(1)
    for name, parameter in model.named_parameters():
        random = torch.randn(parameter.shape, generator=generator)
        around_one = name.endswith(("norm1.weight", "norm2.weight", "gamma"))
        parameter.data = around_one + (0.3 if parameter.dim() > 1 else 0.5) * random
    return model.eval()


def randomised(model, seed=0):
    """The same model, all of its parameters random."""
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model


def logits_of_noise(model):
    """What a model says of one noisy picture, [1, classes]."""
    with torch.no_grad():
        return model.eval()(noise(24, 31, seed=3))
