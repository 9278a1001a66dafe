"""A cache that is damaged, and a Numba that does not work: plain operations serve, once said."""

import logging
import multiprocessing
import pickle
import sys
import threading
import time

import numpy as np
import pytest
import torch

from spitgraph import SuperpixelTokenizer, kernels

pytest.importorskip("numba")

from spitgraph.kernels import serving  # noqa: E402
from spitgraph.kernels.cpu import cache, jit  # noqa: E402

CPU = torch.device("cpu")
NAME = "contraction"

DAMAGE = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "garbage": lambda content: bytes(reversed(content)),
    "another pickle": lambda content: pickle.dumps({"a": 1}),
    "another version": lambda content: pickle.dumps("0.1"),
    "a class that is gone": lambda content: content.replace(b"numba", b"mumba"),
    "missing": None,
}


def twice(values):
    return 2 * values.sum()


def damage(path, how):
    if DAMAGE[how] is None:
        path.unlink()
    else:
        path.write_bytes(DAMAGE[how](path.read_bytes()))


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Makes the same kernel anew, as another process would, with its cache in a folder."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    monkeypatch.setattr(jit, "KERNELS", [])
    jit.kernel(twice)(np.ones(3))
    return lambda: jit.kernel(twice)


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_what_is_damaged_is_compiled_anew_and_replaced(kept, tmp_path, ending, how):
    (path,) = tmp_path.glob(f"*.{ending}")
    damage(path, how)
    assert kept()(np.ones(3)) == 6
    again = kept()
    with cache.only_loading():
        assert again(np.ones(3)) == 6


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_process_that_only_loads_compiles_nothing(kept, tmp_path, ending, how):
    (path,) = tmp_path.glob(f"*.{ending}")
    damage(path, how)
    again = kept()
    with cache.only_loading(), pytest.raises(Exception):  # noqa: B017 - what unpickling ends in
        again(np.ones(3))
    assert again(np.ones(3)) == 6  # as if nothing had happened


def test_a_kernel_loads_all_that_was_compiled(kept, monkeypatch):
    kept()(np.ones(3, np.float32))
    jit.KERNELS.clear()
    again = kept()
    jit.load((again.__module__,))
    assert len(again.overloads) == 2


def test_a_note_is_not_written_of_what_could_not_be_kept(kept, tmp_path, monkeypatch):
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_data", _no_space)
    for ending in ("nbi", "nbc"):
        (path,) = tmp_path.glob(f"*.{ending}")
        path.unlink()
    again = kept()
    assert again(np.ones(3)) == 6
    with pytest.raises(OSError):
        cache.note_completion(NAME, [again], 1.0)
    assert not cache.is_complete(NAME)


def _no_space(*_):
    raise OSError(28, "No space left on device")


@pytest.fixture
def looking(tmp_path, monkeypatch):
    """A process that has not looked yet, where everything is said to be complete."""
    monkeypatch.setattr(serving, "_ready", set())
    monkeypatch.setattr(serving, "_next_look", {})
    monkeypatch.setattr(cache, "is_complete", lambda _: True)


