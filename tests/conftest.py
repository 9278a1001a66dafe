"""Fixtures of all tests; the functions that they hand out are in helpers/."""

import os
import signal
from contextlib import nullcontext

import pytest
import torch
from jaxtyping import config, install_import_hook

# Every shape and dtype that spitgraph's annotations state is checked. Before its first import.
install_import_hook("spitgraph", "beartype.beartype")
pytest.register_assert_rewrite("helpers")

from helpers import code_paths, comparison, strategies  # noqa: E402
from helpers.effort import register_profiles  # noqa: E402
from helpers.pictures import AWKWARD  # noqa: E402
from helpers.places import DATA  # noqa: E402
from spitgraph import kernels  # noqa: E402

torch.set_num_threads(2)
register_profiles()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in a shell's background: so would be
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what tests begin, and interrupt


@pytest.fixture(scope="session", autouse=True)
def _warm():
    """Kernels are compiled before the first test, by one process for all of xdist's workers.

    Those that are not to be compiled serve here all the same, as plain Python functions.
    """
    kernels.warm_up()
    if os.environ.get("NUMBA_DISABLE_JIT") == "1" and kernels.available(torch.device("cpu")):
        from spitgraph.kernels import pipelines, serving

        serving._ready.update(pipelines.PIPELINES)


# ---- pictures ------------------------------------------------------------------------------------


@pytest.fixture(params=AWKWARD)
def awkward_image(request):
    """Every awkward picture, one after the other."""
    return AWKWARD[request.param].clone()


@pytest.fixture
def awkward_images():
    """All awkward pictures, as a list of different sizes."""
    return [image.clone() for image in AWKWARD.values()]


@pytest.fixture(scope="session")
def small_images():
    """Strategy: pictures of up to 9×9 pixels, of 1, 2, 4 or 256 shades, grey or coloured."""
    return strategies.small_images()


@pytest.fixture(scope="session")
def label_maps():
    """Strategy: label maps [H, W] of up to 8×8 pixels and 6 labels, not connected, with gaps."""
    return strategies.label_maps()


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


@pytest.fixture(params=["compiled", "plain"])
def extensions(request):
    """With torch-scatter and torch-cluster, and as if neither were installed."""
    if request.param == "compiled":
        code_paths.skip_without_extensions()
        yield request.param
    else:
        with code_paths.without_extensions():
            yield request.param


@pytest.fixture(params=["fused", "compiled", "plain"])
def implementation(request):
    """With the fused kernels; with plain operations, over the extensions and without them."""
    if request.param == "fused":
        if not kernels.available(torch.device("cpu")):
            pytest.skip("Numba is not installed")
        yield request.param
        return
    if request.param == "compiled":
        code_paths.skip_without_extensions()
    plain = code_paths.without_extensions if request.param == "plain" else nullcontext
    with kernels.plain(), plain():
        yield request.param


@pytest.fixture
def without_extensions():
    """`with without_extensions():` for comparing with what came before; skips where none are."""
    code_paths.skip_without_extensions()
    return code_paths.without_extensions


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


@pytest.fixture
def num_threads():
    """Sets how many threads PyTorch uses, until the test is over."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


# ---- comparison ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def assert_same():
    """`assert_same(a, b)`: two graphs have the same attributes, bit for bit."""
    return comparison.assert_same
