"""γ, f and h: token vectors in, features and logits out."""

from spitgraph.nn.attention import Attention
from spitgraph.nn.attention_weights import attention_weights, packed_attention_weights
from spitgraph.nn.backbone import Backbone
from spitgraph.nn.block import Block
from spitgraph.nn.drop_path import DropPath
from spitgraph.nn.embedder import TokenEmbedder
from spitgraph.nn.graph_bias import GraphBias
from spitgraph.nn.layer_scale import LayerScale
from spitgraph.nn.mlp import Mlp
from spitgraph.nn.model import SPiT, TokenFeatures
from spitgraph.nn.packed_attention import Packing
from spitgraph.nn.pool import AttentionPool, MeanPool
from spitgraph.nn.sequences import TokenSequences
from spitgraph.nn.size_bias import log_relative_sizes

__all__ = [
    "Attention",
    "AttentionPool",
    "Backbone",
    "Block",
    "DropPath",
    "GraphBias",
    "LayerScale",
    "MeanPool",
    "Mlp",
    "Packing",
    "SPiT",
    "TokenEmbedder",
    "TokenFeatures",
    "TokenSequences",
    "attention_weights",
    "log_relative_sizes",
    "packed_attention_weights",
]
