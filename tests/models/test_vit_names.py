"""The same ViT under the names of others, and what is no plain ViT."""

import pytest
import torch

from helpers import vit_names as names
from helpers.vits import HEADS, random_vit
from spitgraph import create_model, from_vit, retrofit

CLIP = {"norm_pre": True, "patch_bias": False}
DINOV2 = {"layer_scale": True, "head": "none"}
REGISTERS = {"prefix": ("cls_token", "reg_token"), "positions": "registers", **DINOV2}
SIGLIP = {"prefix": (), "pool": "attention", "head": "none"}
DEIT = {"prefix": ("cls_token", "dist_token")}
HEADLESS = {"head": "none"}
TEXT = {"text_model__x__weight": torch.ones(2), "logit_scale": torch.ones(())}


def with_head(state, rename, prefix, head="classifier", **beside):
    """A tower behind a prefix, its head beside it under another name."""
    inside = {key: value for key, value in state.items() if not key.startswith("head.")}
    outside = {
        key.replace("head.", f"{head}__"): value
        for key, value in state.items()
        if key.startswith("head.")
    }
    return names.with_prefix(rename(inside), prefix, **outside, **beside)


#: Options of `random_vit`, and how others save that.
STYLES = {
    "timm, in a larger model": ({}, lambda s: names.with_prefix(s, "encoder.model.")),
    "HF ViT": (HEADLESS, names.hf_vit),
    "HF ViT, version 5": (HEADLESS, names.hf_vit_now),
    "HF ViT with a head": ({}, lambda s: with_head(s, names.hf_vit, "vit.")),
    "HF ViT without biases": (
        {"qkv_bias": False},
        lambda s: with_head(s, names.hf_vit_now, "vit."),
    ),
    "HF DeiT": (
        DEIT,
        lambda s: with_head(
            s,
            names.hf_vit,
            "deit.",
            "cls_classifier",
            distillation_classifier__weight=torch.ones(5, 32),
        ),
    ),
    "HF Dinov2": (DINOV2, names.hf_dinov2),
    "HF Dinov2 with registers": (REGISTERS, names.hf_dinov2),
    "HF CLIP": (CLIP | HEADLESS, names.hf_tower),
    "HF CLIP with projection": (
        CLIP | {"head": "projection"},
        lambda s: with_head(s, names.hf_tower, "vision_model.", "visual_projection", **TEXT),
    ),
    "HF SigLIP": (SIGLIP, lambda s: names.with_prefix(names.hf_tower(s), "vision_model.", **TEXT)),
    "OpenAI": (CLIP | {"head": "projection"}, names.openai),
    "OpenAI with texts": (
        CLIP | {"head": "projection"},
        lambda s: names.with_prefix(
            names.openai(s),
            "visual.",
            transformer__resblocks__0__ln_1__weight=torch.ones(2),
            positional_embedding=torch.ones(3, 2),
            token_embedding__weight=torch.ones(9, 2),
            ln_final__bias=torch.ones(2),
            text_projection=torch.ones(2, 2),
            logit_scale=torch.ones(()),
        ),
    ),
    "open_clip of timm": (
        SIGLIP,
        lambda s: names.with_prefix(s, "visual.trunk.", text__ln_final__weight=torch.ones(2)),
    ),
    "DINO": (
        HEADLESS,
        lambda s: {
            "student": names.with_prefix(
                s, "module.backbone.", module__head__mlp__0__bias=torch.ones(2)
            )
        },
    ),
    "DINOv2": (REGISTERS, names.dinov2),
    "MAE": (HEADLESS, names.mae),
    "BEiT's layer scale": (
        {"layer_scale": True},
        lambda s: names.changed(s, (r"\.ls(\d)\.gamma", r".gamma_\1")),
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_the_same_model_by_any_names(style):
    options, save = STYLES[style]
    state = random_vit(**options)
    expected = from_vit(state, num_heads=HEADS).state_dict()
    came = from_vit(save(dict(state)), num_heads=HEADS).state_dict()
    assert came.keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in came.items())


def test_retrofit_knows_the_names_too():
    small = {"embed_dim": 32, "depth": 2, "num_heads": HEADS, "bins": 4, "num_classes": 5}
    state, models = random_vit(), []
    for content in (state, with_head(state, names.hf_vit, "vit.")):
        models.append(retrofit(create_model("spit_tiny_16", qkv_bias=True, **small), content))
    ours, theirs = (model.state_dict() for model in models)
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


def test_keys_without_a_bias_have_none():
    state = random_vit(head="none")
    for key in list(state):
        if key.endswith("qkv.bias"):
            state[key][32:64] = 0
    saved = names.hf_vit_now(state)
    saved = {key: value for key, value in saved.items() if "k_proj.bias" not in key}
    expected = from_vit(state, num_heads=HEADS).state_dict()
    came = from_vit(saved, num_heads=HEADS).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in came.items())
    for key in list(saved):
        if "v_proj.bias" in key:
            del saved[key]
    with pytest.raises(ValueError, match=r"lacks some of blocks\.\d\.attn\.\{q,k,v\}\.bias"):
        from_vit(saved, num_heads=HEADS)


