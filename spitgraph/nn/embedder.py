"""γ: token vectors become the sequences of tokens that a transformer reads."""

from typing import Any

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn
from torch_geometric.nn.pool.select.topk import topk

from spitgraph.checks import boolean, instance, integer
from spitgraph.data import TokenData
from spitgraph.modes import is_transformed
from spitgraph.nn.initial import initialise_linear
from spitgraph.nn.positions import sampled_positions
from spitgraph.nn.sequences import TokenSequences, node_offsets, pack
from spitgraph.pixel_map import stored_sizes


class TokenEmbedder(nn.Module):
    """One linear layer, and a class token without position (METHOD 5).

    What pretrained vision transformers have beside that can be told: registers, no class token, and
    positions that are looked up rather than part of the vectors.

    Args:
        in_features: Length of a token vector, `extractor.out_channels`.
        embed_dim: Width D of the transformer.
        token_budget: In training, keep at most so many tokens an image, drawn at random without
            replacement; the class token always stays. None keeps all, as evaluation does.
        pe_name: Attribute of the tokens that holds a positional encoding of PyG's, such as
            `"laplacian_eigenvector_pe"` or `"random_walk_pe"`; it is projected and added. Zero at
            initialisation, so that an imported plain model starts out unchanged. Apply
            `AddLaplacianEigenvectorPE` or `AddRandomWalkPE` to each image's tokens before batching.
        pe_dim: Its width.
        class_token: Whether there is one.
        registers: How many learned tokens of no place in the image every image gets, behind the
            class token (Darcet et al. 2023, *Vision Transformers Need Registers*).
        position_grid: Rows and columns of a table of positions that is read, bilinearly, where a
            token's centroid lies, and added; by default, vectors alone say where a token is.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(
        self,
        in_features: int,
        embed_dim: int,
        *,
        token_budget: int | None = None,
        pe_name: str | None = None,
        pe_dim: int | None = None,
        class_token: bool = True,
        registers: int = 0,
        position_grid: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.in_features = integer(in_features, "in_features")
        self.embed_dim = integer(embed_dim, "embed_dim")
        self.token_budget = None if token_budget is None else integer(token_budget, "token_budget")
        if (pe_name is None) != (pe_dim is None):
            raise ValueError(
                f"pe_name and pe_dim go together, got pe_name={pe_name!r} and pe_dim={pe_dim!r}"
            )
        if pe_name is not None:
            instance(pe_name, str, "pe_name", "a string")
        self.pe_name = pe_name
        self.pe_dim = None if pe_dim is None else integer(pe_dim, "pe_dim")
        self.linear = nn.Linear(self.in_features, self.embed_dim)
        self.registers = integer(registers, "registers", minimum=0)
        self.position_grid = None if position_grid is None else grid_of(position_grid)
        has_class_token = boolean(class_token, "class_token")
        self.cls_token = self._learned(1) if has_class_token else None
        self.reg_token = self._learned(self.registers) if self.registers else None
        self.position_table = self._learned(*self.position_grid) if self.position_grid else None
        if self.pe_dim is not None:
            self.pe_linear = nn.Linear(self.pe_dim, self.embed_dim, bias=False)
        self.reset_parameters()

    def _learned(self, *shape: int) -> nn.Parameter:
        return nn.Parameter(torch.empty(1, *shape, self.embed_dim))

    def reset_parameters(self) -> None:
        """Draw new initial parameters."""
        initialise_linear(self.linear)
        for parameter in (self.cls_token, self.reg_token, self.position_table):
            if parameter is not None:
                nn.init.normal_(parameter, std=0.02)
        if self.pe_name is not None:
            nn.init.zeros_(self.pe_linear.weight)

    def forward(
        self,
        tokens: TokenData,
        generator: torch.Generator | None = None,
        keep: Tensor | None = None,
    ) -> TokenSequences:
        """Sequences of embedded tokens.

        Args:
            tokens: One image's tokens or a batch, with `x` set.
            generator: What the token budget's draw comes from; by default, the global one.
            keep: [N] boolean, tokens that take part; by default, all. None of an image have to.

        Raises:
            ValueError: `x` or the positional encoding is missing, or of another width; `keep` is
                not of N booleans.
        """
        x = self._checked(tokens, "x", "an extractor sets it", self.in_features)
        ptr, kept = node_offsets(tokens), None
        if keep is not None:
            kept, ptr = kept_nodes(keep, ptr, x)
        counts = ptr.diff()
        if self.training and self.token_budget is not None:
            drawn = draw_nodes(ptr, self.token_budget, generator)
            counts = counts.clamp(max=self.token_budget)
            kept = drawn if kept is None else kept.index_select(0, drawn)
        x = x if kept is None else x.index_select(0, kept)
        prefix = self._prefix()
        vectors = self.linear(x.to(input_dtype(self.linear, prefix.dtype)))
        if self.pe_name is not None and self.pe_dim is not None:
            hint = "PyG's transform of that name adds it to each image's tokens"
            pe = self._checked(tokens, self.pe_name, hint, self.pe_dim)
            pe = pe if kept is None else pe.index_select(0, kept)
            pe = pe.to(input_dtype(self.pe_linear, prefix.dtype))
            vectors = vectors + self.pe_linear(pe)
        if self.position_table is not None:
            vectors = vectors + self._positions(self.position_table, tokens, counts, kept)
        return pack(vectors, prefix, counts, tokens.x.shape[0], kept, kept_sizes(tokens, kept))

    def _prefix(self) -> Float[Tensor, "P D"]:
        """The rows that come before the tokens of every image: class token, registers."""
        rows = [part[0] for part in (self.cls_token, self.reg_token) if part is not None]
        if rows:
            return torch.cat(rows) if len(rows) > 1 else rows[0]
        like = next(iter(self.parameters())) if self.position_table is None else self.position_table
        dtype = like.dtype if like.dtype in COMPUTED else torch.float32
        return like.new_empty(0, self.embed_dim, dtype=dtype)

    def _positions(
        self, table: Tensor, tokens: TokenData, counts: Tensor, kept: Tensor | None
    ) -> Float[Tensor, "K D"]:
        """Where the kept tokens are, by the table."""
        pos = self._checked(tokens, "pos", "a tokenizer sets it", 2)
        size = self._checked(tokens, "image_size", "a tokenizer sets it", 2)
        pos = pos if kept is None else pos.index_select(0, kept)
        size = size.repeat_interleave(counts, dim=0, output_size=pos.shape[0])
        return sampled_positions(table, pos, size)

    def _checked(self, tokens: TokenData, name: str, hint: str, width: int) -> Tensor:
        if not isinstance(tokens, TokenData):
            raise TypeError(f"expected TokenData or a Batch of it, got {type(tokens).__name__}")
        value = getattr(tokens, name, None)
        if value is None:
            raise ValueError(f"the tokens have no {name}: {hint}")
        if value.dim() != 2 or value.shape[1] != width:
            raise ValueError(f"expected {name} of shape [N, {width}], got {list(value.shape)}")
        return value

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        shown = f"token_budget={self.token_budget}, pe_name={self.pe_name!r}"
        if self.cls_token is None:
            shown += ", class_token=False"
        if self.registers:
            shown += f", registers={self.registers}"
        return shown if self.position_grid is None else f"{shown}, positions={self.position_grid}"


def grid_of(value: Any) -> tuple[int, int]:
    """Rows and columns of a table, if these are two whole numbers.

    Raises:
        ValueError, TypeError: They are not.
    """
    if isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
        raise ValueError(f"position_grid must be rows and columns, got {value!r}")
    rows, columns = (integer(side, "position_grid") for side in value)
    return rows, columns


def kept_nodes(
    keep: Tensor, ptr: Int64[Tensor, " _"], x: Float[Tensor, "N D"]
) -> tuple[Int64[Tensor, " K"], Int64[Tensor, " _"]]:
    """The nodes that a mask keeps, ascending, and the offsets of images in them.

    Raises:
        ValueError: The mask is not of a boolean a node.
        TypeError: It is no tensor.
    """
    instance(keep, Tensor, "keep", "a boolean tensor")
    if keep.dtype != torch.bool or keep.shape != x.shape[:1]:
        raise ValueError(
            f"expected keep of {x.shape[0]} booleans, one a token, "
            f"got {list(keep.shape)} of {keep.dtype}"
        )
    before = torch.cat([ptr.new_zeros(1), keep.to(ptr.device).cumsum(0)])
    return keep.nonzero().flatten().to(x.device), before[ptr]


def kept_sizes(tokens: TokenData, kept: Int64[Tensor, " K"] | None) -> Shaped[Tensor, " K"] | None:
    """Pixels of each kept node; None where there is no such number a node."""
    if tokens._store.get("size") is None:
        return None
    sizes = stored_sizes(tokens).to(tokens.x.device)
    if sizes.shape != tokens.x.shape[:1]:
        return None
    return sizes if kept is None else sizes.index_select(0, kept)


#: Numbers that layers compute with; others are what weights are packed into.
COMPUTED = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def input_dtype(layer: nn.Module, otherwise: torch.dtype) -> torch.dtype:
    """What a linear layer takes: the dtype of its own numbers.

    Quantised layers may have none, or numbers of 8 bits; the weight of adapted layers is further
    inside.
    """
    for parameter in layer.parameters():
        if parameter.dtype in COMPUTED:
            return parameter.dtype
    return otherwise


def draw_nodes(
    ptr: Int64[Tensor, " _"], budget: int, generator: torch.Generator | None = None
) -> Int64[Tensor, " K"]:
    """At most `budget` nodes of each image, drawn uniformly without replacement, ascending.

    The draw takes place on the generator's device, so that a seed means the same nodes wherever the
    tokens are.
    """
    if generator is None and torch.compiler.is_compiling():
        return _draw_nodes(ptr, budget)
    device = ptr.device if generator is None else generator.device
    batch = torch.arange(ptr.numel() - 1, device=ptr.device).repeat_interleave(ptr.diff())
    # of few bits, as PyTorch's default dtype may be, many would be equal
    priority = torch.rand(
        batch.numel(), generator=generator, device=device, dtype=torch.float32
    ).to(ptr.device)
    if is_transformed(priority):
        raise RuntimeError("a token budget cannot be drawn within vmap: its counts vary")
    return topk(priority, budget, batch).sort().values


@torch.library.custom_op("spitgraph::draw_nodes", mutates_args=())
def _draw_nodes(ptr: Tensor, budget: int) -> Tensor:
    return draw_nodes(ptr, budget)


@_draw_nodes.register_fake
def _(ptr: Tensor, budget: int) -> Tensor:
    return ptr.new_empty(torch.library.get_ctx().new_dynamic_size())
