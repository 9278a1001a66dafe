"""What `spitgraph models` lists."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from helpers.models import TINY
from spitgraph.cli import main
from spitgraph.models import create_model, list_models, model_table
from spitgraph.models.configurations import configure
from spitgraph.models.table import multiply_adds


def test_a_row_for_every_name():
    rows = model_table()
    assert [row.name for row in rows] == list_models()


def test_parameters_are_those_of_the_model():
    row = next(row for row in model_table() if row.name == "spit_tiny_16")
    model = create_model("spit_tiny_16")
    assert row.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert (row.tokens, row.embed_dim, row.depth, row.num_heads) == ("superpixels", 192, 12, 3)


def test_multiply_adds_are_those_that_pytorch_counts():
    for options in ({}, {"gradient": False, "mlp_ratio": 3.0}):
        model = create_model("vit_tiny_16", **TINY, **options).eval()
        tokens = model.tokenize(torch.rand(3, 20, 12))
        assert tokens.num_nodes == 15
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:  # the only one it counts
            model.forward_tokens(tokens)
        counted = counter.get_total_flops()
        assert counted == 2 * multiply_adds(configure("vit_tiny_16", **TINY, **options), 15)


def test_the_command_prints_the_table(capsys):
    assert main(["models"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == list_models()
    assert len({len(row) for row in [head, *rows]}) == 1
    base = next(row for row in rows if row.startswith("spit_base_16"))
    assert " ".join(base.split()) == "spit_base_16 superpixels 768 12 12 86.8 M 17.6 G"


def test_the_command_counts_for_other_images(capsys):
    assert main(["models", "--tokens", "576"]) == 0
    assert "55.7 G" in next(
        row for row in capsys.readouterr().out.splitlines() if row.startswith("vit_base")
    )
    assert main(["models", "--tokens", "0"]) == 2
    assert "num_tokens must be at least 1" in capsys.readouterr().err


def test_counts_need_a_token():
    with pytest.raises(ValueError, match="num_tokens"):
        model_table(0)
