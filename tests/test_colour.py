"""Lab in whole steps: from tables that no platform rounds otherwise, as near to Lab as it says."""

import sys
from decimal import Decimal, getcontext

import numpy as np
import pytest
import torch

from spitgraph import colour
from spitgraph.colour import CURVE, LIGHT, MATRIX, STEPS_PER_UNIT, WHITE, quantised_lab
from spitgraph.contraction import naive
from spitgraph.contraction.graph import quantise
from spitgraph.pixels import comparison_features, lab, lab_direction

SHADES = torch.arange(256, dtype=torch.uint8)
#: (L, a, b) of a step.
UNITS = torch.tensor([100, 100 / 1.5, 100 / 1.5], dtype=torch.float64) / STEPS_PER_UNIT


def colours(reds):
    """All 8-bit colours of these reds, [3, reds, 65536]."""
    return torch.stack(torch.meshgrid(reds, SHADES, SHADES, indexing="ij")).flatten(2)


# ---- the tables ----------------------------------------------------------------------------------


@pytest.fixture
def digits():
    """Decimal numbers of forty digits."""
    before, getcontext().prec = getcontext().prec, 40
    yield
    getcontext().prec = before


def assert_rounded(table, exact):
    """Whole numbers nearest to exact ones, none of which lies where float64 might err."""
    for entry, number in zip(np.ravel(table).tolist(), exact, strict=True):
        assert abs(entry - number) < Decimal("0.499999")


def test_linear_light_is_rounded_correctly(digits):
    values = [Decimal(min(n, 255)) / 255 for n in range(257)]
    decoded = [
        ((v + Decimal("0.055")) / Decimal("1.055")) ** Decimal("2.4")
        if v > Decimal("0.04045")
        else v / Decimal("12.92")
        for v in values
    ]
    assert_rounded(LIGHT, [WHITE * v for v in decoded])


def test_the_curve_is_rounded_correctly(digits):
    light = [Decimal(n) / 4096 for n in range(4097)]
    root = [
        t ** (1 / Decimal(3)) if t > Decimal("0.008856") else Decimal("7.787") * t + 4 / Decimal(29)
        for t in light
    ]
    assert_rounded(CURVE, [STEPS_PER_UNIT * (Decimal("1.16") * f - Decimal("0.16")) for f in root])


def test_the_weights_are_rounded_correctly(digits):
    rows = [
        [Decimal(n) for n in row.split()]
        for row in (
            "0.412453 0.357580 0.180423",
            "0.212671 0.715160 0.072169",
            "0.019334 0.119193 0.950227",
        )
    ]
    assert_rounded(MATRIX[:, ::2], [2**18 * w / sum(row) for row in rows for w in row[::2]])
    assert (MATRIX.sum(1) == 2**18).all()
    chroma = [2**20 * Decimal("1.5") * k / Decimal("1.16") for k in (5, 2)]
    assert_rounded([colour.RED_GREEN, colour.BLUE_YELLOW], chroma)


# ---- what Lab is ---------------------------------------------------------------------------------


def test_greys_are_neutral_from_black_to_white():
    levels = torch.arange(colour.LEVELS + 1, dtype=torch.float64) / colour.LEVELS
    for grey in (SHADES, levels):
        lightness, a, b = quantised_lab(grey.expand(3, -1))
        assert not a.any() and not b.any()
        assert lightness[0] == 0 and lightness[-1] == STEPS_PER_UNIT
        assert (lightness.diff() > 0).all()


@pytest.mark.parametrize(
    ("image", "bounds"),
    [
        (colours(SHADES[::51]), [0.001, 0.004, 0.005]),
        (torch.rand(3, 2**16, generator=torch.Generator().manual_seed(0)), [0.004, 0.009, 0.008]),
        (
            torch.rand(3, 2**16, generator=torch.Generator().manual_seed(1)) ** 4,
            [0.004, 0.01, 0.008],
        ),
    ],
    ids=["8 bits", "floats", "dark floats"],
)
def test_as_near_to_lab_as_method_says(image, bounds):
    import kornia.color

    exact = image.double() / (1 if image.is_floating_point() else 255)
    expected = kornia.color.rgb_to_lab(exact.view(3, 1, -1)).flatten(1)
    error = (quantised_lab(image).flatten(1) * UNITS[:, None] - expected).abs()
    assert (error.amax(1) < torch.tensor(bounds)).all()


def test_8_bit_values_are_the_same_as_floats():
    image = colours(SHADES[::85])
    for same in (image / 255, image.double() / 255):
        assert torch.equal(quantised_lab(image), quantised_lab(same))


def test_what_lies_outside_is_clamped():
    image = torch.linspace(-0.5, 1.5, 99).view(3, 33)
    assert torch.equal(quantised_lab(image), quantised_lab(image.clamp(0, 1)))


def test_plain_is_naive():
    generator = torch.Generator().manual_seed(2)
    noise = torch.rand(3, 200, generator=generator)
    ends = torch.cartesian_prod(*[torch.tensor([0, 1e-45, 1e-5, 1 - 2**-24, 1])] * 3).t()
    image = torch.cat([noise, noise**6, (noise * 255).round() / 255, ends], dim=1)
    assert quantised_lab(image).t().tolist() == [naive.quantised_lab(p) for p in image.t().tolist()]


def test_features_are_whole_steps():
    image = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(3))
    steps = quantised_lab(image).flatten(1).long()
    assert torch.equal(lab(image).flatten(1) * STEPS_PER_UNIT, steps.float())
    assert torch.equal(quantise(comparison_features(image, "lab")), steps)
    directions = quantise(comparison_features(image, "lab", "cosine"))
    assert torch.equal(lab_direction(image).flatten(1) * STEPS_PER_UNIT, directions.float())
    assert torch.equal(directions[0], 2 * steps[0] - STEPS_PER_UNIT)
    assert ((3 * directions[1:3] - 4 * steps[1:]).abs() <= 1).all()  # the nearest
    assert (directions[3] == STEPS_PER_UNIT).all()


def test_lab_takes_no_kornia(monkeypatch):
    """Which takes a second to import."""
    for module in ("kornia", "kornia.color"):
        monkeypatch.setitem(sys.modules, module, None)
    for similarity in ("distance", "cosine"):
        comparison_features(torch.rand(3, 4, 4), "lab", similarity)
