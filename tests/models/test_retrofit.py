"""A plain vision transformer, retrofitted: its own logits on its own patches (METHOD 4.5)."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from spitgraph.extractors import InterpolationExtractor
from spitgraph.models import create_model, retrofit
from spitgraph.models.patch_embedding import input_map, position_rows, resized_kernels
from spitgraph.pixels import adjust_contrast

WIDTH, DEPTH, HEADS, CLASSES = 32, 2, 4, 5
SMALL = {"embed_dim": WIDTH, "depth": DEPTH, "num_heads": HEADS, "num_classes": CLASSES}


class PlainAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        q, k, v = self.qkv(x).view(len(x), 3, HEADS, WIDTH // HEADS).permute(1, 2, 0, 3)
        logits = q @ k.mT / (WIDTH // HEADS) ** 0.5
        return self.proj((logits.softmax(-1) @ v).transpose(0, 1).flatten(1))


class PlainMlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return self.fc2(functional.gelu(self.fc1(x)))


class PlainScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(WIDTH))

    def forward(self, x):
        return self.gamma * x


class PlainBlock(nn.Module):
    def __init__(self, scaled):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(WIDTH, eps=1e-6), PlainAttention()
        self.norm2, self.mlp = nn.LayerNorm(WIDTH, eps=1e-6), PlainMlp()
        self.ls1 = PlainScale() if scaled else nn.Identity()
        self.ls2 = PlainScale() if scaled else nn.Identity()

    def forward(self, x):
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class PlainPatches(nn.Module):
    def __init__(self, patch):
        super().__init__()
        self.proj = nn.Conv2d(3, WIDTH, kernel_size=patch, stride=patch)

    def forward(self, x):
        return self.proj(x[None])[0].flatten(1).t()


class PlainViT(nn.Module):
    """A vision transformer with timm's names, as small as they come."""

    def __init__(self, grid=4, patch=4, scaled=False, classes=CLASSES, seed=0):
        super().__init__()
        self.patch_embed = PlainPatches(patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + grid**2, WIDTH))
        self.blocks = nn.Sequential(*(PlainBlock(scaled) for _ in range(DEPTH)))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.head = nn.Linear(WIDTH, classes) if classes else nn.Identity()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                centre = 1.0 if name.endswith("norm.weight") else 0.0
                parameter.copy_(centre + 0.3 * torch.randn(parameter.shape, generator=generator))

    def forward(self, x):
        x = torch.cat([self.cls_token[0], self.patch_embed(x)]) + self.pos_embed[0]
        return self.head(self.norm(self.blocks(x))[:1])


def picture(side, seed=0):
    return torch.rand(3, side, side, generator=torch.Generator().manual_seed(seed))


def assert_same_logits(model, plain, side, seeds=(0, 1)):
    """The ViT reads the contrast-adjusted colour, as φ does."""
    for seed in seeds:
        image = picture(side, seed)
        with torch.no_grad():
            expected = plain(adjust_contrast(image))
            assert expected.std() > 0.1
            torch.testing.assert_close(model.eval()(image), expected, rtol=0, atol=1e-4)


def vit(**options):
    return create_model("vit_tiny_16", **SMALL | {"bins": 4, "qkv_bias": True} | options)


@pytest.mark.parametrize(
    ("gradient", "scaled", "graph_bias"),
    [(True, True, False), (False, False, False), (True, False, True)],
)
def test_the_vits_own_logits_on_its_own_patches(gradient, scaled, graph_bias):
    plain = PlainViT(scaled=scaled)
    model = vit(gradient=gradient, graph_bias=graph_bias)
    if graph_bias:
        nn.init.ones_(model.backbone.graph_bias.table)
    assert retrofit(model, plain.state_dict()) is model
    assert_same_logits(model, plain, side=16)


