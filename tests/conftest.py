"""What the tests share: checked shapes, awkward pictures, both bodies of the extensions."""

import os
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import torch
import torch_geometric.typing
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from jaxtyping import config, install_import_hook

# Every shape and dtype that spitgraph's annotations state is checked. Before its first import.
install_import_hook("spitgraph", "beartype.beartype")

import spitgraph.extensions  # noqa: E402
from spitgraph import kernels  # noqa: E402

torch.set_num_threads(2)

settings.register_profile(
    "spitgraph",
    max_examples=25,
    deadline=None,
    derandomize=True,
    # fixtures here choose a code path for a whole test, and hold nothing that examples change
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("spitgraph")


@pytest.fixture(scope="session", autouse=True)
def _warm():
    """Kernels are compiled before the first test, by one process for all of xdist's workers."""
    kernels.warm_up()


REPOSITORY = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SPITGRAPH_DATA", REPOSITORY.parent / "shared" / "data"))


# ---- pictures ------------------------------------------------------------------------------------


def noise(height, width, seed=0, channels=3):
    """Uniform noise in 8 bits, [channels, H, W] float in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (channels, height, width), generator=generator) / 255


def checkerboard(height, width):
    squares = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    return squares.float().expand(3, -1, -1)


def mixed(height=24, width=31):
    """Flat areas, a ramp, stripes and noise side by side."""
    image = torch.full((3, height, width), 0.25)
    image[:, : height // 3, : width // 2] = 1
    image[0, height // 3 : 2 * height // 3] = torch.linspace(0, 1, width)
    image[:, 2 * height // 3 :, : width // 3] = noise(height, width)[
        :, 2 * height // 3 :, : width // 3
    ]
    image[1, 2 * height // 3 :, width // 2 :: 2] = 0.8
    return image


#: Pictures on which superpixel code tends to go wrong, by name.
AWKWARD = {
    "one pixel": torch.tensor([0.2, 0.5, 0.9]).view(3, 1, 1),
    "one row": noise(1, 7),
    "one column": noise(7, 1),
    "flat row": torch.full((3, 1, 9), 0.5),
    "flat grey": torch.full((3, 12, 13), 128 / 255),
    "flat black": torch.zeros(3, 9, 16),
    "flat white": torch.ones(3, 16, 9),
    "checkerboard": checkerboard(10, 11),
    "saturated": (noise(11, 12) > 0.5).float(),
    "noise": noise(13, 17),
    "mixed": mixed(),
}


@pytest.fixture(params=AWKWARD)
def awkward_image(request):
    """Every awkward picture, one after the other."""
    return AWKWARD[request.param].clone()


@pytest.fixture
def awkward_images():
    """All awkward pictures, as a list of different sizes."""
    return [image.clone() for image in AWKWARD.values()]


@st.composite
def _small_images(draw, max_side=9):
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    image = noise(height, width, seed=draw(st.integers(0, 2**16)))
    shades = draw(st.sampled_from([1, 2, 4, 256]))  # few shades: ties everywhere
    image = (image * 255 / 256 * shades).floor() / max(shades - 1, 1)
    return image[:1].expand(3, -1, -1) if draw(st.booleans()) else image


@pytest.fixture(scope="session")
def small_images():
    """Strategy: pictures of up to 9×9 pixels, of 1, 2, 4 or 256 shades, grey or coloured."""
    return _small_images()


@st.composite
def _label_maps(draw, max_side=8, max_labels=6):
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    labels = draw(st.integers(1, max_labels))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    return torch.randint(labels, (height, width), generator=generator)


@pytest.fixture(scope="session")
def label_maps():
    """Strategy: label maps [H, W] of up to 8×8 pixels and 6 labels, not connected, with gaps."""
    return _label_maps()


def _data_folder(name):
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}: set SPITGRAPH_DATA to the folder that holds {name}/")
    return folder


@pytest.fixture(scope="session")
def photos():
    """Paths of ordinary photographs, where the data is there."""
    return sorted(_data_folder("photos").glob("*.jpg"))


@pytest.fixture(scope="session")
def bsds():
    """Paths of BSDS500's validation photographs, where the data is there."""
    return sorted(_data_folder("bsds500-val").glob("*.jpg"))


# ---- code paths ----------------------------------------------------------------------------------


PACKAGES = ("torch_scatter", "torch_cluster")
MISSING = [name for name in PACKAGES if getattr(spitgraph.extensions, name) is None]


@contextmanager
def _without_extensions():
    with pytest.MonkeyPatch.context() as patch:
        for name in PACKAGES:
            patch.setattr(spitgraph.extensions, name, None)
        # PyG's own use of it
        patch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", False, raising=False)
        yield


@pytest.fixture(params=["compiled", "plain"])
def extensions(request):
    """With torch-scatter and torch-cluster, and as if neither were installed."""
    if request.param == "plain":
        with _without_extensions():
            yield request.param
    elif MISSING:
        pytest.skip(f"{' and '.join(MISSING)} not installed")
    else:
        yield request.param


@pytest.fixture(params=["fused", "compiled", "plain"])
def implementation(request):
    """With the fused kernels; with plain operations, over the extensions and without them."""
    if request.param == "fused":
        if not kernels.available(torch.device("cpu")):
            pytest.skip("Numba is not installed")
        yield request.param
    else:
        with (
            kernels.plain(),
            nullcontext() if request.param == "compiled" else _without_extensions(),
        ):
            if request.param == "compiled" and MISSING:
                pytest.skip(f"{' and '.join(MISSING)} not installed")
            yield request.param


@pytest.fixture
def without_extensions():
    """`with without_extensions():` for comparing with what came before; skips where none are."""
    if MISSING:
        pytest.skip(f"{' and '.join(MISSING)} not installed")
    return _without_extensions


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    """The CPU, and a GPU where there is one."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    return torch.device(request.param)


@pytest.fixture
def unchecked():
    """As for users: without the type checker, which would refuse arguments before spitgraph."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


# ---- comparison ----------------------------------------------------------------------------------


def _assert_same(one, other):
    one, other = one.to_dict(), other.to_dict()
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert value.dtype == other[key].dtype, key
        assert torch.equal(value, other[key]), key


@pytest.fixture(scope="session")
def assert_same():
    """`assert_same(a, b)`: two graphs have the same attributes, bit for bit."""
    return _assert_same
