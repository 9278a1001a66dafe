"""Plain vision transformers, written out anew: what `from_vit` has to give, and small random ones.

State dicts have timm's names.
"""

from dataclasses import dataclass

import torch
from torch.nn.functional import conv2d, gelu, layer_norm, linear

from .pictures import seeded

WIDTH, DEPTH, HEADS, CLASSES = 32, 2, 4, 5
ACTIVATIONS = {
    "gelu": gelu,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "gelu_tanh": lambda x: gelu(x, approximate="tanh"),
}
#: Mean and deviation of the pictures that the ViTs are for.
MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)


@dataclass
class Answer:
    """Rows after every block [B, L, D]; the last ones normed; what stands for an image; logits."""

    layers: list
    final: torch.Tensor
    pooled: torch.Tensor
    logits: torch.Tensor
    num_prefix: int

    @property
    def tokens(self):
        """The final tokens of the patches, [B, N, D]."""
        return self.final[:, self.num_prefix :]


@torch.no_grad()
def plain_vit(state, images, *, heads=HEADS, eps=1e-6, activation="gelu", pool=None):
    """A vision transformer of a state dict on normalised images [B, 3, H, W]."""
    x, num_prefix = _embedded(state, images)
    if "norm_pre.weight" in state:
        x = _norm(state, "norm_pre", x, eps)
    layers = []
    depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))
    for number in range(depth):
        block = {
            key.removeprefix(f"blocks.{number}."): value
            for key, value in state.items()
            if key.startswith(f"blocks.{number}.")
        }
        x = x + block.get("ls1.gamma", 1) * _attention(block, _norm(block, "norm1", x, eps), heads)
        y = _mlp(block, "mlp", _norm(block, "norm2", x, eps), activation)
        x = x + block.get("ls2.gamma", 1) * y
        layers.append(x)
    x = _norm(state, "norm", x, eps) if "norm.weight" in state else x
    if "attn_pool.latent" in state:
        pooled = _attention_pool(state, x, heads, eps, activation)
    elif pool == "mean" or "fc_norm.weight" in state or "cls_token" not in state:
        pooled = x[:, num_prefix:].mean(1)
    else:
        pooled = x[:, 0]
    if "fc_norm.weight" in state:
        pooled = _norm(state, "fc_norm", pooled, eps)
    logits = pooled
    if "head.weight" in state:
        logits = linear(pooled, state["head.weight"], state.get("head.bias"))
    return Answer(layers, x, pooled, logits, num_prefix)


def _embedded(state, images):
    kernels = state["patch_embed.proj.weight"]
    patches = conv2d(images, kernels, state.get("patch_embed.proj.bias"), stride=kernels.shape[-1])
    patches = patches.flatten(2).mT  # [B, N, D]
    names = ("cls_token", "dist_token", "reg_token")
    prefix = [state[name] for name in names if name in state]
    table, num_prefix = state["pos_embed"], sum(part.shape[1] for part in prefix)
    prefix = [part.expand(len(images), -1, -1) for part in prefix]
    missing = num_prefix + patches.shape[1] - table.shape[1]
    if missing == 0:  # every row has a position
        return torch.cat([*prefix, patches], 1) + table, num_prefix
    if missing == num_prefix:  # patches alone
        return torch.cat([*prefix, patches + table], 1), num_prefix
    # registers have none
    x = torch.cat([prefix[0], patches], 1) + table
    return torch.cat([x[:, :1], *prefix[1:], x[:, 1:]], 1), num_prefix


def _norm(state, name, x, eps):
    return layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps)


