"""What belongs to the whole process is the caller's: nothing here switches it, not for a moment."""

import ast
import signal
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from helpers.files import chunk, encoded, exif, png_with
from helpers.pictures import random_bytes
from helpers.places import REPOSITORY
from spitgraph import InterpolationExtractor, SuperpixelTokenizer, UnreadableImageError, memory
from spitgraph.images import load_image

#: Calls that change the process: by their last name, whatever module they are reached through.
SWITCHES = {
    *("catch_warnings", "simplefilter", "filterwarnings", "resetwarnings", "captureWarnings"),
    *("mallopt", "signal", "setrlimit", "setrecursionlimit", "setswitchinterval", "settrace"),
    *("set_num_threads", "set_num_interop_threads", "set_default_dtype", "set_default_device"),
    *("set_default_tensor_type", "set_grad_enabled", "set_flush_denormal", "set_printoptions"),
    *("use_deterministic_algorithms", "set_float32_matmul_precision", "set_detect_anomaly"),
    *("set_start_method", "set_sharing_strategy", "manual_seed_all", "seterr", "setlocale"),
    *("basicConfig", "putenv", "unsetenv", "chdir", "umask", "register_at_fork"),
}
#: Settings that are assigned to.
SETTINGS = {"MAX_IMAGE_PIXELS", "LOAD_TRUNCATED_IMAGES", "showwarning", "excepthook", "rcParams"}
#: Switches that the caller asks for, the command line's handlers while a command runs, a hook that
#: leaves a forked child no closed lock of ours, and what a worker of Ray does to its own process.
ASKED_FOR = {
    ("memory.py", "mallopt"),
    ("interrupts.py", "signal"),
    ("serving.py", "register_at_fork"),
    ("ahead.py", "set_num_threads"),
    ("cluster.py", "set_num_threads"),
    ("cluster.py", "chdir"),
}


def last_name(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def switched(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and last_name(node.func) in SWITCHES:
            yield last_name(node.func)
        if isinstance(node, ast.Assign):
            yield from {last_name(target) for target in node.targets} & SETTINGS
            for target in node.targets:  # os.environ["A"] = "b", rcParams["a"] = b
                if isinstance(target, ast.Subscript) and last_name(target.value) in (
                    *SETTINGS,
                    "environ",
                ):
                    yield last_name(target.value)
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from {alias.name for alias in node.names} & SWITCHES - {"signal"}


def test_no_code_switches_the_process():
    found = {
        (path.name, name)
        for path in (REPOSITORY / "spitgraph").rglob("*.py")
        for name in switched(ast.parse(path.read_text(encoding="utf8")))
    }
    assert found - ASKED_FOR == set()


@pytest.mark.parametrize(
    "code",
    [
        "with warnings.catch_warnings(): pass",
        "import torch; torch.set_num_threads(1)",
        "from warnings import simplefilter",
        "Image.MAX_IMAGE_PIXELS = None",
        "os.environ['OMP_NUM_THREADS'] = '1'",
    ],
)
def test_switches_would_be_found(code):
    assert list(switched(ast.parse(code)))


def state():
    """What tests can see of the process."""
    return {
        "filters": list(warnings.filters),
        "shown by": warnings.showwarning,
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "errors": np.geterr(),
        "interrupt": signal.getsignal(signal.SIGINT),
        "limit": Image.MAX_IMAGE_PIXELS,
        "truncated": ImageFile.LOAD_TRUNCATED_IMAGES,
        "seed": torch.initial_seed(),
    }


@pytest.fixture
def pictures(tmp_path):
    """Paths of pictures that are whole, odd, broken, and none."""
    whole = encoded(random_bytes(40, 50, 3))
    contents = {
        "whole.png": whole,
        "odd.png": png_with(whole, chunk(b"eXIf", exif(6)[:20]), chunk(b"gAMA", b"\0")),
        "broken.png": whole[:-60],
        "none.png": b"",
        "whole.tif": encoded(random_bytes(40, 50, 3), "TIFF"),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in [*contents, "missing.png"]]


def outcome(path):
    try:
        return load_image(path).sum().item()
    except UnreadableImageError as error:
        return str(error)


def test_loads_in_many_threads_leave_the_process_alone(pictures):
    before, seen = state(), []
    expected = [outcome(path) for path in pictures]
    done = threading.Event()

    def watch():
        while not done.is_set():
            seen.append(state() == before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(outcome, pictures * 40))
    done.set()
    watcher.join()
    assert outcomes == expected * 40
    assert all(seen) and state() == before


def test_the_limit_on_pixels_holds_in_every_thread(pictures, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 50 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ThreadPoolExecutor(8) as threads:
            outcomes = list(threads.map(outcome, [pictures[0], pictures[-2]] * 100))
    assert all("decompression bomb" in message for message in outcomes)


def test_tokenizing_leaves_the_process_alone(pictures, implementation, monkeypatch):
    monkeypatch.setattr(memory, "_glibc", lambda: pytest.fail("the allocator was asked for"))
    before = state()
    tokenize, extract = SuperpixelTokenizer(num_tokens=9), InterpolationExtractor(bins=2)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda path: extract(tokenize(path)), [pictures[0], pictures[-2]] * 10))
    assert state() == before
