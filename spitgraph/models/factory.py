"""Models by name: the five parts, put together as a configuration says."""

from typing import Any

from torch import nn

from spitgraph.extractors import Extractor
from spitgraph.models.configurations import Configuration, configure
from spitgraph.models.extraction import make_extractor
from spitgraph.nn import Backbone, SPiT, TokenEmbedder
from spitgraph.nn.initial import initialise_linear


def create_model(
    name: str,
    *,
    num_classes: int = 1000,
    gradient: bool = True,
    graph_bias: bool = False,
    image_size: int | None = None,
    token_budget: int | None = None,
    drop_path: float = 0.0,
    **overrides: Any,
) -> SPiT:
    """A model with random weights, by name.

    Names are `{spit,vit,rvit}_{tiny,small,base,large}_16`: superpixels, square patches or random
    Voronoi cells, in four sizes (METHOD 5). Settings are those of the authors' released variants,
    except that superpixels compare Lab colours: `features="spit"` asks for the authors' pipeline,
    which their weights need.

    Args:
        name: Tokenizer and size.
        num_classes: Width of the head.
        gradient: Whether token vectors hold gradient histograms.
        graph_bias: Whether attention logits get a learned bias by hop distance in the region graph.
        image_size: Side in pixels of the square images that the model is meant for; it reads others
            just as well. There are as many Voronoi cells as 16×16 patches in such an image, and
            `retrofit` fits positions to it. 224 is assumed where a number is needed.
        token_budget: In training, how many tokens an image keeps, drawn at random; by default all.
        drop_path: Probability of leaving out the last block in training; in earlier blocks it is
            proportionally less.
        overrides: `embed_dim` (heads of 64, if it divides by 64 and nothing else is said), `depth`,
            `num_heads`, `mlp_ratio`, `qkv_bias`, `qk_norm` (LayerNorm of queries and keys), `bins`
            and `sigma` (by default that of the released variants for their 16 bins, and 0.8/bins
            for others, see `sigma_of`); `init_values`, what LayerScale starts at (1e-5);
            `size_bias`, whether tokens are attended to in proportion to their pixels (by default
            not, see `log_relative_sizes`); what other vision transformers have, `mean` and `std`
            (plain colour, see `InterpolationExtractor`), `position_grid`, `class_token` and
            `registers` (see `TokenEmbedder`), `norm_pre`, `norm_eps`, `activation` and `pool` (see
            `Backbone`), `head` (`"linear"`, `"projection"` without bias, or `"none"` for features),
            and `extractor` (`"interpolation"`, or `"windows"` of side `bins`, see
            `WindowExtractor`); of superpixels, `levels`, `num_tokens`, `quality`, `compactness`,
            `features` and `similarity` (by default `"cosine"` with `features="spit"`, `"distance"`
            with others); of patches, `patch_size` (by default `bins`, a pixel a bin; patches of
            another side are stretched to the bins, as regions are); of Voronoi cells, `num_tokens`.

    Raises:
        ValueError: There is no such name, or a value is outside its range.
        TypeError: There is no such override, it is not about this tokenizer, or of another type.
    """
    return build(
        configure(
            name,
            num_classes=num_classes,
            gradient=gradient,
            graph_bias=graph_bias,
            image_size=image_size,
            token_budget=token_budget,
            drop_path=drop_path,
            **overrides,
        )
    )


def build(configuration: Configuration, extractor: Extractor | None = None) -> SPiT:
    """The model of a configuration; perhaps with an extractor of another kind."""
    extractor = make_extractor(configuration) if extractor is None else extractor
    width = configuration.embed_dim
    model = SPiT(
        tokenizer=configuration.tokenizer(),
        extractor=extractor,
        embedder=TokenEmbedder(
            extractor.out_channels,
            width,
            token_budget=configuration.token_budget,
            class_token=configuration.class_token,
            registers=configuration.registers,
            position_grid=configuration.position_grid,
        ),
        backbone=Backbone(
            width,
            configuration.depth,
            configuration.num_heads,
            configuration.mlp_ratio,
            configuration.qkv_bias,
            configuration.qk_norm,
            drop_path=configuration.drop_path,
            graph_bias=configuration.graph_bias,
            size_bias=configuration.size_bias,
            activation=configuration.activation,
            norm_pre=configuration.norm_pre,
            norm_eps=configuration.norm_eps,
            init_values=configuration.init_values,
            pool=configuration.pool,
        ),
        head=build_head(width, configuration.num_classes, configuration.head),
    )
    # past nn.Module, which takes attributes for parts
    object.__setattr__(model, "image_size", configuration.image_size)
    return model


def build_head(width: int, num_classes: int, kind: str) -> nn.Module:
    """h, which starts out as other linear layers of vision transformers do."""
    if kind == "none":
        return nn.Identity()
    head = nn.Linear(width, num_classes, bias=kind == "linear")
    initialise_linear(head)
    return head
