"""Names that other code gives to the parameters of the same transformer."""

import re
from collections.abc import Iterable

Rules = tuple[tuple[str, str], ...]

#: The authors' released files → ours (METHOD 5).
AUTHORS: Rules = (
    (r"^embedder\.embedder\.linear\.", "embedder.linear."),
    (r"\.att\.(qkv|proj)\.linear\.", r".attn.\1."),
    (r"\.att\.ln_(q|k)\.", r".attn.\1_norm."),
    (r"\.mlp\.L(1|2)\.linear\.", r".mlp.fc\1."),
    (r"\.ls(1|2)\.lambda_$", r".ls\1.gamma"),
    (r"^(blocks|norm)\.", r"backbone.\1."),
)
#: A name that only the authors' files have.
AUTHORS_KEY = "embedder.embedder.linear.weight"

#: timm's names of plain ViTs → ours; the embedding is not a matter of names.
VIT: Rules = (
    (r"^(blocks|norm|norm_pre)\.", r"backbone.\1."),
    (r"^fc_norm\.", "backbone.pool.norm."),
    (r"^attn_pool\.", "backbone.pool."),
)
#: What else DINO, DINOv2 (whose blocks may come in chunks), DeiT and MAE call theirs → timm's.
TIMM: Rules = (
    (r"^blocks\.\d+\.(\d+)\.", r"blocks.\1."),
    (r"\.gamma_(1|2)$", r".ls\1.gamma"),
    (r"^register_tokens$", "reg_token"),
)
#: Hugging Face (ViT, DeiT, Dinov2, CLIP, SigLIP, in versions before and after 5) → timm's.
HUGGING_FACE: Rules = (
    (r"^embeddings\.(cls_token|class_embedding)$", "cls_token"),
    (r"^embeddings\.distillation_token$", "dist_token"),
    (r"^embeddings\.register_tokens$", "reg_token"),
    (r"^embeddings\.mask_token$", "mask_token"),
    (r"^embeddings\.(position_embeddings|position_embedding\.weight)$", "pos_embed"),
    (r"^embeddings\.(patch_embeddings\.projection|patch_embedding)\.", "patch_embed.proj."),
    (r"^pre_layrnorm\.", "norm_pre."),
    (r"^(layernorm|post_layernorm)\.", "norm."),
    (r"^(?:encoder\.)?layers?\.(\d+)\.", r"blocks.\1."),
    (r"\.(layernorm_before|layer_norm1)\.", ".norm1."),
    (r"\.(layernorm_after|layer_norm2)\.", ".norm2."),
    (r"\.attention\.attention\.(q|k|v)(uery|ey|alue)\.", r".attn.\1."),
    (r"\.(?:self_attn|attention)\.(q|k|v)_proj\.", r".attn.\1."),
    (r"\.(self_attn\.out_proj|attention\.o_proj|attention\.output\.dense)\.", ".attn.proj."),
    (r"^(blocks\.\d+)\.intermediate\.dense\.", r"\1.mlp.fc1."),
    (r"^(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"\.layer_scale(1|2)\.lambda1$", r".ls\1.gamma"),
    (r"^head\.probe$", "attn_pool.latent"),
    (r"^head\.attention\.(in_proj_weight|in_proj_bias)$", r"attn_pool.\1"),
    (r"^head\.attention\.out_proj\.", "attn_pool.proj."),
    (r"^head\.layernorm\.", "attn_pool.norm."),
    (r"^head\.mlp\.", "attn_pool.mlp."),
)
#: OpenAI's CLIP and open_clip → timm's.
OPENAI: Rules = (
    (r"^class_embedding$", "cls_token"),
    (r"^positional_embedding$", "pos_embed"),
    (r"^conv1\.", "patch_embed.proj."),
    (r"^ln_pre\.", "norm_pre."),
    (r"^ln_post\.", "norm."),
    (r"^transformer\.resblocks\.", "blocks."),
    (r"\.ln_(1|2)\.", r".norm\1."),
    (r"\.attn\.in_proj_(weight|bias)$", r".attn.qkv.\1"),
    (r"\.attn\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
    (r"\.ls_(1|2)\.gamma$", r".ls\1.gamma"),
    (r"^proj$", "proj"),
)
#: Heads that stand beside a tower rather than in it → timm's.
BESIDE: Rules = (
    (r"^(cls_classifier|classifier|visual_projection)\.", "head."),
    (r"^visual\.head\.proj\.", "head."),
)


def rewritten(name: str, rules: Rules) -> str:
    """A name after all rules, one after the other."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def renamed(names: Iterable[str], rules: Rules) -> dict[str, str]:
    """Their name by our name; names that no rule is about stay.

    Raises:
        ValueError: Two names mean the same parameter.
    """
    result: dict[str, str] = {}
    for name in names:
        ours = rewritten(name, rules)
        if ours in result:
            raise ValueError(f"{result[ours]!r} and {name!r} are the same parameter")
        result[ours] = name
    return result