@pytest.mark.parametrize(("grid", "sigma"), [(2, 0.05), (3, 0.025), (4, 0.2)])
def test_positions_are_exact_for_any_grid_of_no_more_patches_than_bins(grid, sigma):
    plain = PlainViT(grid=grid)
    model = retrofit(vit(sigma=sigma), plain.state_dict())
    assert_same_logits(model, plain, side=4 * grid)


def test_patches_of_16_pixels_at_224():
    plain = PlainViT(grid=14, patch=16)
    model = retrofit(vit(bins=16), plain.state_dict())
    assert_same_logits(model, plain, side=224, seeds=(0,))


def test_finer_grids_than_bins_are_fitted_as_nearly_as_possible():
    plain = PlainViT(grid=6)
    smooth = torch.linspace(0, 1, 6)
    with torch.no_grad():  # a table without detail finer than the bins
        table = smooth[:, None, None] + smooth[:, None] * torch.linspace(-1, 1, WIDTH)
        plain.pos_embed[0, 1:] = table.flatten(0, 1)
    model = retrofit(vit(sigma=0.2), plain.state_dict())
    tokens = model.tokenize(adjust_contrast(picture(24)).clamp(0, 1))
    rows = model.embedder.linear.weight.view(WIDTH, 16, 5)[:, :, 3]
    fitted = tokens.x.view(36, 16, 5)[:, :, 3] @ rows.t()
    assert (fitted - plain.pos_embed[0, 1:]).abs().max() < 0.2


def test_histograms_too_wide_to_tell_patches_apart_do_not_blow_up():
    table = torch.randn(4, 4, 3, generator=torch.Generator().manual_seed(0)).double()
    wide = InterpolationExtractor(8, gradient=False, sigma=1.0)
    assert position_rows(table, wide, patch_size=8).abs().max() < 100


def test_a_table_for_another_grid_is_resized():
    plain, larger = PlainViT(grid=2), PlainViT(grid=4)
    table = plain.pos_embed[:, 1:].view(1, 2, 2, WIDTH).permute(0, 3, 1, 2)
    table = functional.interpolate(table, (4, 4), mode="bicubic", antialias=True)
    table = torch.cat([plain.pos_embed[:, :1], table.flatten(2).mT], dim=1)
    larger.load_state_dict(plain.state_dict() | {"pos_embed": table})
    model = retrofit(vit(), plain.state_dict(), image_size=16)
    assert_same_logits(model, larger, side=16)
    told = retrofit(vit(image_size=16), plain.state_dict())
    assert_same_logits(told, larger, side=16)


def test_smaller_kernels_see_the_same_in_enlarged_patches():
    """Patches of 4 pixels, doubled in size, before a model of patches of 8."""
    plain = PlainViT(grid=4, patch=4)
    model = retrofit(vit(bins=8), plain.state_dict())
    for seed in range(2):
        patches = picture(16, seed).unfold(1, 4, 4).unfold(2, 4, 4).reshape(-1, 1, 4, 4)
        large = functional.interpolate(patches, scale_factor=2, mode="bilinear")
        large = large.view(3, 4, 4, 8, 8).permute(0, 1, 3, 2, 4).reshape(1, 3, 32, 32)
        kernels = model.embedder.linear.weight.view(WIDTH, 8, 8, 5)[..., :3].permute(0, 3, 1, 2)
        enlarged = functional.conv2d(large, kernels, stride=8)
        own = functional.conv2d(picture(16, seed)[None], plain.patch_embed.proj.weight, stride=4)
        torch.testing.assert_close(enlarged, own, rtol=0, atol=1e-4)


def test_patches_of_another_side_than_the_bins_are_stretched():
    """Of a colour a patch, which stretching leaves as it is, the ViT's own logits."""
    plain = PlainViT(grid=4, patch=4)
    model = retrofit(vit(bins=8, patch_size=4), plain.state_dict()).eval()
    image = picture(4).repeat_interleave(4, 1).repeat_interleave(4, 2)
    with torch.no_grad():
        expected = plain(adjust_contrast(image))
        torch.testing.assert_close(model(image), expected, rtol=0, atol=1e-4)


