"""A corpus by Ray: the same rows whoever is killed when. Ray takes seconds to start: few tests."""

import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from helpers.corpora import folder_of_pictures
from helpers.places import REPOSITORY
from spitgraph import SuperpixelTokenizer, TokenDataset, VoronoiTokenizer
from spitgraph.corpus.cluster import pickled, tokenize_corpus, written
from spitgraph.corpus.manifest import OtherSettingsError, manifest_of, read
from spitgraph.corpus.places import Place
from spitgraph.corpus.schema import Layout
from spitgraph.corpus.shard import ShardWriter
from spitgraph.corpus.sources import Source

TOKENIZER = SuperpixelTokenizer(2)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return folder_of_pictures(tmp_path_factory.mktemp("corpus") / "in", 40, broken=[7, 30])


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason="no ray: pip install spitgraph[cluster]")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def reference(out):
    """The same corpus, written by this process out of the list that is there."""
    manifest = read(Place(out))
    layout = Layout(settings=manifest.settings, classes=manifest.classes)
    other = manifest_of(Place(f"{out}-reference"), entries_of(manifest), 2, {})
    writer = ShardWriter(other._replace(classes=manifest.classes), layout, TOKENIZER)
    for shard in range(other.shards):
        writer.write(shard)
    return parts(f"{out}-reference")


def entries_of(manifest):
    return [entry for shard in range(manifest.shards) for entry in manifest.entries(shard)]


def parts(out):
    return {path.name: path.read_bytes() for path in sorted(Path(out).glob("part-*"))}


@pytest.mark.slow
def test_two_workers_one_of_them_killed_write_the_same_rows(ray, pictures, tmp_path):
    killed, out = [], tmp_path / "out"

    def kill():
        """The first worker that is seen once a file is there."""
        deadline = time.monotonic() + 120
        while not killed and time.monotonic() < deadline:
            if list(out.glob("part-*")):
                for number in workers_below(os.getpid())[:1]:
                    os.kill(number, signal.SIGKILL)
                    killed.append(number)
            time.sleep(0.02)

    threading.Thread(target=kill, daemon=True).start()
    done = tokenize_corpus(pictures, out, TOKENIZER, labels="folder", per_file=2, workers=2)
    assert killed and (done.images, done.unreadable, done.new) == (40, 2, 40)
    assert parts(out) == reference(out)
    assert not [name for name in os.listdir(out) if name.startswith(".spitgraph-")]
    again = tokenize_corpus(pictures, out, TOKENIZER, labels="folder", per_file=2, workers=2)
    assert (again.images, again.unreadable, again.new) == (40, 2, 0)


def test_what_a_worker_cannot_write_ends_the_call_with_its_own_error(ray, pictures, tmp_path):
    out = tmp_path / "out"
    manifest = manifest_of(Place(out), Source(pictures), 8, {})
    shutil.rmtree(out)  # as a disk that is gone
    writer = ShardWriter(manifest, Layout(classes=manifest.classes), TOKENIZER)
    with pytest.raises(FileNotFoundError) as caught:
        list(written(writer, [0, 1], 1))
    assert caught.value.errno == errno.ENOENT


def test_errors_that_cannot_travel_say_what_they_are():
    class OwnError(Exception):
        pass

    told = pickle.loads(pickled(OwnError("no such picture")))
    assert isinstance(told, RuntimeError) and str(told) == "OwnError: no such picture"
    same = pickle.loads(pickled(OSError(errno.ENOSPC, "full", "part-00000.parquet")))
    assert (same.errno, same.filename) == (errno.ENOSPC, "part-00000.parquet")


def workers_below(number):
    """Processes of Ray's workers that descend from one."""
    parents, names = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
            with open(f"/proc/{entry}/cmdline") as file:
                names[int(entry)] = file.read()
        except OSError:  # it has just ended
            continue

    def descends(process):
        while process in parents:
            process = parents[process]
            if process == number:
                return True
        return False

    return [p for p, name in names.items() if name.startswith("ray::MapWorker") and descends(p)]


@pytest.mark.slow
def test_a_driver_killed_midway_goes_on_where_it_was(pictures, tmp_path):
    pytest.importorskip("ray", reason="no ray: pip install spitgraph[cluster]")
    out = tmp_path / "out"
    words = [str(pictures), str(out), "--levels", "2", "--per-file", "2", "--workers", "1"]
    command = [sys.executable, "-m", "spitgraph", "tokenize-corpus", *words]
    with subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True) as driver:
        while driver.poll() is None and not (out / "part-00001.parquet").exists():
            time.sleep(0.01)
        driver.kill()
    assert driver.returncode == -signal.SIGKILL
    there = len(TokenDataset(out))
    assert 0 < there < 38
    again = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert again.returncode == 1 and again.stderr == ""  # two could not be read
    assert again.stdout.startswith(f"38 of 40 pictures tokenized into {out}, ")
    assert parts(out) == reference(out)


def test_other_settings_and_tokenizers_are_refused(tmp_path):
    folder = folder_of_pictures(tmp_path / "in", 2)
    for name in ("features", "similarity"):
        own = SuperpixelTokenizer(**{name: lambda *given: given[0]})
        with pytest.raises(ValueError, match="without features or similarity of its own"):
            tokenize_corpus(folder, tmp_path / "out", own)
    with pytest.raises(ValueError, match="go together"):
        tokenize_corpus(folder, tmp_path / "out", TOKENIZER, layout=Layout(vectors="float16"))
    with pytest.raises(ValueError, match="there is no"):
        tokenize_corpus(tmp_path / "none", tmp_path / "other", TOKENIZER)


def test_settings_that_differ_are_refused_before_ray_is_started(tmp_path, monkeypatch):
    folder = folder_of_pictures(tmp_path / "in", 2)

    def refuse(*given):
        raise KeyError("ray")

    monkeypatch.setattr("spitgraph.corpus.cluster.ray_of", refuse)
    for tokenizer in (TOKENIZER, TOKENIZER):
        with pytest.raises(KeyError):
            tokenize_corpus(folder, tmp_path / "out", tokenizer)
    with pytest.raises(OtherSettingsError, match="was begun with tokenizer"):
        tokenize_corpus(folder, tmp_path / "out", VoronoiTokenizer(3))
    with pytest.raises(OtherSettingsError, match="was begun with images per file 512, not 2"):
        tokenize_corpus(folder, tmp_path / "out", TOKENIZER, per_file=2)
