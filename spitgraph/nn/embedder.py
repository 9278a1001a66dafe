"""γ: token vectors become the sequences of tokens that a transformer reads."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch_geometric.nn.pool.select.topk import topk

from spitgraph.checks import instance, integer
from spitgraph.data import TokenData
from spitgraph.modes import is_transformed
from spitgraph.nn.initial import initialise_linear
from spitgraph.nn.sequences import TokenSequences, node_offsets, pack


class TokenEmbedder(nn.Module):
    """One linear layer, and a class token without position (METHOD 5).

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
        self.cls_token = nn.Parameter(torch.empty(1, 1, self.embed_dim))
        if self.pe_dim is not None:
            self.pe_linear = nn.Linear(self.pe_dim, self.embed_dim, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial parameters."""
        initialise_linear(self.linear)
        nn.init.normal_(self.cls_token, std=0.02)
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
        vectors = self.linear(x.to(input_dtype(self.linear, self.cls_token.dtype)))
        if self.pe_name is not None and self.pe_dim is not None:
            hint = "PyG's transform of that name adds it to each image's tokens"
            pe = self._checked(tokens, self.pe_name, hint, self.pe_dim)
            pe = pe if kept is None else pe.index_select(0, kept)
            pe = pe.to(input_dtype(self.pe_linear, self.cls_token.dtype))
            vectors = vectors + self.pe_linear(pe)
        return pack(vectors, self.cls_token[0], counts, tokens.x.shape[0], kept)

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
        return f"token_budget={self.token_budget}, pe_name={self.pe_name!r}"


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
