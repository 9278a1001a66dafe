"""Which parameters learn, how fast, and which are pulled to zero."""

import pytest
import torch

from helpers.models import TINY
from spitgraph import create_model
from spitgraph.train import learning_parameters, parameter_groups


def model(**options):
    return create_model("spit_tiny_16", **(TINY | options))


def by_name(network, groups):
    of = {id(part): group for group in groups for part in group["params"]}
    return {name: of.get(id(part)) for name, part in network.named_parameters()}


def test_every_parameter_is_in_one_group():
    network = model(graph_bias=True, registers=2, position_grid=(2, 2))
    groups = parameter_groups(network, learning_rate=1.0, weight_decay=0.1)
    of = by_name(network, groups)
    assert all(of.values())
    assert sum(len(group["params"]) for group in groups) == len(of)


def test_weight_decay_acts_on_matrices_that_tokens_meet():
    network = model(graph_bias=True, registers=2, position_grid=(2, 2))
    of = by_name(network, parameter_groups(network, learning_rate=1.0, weight_decay=0.1))
    decays = {name for name, group in of.items() if group["weight_decay"]}
    assert "embedder.linear.weight" in decays and "head.weight" in decays
    assert "backbone.blocks.0.attn.qkv.weight" in decays
    assert not any(
        part in name
        for name in decays
        for part in ("bias", "norm", "gamma", "token", "position_table", "graph_bias")
    )


def test_what_is_nearer_to_the_image_learns_less():
    network = model(depth=2)
    of = by_name(network, parameter_groups(network, learning_rate=8.0, layer_decay=0.5))
    assert of["head.weight"]["lr"] == of["backbone.norm.weight"]["lr"] == 8
    assert of["backbone.blocks.1.mlp.fc1.weight"]["lr"] == 4
    assert of["backbone.blocks.0.norm1.weight"]["lr"] == 2
    assert of["embedder.linear.weight"]["lr"] == of["embedder.cls_token"]["lr"] == 1


def test_one_rate_without_layer_decay():
    groups = parameter_groups(model(), learning_rate=3.0)
    assert {group["lr"] for group in groups} == {3.0}


def test_the_head_alone_and_the_adapter():
    network = model()
    assert learning_parameters(network, "head").keys() == {"head.weight", "head.bias"}
    adapter = learning_parameters(network, "adapter").keys()
    assert {"head.weight", "backbone.norm.weight", "embedder.cls_token"} <= adapter
    assert "embedder.linear.weight" not in adapter


def test_what_is_refused():
    network = model()
    with pytest.raises(ValueError, match="learn"):
        learning_parameters(network, "most")
    with pytest.raises(ValueError, match="layer_decay"):
        parameter_groups(network, learning_rate=1.0, layer_decay=0.0)
    network.head = torch.nn.Identity()
    with pytest.raises(ValueError, match="head"):
        learning_parameters(network, "head")
    network.requires_grad_(False)
    with pytest.raises(ValueError, match="nothing would learn"):
        learning_parameters(network)
