"""The five parts of a vision transformer, put together: h ∘ f ∘ γ ∘ φ ∘ τ."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch_geometric.utils import subgraph

from spitgraph.checks import boolean, instance
from spitgraph.data import TokenData
from spitgraph.images import ImagesLike
from spitgraph.nn.backbone import Backbone
from spitgraph.nn.embedder import TokenEmbedder
from spitgraph.nn.sequences import TokenSequences


class TokenFeatures(NamedTuple):
    """Final tokens of B images, normed, the class token separate.

    Attributes:
        class_token: [B, D], what the head reads: the class token, or what the backbone pools.
        tokens: [ΣN, D], in node order; of the kept nodes only, where some were left out.
        kept: [K] int64, which nodes those are, ascending; None when all are.
    """

    class_token: Float[Tensor, "B D"]
    tokens: Float[Tensor, "K D"]
    kept: Int64[Tensor, " K"] | None


class SPiT(nn.Module):
    """A vision transformer whose tokens follow the image (METHOD; Aasan et al. 2024).

    Args:
        tokenizer: τ, images → token graphs.
        extractor: φ, which sets the tokens' vectors `x`.
        embedder: γ, vectors → sequences of tokens.
        backbone: f, the transformer.
        head: h, what becomes of the class token, or of what the backbone pools in its place;
            `nn.Linear(backbone.embed_dim, num_classes)`.

    Raises:
        TypeError: A part is no module.
    """

    def __init__(
        self,
        tokenizer: nn.Module,
        extractor: nn.Module,
        embedder: TokenEmbedder,
        backbone: Backbone,
        head: nn.Module,
    ) -> None:
        super().__init__()
        self.tokenizer = instance(tokenizer, nn.Module, "tokenizer", "a module")
        self.extractor = instance(extractor, nn.Module, "extractor", "a module")
        self.embedder = instance(embedder, nn.Module, "embedder", "a module")
        self.backbone = instance(backbone, nn.Module, "backbone", "a module")
        self.head = instance(head, nn.Module, "head", "a module")

    def forward(self, images: ImagesLike) -> Float[Tensor, "B classes"]:
        """Logits of images; one image gives [1, classes].

        Args:
            images: Anything `spitgraph.images.load_images` takes, of any sizes.

        Raises:
            ValueError, TypeError: The input is not images; see `load_images`.
        """
        return self.forward_tokens(self.tokenize(images))

    def tokenize(self, images: ImagesLike) -> TokenData:
        """φ∘τ: token graphs with vectors, on the model's device; a batch for a batch or list.

        Args:
            images: Anything `spitgraph.images.load_images` takes.
        """
        tokens = self.tokenizer(images)
        parameter = next(self.embedder.parameters(), tokens.cluster)
        return self.extractor(tokens.to(parameter.device))

    def forward_tokens(
        self,
        tokens: TokenData,
        generator: torch.Generator | None = None,
        *,
        keep: Tensor | None = None,
    ) -> Float[Tensor, "B classes"]:
        """Logits of tokens; one image gives [1, classes].

        Args:
            tokens: One image's tokens or a batch, with `x` set.
            generator: What a token budget draws from in training; by default, the global one.
            keep: [N] boolean, tokens that take part: exactly as if the others were not there. An
                image may be left with none but its class token.

        Raises:
            ValueError: `x`, or what an option of the model reads, is missing or of another width.
        """
        return self.head(self.forward_features(tokens, generator, keep=keep).class_token)

    def forward_features(
        self,
        tokens: TokenData,
        generator: torch.Generator | None = None,
        *,
        keep: Tensor | None = None,
    ) -> TokenFeatures:
        """Final tokens, the class token separate; see `forward_tokens`."""
        sequences = self.embedder(tokens, generator, keep)
        edges = tokens.edge_index
        if keep is not None and edges is not None:  # no path leads over a token that is not there
            edges = subgraph(keep, edges)[0]
        return self.forward_sequences(sequences, edges)

    def forward_sequences(
        self, sequences: TokenSequences, edge_index: Int64[Tensor, "2 E"] | None = None
    ) -> TokenFeatures:
        """Final tokens of sequences that are embedded already; see `forward_features`.

        Args:
            sequences: Embedded tokens.
            edge_index: The region graphs, between nodes of the batch; read by the hop bias.
        """
        final = self.backbone(sequences, edge_index)
        pooled = final.class_tokens if final.pooled is None else final.pooled
        return TokenFeatures(pooled, final.tokens, final.kept)

    def dense_features(
        self, images: ImagesLike
    ) -> Float[Tensor, "*B D H W"] | list[Float[Tensor, "D _H _W"]]:
        """Every pixel gets the final features of its token.

        Args:
            images: Anything `spitgraph.images.load_images` takes.

        Returns:
            [D, H, W] for one image; for a batch or list, [B, D, H, W] where all sizes agree and
            otherwise a list of [D, H, W]. Channels are last in memory.

        Raises:
            ValueError: A token budget applies, so that some pixels have no token.
        """
        tokens = self.tokenize(images)
        features = self.forward_features(tokens)
        if features.kept is not None:
            raise ValueError("a token budget leaves pixels without features: call model.eval()")
        pixels = features.tokens.index_select(0, tokens.cluster)  # [ΣHW, D]
        sizes = tokens.image_size.tolist()
        maps = [
            rows.unflatten(0, (height, width)).permute(2, 0, 1)
            for rows, (height, width) in zip(
                pixels.split([height * width for height, width in sizes]), sizes, strict=True
            )
        ]
        if "ptr" not in tokens:
            return maps[0]
        if any(size != sizes[0] for size in sizes):
            return maps
        height, width = sizes[0]
        return pixels.unflatten(0, (-1, height, width)).permute(0, 3, 1, 2)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Whether training recomputes the inside of blocks rather than keep it: less memory."""
        self.backbone.grad_checkpointing = boolean(enable, "enable")