@pytest.mark.parametrize(
    ("style", "eps"),
    [("HF ViT", 1e-12), ("HF Dinov2", 1e-6), ("HF CLIP", 1e-5), ("OpenAI", 1e-5), ("MAE", 1e-6)],
)
def test_epsilon_is_that_of_whose_names_they_are(style, eps):
    options, save = STYLES[style]
    state = save(random_vit(**options))
    assert from_vit(state, num_heads=HEADS).backbone.norm_eps == eps
    assert from_vit(state, num_heads=HEADS, norm_eps=0.1).backbone.norm.eps == 0.1


# ---- refused -------------------------------------------------------------------------------------


def with_more(**tensors):
    return lambda state: state | {key.replace("__", "."): torch.ones(3) for key in tensors}


def without(*parts):
    return lambda s: {key: value for key, value in s.items() if not any(p in key for p in parts)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_more(rope_embed__periods=1), "rotary.*rope_embed.periods"),
        (with_more(blocks__0__attn__rope__freqs=1), "rotary.*blocks.0.attn.rope.freqs"),
        (without("pos_embed"), "lacks pos_embed: a table of positions.*[Rr]otary"),
        (with_more(blocks__0__attn__q_bias=1), "relative"),
        (with_more(blocks__0__attn__relative_position_bias_table=1), "relative"),
        (with_more(blocks__0__mlp__w12__weight=1), "gated.*SwiGLU"),
        (with_more(layers__0__blocks__0__norm1__weight=1), "windows"),
        (with_more(patch_embed__backbone__conv__weight=1), "stack of convolutions"),
        (lambda s: {"stem.0.weight": torch.ones(3), "stages.0.x": torch.ones(3)}, "pyramid"),
        (lambda s: {"conv1.weight": torch.ones(3), "layer1.0.x": torch.ones(3)}, "convolutions"),
        (lambda s: {"embeddings.patch_embeddings.weight": torch.ones(3)}, "rotary"),
        (lambda s: {"a.weight": torch.ones(3), "b.c": torch.ones(3)}, "lacks patch_embed.proj"),
        (
            lambda s: names.with_prefix(s, "a.") | names.with_prefix(s, "b."),
            "more than one.*'a.', 'b.'",
        ),
        (with_more(neck__weight=1), "has no neck.weight"),
        (with_more(classifier__weight=1), "has no classifier.weight"),
        (lambda s: [1], "vit_state_dict: expected tensors by name, got a list"),
        (lambda s: s | {"cls_token": 3}, "vit_state_dict: 'cls_token' is a int"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_plain_vit_is_refused_and_told_why(change, message):
    with pytest.raises(ValueError, match=message):
        from_vit(change(dict(random_vit())), num_heads=HEADS)


def test_gated_perceptrons_of_one_weight_are_refused():
    state = random_vit()
    state["blocks.0.mlp.fc2.weight"] = state["blocks.0.mlp.fc2.weight"][:, :64]
    with pytest.raises(ValueError, match="gated"):
        from_vit(state, num_heads=HEADS)