def _attention(block, x, heads):
    qkv = linear(x, block["attn.qkv.weight"], block.get("attn.qkv.bias"))
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in qkv.chunk(3, -1))
    x = ((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
    return linear(x, block["attn.proj.weight"], block["attn.proj.bias"])


def _mlp(state, name, x, activation):
    x = linear(x, state[f"{name}.fc1.weight"], state[f"{name}.fc1.bias"])
    x = ACTIVATIONS[activation](x)
    return linear(x, state[f"{name}.fc2.weight"], state[f"{name}.fc2.bias"])


def _attention_pool(state, x, heads, eps, activation):
    def layer(name, x):
        return linear(x, state[f"attn_pool.{name}.weight"], state[f"attn_pool.{name}.bias"])

    q = layer("q", state["attn_pool.latent"].expand(len(x), -1, -1))
    k, v = layer("kv", x).chunk(2, -1)
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v))
    found = ((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
    y = layer("proj", found)
    y = y + _mlp(state, "attn_pool.mlp", _norm(state, "attn_pool.norm", y, eps), activation)
    return y[:, 0]


def random_vit(
    *,
    grid=(4, 4),
    patch=4,
    prefix=("cls_token",),
    positions="all",
    qkv_bias=True,
    patch_bias=True,
    layer_scale=False,
    norm_pre=False,
    pool="token",
    head="linear",
    seed=0,
):
    """The state dict of a small random ViT, with timm's names.

    `positions` of `"all"` rows, of `"patches"`, or of all but the `"registers"`.
    """
    lengths = {"cls_token": 1, "dist_token": 1, "reg_token": 3}
    num_patches, own = grid[0] * grid[1], sum(lengths[name] for name in prefix)
    rows = num_patches + {"all": own, "patches": 0, "registers": 1}[positions]
    shapes = {name: (1, lengths[name], WIDTH) for name in prefix}
    shapes |= {"patch_embed.proj.weight": (WIDTH, 3, patch, patch), "pos_embed": (1, rows, WIDTH)}
    if patch_bias:
        shapes["patch_embed.proj.bias"] = (WIDTH,)
    norms = ["norm_pre"] * norm_pre + ["fc_norm" if pool == "mean_norm" else "norm"]
    linears = {}
    for number in range(DEPTH):
        block = f"blocks.{number}."
        norms += [block + "norm1", block + "norm2"]
        if layer_scale:
            shapes |= {f"{block}ls{k}.gamma": (WIDTH,) for k in (1, 2)}
        linears |= {block + "attn.qkv": (3 * WIDTH, WIDTH), block + "attn.proj": (WIDTH, WIDTH)}
        linears |= _mlp_layers(block)
    if pool == "attention":
        shapes["attn_pool.latent"] = (1, 1, WIDTH)
        linears |= {f"attn_pool.{name}": (WIDTH, WIDTH) for name in ("q", "proj")}
        linears |= {"attn_pool.kv": (2 * WIDTH, WIDTH)} | _mlp_layers("attn_pool.")
        norms.append("attn_pool.norm")
    if head != "none":
        linears["head"] = (CLASSES, WIDTH)
    for name, shape in linears.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:
        shapes |= {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}
    if not qkv_bias:
        shapes = {key: shape for key, shape in shapes.items() if "qkv.bias" not in key}
    if head == "projection":
        del shapes["head.bias"]
    generator = seeded(seed)
    ones = tuple(f"{name}.weight" for name in norms)
    return {
        key: key.endswith(ones) + 0.3 * torch.randn(shape, generator=generator)
        for key, shape in shapes.items()
    }


def _mlp_layers(prefix):
    return {prefix + "mlp.fc1": (4 * WIDTH, WIDTH), prefix + "mlp.fc2": (WIDTH, 4 * WIDTH)}


def normalised(images, mean=MEAN, std=STD):
    """Images [..., 3, H, W] as the ViTs read them."""
    return (images - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def relative_difference(came, expected):
    """Largest difference, in the largest expected number."""
    return ((came - expected).abs().max() / expected.abs().max()).item()


class Layers:
    """The rows after every block of a model, packed, while it runs; for `with`."""

    def __init__(self, model):
        self.model, self.rows = model, []

    def __enter__(self):
        self.hooks = [
            block.register_forward_hook(lambda *given: self.rows.append(given[-1].detach()))
            for block in self.model.backbone.blocks
        ]
        return self.rows

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()