def test_larger_kernels_see_nearly_the_same_in_shrunk_patches():
    generator = torch.Generator().manual_seed(0)
    smooth = torch.rand(1, 3, 4, 4, generator=generator).double()
    large = functional.interpolate(smooth, (16, 16), mode="bilinear")
    small = functional.interpolate(large, (8, 8), mode="bilinear", antialias=True)
    kernels = functional.interpolate(
        torch.randn(6, 3, 4, 4, generator=generator).double(), (16, 16), mode="bilinear"
    )
    expected = (kernels * large).sum((1, 2, 3))
    resized = (resized_kernels(kernels, 8) * small).sum((1, 2, 3))
    assert (resized - expected).abs().max() < 0.02 * expected.abs().max()


def test_normalised_input_is_folded_in():
    """For a ViT on (x − mean)/std, the closest affine map of φ's colour comes before it."""
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    plain = PlainViT()
    model = retrofit(vit(), plain.state_dict(), mean=mean, std=std).eval()
    scale, shift = input_map(None, (mean, std))
    image = picture(16)
    colour = adjust_contrast(image)
    with torch.no_grad():
        expected = plain(scale.float()[:, None, None] * colour + shift.float()[:, None, None])
        torch.testing.assert_close(model(image), expected, rtol=0, atol=1e-4)
    normalised = (image - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    mapped = scale[:, None, None] * colour + shift[:, None, None]
    assert (mapped - normalised).abs().mean() < 0.1
    with pytest.raises(ValueError, match="mean and std must be given together"):
        retrofit(vit(), plain.state_dict(), mean=mean)
    with pytest.raises(ValueError, match="std must be positive"):
        retrofit(vit(), plain.state_dict(), mean=mean, std=(1.0, 0.0, 1.0))


def test_superpixels_take_a_vit_too():
    model = create_model("spit_tiny_16", **SMALL, qkv_bias=True, bins=4)
    plain = PlainViT()
    retrofit(model, plain.state_dict())
    assert torch.equal(model.backbone.blocks[1].attn.qkv.weight, plain.blocks[1].attn.qkv.weight)
    assert model.eval()(picture(32)).isfinite().all()


# ---- what else state dicts hold ------------------------------------------------------------------


def with_tokens(plain, style):
    """The same ViT as others save it, with more tokens than the class token."""
    state = dict(plain.state_dict())
    table, extra = state["pos_embed"], torch.randn(1, 4, WIDTH)
    if style == "DeiT":
        state |= {"dist_token": extra[:, :1], "head_dist.weight": torch.ones(CLASSES, WIDTH)}
        state |= {"head_dist.bias": torch.ones(CLASSES)}
        state["pos_embed"] = torch.cat([table[:, :1], extra[:, :1], table[:, 1:]], dim=1)
    elif style == "DINO":
        state |= {"register_tokens": extra, "mask_token": torch.ones(1, WIDTH)}
    elif style == "timm":
        state["reg_token"] = extra
        state["pos_embed"] = torch.cat([table[:, :1], extra, table[:, 1:]], dim=1)
    elif style == "timm, no position for the class token":
        state["reg_token"] = extra
        state["pos_embed"] = table[:, 1:]
        state["cls_token"] = state["cls_token"] + table[:, :1]
    elif style == "nested":
        state = {"model": {f"module.{key}": value for key, value in state.items()}}
    return state


@pytest.mark.parametrize(
    "style", ["DeiT", "DINO", "timm", "timm, no position for the class token", "nested"]
)
def test_other_tokens_and_their_positions_are_left_out(style):
    plain = PlainViT(grid=4)
    model = retrofit(vit(), with_tokens(plain, style))
    assert_same_logits(model, plain, side=16)


def test_a_table_of_more_than_one_meaning_is_refused():
    state = PlainViT(grid=3).state_dict() | {"reg_token": torch.ones(1, 4, WIDTH)}
    state["pos_embed"] = state["pos_embed"][:, 1:]  # 3×3 patches; or 2×2, a class token, registers
    with pytest.raises(ValueError, match="pos_embed has 9 rows, for more than one square grid"):
        retrofit(vit(), state)


def test_without_a_head_the_model_keeps_its_own():
    plain = PlainViT(classes=0)
    model = vit()
    head = {key: value.clone() for key, value in model.head.state_dict().items()}
    retrofit(model, plain.state_dict())
    assert all(torch.equal(value, head[key]) for key, value in model.head.state_dict().items())
    plain.head = model.head
    assert_same_logits_of_features(model, plain)


def assert_same_logits_of_features(model, plain):
    image = picture(16)
    with torch.no_grad():
        torch.testing.assert_close(
            model.eval()(image), plain(adjust_contrast(image)), rtol=0, atol=1e-4
        )


def test_missing_biases_are_zero():
    plain = PlainViT()
    for block in plain.blocks:
        nn.init.zeros_(block.attn.qkv.bias)
    nn.init.zeros_(plain.patch_embed.proj.bias)
    state = {
        key: value
        for key, value in plain.state_dict().items()
        if not key.endswith(("qkv.bias", "patch_embed.proj.bias"))
    }
    for options in ({"qkv_bias": True}, {"qkv_bias": False}):
        model = vit(**options)
        nn.init.ones_(model.embedder.linear.bias)
        assert_same_logits(retrofit(model, state), plain, side=16)


# ---- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("pos_embed"), "lacks pos_embed"),
        (lambda s: s.pop("cls_token"), "lacks cls_token"),
        (lambda s: s.pop("patch_embed.proj.weight"), "lacks patch_embed.proj.weight"),
        (lambda s: s.pop("blocks.1.mlp.fc2.bias"), "lacks backbone.blocks.1.mlp.fc2.bias"),
        (lambda s: s.pop("head.bias"), "lacks head.bias"),
        (lambda s: s.update({"fc_norm.weight": torch.ones(WIDTH)}), "has no fc_norm.weight"),
        (lambda s: s.update({"norm.bias": torch.ones(3)}), "norm.bias is"),
        (lambda s: s.update(pos_embed=torch.ones(1, 8, WIDTH)), "pos_embed has 8 rows"),
        (lambda s: s.update(pos_embed=torch.ones(17, WIDTH)), r"pos_embed is \[17, 32\]"),
        (lambda s: s.update(cls_token=torch.ones(1, 1, 9)), r"cls_token is \[1, 1, 9\]"),
        (
            lambda s: s.update({"patch_embed.proj.weight": torch.ones(WIDTH, 3, 4, 5)}),
            r"patch_embed.proj.weight is \[32, 3, 4, 5\]",
        ),
        (
            lambda s: s.update({"head.weight": torch.ones(9, WIDTH), "head.bias": torch.ones(9)}),
            r"head.weight is \[9, 32\].*num_classes=9",
        ),
        (lambda s: s.update({"blocks.2.norm1.bias": torch.ones(WIDTH)}), "blocks.2.norm1.bias"),
    ],
)
def test_what_does_not_fit_is_refused_by_key(change, message):
    state = dict(PlainViT().state_dict())
    change(state)
    model = vit()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        retrofit(model, state)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_biases_that_the_model_lacks_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"no blocks\.0\.attn\.qkv\.bias.*with qkv_bias=True"):
        retrofit(vit(qkv_bias=False), PlainViT().state_dict())


def test_an_image_size_must_hold_whole_patches():
    with pytest.raises(ValueError, match="multiple of 4, got 18"):
        retrofit(vit(), PlainViT().state_dict(), image_size=18)


def test_another_extractor_is_refused():
    model = vit()
    model.extractor = nn.Identity()
    with pytest.raises(
        TypeError, match="expected an InterpolationExtractor or a WindowExtractor, got Identity"
    ):
        retrofit(model, PlainViT().state_dict())