@pytest.mark.parametrize(
    "error",
    [
        EOFError("Ran out of input"),
        KeyError(("signature",)),
        SystemError("initialization failed"),
        ImportError("NumPy too new"),
        AttributeError("no_cfunc_wrapper"),
        pickle.UnpicklingError(),
        OSError("no such file"),
        RecursionError(),
        AssertionError(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("step", ["load", "is_complete", "folder"])
def test_whatever_is_raised_is_said_once(looking, monkeypatch, caplog, error, step):
    def fail(*_):
        raise error

    if step == "load":
        monkeypatch.setattr(serving, "load", fail)
    else:
        monkeypatch.setattr(cache, "is_complete", fail if step == "is_complete" else lambda _: 0)
        monkeypatch.setattr(cache, "folder", fail)
    with caplog.at_level(logging.WARNING, logger="spitgraph"):
        for _ in range(3):
            assert not kernels.fused(CPU, NAME)
            assert SuperpixelTokenizer(1)(torch.ones(3, 2, 2)).num_nodes == 1
    assert len([r for r in caplog.records if NAME in r.message]) == 1
    assert type(error).__name__ in caplog.text


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
def test_what_is_not_numbas_fault_comes_out_and_may_be_tried_again(looking, monkeypatch, error):
    def fail(_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(serving, "load", fail)
        with pytest.raises(error):
            kernels.fused(CPU, NAME)
    assert kernels.fused(CPU, NAME)


def test_an_interrupt_while_numba_loads_comes_out(looking, monkeypatch):
    def fail(_):
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    monkeypatch.setattr(serving, "load", fail)
    with pytest.raises(KeyboardInterrupt):
        kernels.fused(CPU, NAME)


def test_warm_up_compiles_what_cannot_be_loaded(looking, monkeypatch):
    forgotten, compiled = [], []

    def load(modules):
        if modules == serving.PIPELINES[NAME].modules and not compiled:
            raise EOFError

    monkeypatch.setattr(serving, "load", load)
    monkeypatch.setattr(cache, "forget", forgotten.append)
    monkeypatch.setattr(serving, "_compile_side_by_side", compiled.extend)
    assert list(serving.warm_up()) == [NAME]
    assert forgotten == compiled == [NAME]
    assert kernels.fused(CPU, NAME)


def test_warm_up_compiles_here_where_no_process_can_be_started(looking, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise OSError("there is no Python interpreter")

    monkeypatch.setattr(cache, "is_complete", lambda _: False)
    monkeypatch.setattr(serving, "start_compiler", fail)
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    assert len(serving.warm_up()) == len(serving.PIPELINES)
    assert kernels.fused(CPU, NAME)


# ---- Numba itself --------------------------------------------------------------------------------


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """A module in Numba's place, of the given text."""

    def write(text):
        (tmp_path / "a_compiler.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(kernels, "COMPILERS", {"cpu": "a_compiler"})
        kernels._has_compiler.cache_clear()

    yield write
    kernels._has_compiler.cache_clear()
    sys.modules.pop("a_compiler", None)


@pytest.mark.parametrize(
    "text",
    [
        "raise ImportError('Numba needs NumPy 2.5 or less')",
        "raise SystemError('initialization of _internal failed')",
        "raise AttributeError('np.long')",
        "raise RuntimeError",
        "import a_module_that_is_missing",
        "raise OSError('libLLVM.so: cannot open shared object file')",
        "1 +",
    ],
)
def test_a_numba_that_cannot_be_imported_is_said_once(compiler, caplog, text):
    compiler(text)
    with caplog.at_level(logging.WARNING, logger="spitgraph"):
        for _ in range(3):
            assert not kernels.fused(CPU, NAME)
        assert kernels.warm_up() == {}
    assert len(caplog.records) == 1 and "a_compiler" in caplog.text


def test_an_old_numba_is_said_once(compiler, caplog, monkeypatch):
    compiler("")
    monkeypatch.setattr(kernels, "SERVICES", {"cpu": ("spitgraph.kernels.no_such_service",)})
    with caplog.at_level(logging.WARNING, logger="spitgraph"):
        for _ in range(3):
            assert not kernels.fused(CPU, NAME)
    assert len(caplog.records) == 1


def test_no_numba_is_nothing_to_speak_of(caplog, monkeypatch):
    monkeypatch.setattr(kernels, "COMPILERS", {"cpu": "no_such_module"})
    kernels._has_compiler.cache_clear()
    assert not kernels.fused(CPU, NAME)
    kernels._has_compiler.cache_clear()
    assert caplog.records == []


# ---- several at once -----------------------------------------------------------------------------


def test_where_nothing_is_to_be_compiled_plain_operations_serve(looking, monkeypatch, caplog):
    monkeypatch.setattr(serving, "IS_COMPILED", False)
    with caplog.at_level(logging.WARNING, logger="spitgraph"):
        for _ in range(3):
            assert not kernels.fused(CPU, NAME)
    assert len(caplog.records) == 1 and "NUMBA_DISABLE_JIT" in caplog.text
    assert serving.warm_up() == {}
    assert not kernels.fused(CPU, NAME)


def test_threads_that_look_at_once_load_once_and_say_it_once(looking, monkeypatch, caplog):
    loaded, barrier, answers = [], threading.Barrier(8), []

    def load(_):
        loaded.append(1)
        time.sleep(0.05)
        if len(loaded) > 1:
            raise EOFError

    def ask(name):
        barrier.wait(10)
        answers.append(serving.is_ready(name))

    monkeypatch.setattr(serving, "load", load)
    with caplog.at_level(logging.WARNING, logger="spitgraph"):
        for name in (NAME, "regions"):
            threads = [threading.Thread(target=ask, args=(name,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert answers == [True] * 8 + [False] * 8
    assert len(loaded) == 2 and len(caplog.records) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_process_that_forks_while_a_thread_loads_leaves_its_child_no_closed_lock(
    looking, monkeypatch
):
    begun = threading.Event()

    def load(_):
        begun.set()
        time.sleep(0.2)

    monkeypatch.setattr(serving, "load", load)
    thread = threading.Thread(target=serving.is_ready, args=(NAME,))
    thread.start()
    assert begun.wait(10)
    child = multiprocessing.get_context("fork").Process(target=serving.is_ready, args=("cells",))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    thread.join()
