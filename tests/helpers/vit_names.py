"""A ViT with timm's names as others save the same: their names, shapes and what lies beside."""

import re

import torch


def changed(state, *replacements):
    """Names by regular expressions, one after the other."""
    result = {}
    for name, value in state.items():
        for pattern, replacement in replacements:
            name = re.sub(pattern, replacement, name)
        result[name] = value
    return result


def apart(state, names, joined=r"(.*\.)attn\.qkv\.(weight|bias)"):
    """Queries, keys and values of their own, under three names."""
    result = {}
    for key, value in state.items():
        match = re.fullmatch(joined, key)
        if match is None:
            result[key] = value
            continue
        for name, part in zip(names, value.chunk(3), strict=True):
            result[f"{match[1]}{name}.{match[2]}"] = part
    return result


def with_prefix(state, prefix, **beside):
    """All names behind a prefix, and other tensors beside them, `__` standing for a dot."""
    others = {name.replace("__", "."): value for name, value in beside.items()}
    return {prefix + name: value for name, value in state.items()} | others


#: What Hugging Face calls what is not in a block.
HF_EMBEDDINGS = (
    ("^cls_token", "embeddings.cls_token"),
    ("^dist_token", "embeddings.distillation_token"),
    ("^reg_token", "embeddings.register_tokens"),
    ("^pos_embed", "embeddings.position_embeddings"),
    (r"^patch_embed\.proj", "embeddings.patch_embeddings.projection"),
    (r"^norm\.", "layernorm."),
)


def hf_vit(state):
    """`ViTModel` and `DeiTModel`, before version 5 of transformers."""
    names = [f"attention.attention.{name}" for name in ("query", "key", "value")]
    return changed(
        apart(state, names),
        *HF_EMBEDDINGS,
        (r"^blocks\.", "encoder.layer."),
        (r"\.attn\.proj\.", ".attention.output.dense."),
        (r"\.norm1\.", ".layernorm_before."),
        (r"\.norm2\.", ".layernorm_after."),
        (r"\.mlp\.fc1\.", ".intermediate.dense."),
        (r"\.mlp\.fc2\.", ".output.dense."),
    ) | {"pooler.dense.weight": torch.ones(2, 2), "pooler.dense.bias": torch.ones(2)}


def hf_vit_now(state):
    """`ViTModel` and `DeiTModel`, from version 5 on."""
    return changed(
        apart(state, [f"attention.{name}_proj" for name in "qkv"]),
        *HF_EMBEDDINGS,
        (r"^blocks\.", "layers."),
        (r"\.attn\.proj\.", ".attention.o_proj."),
        (r"\.norm1\.", ".layernorm_before."),
        (r"\.norm2\.", ".layernorm_after."),
    )


def hf_dinov2(state, version=4):
    """`Dinov2Model`, with registers or without, by the version of transformers."""
    names = [f"attention.attention.{name}" for name in ("query", "key", "value")]
    proj = "attention.output.dense"
    if version >= 5:
        names, proj = [f"attention.{name}_proj" for name in "qkv"], "attention.o_proj"
    return changed(
        apart(state, names),
        *HF_EMBEDDINGS,
        (r"^blocks\.", "encoder.layer."),
        (r"\.attn\.proj\.", f".{proj}."),
        (r"\.ls(\d)\.gamma", r".layer_scale\1.lambda1"),
    ) | {"embeddings.mask_token": torch.ones(1, state["cls_token"].shape[2])}


def hf_tower(state):
    """`CLIPVisionModel` and `SiglipVisionModel`."""
    state = {
        key: value[0] if key == "pos_embed" else value[0, 0] if key == "cls_token" else value
        for key, value in state.items()
    }
    for kind in ("weight", "bias") if "attn_pool.latent" in state else ():
        q, kv = (state.pop(f"attn_pool.{name}.{kind}") for name in ("q", "kv"))
        state[f"head.attention.in_proj_{kind}"] = torch.cat([q, kv])
    return changed(
        apart(state, [f"self_attn.{name}_proj" for name in "qkv"]),
        ("^cls_token", "embeddings.class_embedding"),
        ("^pos_embed", "embeddings.position_embedding.weight"),
        (r"^patch_embed\.proj", "embeddings.patch_embedding"),
        (r"^norm_pre\.", "pre_layrnorm."),
        (r"^norm\.", "post_layernorm."),
        (r"^blocks\.", "encoder.layers."),
        (r"\.attn\.proj\.", ".self_attn.out_proj."),
        (r"\.norm(1|2)\.", r".layer_norm\1."),
        (r"^attn_pool\.latent", "head.probe"),
        (r"^attn_pool\.proj\.", "head.attention.out_proj."),
        (r"^attn_pool\.norm\.", "head.layernorm."),
        (r"^attn_pool\.", "head."),
    ) | {"embeddings.position_ids": torch.arange(17)[None]}


def openai(state):
    """The image tower of OpenAI's CLIP."""
    state = dict(state)
    if "head.weight" in state:
        state["proj"] = state.pop("head.weight").t()
    state["cls_token"], state["pos_embed"] = state["cls_token"][0, 0], state["pos_embed"][0]
    return changed(
        state,
        ("^cls_token", "class_embedding"),
        ("^pos_embed", "positional_embedding"),
        (r"^patch_embed\.proj\.", "conv1."),
        (r"^norm_pre\.", "ln_pre."),
        (r"^norm\.", "ln_post."),
        (r"^blocks\.", "transformer.resblocks."),
        (r"\.norm(1|2)\.", r".ln_\1."),
        (r"\.attn\.qkv\.", ".attn.in_proj_"),
        (r"\.attn\.proj\.", ".attn.out_proj."),
        (r"\.mlp\.fc1\.", ".mlp.c_fc."),
        (r"\.mlp\.fc2\.", ".mlp.c_proj."),
    )


def dinov2(state):
    """The original DINOv2, whose blocks may come in chunks."""
    return changed(
        state, ("^reg_token", "register_tokens"), (r"^blocks\.(\d+)\.", r"blocks.0.\1.")
    ) | {"mask_token": torch.ones(1, 32)}


def mae(state):
    """A masked autoencoder with its decoder."""
    return state | {
        "mask_token": torch.ones(1, 1, 8),
        "decoder_embed.weight": torch.ones(8, 32),
        "decoder_pos_embed": torch.ones(1, 17, 8),
        "decoder_blocks.0.norm1.weight": torch.ones(8),
    }
